"""The race lab and the crash lab: every interleaving and every crash point of unmodified functions."""
