"""What a database says is text wherever it is shown: nothing in it runs, is fetched or asks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.lab import Lab
from tests.browser.results import ran

pytestmark = pytest.mark.browser

CORPUS = Path(__file__).parents[1] / "corpus" / "xss.json"
PAYLOADS = json.loads(CORPUS.read_text())

READ = f"""%config SqlMagic.jinja = "off"
import json
from dataclasses import replace
from pathlib import Path
from IPython import get_ipython
from IPython.display import HTML, display
from siege_nb.errors import SiegeError
from siege_nb.show import Look
payloads = json.loads(Path({str(CORPUS)!r}).read_text())
sql = lambda text: get_ipython().run_cell_magic("sql", "", text)
quoted = lambda name: '"' + name.replace('"', '""').replace("\\0", "") + '"'"""

SHOWN = (
    # as a value, whole and cut, on one line and in a list
    """for p in payloads:
    result = sql("SELECT :p AS v, :p || 'x' AS w")
    display(result, replace(result, look=Look(max_cell_width=12)))""",
    # as the name of a column, of a connection, of a file, and as a plan
    """for p in payloads:
    result = sql(f"SELECT 1 AS {quoted(p)}")
    display(replace(result, connection=p), replace(result, written=p, environment=p))
    display(replace(sql("SELECT :p AS p"), plan=True))""",
    # as the name of a table, listed
    """for p in payloads:
    sql(f"CREATE TABLE IF NOT EXISTS {quoted(p)} ({quoted(p)} INT)")
%conn tables""",
    # in the words of an error, as it is shown and as it is printed
    """for p in payloads:
    for text in (f"SELECT * FROM {quoted('no' + p)}", f"SELECT {quoted('no' + p)} FROM sqlite_master -- {p}"):
        try:
            sql(text)
        except SiegeError as error:
            get_ipython().showtraceback()
            print(error)""",
    # in a chart: as what is counted, and as the names of what is drawn
    """texts = ["'" + p.replace("'", "''").replace("\\0", "") + "'" for p in payloads]
values = sql(" UNION ALL ".join(f"SELECT {n} AS n, {text} AS v" for n, text in enumerate(texts)))
display(values.charted(("bar", "v", "n"), ()), values.charted(("hist", "v", ""), ()))
for p in payloads[::7] + payloads[-14:]:
    both = sql(f"SELECT 1 AS {quoted(p)}, 2 AS {quoted(p + 'y')}")
    display(replace(both, connection=p, environment="prod").charted(("point", *both.keys), ()))""",
    # in a grid, where there is one
    """for p in payloads:
    display(replace(sql(f"SELECT :p AS {quoted(p)}"), look=Look(grid="itables"), connection=p))""",
    'print("That was all.")',
)  # fmt: skip

_ALIVE = """() => [...document.querySelectorAll('.jp-OutputArea-output *')].flatMap(e => [...e.attributes])
    .filter(a => a.name.startsWith('on')).map(a => a.name + '=' + a.value)"""


def test_nothing_in_it_runs(lab: Lab, chromium: Browser) -> None:
    assert len(PAYLOADS) >= 60
    with ran(lab, chromium, "escapes.ipynb", READ, *SHOWN, height=3000) as (page, seen):
        page.locator(".vega-embed canvas").first.wait_for(timeout=60_000)
        for canvas in page.locator(".vega-embed canvas").all():
            _hover(page, canvas)
        errors = "\n".join(page.locator('[data-mime-type="application/vnd.jupyter.stderr"]').all_inner_texts())
        assert "Traceback" not in errors, errors[:3000]
        assert page.locator(".jp-OutputArea-output table").count() > 4 * len(PAYLOADS)
        assert page.evaluate("window.hit") is None
        assert page.evaluate(_ALIVE) == []
        assert seen.offsite == []
        # itables' own, which looks for its script before it has come.
        assert [error for error in seen.errors if "set_or_remove_dark_class" not in error] == []
        _is_visible(page, "\\x1b[31m<script>")
        _is_visible(page, "\\u202e<script>")
        raw = page.evaluate(
            "() => [...document.querySelectorAll('.jp-OutputArea-output')].map(e => e.textContent).join('')"
        )
        assert not {"\x1b", "\x07", "\u202e", "\u202c", "\x01"} & set(raw)


def test_the_same_would_run_if_it_were_not_text(lab: Lab, chromium: Browser) -> None:
    cells = READ, "display(HTML(''.join(payloads[10:12])))", 'print("That was all.")'
    with ran(lab, chromium, "control.ipynb", *cells) as (page, _):
        page.wait_for_function("window.hit", timeout=30_000)
        assert page.evaluate(_ALIVE) != []


def _hover(page: Page, canvas: object) -> None:
    """Move over a chart, so that its tooltips come."""
    box = canvas.bounding_box()  # type: ignore[attr-defined]
    assert box is not None
    for across in range(1, 12):
        page.mouse.move(box["x"] + box["width"] * across / 12, box["y"] + box["height"] * 0.55)


def _is_visible(page: Page, text: str) -> None:
    assert page.locator(".jp-OutputArea-output td").filter(has_text=text).count() > 0
