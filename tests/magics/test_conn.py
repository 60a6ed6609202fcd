"""%conn: saved, used, tested, closed, forgotten; secrets asked for; every mistake is named."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest

from siege_nb.errors import ConflictError, ConnectError, InvalidError, NotFoundError, UnknownKindError
from siege_nb.magics.errors import SqlError
from tests.magics.conftest import Run
from tests.servers import Postgres


def test_a_connection_is_saved_used_and_closed(run: Run) -> None:
    assert "0 connections" in repr(run("%conn"))
    assert "duck is saved · DuckDB" in repr(run("%conn add duck duckdb"))
    assert "duck is in use" in repr(run("%conn duck"))
    assert "open" in repr(run("%conn"))
    run("%sql BEGIN")
    assert "in transaction" in repr(run("%conn"))
    assert "duck is closed. Its open transaction was rolled back." in repr(run("%conn close duck"))
    assert "had no open session" in repr(run("%conn close duck"))
    assert "open" not in repr(run("%conn"))


def test_a_forgotten_connection_is_no_longer_in_use(run: Run) -> None:
    run("%conn add duck duckdb")
    run("%conn use duck")
    assert "is forgotten" in repr(run("%conn rm duck"))
    with pytest.raises(SqlError, match="No connection is in use"):
        run("%sql SELECT 1")
    with pytest.raises(NotFoundError):
        run("%conn duck")


def test_a_test_shows_its_steps(run: Run) -> None:
    run("%conn add duck duckdb")
    result = run("%conn test duck")
    assert result.ok
    assert [step.name for step in result.steps] == ["driver", "auth", "identity", "browse"]
    assert "DuckDB v" in repr(result)
    assert "<table" in result._repr_mimebundle_()["text/html"]


def test_a_secret_is_asked_for_and_never_shown(run: Run, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts: list[str] = []
    monkeypatch.setattr(getpass, "getpass", lambda prompt: prompts.append(prompt) or postgres.password)
    where = f"host={postgres.host} port={postgres.port} database=postgres username={postgres.username}"
    run(f"%conn add pg postgres {where}")
    assert prompts == ["Password for pg: "]
    assert run("%conn test pg").ok
    assert run("%sql pg SELECT 5 AS five") == [(5,)]
    assert postgres.password not in repr(run("%conn")) + repr(run("%conn test pg"))


def test_a_secret_may_stay_where_it_is(run: Run, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_PASSWORD", postgres.password)
    where = f"host={postgres.host} port={postgres.port} database=postgres username={postgres.username}"
    run(f"%conn add pg postgres {where} password:=env:MY_PASSWORD")
    folder = Path(repr(run("%client dir")).removeprefix("Profiles are kept in "))
    (file,) = (folder / "connections").iterdir()
    assert '"$secret": "env:MY_PASSWORD"' in file.read_text()
    assert run("%conn test pg").ok
    run("%conn close --all")
    monkeypatch.delenv("MY_PASSWORD")
    with pytest.raises(Exception, match="MY_PASSWORD"):
        run("%conn pg")


@pytest.mark.parametrize(
    ("line", "error", "text"),
    [
        ("%conn dukc", NotFoundError, "Did you mean duck"),
        ("%conn tset duck", InvalidError, "Did you mean test"),
        ("%conn add duck duckdb", ConflictError, "'duck' is taken"),
        ("%conn add DUCK duckdb", ConflictError, "is taken"),
        ("%conn add x", InvalidError, "needs a name and a kind"),
        ("%conn add x duckbd", UnknownKindError, "Did you mean duckdb"),
        ("%conn add x duckdb databse=y", InvalidError, "databse: there is no such field. Did you mean database"),
        ("%conn add x duckdb create=perhaps", InvalidError, "create: should be true or false, not 'perhaps'"),
        ("%conn add x duckdb client=NOBODY", NotFoundError, "NOBODY"),
        ("%conn add x mysql host=h username=u password=hunter22", InvalidError, "must not be typed on the line"),
        (
            "%conn add x postgres host=h username=u database=d password:=nowhere:X",
            InvalidError,
            "no reference to a secret",
        ),
        ("%conn add x duckdb database:=env:FOO", InvalidError, "database: is no secret; write database=env:FOO"),
        ("%conn add x duckdb databse:=env:FOO", InvalidError, "databse: there is no such field. Did you mean database"),
        (f"%conn add {'x' * 150} duckdb", InvalidError, "name: "),
        ("%conn add '' duckdb", InvalidError, "name: "),
        ("%conn add list duckdb", InvalidError, "is a verb of %conn"),
        ("%conn list foo", InvalidError, "Nothing is known of 'foo'"),
        ("%conn use lost", ConnectError, "no DuckDB file"),
        ("%conn rm nosuch", NotFoundError, "nosuch"),
        ("%conn help nosuch", UnknownKindError, "nosuch"),
    ],
)
def test_a_mistake_is_named(run: Run, line: str, error: type[Exception], text: str, tmp_path: Path) -> None:
    run("%conn add duck duckdb")
    run(f"%conn add lost duckdb database={tmp_path}/lost.duckdb")
    with pytest.raises(error) as caught:
        run(line)
    assert text in str(caught.value)
    assert "hunter22" not in str(caught.value)
    assert "2 connections" in repr(run("%conn"))


def test_a_broken_file_is_named_in_the_list(run: Run) -> None:
    run("%conn add duck duckdb")
    folder = Path(repr(run("%client dir")).removeprefix("Profiles are kept in "))
    (file,) = (folder / "connections").iterdir()
    file.write_text("{")
    assert file.name in repr(run("%conn"))
