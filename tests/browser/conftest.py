"""Fixtures: one JupyterLab and one Chromium for all browser tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is missing: make test installs it")
from playwright.sync_api import Browser

from .lab import CannotStart, Lab, Notebook, new_page, running_browser, running_lab


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.xdist_group("browser"))  # one JupyterLab serves them all


@pytest.fixture(scope="package")  # not session: the loop of Playwright would be in the way of later tests
def chromium() -> Iterator[Browser]:
    """Without a browser the tests are skipped, in CI they fail."""
    try:
        with running_browser() as browser:
            yield browser
    except CannotStart as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing))
        pytest.skip(str(missing))


@pytest.fixture(scope="package")  # not session: the loop of Playwright would be in the way of later tests
def lab(chromium: Browser) -> Iterator[Lab]:
    with running_lab() as one:
        yield one


@pytest.fixture
def notebook(chromium: Browser, lab: Lab) -> Iterator[Notebook]:
    with new_page(chromium) as page:
        yield Notebook(page, lab)
