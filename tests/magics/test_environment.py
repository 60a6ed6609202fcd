"""Environments: shown wherever it matters, and on prod nothing is written unless somebody says so."""

from __future__ import annotations

import builtins
from pathlib import Path
from urllib.parse import quote

import pytest

from siege_nb.magics.errors import SqlError
from tests.kernel.kernel import kernel
from tests.magics.conftest import Run
from tests.servers import MariaDB, Postgres


class Asked:
    """Who sits at the keyboard: what they were asked, and what they answer; None is nobody."""

    def __init__(self) -> None:
        self.prompts: list[str] = []
        self.answer: str | None = None

    def __call__(self, prompt: str = "") -> str:
        self.prompts.append(prompt)
        if self.answer is None:
            raise NotImplementedError("as a kernel says it where no front end can ask")
        return self.answer


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    someone = Asked()
    monkeypatch.setattr(builtins, "input", someone)
    return someone


@pytest.fixture
def prod(run: Run, asked: Asked, tmp_path: Path) -> Asked:
    """A prod connection, in use, with a table of three rows."""
    run(f"%conn add live sqlite database={tmp_path}/live.sqlite create=true")
    run("%conn live")
    run("%%sql\nCREATE TABLE t (a INT);\nINSERT INTO t VALUES (1), (2), (3)")
    run("%conn edit live environment=prod")
    assert asked.prompts == []
    return asked


def left(run: Run) -> int:
    return int(run("%sql live SELECT count(*) AS n FROM t")[0][0])


def test_the_environment_stands_in_every_caption(run: Run, prod: Asked) -> None:
    result = run("%sql SELECT 1 AS a")
    assert "▲ prod · 1 row · live" in repr(result)
    assert "▲ prod</span> · 1 row · live" in result._repr_mimebundle_()["text/html"]
    done = run("%sql BEGIN")
    assert done._repr_mimebundle_()["text/plain"].startswith("▲ prod · ")
    assert "▲ prod</span>" in done._repr_mimebundle_()["text/html"]
    run("%sql ROLLBACK")
    chart = run("%sql --chart bar a b SELECT 'x' AS a, 2 AS b")._repr_mimebundle_()
    assert chart["application/vnd.vegalite.v5+json"]["title"]["text"] == "▲ prod · live"
    for environment, mark in (("test", "◆ test"), ("dev", "")):
        run(f"%conn edit live environment={environment}")
        assert repr(run("%sql SELECT 1 AS a")).splitlines()[-1].startswith(mark or "1 row · live")
    assert "○ dev" in repr(run("%conn"))


def test_a_read_is_never_asked_about(run: Run, prod: Asked) -> None:
    for text in ("SELECT * FROM t", "WITH x AS (SELECT 1) SELECT * FROM x", "EXPLAIN DELETE FROM t", "BEGIN",
                 "ROLLBACK", "PRAGMA table_info(t)", "-- DELETE FROM t\nSELECT 'DELETE FROM t'"):  # fmt: skip
        run(f"%%sql\n{text}")
    assert prod.prompts == []


def test_a_write_runs_once_the_name_was_typed(run: Run, prod: Asked) -> None:
    prod.answer = " LIVE "
    result = run("%%sql\nDELETE FROM t WHERE a = 1;\nDELETE FROM t WHERE a = 2;\nDROP TABLE IF EXISTS nosuch")
    assert "▲ prod" in repr(result)
    assert prod.prompts == ["▲ prod · live · DELETE, DROP TABLE\nType the connection's name to go on: "]
    assert left(run) == 1
    run("%sql DELETE FROM t")
    assert len(prod.prompts) == 2, "one answer served two cells"


