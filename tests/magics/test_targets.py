"""Where SQL goes: names, URLs, variables of the environment, objects, sections, functions; and what stays in use."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

import duckdb
import pytest
import sqlalchemy as sa
from IPython.core.interactiveshell import InteractiveShell

from siege_nb.magics.errors import SqlError
from tests.magics.conftest import Run
from tests.servers import MariaDB, Postgres


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def using(run: Run) -> str:
    """The name of the connection in use."""
    return next(line.split()[1] for line in repr(run("%sql -l")).splitlines() if "●" in line)


def test_a_url_is_a_connection_of_this_kernel_only(run: Run, tmp_path: Path) -> None:
    assert "duckdb:///made.duckdb is in use" in repr(run("%sql duckdb:///made.duckdb"))
    run("%sql CREATE TABLE t AS SELECT 1 AS a")
    assert run("%sql FROM t").connection == "duckdb:///made.duckdb"
    assert (tmp_path / "made.duckdb").exists()
    assert not list(Path(os.environ["SIEGE_CONFIG_DIR"]).glob("connections/*"))
    assert "1 connection of this kernel only" in repr(run("%sql -l"))
    assert "is closed" in repr(run("%sql -x duckdb:///made.duckdb"))
    assert "of this kernel only" not in repr(run("%sql -l"))
    with pytest.raises(SqlError, match="No connection is in use"):
        run("%sql FROM t")


def test_a_url_with_sql_behind_it_switches_and_an_alias_does_not(run: Run) -> None:
    assert run("%sql duckdb:// --alias d SELECT 'd' AS a") == [("d",)]
    assert run("%%sql sqlite:// --alias s\nSELECT 's' AS a") == [("s",)]
    assert using(run) == "s"
    assert run("%sql d SELECT 'd' AS a") == [("d",)]
    assert using(run) == "s"
    run("%sql d")
    assert using(run) == "d"
    run("%config SqlMagic.sticky = True")
    assert run("%sql s SELECT 1 AS a") == [(1,)]
    assert using(run) == "s"


def test_the_same_url_is_the_same_session_and_closing_it_ends_its_tables(run: Run) -> None:
    run("%sql duckdb:// CREATE TEMP TABLE t AS SELECT 1 AS a")
    assert run("%sql duckdb:// FROM t") == [(1,)]
    run("%conn close duckdb://")
    with pytest.raises(SqlError, match="does not exist"):
        run("%sql duckdb:// FROM t")


@pytest.mark.parametrize(
    "line", ["postgresql://me:geheim123@localhost/db", "postgresql://me:geheim123@localhost/db SELECT 1",
             "--alias x postgresql://me:geheim123@localhost/db", "mysql://h/db?password=geheim123"]
)  # fmt: skip
def test_a_password_that_is_typed_is_refused_with_what_to_do(run: Run, line: str) -> None:
    with pytest.raises(SqlError) as caught:
        run(f"%sql {line}")
    text = str(caught.value)
    assert "must not be typed on the line" in text
    assert "$VARIABLE" in text
    assert "%conn add NAME" in text
    assert "geheim123" not in text + repr(caught.value)
    assert caught.value.kind == "usage"


@pytest.mark.parametrize("typed", ['{"password": "geheim123"}', '{"api_key": "geheim123", "timeout": 3}'])
def test_a_password_among_the_arguments_is_refused(run: Run, typed: str) -> None:
    with pytest.raises(SqlError, match="must not be typed") as caught:
        run(f"%sql postgresql://me@localhost/db -a {typed}")
    assert "geheim123" not in str(caught.value)


def test_a_template_is_no_typed_password(run: Run, ip: InteractiveShell, postgres: Postgres) -> None:
    server = postgres
    ip.user_ns["pw"] = quote(server.password, safe="")
    url = f"postgresql://{server.username}:{{{{pw}}}}@{server.host}:{server.port}/{server.database}"
    assert run(f"%sql {url} SELECT 1 AS a") == [(1,)]
    assert using(run) == f"postgresql://{server.username}@{server.host}:{server.port}/{server.database}"


@pytest.mark.parametrize("kind", ["postgres", "mysql"])
def test_a_variable_of_the_environment_may_hold_a_password(
    run: Run, kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    server: Postgres | MariaDB = request.getfixturevalue({"postgres": "postgres", "mysql": "mariadb"}[kind])
    place = f"{server.host}:{server.port}/{server.database}"
    password = quote(server.password, safe="")
    monkeypatch.setenv("DATABASE_URL", f"{kind}://{server.username}:{password}@{place}")
    assert run("%sql $DATABASE_URL --timeout 20 SELECT 1 AS a") == [(1,)]
    assert using(run) == f"{kind}://{server.username}@{place}"
    assert server.password not in repr(run("%sql -l")) + repr(run("%conn show"))
    run("%sql CREATE TABLE of_a_guest (a INT)")
    try:
        assert "of_a_guest" in repr(run("%conn tables of_a_guest"))
        assert "of_a_guest" in repr(run("%sqlcmd tables"))
        assert "ok" in repr(run("%conn test"))
    finally:
        run("%sql DROP TABLE of_a_guest")


def test_a_variable_of_the_environment_that_is_not_there_is_told(run: Run) -> None:
    with pytest.raises(SqlError, match="no variable NOSUCH_URL in the environment"):
        run("%sql $NOSUCH_URL")


def test_a_guest_is_not_noted_in_the_facts(run: Run, ip: InteractiveShell) -> None:
    run("%conn add saved sqlite")
    run("%sql sqlite:///x.db CREATE TABLE of_a_guest (a INT)")
    assert "of_a_guest" in repr(run("%sqlcmd tables"))
    workspace = ip.magics_manager.registry["SiegeMagics"].siege.workspace
    ident = workspace.guests()[0].connection_id
    assert workspace.facts.recall(ident, '["schemas"]') is not None
    run("%conn close --all")
    assert workspace.facts.recall(ident, '["schemas"]') is None
    folder = Path(os.environ["SIEGE_CONFIG_DIR"])
    assert not [file for file in folder.rglob("*") if file.is_file() and b"of_a_guest" in file.read_bytes()]


def test_a_url_that_cannot_be_reached_leaves_nothing_behind(run: Run) -> None:
    with pytest.raises(SqlError):
        run("%sql postgresql://me@localhost:1/db")
    assert "of this kernel only" not in repr(run("%sql -l"))


def test_arguments_of_a_url_are_fields_of_its_kind_or_what_its_driver_takes(run: Run, tmp_path: Path) -> None:
    sqlite3.connect("there.db").close()
    run('%sql sqlite:///there.db -a {"read_only": true} --alias ro')
    with pytest.raises(SqlError, match="read only"):
        run("%sql CREATE TABLE t (a INT)")
    run("""%sql sqlite:///there.db --connection_arguments '{"cached_statements": 5}' --alias of_its_driver""")
    assert run("%sql of_its_driver SELECT 1 AS a") == [(1,)]
    with pytest.raises(SqlError, match="nosuch_argument"):
        run('%sql sqlite:///there.db -a {"nosuch_argument": 5} --alias bad')
    with pytest.raises(SqlError, match="A JSON object is needed"):
        run("%sql sqlite:///there.db -a {oops")
    with pytest.raises(SqlError, match="say more about a URL"):
        run('%sql ro -a {"read_only": true} SELECT 1')


