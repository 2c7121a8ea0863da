"""The panel on a page: by keyboard, with hostile names, in the dark, and without its kernel."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from .lab import Lab, Notebook

ORDERS = """\
from taskref_edu import Order, TaskQueue, open_database, writing
queue = TaskQueue(open_database())
with writing(queue.engine) as session:
    session.add(Order(customer='<img src=x onerror="window.hacked = true">', amount=1999))"""
PANEL = """\
from taskref_edu.widgets import Panel
panel = Panel(queue, approach="both")
panel"""
TEXTS = (
    ".taskref-badge", "button", "button[aria-disabled=true]", ".taskref-status", ".taskref-worker", ".taskref-legend",
    ".taskref-c-id",
)  # fmt: skip


@pytest.fixture(scope="module")
def opened(page: Page, lab: Lab) -> Iterator[Notebook]:
    """A panel of both approaches, on a database with one hostile name, for all tests that leave it so."""
    one = open_both(Notebook(page, lab), "both.ipynb")
    yield one
    one.close()


@pytest.fixture
def both(opened: Notebook) -> Notebook:
    opened.show()
    return opened


def open_both(notebook: Notebook, name: str) -> Notebook:
    notebook.open(notebook.lab.write(name, ORDERS, PANEL))
    notebook.run_all()
    expect(notebook.panel.locator(".taskref-orders")).to_have_count(2)
    return notebook


def test_everything_by_keyboard(both: Notebook):
    page = both.page
    both.button("New order").focus()
    page.keyboard.press("Enter")
    both.expect_status("order 2: new")
    page.keyboard.press("Tab")
    expect(both.panel.get_by_label("Selected order")).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Tab")
    expect(both.button("Pay")).to_be_focused()
    assert both.button("Pay").evaluate("button => getComputedStyle(button).outlineWidth") == "2px"
    page.keyboard.press("Space")
    both.expect_status("order 1: payment enqueued as task 1")
    expect(both.button("Pay")).to_be_focused()
    expect(both.panel.locator(".taskref-tasks").first).to_contain_text("← order 1")
    expect(both.panel.locator(".taskref-orders").last).to_contain_text("task 1 →")
    assert page.evaluate("window.hacked") is None
    expect(both.panel.locator("img")).to_have_count(0)


@pytest.mark.nightly
def test_the_text_stands_out_in_both_themes(both: Notebook):
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        both.command("apputils:change-theme", theme=theme)
        both.page.wait_for_function("theme => document.body.dataset.jpThemeName === theme", arg=theme)
        expect(both.page.locator("#jupyterlab-splash")).to_have_count(0)
        both.screenshot(theme.replace(" ", "-").lower())
        for selector in TEXTS:
            assert contrast(both, selector) >= 4.5, f"{selector} in {theme}"


@pytest.mark.nightly
def test_without_its_kernel_the_panel_is_a_table_and_says_what_to_do(alone: Notebook):
    both = open_both(alone, "no_kernel.ipynb")
    copy = both.page.locator(".taskref-static")
    expect(copy).to_be_hidden()
    both.shut_down_kernel()
    both.save_and_reload()
    expect(copy).to_contain_text("re-run this cell to make it live")
    expect(copy).to_have_css("max-height", "none")
    expect(copy).to_be_visible()
    expect(copy.locator(".taskref-orders").first).to_contain_text("<img src=x")
    expect(both.page.get_by_text("model not found")).to_be_hidden()
    assert both.page.evaluate("window.hacked") is None
    both.screenshot("without-kernel")


def contrast(notebook: Notebook, selector: str) -> float:
    """WCAG's contrast of the text of the first element against what lies behind it, painted by the browser."""
    return notebook.panel.locator(selector).first.evaluate(
        """element => {
            const canvas = document.createElement("canvas");
            const paint = canvas.getContext("2d", { willReadFrequently: true });
            const behind = [];
            for (let e = element; e; e = e.parentElement) behind.unshift(getComputedStyle(e).backgroundColor);
            const light = colours => {
                for (const colour of colours) { paint.fillStyle = colour; paint.fillRect(0, 0, 1, 1); }
                const [r, g, b] = [...paint.getImageData(0, 0, 1, 1).data].slice(0, 3).map(
                    c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            const ground = light(behind), text = light([...behind, getComputedStyle(element).color]);
            return (Math.max(ground, text) + 0.05) / (Math.min(ground, text) + 0.05);
        }"""
    )
