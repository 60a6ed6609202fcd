"""A name that is not there: what was probably meant is said, from what is remembered, and nobody is asked for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas
import pytest
from IPython.core.interactiveshell import InteractiveShell

from siege_nb import browse
from siege_nb.errors import QueryError
from siege_nb.magics import lookup, meant
from siege_nb.magics.errors import SqlError
from siege_nb.magics.shell import Shell
from tests.magics.conftest import Run
from tests.servers import MariaDB, Postgres

SETUP = "CREATE TABLE orders (id INTEGER, customer INTEGER); CREATE TABLE people (name VARCHAR(9), age INTEGER)"


@pytest.fixture
def siege(ip: InteractiveShell) -> Shell:
    return ip.magics_manager.registry["SiegeMagics"].siege  # type: ignore[no-any-return]


@pytest.fixture(params=["sqlite", "sqlite file", "postgres", "mysql"])
def shop(request: pytest.FixtureRequest, run: Run, tmp_path: Path, postgres: Postgres, mariadb: MariaDB,
         monkeypatch: pytest.MonkeyPatch) -> str:  # fmt: skip
    """A connection in use, to a database with orders and people."""
    kind = str(request.param)
    if kind in ("postgres", "mysql"):
        server: Postgres | MariaDB = postgres if kind == "postgres" else mariadb
        monkeypatch.setenv("MEANT_PASSWORD", server.password)
        where = f"host={server.host} port={server.port} database={server.database_for('meant ' + kind)}"
        run(f"%conn add shop {kind} {where} username={server.username} password:=env:MEANT_PASSWORD")
    else:
        file = f"database={tmp_path}/shop.sqlite create=true" if "file" in kind else ""
        run(f"%conn add shop sqlite {file}")
    run("%conn shop")
    run(f"%%sql\n{SETUP}")
    return kind


def failed(run: Run, sql: str) -> SqlError:
    with pytest.raises(SqlError) as caught:
        run(f"%%sql\n{sql}")
    assert caught.value.kind == "not_found", caught.value
    return caught.value


class TestHint:
    def test_tables_columns_and_aliases(self, shop: str, run: Run, siege: Shell) -> None:
        look = lookup.of(siege).look(siege.workspace, siege.needed())
        if look:
            look.join(20)
        for sql, wanted in (
            ("SELECT 1;\nSELECT * FROM ordrs", "orders"),
            ("SELECT * FROM orders JOIN poeple ON 1 = 1", "people"),
            ("SELECT o.custmer FROM orders o", "customer"),
            ("SELECT nmae FROM people", "name"),
            ("SELECT id FROM orders WHERE id IN (SELECT ag FROM people)", "age"),
        ):
            error = failed(run, sql)
            if "Perhaps you meant" in error.hint:  # PostgreSQL says it of columns, with its alias
                assert wanted in error.hint
                assert "did you mean" not in error.hint
            else:
                assert f"did you mean: {wanted}" in error.hint, (sql, str(error))

    def test_nothing_like_it_is_nothing_said(self, shop: str, run: Run) -> None:
        assert "did you mean" not in str(failed(run, "SELECT * FROM xyzzy"))

    def test_an_aborted_transaction_stays_as_it_is(self, shop: str, run: Run, siege: Shell) -> None:
        run("%sql BEGIN")
        failed(run, "SELECT * FROM ordrs")
        assert siege.workspace.state(siege.needed().connection_id) == "in transaction"


def test_the_databases_own_words_are_enough(run: Run) -> None:
    run("%conn add duck duckdb")
    run("%conn duck")
    run(f"%%sql\n{SETUP}")
    error = failed(run, "SELECT * FROM ordrs")
    assert str(error).casefold().count("did you mean") == 1
    assert '"orders"' in str(error)


def test_frames_and_saved_queries_can_be_meant(run: Run, ip: InteractiveShell) -> None:
    ip.user_ns["customers"] = pandas.DataFrame({"a": [1]})
    run("%conn add duck duckdb")
    run("%conn duck")
    run("%sql --save recent SELECT 1")
    assert "did you mean: customers" in failed(run, "SELECT * FROM custmers").hint
    assert "did you mean: recent" in failed(run, "SELECT * FROM recnt").hint


def test_the_session_of_the_cells_is_not_asked_and_no_error_is_made(
    run: Run, siege: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(f"%conn add lite sqlite database={tmp_path}/lite.sqlite create=true")
    run("%conn lite")
    run(f"%%sql\n{SETUP}")
    conn = siege.needed()
    lease = siege.workspace.lease(conn)

    def forbidden(*_: Any, **__: Any) -> Any:
        raise AssertionError("the cells' session was asked")

    error = QueryError("no such table: ordrs", kind="not_found")
    with monkeypatch.context() as patch:
        patch.setattr(lease, "call", forbidden)
        meant.hint(error, siege, conn, "SELECT * FROM ordrs", {})
    assert "did you mean: orders" in error.hint

    error = QueryError("no such table: ordrs", kind="not_found", hint="as it was")
    monkeypatch.setattr(browse, "recall", forbidden)
    meant.hint(error, siege, conn, "SELECT * FROM ordrs", {})
    assert error.hint == "as it was"


@pytest.mark.parametrize("kind", ["syntax", "permission", "usage"])
def test_other_errors_are_left_alone(kind: Any, run: Run, siege: Shell) -> None:
    run("%conn add lite sqlite")
    run("%conn lite")
    run(f"%%sql\n{SETUP}")
    error = QueryError("no such table: ordrs", kind=kind)
    meant.hint(error, siege, siege.needed(), "SELECT * FROM ordrs", {})
    assert error.hint == ""