def test_a_url_of_no_kind_of_ours_is_sqlalchemys(run: Run, tmp_path: Path) -> None:
    sa.dialects.registry.register("strange", "tests.adapters.dialects", "Strange")
    url = f"strange:///{tmp_path}/s.db"
    assert run(f"%sql {url} SELECT 1 AS a").connection == url
    assert repr(run("%sql -l")).count("strange://") == 1, "it was taken for a secret"
    with pytest.raises(SqlError, match=r"SQLAlchemy has no dialect nosuch") as caught:
        run("%sql nosuch://h/db SELECT 1")
    assert caught.value.kind == "missing_driver"


@pytest.mark.parametrize("act", ["rm d", "share d public", "lock d", "clone o new"])
def test_a_guest_is_not_saved_by_the_way(run: Run, ip: InteractiveShell, act: str) -> None:
    ip.user_ns["o"] = duckdb.connect()
    run("%sql duckdb:// --alias d")
    run("%sql o")
    with pytest.raises(Exception, match=r"of this kernel only|cannot be saved"):
        run(f"%conn {act}")
    assert not list(Path(os.environ["SIEGE_CONFIG_DIR"]).glob("connections/*"))


def test_templates_in_options_are_filled_in(run: Run, ip: InteractiveShell) -> None:
    Path("q.sql").write_text("SELECT 42 AS a")
    ip.user_ns.update(path="q.sql", as_="d")
    assert run("%sql duckdb:// --alias {{ as_ }} --file {{path}}") == [(42,)]
    assert using(run) == "d"


def test_who_has_no_connection_is_told_of_the_environments(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SqlError, match=r"(?s)No connection is in use(?!.*DATABASE_URL)"):
        run("%sql SELECT 1")
    monkeypatch.setenv("DATABASE_URL", "duckdb://")
    with pytest.raises(SqlError, match=r"(?s)No connection is in use.*%sql \$DATABASE_URL"):
        run("%sql SELECT 1")
    assert run("%sql $DATABASE_URL SELECT 1 AS a") == [(1,)]


