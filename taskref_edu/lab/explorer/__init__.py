"""The race lab and the crash lab: every interleaving and every crash point of unmodified functions."""

from ...errors import expect_package

expect_package("greenlet", "race")
