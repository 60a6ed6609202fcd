"""What a name in our cells is: a table with its columns, a column with its type; in Python cells nothing of ours."""

from __future__ import annotations

from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from siege_nb.magics import assist, complete, inspect, lookup
from siege_nb.magics.shell import Shell
from tests.magics.conftest import Run


@pytest.fixture(params=["duckdb", "sqlite"])
def shop(request: pytest.FixtureRequest, run: Run, ip: InteractiveShell, tmp_path: Path) -> None:
    run(f"%conn add shop {request.param} database={tmp_path}/shop.db create=true")
    run("%conn shop")
    run('%%sql\nCREATE TABLE orders (id INTEGER NOT NULL, "Total <Sum>" VARCHAR); CREATE TABLE people (id BIGINT)')
    siege: Shell = ip.magics_manager.registry["SiegeMagics"].siege
    if look := lookup.of(siege).look(siege.workspace, siege.needed()):
        look.join(20)


def about(ip: InteractiveShell, marked: str) -> str:
    """What is said of the name at the ¦."""
    shown = inspect.about(ip, marked.replace("¦", ""), marked.index("¦"))
    return "" if shown is None else shown.text


@pytest.mark.usefixtures("shop")
class TestAbout:
    @pytest.mark.parametrize(
        "cell",
        ["%%sql\nSELECT * FROM ord¦ers", "%%sql\nSELECT * FROM ¦orders", "%sql SELECT * FROM orders¦",
         "%%sql\nSELECT o¦.id FROM orders o", "%%sql\nSELECT id FROM orders o¦", "x = %sql SELECT 1 FROM main.Ord¦ers",
         "%%sql shop\nDROP TABLE orde¦rs", "%%sql\nSELECT 1; SELECT 2 FROM \"or¦ders\""],
    )  # fmt: skip
    def test_a_table_shows_its_columns(self, ip: InteractiveShell, cell: str) -> None:
        text = about(ip, cell)
        assert "id           INTEGER  no" in text
        assert "Total <Sum>  VARCHAR  yes" in text
        assert "table main.orders · 2 columns" in text

    def test_a_column_shows_its_type(self, ip: InteractiveShell) -> None:
        text = about(ip, "%%sql\nSELECT p.i¦d FROM orders o, people p")
        assert "BIGINT" in text
        assert "column of people" in text
        assert "INTEGER" in about(ip, "%%sql\nSELECT i¦d FROM orders o, people p")
        assert "VARCHAR" in about(ip, '%%sql\nSELECT "Total¦ <Sum>" FROM orders')

    def test_what_the_text_makes(self, ip: InteractiveShell) -> None:
        assert "1 column" in about(ip, "%%sql\nWITH c AS (SELECT id AS mine FROM orders) SELECT * FROM c¦")

    def test_its_html_is_escaped(self, ip: InteractiveShell) -> None:
        code = "%sql SELECT * FROM orders"
        shown = inspect.about(ip, code, len(code))
        assert shown is not None
        assert "Total &lt;Sum&gt;" in shown.html
        assert "<Sum>" not in shown.html

    @pytest.mark.parametrize(
        "cell", ["%%sql\nSELECT 'ord¦ers'", "%%sql\n-- ord¦ers\nSELECT 1", "%%sql\nSELECT nosuch¦",
                 "%%sql --ou¦t x\nSELECT 1", "ord¦ers = 1", "%time ord¦ers", "%conn columns ord¦ers", "%s¦ql SELECT 1",
                 "%%sql\nSELECT 1 ¦  + 2"],
    )  # fmt: skip
    def test_nothing_else_is_known(self, ip: InteractiveShell, cell: str) -> None:
        assert about(ip, cell) == ""

    def test_it_never_raises(self, ip: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(complete, "read", lambda *_: 1 / 0)
        assert about(ip, "%%sql\nSELECT * FROM ord¦ers") == ""


class TestInKernel:
    """The kernel's own inspection is wrapped, and given back."""

    def test_it_is_given_back(self, ip: InteractiveShell) -> None:
        class Kernel:
            def do_inspect(self, code: str, cursor_pos: int, detail_level: int = 0) -> dict[str, object]:
                return {"theirs": (code, cursor_pos, detail_level)}

        ip.kernel = kernel = Kernel()
        try:
            assist.install(ip)
            assert kernel.do_inspect("x = 1", 1, 2) == {"theirs": ("x = 1", 1, 2)}
            assert kernel.do_inspect("%%sql\nSELECT nosuch", 18, detail_level=1)["theirs"] == (
                "%%sql\nSELECT nosuch",
                18,
                1,
            )
            assist.uninstall(ip)
            assert "do_inspect" not in vars(kernel)
            theirs = kernel.do_inspect = lambda *_: {}
            assist.install(ip)
            assert kernel.do_inspect is not theirs
            assist.uninstall(ip)
            assert kernel.do_inspect is theirs
            assist.install(ip)
            other = kernel.do_inspect = lambda *_: {}
            assist.uninstall(ip)
            assert kernel.do_inspect is other
        finally:
            del ip.kernel

    def test_a_terminal_has_none(self, ip: InteractiveShell) -> None:
        assert not hasattr(ip, "kernel")
        assist.install(ip)
        assist.uninstall(ip)
