"""The notebooks about clients, connections and SQL in JupyterLab, light and dark, with no network."""

from __future__ import annotations

import os

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.lab import Lab

pytestmark = pytest.mark.browser

_RUN_ALL = """() => { window.ran = false;
    jupyterapp.commands.execute('notebook:run-all-cells').then(() => { window.ran = true; }); }"""


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
@pytest.mark.parametrize(("notebook", "answers", "mistakes"), [
    ("01_clients.ipynb", ["staging"], 3), ("02_connections.ipynb", [], 3), ("03_sql.ipynb", [], 4),
])  # fmt: skip
def test_it_runs_in_a_real_lab(
    notebook: str, answers: list[str], mistakes: int, theme: str, lab: Lab, chromium: Browser
) -> None:
    lab.set("@jupyterlab/apputils-extension/themes", {"theme": theme})
    with lab.notebook(chromium, notebook, height=6500) as (page, seen):
        page.evaluate(_RUN_ALL)
        for answer in answers:  # somebody sits there: a cell that writes on prod asks
            prompt = page.locator(".jp-Stdin-input")
            prompt.wait_for(timeout=60_000)
            prompt.fill(answer)
            prompt.press("Enter")
        page.wait_for_function("window.ran", timeout=90_000)
        if folder := os.environ.get("SIEGE_TEST_PICTURES"):
            page.screenshot(path=f"{folder}/{notebook.partition('.')[0]}-{theme.rpartition(' ')[2].lower()}.png")
        errors = page.locator('.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.stderr"]')
        errors.nth(mistakes - 1).wait_for(timeout=30_000)  # the last output may come after the last reply
        shown = "\n".join(errors.all_inner_texts())
        assert errors.count() == mistakes, shown  # they are made on purpose
        assert "Traceback" not in shown
        assert "hunter2" not in shown
        if notebook == "03_sql.ipynb":
            page.locator(".vega-embed canvas, .vega-embed svg").first.wait_for(timeout=30_000)
        else:
            _is_told_in_the_themes_own_colour(page)
        assert seen.offsite == []
        assert seen.errors == []


def _is_told_in_the_themes_own_colour(page: Page) -> None:
    # What a mistake would cost is said in a word, and in the colour of the theme's own text.
    badge = page.locator(".jp-OutputArea-output").get_by_text("▲ prod", exact=True).first
    assert badge.evaluate("e => getComputedStyle(e).color") == page.evaluate(
        "() => { const e = document.createElement('p'); e.style.color = 'var(--jp-ui-font-color1)';"
        " document.body.append(e); const c = getComputedStyle(e).color; e.remove(); return c; }"
    )
