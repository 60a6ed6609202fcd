"""What Tab offers in our cells, by IPython's own completer; and that it offers nothing of ours elsewhere."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pandas
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from siege_nb import browse
from siege_nb.magics import assist, complete, lookup
from siege_nb.magics.shell import Shell
from siege_nb.pool import Key
from siege_nb.workspace import CELLS
from tests.magics.conftest import Run
from tests.servers import MariaDB, Postgres

Tab = Callable[[str], list[str]]


@pytest.fixture
def tab(ip: InteractiveShell) -> Tab:
    """tab("%sql SEL¦") is what is offered at the ¦, as "text type"."""
    ip.Completer.use_jedi = False  # it takes seconds to wake up

    def tab(marked: str) -> list[str]:
        at = marked.index("¦")
        code = marked.replace("¦", "")
        with provisionalcompleter():
            found = list(ip.Completer.completions(code, at))
        return [f"{one.text} {one.type}" for one in found]

    return tab


@pytest.fixture
def siege(ip: InteractiveShell) -> Shell:
    return ip.magics_manager.registry["SiegeMagics"].siege  # type: ignore[no-any-return]


def warm(siege: Shell) -> None:
    """All that there is to know of the connection in use is known."""
    look = lookup.of(siege).look(siege.workspace, siege.needed())
    if look is not None:
        look.join(20)


@pytest.fixture(params=["duckdb", "sqlite"])
def shop(request: pytest.FixtureRequest, run: Run, siege: Shell, tmp_path: Path) -> str:
    """A database in a file, in use: orders, people, and a table of an odd name."""
    kind = str(request.param)
    run(f"%conn add shop {kind} database={tmp_path}/shop.{kind} create=true")
    run("%conn shop")
    run("%%sql\nCREATE TABLE orders (id INTEGER, customer INTEGER, \"Total Sum\" REAL);"
        "CREATE TABLE people (name TEXT, age INTEGER); CREATE TABLE \"Odd name\" (a INTEGER)")  # fmt: skip
    warm(siege)
    return kind


class TestTables:
    @pytest.mark.parametrize(
        "cell",
        ["%%sql\nSELECT * FROM ¦", "%sql SELECT * FROM ¦", "r = %sql SELECT * FROM ¦", "%siege_sql SELECT 1 FROM ¦",
         "%%sql shop\nSELECT 1 FROM people JOIN ¦", "%%sql\nINSERT INTO ¦", "%%sql\nUPDATE ¦",
         "%%time\n%sql SELECT 1 FROM ¦\nx = 1", "%%sql --limit 5\nFROM ¦",
         "%%sql\nSELECT 1; DROP TABLE ¦", "%%sql x <<\nSELECT 1 FROM orders, ¦ WHERE 1"],
    )  # fmt: skip
    def test_they_stand_where_a_table_can(self, shop: str, tab: Tab, cell: str) -> None:
        found = tab(cell)
        assert {"orders table", "people table", '"Odd name" table', "main schema"} <= set(found)
        assert not [one for one in found if one.endswith((" column", " keyword", " magic", " path"))]

    def test_letter_case_aside_and_the_fragment_is_replaced(self, shop: str, tab: Tab, ip: InteractiveShell) -> None:
        assert tab("%%sql\nSELECT * FROM OR¦ WHERE 1") == ["orders table"]
        assert tab("%%sql\nSELECT * FROM od¦") == ['"Odd name" table']
        with provisionalcompleter():
            (found,) = ip.Completer.completions("%sql SELECT * FROM ord", 22)
        assert (found.start, found.end) == (19, 22)

    def test_in_a_quote_they_are_quoted_and_a_quote_is_not_closed_twice(self, shop: str, tab: Tab) -> None:
        assert tab('%%sql\nSELECT * FROM "Od¦') == ['"Odd name" table']
        assert tab('%%sql\nSELECT * FROM "Od¦"') == ['"Odd name table']

    def test_of_a_schema(self, shop: str, tab: Tab) -> None:
        assert set(tab("%%sql\nSELECT * FROM main.¦")) == {"orders table", "people table", '"Odd name" table'}
        assert "people table" in tab("%%sql\nSELECT * FROM db.main.p¦")

    def test_ctes_and_saved_queries_too(self, shop: str, tab: Tab, run: Run) -> None:
        run("%sql --save recent SELECT 1")
        found = tab("%%sql\nWITH c AS (SELECT 1) SELECT * FROM ¦")
        assert {"c cte", "recent saved"} <= set(found)
        assert tab("%%sql --with ¦") == ["recent saved"]

    def test_what_is_not_where_bare_names_are_looked_for_comes_with_its_schema(self, run: Run, tab: Tab, siege: Shell,
                                                                               tmp_path: Path) -> None:  # fmt: skip
        run(f"%conn add d duckdb database={tmp_path}/d.duckdb create=true")
        run("%conn d")
        run("%sql CREATE SCHEMA sales; CREATE TABLE sales.people (age INTEGER)")
        warm(siege)
        assert tab("%%sql\nSELECT * FROM peo¦") == ["sales.people table"]
        assert tab("%%sql\nSELECT p.¦ FROM sales.people p") == ["age column"]
        assert tab("%%sql\nSELECT sales.people.¦ FROM sales.people") == ["age column"]


class TestColumns:
    @pytest.mark.parametrize(
        "cell",
        ["SELECT o.¦ FROM orders o", "SELECT o.¦ FROM orders AS o JOIN people p", "SELECT orders.¦ FROM orders",
         "SELECT * FROM orders o WHERE O.¦", "WITH c AS (SELECT * FROM orders) SELECT c.¦ FROM c",
         "SELECT * FROM people WHERE 1 IN (SELECT o.¦ FROM main.orders o)", "SELECT s.¦ FROM (SELECT * FROM orders) s"],
    )  # fmt: skip
    def test_behind_a_dot(self, shop: str, tab: Tab, cell: str) -> None:
        assert tab(f"%%sql\n{cell}") == ["id column", "customer column", '"Total Sum" column']

    def test_of_all_tables_in_sight_then_functions_and_keywords(self, shop: str, tab: Tab) -> None:
        found = tab("%%sql\nSELECT ¦ FROM orders o, people")
        assert found[:7] == ["id column", "customer column", '"Total Sum" column', "name column", "age column",
                             "o alias", "people alias"]  # fmt: skip
        assert "count function" in found
        assert "CASE keyword" in found
        assert tab("%%sql\nselect * from people where a¦")[:1] == ["age column"]
        assert "and keyword" in tab("%%sql\nselect * from people where a¦")

    def test_those_that_the_text_makes(self, shop: str, tab: Tab) -> None:
        cte = "%%sql\nWITH c AS (SELECT id AS one, count(*) two FROM orders) SELECT c.¦ FROM c"
        assert tab(cte) == ["one column", "two column"]

    def test_in_the_brackets_of_an_insert_and_in_a_set(self, shop: str, tab: Tab) -> None:
        assert tab("%%sql\nINSERT INTO people (¦")[:2] == ["name column", "age column"]
        assert tab("%%sql\nUPDATE people SET a¦")[0] == "age column"

    def test_many_ctes_that_read_each_other_take_no_time(self, shop: str, tab: Tab) -> None:
        ctes = ", ".join(f"c{n} AS (SELECT * FROM c{n - 1} a, c{n - 2} b)" for n in range(2, 60))
        text = f"%%sql\nWITH c0 AS (SELECT * FROM people), c1 AS (SELECT * FROM people), {ctes} SELECT x.¦ FROM c59 x"
        assert tab(text) == ["name column", "age column"]


class TestNames:
    def test_binds_and_templates_come_from_the_notebook(self, tab: Tab, ip: InteractiveShell) -> None:
        ip.user_ns.update(since=1, sincerely=2, _hidden=3)
        assert tab("%%sql\nSELECT :sin¦") == ["since variable", "sincerely variable"]
        assert tab("%%sql\nSELECT '{{ sin¦ }}'") == ["since variable", "sincerely variable"]
        assert "_hidden variable" not in tab("%%sql\nSELECT :¦")
        assert "In variable" not in tab("%%sql\nSELECT :¦")
        assert tab("%%sql\nSELECT {{ since | in¦") == ["inlist filter"]
        assert tab("%%sql\nSELECT 1::ti¦") == ["TIME type", "TIMESTAMP type"]

    def test_frames_and_results_are_tables_of_duckdb(self, run: Run, tab: Tab, ip: InteractiveShell) -> None:
        run("%conn add d duckdb")
        run("%conn d")
        run("%sql res << SELECT 1 AS inside")
        ip.user_ns.update(frame=pandas.DataFrame({"a": [1], "b c": [2]}), number=1)
        found = tab("%%sql\nSELECT * FROM ¦")
        assert {"frame frame", "res frame"} <= set(found)
        assert "number frame" not in found
        assert tab("%%sql\nSELECT f.¦ FROM frame f") == ["a column", '"b c" column']
        assert tab("%%sql\nSELECT r.¦ FROM res r") == ["inside column"]

    @pytest.mark.parametrize(
        "cell", ["%sql SELECT 'x pri¦", "%%sql\n-- pri¦", "%%sql\n/* pri¦ */ SELECT 1", "%sql SELECT $$pri¦"]
    )
    def test_in_literals_and_comments_nothing_is_offered(self, tab: Tab, cell: str) -> None:
        assert [one.split()[0] for one in tab(cell)] == ["pri"]


class TestHead:
    @pytest.fixture(autouse=True)
    def _two(self, run: Run) -> None:
        run("%conn add duck duckdb")
        run("%conn add 'my lite' sqlite")

    def test_connections_then_options(self, tab: Tab) -> None:
        for cell in ("%sql ¦", "%%sql ¦", "%siege_sql ¦\n", "x = %sql ¦"):
            found = tab(cell)
            assert found[:2] == ["duck connection", '"my lite" connection']
            assert "--timeout option" in found
        assert tab("%sql du¦") == ["duck connection"]
        assert tab("%sql --tim¦") == ["--timeout option"]
        assert "duck connection" not in tab("%sql duck ¦")
        assert "--tx option" not in tab("%sql --tx ¦")
        assert tab("%sql duck SEL¦") == ["SELECT keyword"]
        assert tab("%sql duck --limit 5 sel¦") == ["select keyword"]

    def test_the_values_of_options(self, tab: Tab, ip: InteractiveShell, tmp_path: Path) -> None:
        (tmp_path / "out put.csv").touch()
        (tmp_path / "inner").mkdir()
        ip.user_ns.update(given={"a": 1}, other=2)
        assert tab("%sql --type pa¦") == ["pandas value"]
        assert tab("%sql -t po¦") == ["polars value"]
        assert tab("%sql --type=pa¦") == ["--type=pandas value"]
        assert tab("%%sql --chart b¦") == ["bar value"]
        for option in ("--section", "--close", "-x", "--alias"):
            assert "duck connection" in tab(f"%sql {option} ¦"), option
        assert tab("%sql --params ¦") == ["given variable"]
        assert set(tab(f"%sql --to {tmp_path}/¦")) == {f"{tmp_path}/inner/ path", f'"{tmp_path}/out put.csv" path'}
        assert tab(f"%sql --file {tmp_path}/inn¦") == [f"{tmp_path}/inner/ path"]
        assert "analyze value" in tab("%sql --explain ¦")

    def test_after_the_sql_began_an_option_is_none(self, tab: Tab) -> None:
        assert not [one for one in tab("%sql duck SELECT 1 --ti¦") if one.endswith("option")]

    def test_verbs_and_their_names(self, tab: Tab, run: Run) -> None:
        run("%client new ACME 'Acme Inc' primary_contact='A B' email=a@example.com")
        assert tab("%conn te¦") == ["test verb", "tests verb"]
        assert "duck connection" in tab("%conn ¦")
        assert tab("%conn test ¦") == ["duck connection", '"my lite" connection', "--all option"]
        assert tab("%conn tx ¦") == ["begin value", "commit value", "rollback value"]
        assert tab("%conn share duck ¦") == ["public value", "private value"]
        assert "sqlite kind" in tab("%conn add new ¦")
        assert {"host= field", "password:= field"} <= set(tab("%conn add new postgres ¦"))
        assert "host= field" not in tab("%conn add new postgres host=h ¦")
        assert tab("%conn tables --conn d¦") == ["duck connection"]
        assert tab("%client us¦") == ["use verb"]
        assert tab("%client use ¦") == ["ACME client"]
        assert tab("%client default d¦") == ["duck connection"]
        assert tab("%sqlcmd ta¦") == ["tables verb"]

    def test_tables_of_verbs(self, shop: str, tab: Tab) -> None:
        assert tab("%conn columns ord¦") == ["orders table"]
        assert tab("%conn sample ¦")[:1] == ['"Odd name" table']
        assert tab("%sqlcmd columns -t peo¦") == ["people table"]
        assert tab("%conn tables -s ¦") == ["main schema"]


class TestElsewhere:
    @pytest.mark.parametrize(
        "cell", ["somevalu¦", "x = 1\nsomevalu¦", "%sql SELECT 1\nsomevalu¦", "%time somevalu¦", "%%time\nsomevalu¦"]
    )
    def test_python_is_left_alone(self, tab: Tab, ip: InteractiveShell, cell: str) -> None:
        ip.user_ns["somevalue"] = 1
        assert [one.split()[0] for one in tab(cell)] == ["somevalue"]

    def test_the_name_of_a_magic_is_ipythons(self, tab: Tab) -> None:
        assert "%siege_sql magic" in tab("%siege_s¦")

    def test_a_magic_of_others_by_our_name_is_theirs(self, tab: Tab, ip: InteractiveShell) -> None:
        ip.register_magic_function(lambda line: None, "line", "sql")
        assert not [one for one in tab("%sql --tim¦") if one.endswith("option")]

    def test_it_can_be_turned_off_and_is_gone_after_unloading(self, tab: Tab, ip: InteractiveShell) -> None:
        assert tab("%sql --tim¦") == ["--timeout option"]
        ip.run_line_magic("config", "SqlMagic.completion = 'off'")
        assert not [one for one in tab("%sql --tim¦") if one.endswith("option")]
        before = list(ip.Completer.custom_matchers)
        assist.install(ip)
        assist.uninstall(ip)
        assert [one for one in ip.Completer.custom_matchers if one in before] == ip.Completer.custom_matchers

    def test_it_never_raises(self, tab: Tab, ip: InteractiveShell, monkeypatch: pytest.MonkeyPatch,
                             capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
        def broken(*_: object) -> None:
            raise RuntimeError("broken")

        monkeypatch.setattr(complete, "read", broken)
        tab("%%sql\nSELECT * FROM ¦")
        assert "broken" not in "".join(capsys.readouterr())


class TestLooking:
    """Where the names come from: never over the cells' session, never where no cell has been."""

    def test_what_no_cell_opened_is_not_opened(self, run: Run, tab: Tab, siege: Shell, tmp_path: Path) -> None:
        run(f"%conn add never sqlite database={tmp_path}/never.sqlite create=true")
        tab("%%sql never\nSELECT * FROM ¦")
        assert not (tmp_path / "never.sqlite").exists()
        assert not siege.workspace.pool._leases

    def test_nobody_is_asked_for_a_passphrase(
        self, run: Run, tab: Tab, siege: Shell, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run("%conn add pg postgres host=127.0.0.1 port=1 database=d username=u password:=env:NO_PASSWORD")
        asked: list[int] = []
        monkeypatch.setattr(siege.workspace.vault, "unlock", lambda: asked.append(1))
        for cell in (
            "%sql ¦",
            "%%sql pg\nSELECT * FROM ¦",
            "%conn columns --conn pg ¦",
            "%conn ¦",
            "%%sql --section ¦",
        ):
            tab(cell)
        assert asked == []

    def test_while_a_statement_runs_nobody_looks_and_the_old_is_offered(
        self, shop: str, tab: Tab, siege: Shell
    ) -> None:
        lease = siege.workspace.pool.find(Key(siege.needed().connection_id, CELLS))
        assert lease is not None
        siege.workspace.facts.forget_metadata(siege.needed().connection_id)
        found: list[list[str]] = []

        def other() -> None:
            found.append(tab("%%sql\nSELECT * FROM o¦"))

        with lease.turn:
            thread = threading.Thread(target=other)
            thread.start()
            thread.join(20)
        assert not [one for one in found[0] if one.endswith("table")]
        assert lookup.of(siege)._looks == {}
        warm(siege)
        assert "orders table" in tab("%%sql\nSELECT * FROM o¦")

    def test_a_change_is_known_as_soon_as_its_cell_has_ended(self, shop: str, run: Run, tab: Tab, siege: Shell) -> None:
        run("%sql CREATE TABLE fresh (f INTEGER)")
        warm(siege)
        assert tab("%%sql\nSELECT * FROM fr¦") == ["fresh table"]
        run("%sql DROP TABLE fresh")
        warm(siege)
        assert not [one for one in tab("%%sql\nSELECT * FROM fr¦") if one.endswith("table")]

    @pytest.mark.parametrize("kind", ["duckdb", "sqlite"])
    def test_a_database_in_memory_is_known_too(self, kind: str, run: Run, tab: Tab, siege: Shell) -> None:
        run(f"%conn add mem {kind}")
        run("%conn mem")
        run("%sql CREATE TABLE here (h INTEGER)")
        assert tab("%%sql\nSELECT t.¦ FROM here t") == ["h column"]
        with pytest.raises(Exception, match="nosuch"):
            run("%%sql\nCREATE TABLE more (m INTEGER); SELECT * FROM nosuch")
        assert tab("%%sql\nSELECT * FROM mo¦") == ["more table"]
        run("%conn close mem")
        run("%conn mem")
        assert not [one for one in tab("%%sql\nSELECT * FROM h¦") if one.endswith("table")]

    def test_an_open_transaction_is_not_disturbed(self, run: Run, tab: Tab, siege: Shell) -> None:
        run("%conn add mem duckdb")
        run("%conn mem")
        run("%sql BEGIN; CREATE TABLE t (a INTEGER)")
        assert tab("%%sql\nSELECT * FROM ¦")[0] == "t table"
        assert siege.workspace.state(siege.needed().connection_id) == "in transaction"

    def test_no_look_follows_at_once_upon_one_that_failed(self, shop: str, siege: Shell, tab: Tab,
                                                          monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
        tries: list[int] = []

        def broken(*_: object) -> None:
            tries.append(1)
            raise OSError("no")

        monkeypatch.setattr(browse, "survey", broken)
        siege.workspace.facts.forget_metadata(siege.needed().connection_id)
        for _ in range(3):
            tab("%%sql\nSELECT * FROM ¦")
            warm(siege)
        assert len(tries) == 1

    @pytest.mark.parametrize("kind", ["postgres", "mysql"])
    def test_of_a_server(self, kind: str, run: Run, tab: Tab, siege: Shell, postgres: Postgres, mariadb: MariaDB,
                         monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
        server: Postgres | MariaDB = postgres if kind == "postgres" else mariadb
        monkeypatch.setenv("T1_PASSWORD", server.password)
        database = server.database_for(f"complete {kind}")
        run(f"%conn add srv {kind} host={server.host} port={server.port} database={database} username={server.username}"
            " password:=env:T1_PASSWORD")  # fmt: skip
        run("%conn srv")
        quote = '"' if kind == "postgres" else "`"
        run(f"%%sql\nCREATE TABLE orders (id int, {quote}Mixed{quote} int); CREATE VIEW seen AS SELECT id FROM orders")
        warm(siege)
        mixed = '"Mixed"' if kind == "postgres" else "Mixed"
        assert tab("%%sql\nSELECT o.¦ FROM orders o") == ["id column", f"{mixed} column"]
        assert "seen view" in tab("%%sql\nSELECT * FROM s¦")


@pytest.fixture
def large(run: Run, tmp_path: Path) -> None:
    """2,000 tables, all of them known."""
    file = sqlite3.connect(tmp_path / "large.sqlite")
    file.execute("BEGIN")
    for number in range(2000):
        file.execute(f"CREATE TABLE table_{number} (id INTEGER, value_{number} TEXT)")
    file.commit()
    file.close()
    run(f"%conn add large sqlite database={tmp_path}/large.sqlite")
    run("%conn large")


def test_two_thousand_tables_take_no_longer_than_a_key(large: None, tab: Tab, siege: Shell) -> None:
    browse.survey(siege.workspace, siege.needed(), {"table_7"})
    took = []
    for _ in range(100):
        began = time.perf_counter()
        assert len(tab("%%sql\nSELECT t.value_7 FROM table_7 t JOIN table_1¦")) > 400
        took.append(time.perf_counter() - began)
    assert tab("%%sql\nSELECT t.¦ FROM table_7 t") == ["id column", "value_7 column"]
    assert sorted(took)[95] < 0.25
