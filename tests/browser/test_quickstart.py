"""The quickstart as a stranger sees it: in JupyterLab, light and dark, with no network."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.browser.lab import Lab

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_the_quickstart_runs_in_a_real_lab(theme: str, lab: Lab, chromium: Browser) -> None:
    lab.set("@jupyterlab/apputils-extension/themes", {"theme": theme})
    with lab.notebook(chromium, "00_quickstart.ipynb") as (page, seen):
        page.evaluate("() => jupyterapp.commands.execute('notebook:run-all-cells')")
        outputs = page.locator(".jp-OutputArea-output")
        outputs.filter(has_text="All sessions are closed.").wait_for(timeout=60_000)
        # Three mistakes are shown on purpose, and only those.
        errors = page.locator(
            '.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.stderr"], .jp-RenderedText'
        )
        shown = "\n".join(errors.all_inner_texts())
        assert shown.count("SqlError[") == 3, shown
        assert "Traceback" not in shown
        table = outputs.locator("table", has=page.locator("caption", has_text="warehouse")).first
        assert table.locator("th[scope=col]").all_inner_texts() == ["day", "product", "units", "revenue"]
        # The caption's colour is the theme's own, so it can be read on either.
        assert table.locator("caption").evaluate("e => getComputedStyle(e).color") == page.evaluate(
            "() => { const e = document.createElement('p'); e.style.color = 'var(--jp-ui-font-color2)';"
            " document.body.append(e); const c = getComputedStyle(e).color; e.remove(); return c; }"
        )
        chart = outputs.locator(".vega-embed canvas, .vega-embed svg").first
        chart.wait_for(timeout=30_000)
        box = chart.bounding_box()
        assert box is not None
        assert box["width"] > 200
        assert seen.offsite == []
        assert seen.errors == []