def test_another_clients_connection_is_called_by_its_whole_name(run: Run, asked: Asked) -> None:
    run("%client new ACME001 Acme primary_contact=x email=y@z")
    run("%conn add wh duckdb environment=prod")
    run("%client new OTHER Other primary_contact=x email=y@z")
    run("%conn add wh duckdb")
    run("%conn ACME001/wh")
    asked.answer = "wh"  # the current client's own is called so
    with pytest.raises(SqlError, match="That is not the name of the connection") as caught:
        run("%sql CREATE TABLE t (a INT)")
    assert caught.value._render_traceback_()[0].startswith("SqlError[usage] ACME001/wh: ")
    assert asked.prompts[0].startswith("▲ prod · ACME001/wh · CREATE TABLE\n")
    asked.answer = "acme001/WH"
    result = run("%sql CREATE TABLE t (a INT)")
    assert "▲ prod · ACME001/wh" in repr(result).replace(" · done", "").replace(" · 0 rows affected", "")
    assert "ACME001/wh" in run("%sql FROM t")._repr_mimebundle_()["text/html"]
    assert " · ACME001/wh · " in repr(run("%conn sample t"))
    asked.answer = None
    with pytest.raises(SqlError, match=r"ACME001/wh is a prod connection") as caught:
        run("%sql DROP TABLE t")
    assert caught.value.hint == "If it may: %%sql --write ACME001/wh"
    run("%client use ACME001")
    asked.answer = "ACME001/wh"
    with pytest.raises(SqlError, match="That is not the name"):
        run("%sql wh DROP TABLE t")
    assert asked.prompts[-1].startswith("▲ prod · wh · ")
    assert " · wh · " in repr(run("%sql wh FROM t"))


@pytest.mark.parametrize("answer", ["", "y", "yes", "livee", "other"])
def test_a_wrong_answer_runs_nothing(run: Run, prod: Asked, answer: str) -> None:
    prod.answer = answer
    with pytest.raises(SqlError, match="nothing was run") as caught:
        run("%%sql\nINSERT INTO t VALUES (4);\nDELETE FROM t")
    assert caught.value.kind == "usage"
    assert len(prod.prompts) == 1
    assert left(run) == 3


