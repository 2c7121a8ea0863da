"""Fixtures: one JupyterLab and one Chromium for all browser tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is missing: make test installs it")
from playwright.sync_api import Browser, Page

from .lab import SIZE, CannotStart, Lab, Notebook, new_page, running_browser, running_lab


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in the same hook
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


@pytest.fixture(scope="package")
def page(chromium: Browser) -> Iterator[Page]:
    """One page, in which each test opens its notebook as a further tab: loading JupyterLab takes seconds."""
    with new_page(chromium) as one:
        yield one


@pytest.fixture
def notebook(page: Page, lab: Lab) -> Iterator[Notebook]:
    """A notebook beside those of other tests."""
    one = Notebook(page, lab)
    yield one
    one.close()
    page.set_viewport_size(SIZE)
    page.emulate_media(reduced_motion="no-preference")


@pytest.fixture
def alone(chromium: Browser, lab: Lab) -> Iterator[Notebook]:
    """A notebook on a page of its own, which can be loaded again."""
    with new_page(chromium) as one:
        yield Notebook(one, lab)
