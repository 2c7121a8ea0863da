"""The recordings in what a notebook or a check shows, and how large one may be: every saved notebook contains them."""

from __future__ import annotations

import re

LARGEST = 150_000  # bytes of one recording, its texts included


def assert_small(html: str) -> int:
    """Check every recording in the HTML; return how many there are."""
    found = re.findall(r'<script type="application/json">(.*?)</script>', html, re.DOTALL)
    sizes = [len(text.encode()) for text in found]
    assert all(size <= LARGEST for size in sizes), sizes
    return len(sizes)