def test_an_alias_is_not_taken_from_a_saved_connection(run: Run) -> None:
    run("%conn add wh duckdb")
    with pytest.raises(SqlError, match="saved connection 'wh' already"):
        run("%sql duckdb:// --alias wh")
    with pytest.raises(SqlError, match="wh has its name already"):
        run("%sql wh --alias other")
    with pytest.raises(SqlError, match="there is none"):
        run("%sql --alias other")


def test_a_python_variable_may_hold_the_connection(run: Run, ip: InteractiveShell) -> None:
    ip.user_ns["con"] = duckdb.connect()
    ip.user_ns["con"].execute("CREATE TABLE t AS SELECT 5 AS a")
    assert run("%sql con SELECT a FROM t") == [(5,)]
    assert using(run) == "con"
    run("%sql duckdb://")
    assert run("%sql con FROM t") == [(5,)], "a known object serves that cell"
    assert using(run) == "duckdb://"
    ip.user_ns["con"] = duckdb.connect()
    with pytest.raises(SqlError, match="does not exist"):
        run("%sql con FROM t")


def test_a_variable_that_holds_no_connection_is_no_target(run: Run, ip: InteractiveShell) -> None:
    ip.user_ns["n"] = 5
    with pytest.raises(SqlError, match="no connection named 'n'"):
        run("%sql n")


def test_a_saved_connection_comes_before_a_variable_of_its_name(run: Run, ip: InteractiveShell) -> None:
    run("%conn add con sqlite")
    ip.user_ns["con"] = duckdb.connect()
    assert "SQLite" not in repr(run("%sql con SELECT sqlite_version() AS v"))


def test_an_engine_of_sqlalchemys(run: Run, ip: InteractiveShell, tmp_path: Path) -> None:
    ip.user_ns["engine"] = engine = sa.create_engine(f"sqlite:///{tmp_path}/e.db")
    run("%sql engine --alias lite CREATE TABLE t (a INT)")
    run("%sql lite INSERT INTO t VALUES (1), (2)")
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM t")).scalar() == 2
    assert "t" in repr(run("%sqlcmd columns -t t --conn lite"))
    run("%sql -x lite")
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT 1")).scalar() == 1


def test_a_function_makes_the_connection(run: Run, ip: InteractiveShell) -> None:
    made: list[sqlite3.Connection] = []

    def make() -> sqlite3.Connection:
        made.append(sqlite3.connect(":memory:"))
        return made[-1]

    ip.user_ns["make"] = make
    assert run("%sql --creator make SELECT 1 AS a") == [(1,)]
    assert using(run) == "make"
    run("%sql --close make")
    with pytest.raises(sqlite3.ProgrammingError):
        made[0].execute("SELECT 1")
    assert run("%sql -c make sqlite:// --alias again SELECT 2 AS a") == [(2,)]
    assert len(made) == 2
    with pytest.raises(SqlError, match="no function 'mke'"):
        run("%sql --creator mke SELECT 1")
    ip.user_ns["broken"] = lambda: 1 / 0
    with pytest.raises(SqlError, match="division by zero"):
        run("%sql --creator broken SELECT 1")
    ip.user_ns["useless"] = lambda: 5
    with pytest.raises(SqlError, match="A int is no connection"):
        run("%sql --creator useless SELECT 1")


def test_a_section_is_a_saved_connection_or_one_of_jupysqls_file(run: Run, tmp_path: Path) -> None:
    Path("mine.ini").write_text("[duck]\ndrivername = duckdb\n[lite]\ndrivername = sqlite\ndatabase = s.db\n")
    run("%config SqlMagic.dsn_filename = 'mine.ini'")
    assert run("%sql --section duck SELECT 1 AS a") == [(1,)]
    assert using(run) == "duck"
    assert "lite is in use" in repr(run("%sql -s lite"))
    run("%conn add saved duckdb")
    assert "saved is in use" in repr(run("%sql --section saved"))
    with pytest.raises(SqlError, match=r"no connection or section 'dck'\. Did you mean duck") as caught:
        run("%sql --section dck")
    assert "mine.ini has: duck, lite" in caught.value.hint
    with pytest.raises(SqlError, match="--section has its name already"):
        run("%sql --section duck --alias x")
    assert Path("mine.ini").read_text().startswith("[duck]")


def test_a_connection_named_default_is_used_where_none_is(run: Run) -> None:
    run("%conn add default duckdb")
    assert run("%sql SELECT 1 AS a") == [(1,)]
    assert using(run) == "default"
    run("%client new ACME Acme primary_contact=x email=y@z")
    run("%conn close --all")
    run("%client use ACME")
    run("%conn add default sqlite client=ACME")
    run("%conn close --all")
    run("%client use ACME")
    assert run("%sql SELECT sqlite_version() IS NOT NULL AS a") == [(1,)]