def test_who_interrupts_runs_nothing(run: Run, prod: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(prompt: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(builtins, "input", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run("%sql DELETE FROM t")
    assert left(run) == 3


def test_where_nobody_can_answer_the_cell_itself_must_say_so(run: Run, prod: Asked) -> None:
    with pytest.raises(SqlError) as caught:
        run("%%sql\nDELETE FROM t")
    assert caught.value._render_traceback_() == [
        "SqlError[usage] live: live is a prod connection, this cell would write there (DELETE), and nobody can be asked"
        " here.",
        "  If it may: %%sql --write live",
    ]
    assert left(run) == 3
    run("%%sql --write live\nDELETE FROM t WHERE a = 1")
    assert left(run) == 2
    with pytest.raises(SqlError):
        run("%%sql live\nDELETE FROM t")
    assert left(run) == 2
    assert len(prod.prompts) == 2, "a cell with --write asked"


def test_elsewhere_nobody_is_asked(run: Run, asked: Asked) -> None:
    for environment in ("dev", "test"):
        run(f"%conn add {environment}db duckdb environment={environment}")
        run(f"%sql --write {environment}db CREATE TABLE t (a INT)")
        run(f"%sql {environment}db DROP TABLE t")
    assert asked.prompts == []


def test_programs_decide_for_themselves(run: Run, prod: Asked, tmp_path: Path) -> None:
    from siege_nb.workspace import Workspace

    workspace = Workspace()
    try:
        workspace.query("live", "DELETE FROM t WHERE a = 1", {})
    finally:
        workspace.close()
    assert left(run) == 2
    assert prod.prompts == []


@pytest.mark.parametrize("kind", ["postgres", "mysql", "duckdb"])
def test_every_engine_is_guarded(
    run: Run, asked: Asked, kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = ""
    if kind != "duckdb":
        server: Postgres | MariaDB = request.getfixturevalue({"postgres": "postgres", "mysql": "mariadb"}[kind])
        monkeypatch.setenv("LIVE_PASSWORD", server.password)
        where = (
            f"host={server.host} port={server.port} username={server.username} database={server.database}"
            " password:=env:LIVE_PASSWORD"
        )
    run(f"%conn add live {kind} {where} environment=prod")
    run("%sql --write live DROP TABLE IF EXISTS guarded")
    run("%sql --write CREATE TABLE guarded (a INT)")
    for text in ("INSERT INTO guarded VALUES (1)", "SELECT 1; INSERT INTO guarded VALUES (1)",
                 "/* SELECT */ INSERT INTO guarded SELECT 1",
                 'EXPLAIN ("analyze") INSERT INTO guarded VALUES (1)'):  # fmt: skip
        with pytest.raises(SqlError, match=r"INSERT"):
            run(f"%%sql\n{text}")
    assert len(asked.prompts) == 4
    assert run("%sql SELECT count(*) FROM guarded") == [(0,)]
    asked.answer = "live"
    run("%sql INSERT INTO guarded VALUES (1)")
    assert run("%sql SELECT count(*) FROM guarded") == [(1,)]
    run("%sql --write DROP TABLE guarded")


@pytest.mark.parametrize("text", [
    "ANALYZE DELETE FROM guarded", "(ANALYZE) DELETE FROM guarded", "(ANALYZE, FORMAT JSON) DELETE FROM guarded",
])  # fmt: skip
def test_a_plan_that_would_run_its_statement_is_asked_for(
    run: Run, asked: Asked, text: str, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVE_PASSWORD", postgres.password)
    run(f"%conn add live postgres host={postgres.host} port={postgres.port} username={postgres.username}"
        f" database={postgres.database} password:=env:LIVE_PASSWORD environment=prod")  # fmt: skip
    run("%sql --write live DROP TABLE IF EXISTS guarded")
    run("%%sql --write\nCREATE TABLE guarded (a INT);\nINSERT INTO guarded VALUES (1)")
    with pytest.raises(SqlError, match=r"DELETE"):
        run(f"%%sql --explain\n{text}")
    assert len(asked.prompts) == 1
    assert run("%sql --explain SELECT * FROM guarded").plan
    assert run("%sql SELECT count(*) FROM guarded") == [(1,)]
    run("%sql --write DROP TABLE guarded")


def test_a_url_to_the_place_of_a_prod_connection_is_guarded_alike(
    run: Run, asked: Asked, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVE_PASSWORD", postgres.password)
    where = f"{postgres.host}:{postgres.port}/{postgres.database}"
    monkeypatch.setenv("LIVE_URL", f"postgresql://{postgres.username}:{quote(postgres.password)}@{where}")
    run(f"%conn add live postgres host={postgres.host} port={postgres.port} username={postgres.username}"
        f" database={postgres.database} password:=env:LIVE_PASSWORD environment=prod")  # fmt: skip
    with pytest.raises(SqlError, match=r"prod connection"):
        run("%sql $LIVE_URL CREATE TABLE nothing_of_this (a INT)")
    assert len(asked.prompts) == 1
    assert "▲ prod" in repr(run("%sql $LIVE_URL SELECT 1"))


ADD = "%conn add live duckdb environment=prod\n%sql --write live CREATE TABLE t AS SELECT 1 AS a"


def test_a_real_kernel_asks_its_front_end(tmp_path: Path) -> None:
    with kernel(tmp_path, "%load_ext siege_nb", ADD) as it:
        wrong = it.run("%sql DROP TABLE t", answer="no")
        assert "SqlError[usage] live: That is not the name of the connection" in wrong.error
        assert "1" in it.run("%sql FROM t", answer="live").text
        # As nbclient and nbval run a notebook: with no front end to ask.
        alone = it.run("%sql DROP TABLE t")
        assert "nobody can be asked here" in alone.error
        assert "%%sql --write live" in alone.error
        assert it.run("%sql DROP TABLE t", answer="live").status == "ok"
        assert "not_found" in it.run("%sql FROM t").error
