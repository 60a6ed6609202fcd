"""Results as they look in JupyterLab, light and dark."""

from __future__ import annotations

import os

import pytest
from playwright.sync_api import Browser, Locator

from tests.browser.lab import Lab
from tests.browser.results import ran

pytestmark = pytest.mark.browser

CELLS = (
    """%%sql
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)
SELECT i AS number, i * 1234567.891 AS amount,
    CASE WHEN i % 3 = 0 THEN NULL WHEN i % 3 = 1 THEN 'NULL' ELSE 'word  ' || i END AS word,
    '漢字 é 👩‍👧 ' || i AS text, substr('A rather long text that goes on and on. ', 1, 20 * i) AS long FROM n""",
    "%sql SELECT 1 AS a, 'x' AS b WHERE 1 = 2",
    "%sql CREATE TABLE t (region TEXT, revenue REAL, day TEXT)",
    """%%sql
INSERT INTO t VALUES ('north', 120.5, '2024-01-01'), ('south', 80, '2024-02-01'), ('east', 95.25, '2024-03-01'),
    ('west & <far>', 40, '2024-04-01')""",
    "%sql --chart bar region revenue SELECT * FROM t",
    "%sql --chart line day revenue SELECT * FROM t",
    """%%sql --chart hist square
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) SELECT i * i AS square FROM n""",
    """from dataclasses import replace
from siege_nb.show import Look
columns = ", ".join(f"i * {n} AS column_{n}" for n in range(30))
numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)"
wide = get_ipython().run_cell_magic("sql", "", f"{numbers} SELECT {columns} FROM n")
replace(wide, look=Look(displaylimit=0), environment="prod")""",
    """plan = get_ipython().run_cell_magic("sql", "", "EXPLAIN QUERY PLAN SELECT * FROM t JOIN t u USING (region)")
few = replace(plan.answer, table=plan.arrow().select(["detail"]))
replace(plan, answer=few, plan=True)""",
    'print("That was all.")',
)  # fmt: skip
STICKS = """e => { const box = e.closest('div'); box.scrollTop = 500; box.scrollLeft = 300;
    const head = box.querySelector('thead th').getBoundingClientRect(), top = box.getBoundingClientRect().top;
    const said = box.querySelector('caption').getBoundingClientRect();
    return [box.scrollTop, Math.round(head.top - top), said.bottom <= top + box.clientHeight + 1]; }"""
# How a colour stands out from what is behind it, as WCAG counts it.
CONTRAST = """e => {
    const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).map(v => (v /= 255) <= .03928 ? v / 12.92
        : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
    const color = n => getComputedStyle(n).backgroundColor;
    let behind = e; while (/rgba\\(.*, 0\\)|transparent/.test(color(behind))) behind = behind.parentElement;
    const [a, b] = [light(getComputedStyle(e).color), light(color(behind))];
    return (Math.max(a, b) + .05) / (Math.min(a, b) + .05); }"""


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_results_can_be_read(theme: str, lab: Lab, chromium: Browser) -> None:
    lab.set("@jupyterlab/apputils-extension/themes", {"theme": theme})
    with ran(lab, chromium, "results.ipynb", *CELLS, height=4000) as (page, seen):
        tables = page.locator(".jp-OutputArea-output table")
        assert page.locator(".vega-embed canvas").count() == 3
        long = tables.filter(has_text="column_29")
        assert long.evaluate(STICKS) == [500, 0, True], "names and summary stay in sight"
        if folder := os.environ.get("SIEGE_TEST_PICTURES"):
            page.screenshot(path=f"{folder}/results-{theme.rpartition(' ')[2].lower()}.png")
        first = tables.filter(has_text="amount")
        assert [_side(cell) for cell in first.locator("tbody tr").first.locator("td").all()] == [
            "right", "right", "left", "left", "left",
        ]  # fmt: skip
        nulls = first.locator("td", has_text="NULL")
        assert {cell.locator("span").count() for cell in nulls.all()} == {0, 1}, "NULL is not the word NULL"
        for table in tables.all():
            assert table.locator("caption").bounding_box()["height"] < 40, "in one line"  # type: ignore[index]
        assert first.locator("caption").inner_text().startswith("first 10 of 50 rows")
        for seen_text in [first.locator("th").first, first.locator("td").first, first.locator("caption"), nulls.last]:
            assert seen_text.evaluate(CONTRAST) >= 4.5
        assert seen.offsite == []
        assert seen.errors == []


def _side(cell: Locator) -> str:
    return str(cell.evaluate("e => getComputedStyle(e).textAlign"))
