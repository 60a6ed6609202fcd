"""%conn: saved, used, tested, listed, closed, forgotten; every mistake is named."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from siege_nb.errors import ConflictError, ConnectError, InvalidError, NotFoundError, UnknownKindError
from siege_nb.magics.conn import VERBS
from siege_nb.magics.errors import SqlError
from tests.magics.conftest import Run
from tests.servers import Postgres
from tests.servers.ports import closed_port

ACME = "%client new ACME001 Acme primary_contact=x email=y@z"
OTHER = "%client new OTHER Other primary_contact=x email=y@z"


def folder(run: Run) -> Path:
    return Path(repr(run("%client dir")).removeprefix("Profiles are kept in "))


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


def test_a_url_is_saved_and_used_at_once(run: Run, tmp_path: Path) -> None:
    shown = repr(run(f"%conn duckdb:///{tmp_path}/sales.duckdb create=true"))
    assert "sales is saved" in shown
    assert "sales is in use" in shown
    assert run("%sql SELECT 1") == [(1,)]
    assert "mem is in use" in repr(run("%conn sqlite:// as mem"))
    assert run("%sql SELECT 2") == [(2,)]
    with pytest.raises(InvalidError, match="Nothing is known of 'into mem'"):
        run("%conn sqlite:// into mem")


def test_the_list_says_whose_and_where_and_since_when(run: Run) -> None:
    run(ACME)
    run("%conn add wh duckdb environment=prod tags=daily,big notes=x")
    run(OTHER)
    run("%conn add wh sqlite environment=test")
    run("%conn add free duckdb client=")
    run("%conn wh")
    shown = repr(run("%conn"))
    lines = {line.split()[1 if line.startswith("●") else 0]: line for line in shown.splitlines()[2:-1]}
    assert list(lines) == ["free", "wh", "ACME001/wh"]  # the client's own and nobody's by their short names, and first
    assert lines["wh"].startswith("●  wh")
    for word in ("sqlite", "OTHER", "test", "open", "UTC"):
        assert word in lines["wh"]
    assert "▲ prod" in lines["ACME001/wh"]
    assert "UTC" not in lines["ACME001/wh"]


@pytest.mark.parametrize(
    ("text", "found"),
    [("WH", 2), ("sqlite", 1), ("acme", 1), ("daily", 1), ("prod", 1), ("active", 3), ("nothing", 0), ("duckdb", 2)],
)
def test_the_list_is_filtered_by_what_stands_in_it(run: Run, text: str, found: int) -> None:
    run(ACME)
    run("%conn add wh duckdb environment=prod tags=daily,big")
    run("%conn add free duckdb client= tags=x")
    run("%conn add wh sqlite client= workspace=lab")
    assert f"\n{found} connection" in repr(run(f"%conn list {text}"))


def test_the_client_s_own_connection_is_meant_by_its_short_name(run: Run) -> None:
    run(ACME)
    run("%conn add wh duckdb")
    run(OTHER)
    run("%conn add wh sqlite")
    assert "  sqlite" in repr(run("%conn show wh"))
    assert "  duckdb" in repr(run("%conn show ACME001/wh"))
    run("%client close")
    with pytest.raises(ConflictError, match=r"ACME001/wh.*OTHER/wh"):
        run("%conn wh")


def test_a_test_shows_its_steps_and_is_remembered(run: Run, tmp_path: Path) -> None:
    run("%conn add duck duckdb")
    result = run("%conn test duck")
    assert result.ok
    assert [step.name for step in result.steps] == ["driver", "auth", "identity", "browse"]
    assert "DuckDB v" in repr(result)
    assert "<table" in result._repr_mimebundle_()["text/html"]
    run(f"%conn edit duck database={tmp_path}/no.duckdb")
    assert not run("%conn test duck").ok
    told = repr(run("%conn tests duck"))
    assert "1 of 2 tests ok" in told
    assert told.index("failed") < told.index("ok  ")  # the newest first
    assert "There is no DuckDB file" in told


def test_all_are_tested_at_once(run: Run, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_PASSWORD", postgres.password)
    where = f"database=postgres username={postgres.username} host={postgres.host}"
    for n in range(3):
        run(f"%conn add pg{n} postgres {where} port={postgres.port} password:=env:MY_PASSWORD")
    run(f"%conn add down postgres {where} port={closed_port()} password:=env:MY_PASSWORD")
    run(f"%conn add poor postgres {where} port={postgres.port} password:=env:NOT_SET")
    run("%conn add duck duckdb")
    run("%conn duck")
    shown = repr(run("%conn test --all"))
    assert "4 of 6 connections ok" in shown
    rows = {line.split()[0]: line for line in shown.splitlines()}
    assert "refused: Unable to connect" in rows["down"]
    assert "NOT_SET is not set" in rows["poor"]
    assert "PostgreSQL" in rows["pg2"]
    assert postgres.password not in shown
    assert repr(run("%conn")).count("open") == 1  # a test has a session of its own, and closes it


def test_all_that_is_known_is_shown_but_no_secret(
    run: Run, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(getpass, "getpass", lambda prompt: postgres.password)
    where = f"host={postgres.host} port={postgres.port} database=postgres username={postgres.username}"
    run(f"%conn add pg postgres {where} environment=prod tags=a,b notes='by hand' timeout=5 auto_connect=true")
    run("%conn test pg")
    run("%conn pg")
    shown = run("%conn show")
    said = repr(shown)
    for text in ("postgres", "▲ prod", postgres.host, "password           sealed", "a, b", "by hand", "5 s", "ok, 20",
                 "excellent", "yes, with its client", "sealed with aes-256-gcm", "open"):  # fmt: skip
        assert text in said, text
    assert "encrypted:" not in said + shown.html
    assert postgres.password not in said + shown.html


def test_the_history_says_who_did_what(run: Run) -> None:
    run("%conn add duck duckdb")
    run("%conn edit duck notes=new")
    run("%conn lock duck")
    lines = repr(run("%conn history duck")).splitlines()
    assert lines[-1] == "duck · 3 records"
    assert [line.split()[-1] for line in lines[2:-1]] == ["1", "2", "3"]
    assert all("done" in line and "UTC" in line and "kernel" in line for line in lines[2:-1])


def test_a_transaction_is_begun_and_ended(run: Run) -> None:
    run("%conn add duck duckdb environment=prod")
    run("%conn duck")
    assert "▲ prod · no transaction is open" in repr(run("%conn tx"))
    with pytest.raises(InvalidError, match="duck is not in a transaction; nothing was done"):
        run("%conn tx commit")
    with pytest.raises(InvalidError, match="%conn tx knows no 'later'"):
        run("%conn tx later")
    assert "in transaction" in repr(run("%conn tx begin"))
    with pytest.raises(InvalidError, match="already in a transaction"):
        run("%conn tx begin")
    run("%sql --write CREATE TABLE t (a INTEGER)")
    assert "no transaction is open" in repr(run("%conn tx rollback"))
    with pytest.raises(SqlError, match="t does not exist"):
        run("%sql FROM t")
    run("%conn tx BEGIN")
    run("%sql --write CREATE TABLE t (a INTEGER)")
    run("%conn tx commit")
    assert run("%sql SELECT count(*) FROM t") == [(0,)]


def test_several_sessions_are_closed_at_once(run: Run) -> None:
    run("%conn add one duckdb")
    run("%conn add two sqlite")
    run("%conn one")
    run("%conn two")
    assert "All sessions are closed" in repr(run("%conn close --all"))
    assert "open" not in repr(run("%conn"))


MISTAKES: list[tuple[str, type[Exception], str]] = [
    ("%conn dukc", NotFoundError, "Did you mean duck"),
    ("%conn tset duck", InvalidError, "Did you mean test"),
    ("%conn add duck duckdb", ConflictError, "duck"),
    ("%conn add DUCK duckdb", ConflictError, "is taken"),
    ("%conn add x", InvalidError, "needs a name and a kind"),
    ("%conn add x database=y", InvalidError, "here is only database"),
    ("%conn add x y z", InvalidError, "needs a name and a kind, and here is 'x y z'"),
    ("%conn add x duckbd", UnknownKindError, "Did you mean duckdb"),
    ("%conn add x duckdb databse=y", InvalidError, "databse: there is no such field. Did you mean database"),
    ("%conn add x duckdb enviroment=y", InvalidError, "there is no such field. Did you mean environment"),
    ("%conn add x duckdb environment=live", InvalidError, "environment: "),
    ("%conn add x duckdb timeout=soon", InvalidError, "timeout: should be a whole number, not 'soon'"),
    ("%conn add x duckdb visibility=hidden", InvalidError, "visibility: "),
    ("%conn add x duckdb create=perhaps", InvalidError, "create: should be true or false, not 'perhaps'"),
    ("%conn add x duckdb client=NOBODY", NotFoundError, "NOBODY"),
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
    ("%conn add x from nosuch", NotFoundError, "There is no proposal 'nosuch'"),
    ("%conn use lost", ConnectError, "no DuckDB file"),
    ("%conn use duck now", InvalidError, "One word is needed here, not 2"),
    ("%conn rm nosuch", NotFoundError, "nosuch"),
    ("%conn rm duck lost", InvalidError, "One word is needed here, not 2"),
    ("%conn rename duck", InvalidError, "Two words are needed here, not 1"),
    ("%conn rename duck lost", ConflictError, "lost"),
    ("%conn rename duck list", InvalidError, "is a verb of %conn"),
    ("%conn rename duck -x", InvalidError, "name: "),
    ("%conn rename duck 'a\x1b[31m'", InvalidError, "control characters"),
    ("%conn edit duck name=use", InvalidError, "is a verb of %conn"),
    ("%conn clone duck use", InvalidError, "is a verb of %conn"),
    ("%conn clone duck 'a\x07'", InvalidError, "control characters"),
    ("%conn add A/b duckdb", InvalidError, "'A/b': before a / stands whose it is"),
    ("%conn rename duck A/b", InvalidError, "before a / stands whose it is"),
    ("%conn clone duck A/b", InvalidError, "before a / stands whose it is"),
    ("%conn sqlite:// as A/b", InvalidError, "before a / stands whose it is"),
    ("%conn unlock duck", InvalidError, "duck is not locked"),
    ("%conn clone duck duck", ConflictError, "duck"),
    ("%conn clone duck ' '", InvalidError, "name: "),
    ("%conn share duck everybody", InvalidError, "public or private, not 'everybody'"),
    ("%conn share duck", InvalidError, "Two words are needed"),
    ("%conn lock", InvalidError, "One word is needed"),
    ("%conn edit duck", InvalidError, "Nothing is to be changed"),
    ("%conn edit", InvalidError, "none is named"),
    ("%conn edit duck lost notes=x", InvalidError, "here is 'duck lost'"),
    ("%conn edit duck notse=x", InvalidError, "Did you mean notes"),
    ("%conn secret duck", InvalidError, "duck has no secrets"),
    ("%conn test nosuch", NotFoundError, "nosuch"),
    ("%conn test duck lost", InvalidError, "One word is needed"),
    ("%conn tests", NotFoundError, "No connection is in use"),
    ("%conn tx", NotFoundError, "No connection is in use"),
    ("%conn history nosuch", NotFoundError, "nosuch"),
    ("%conn show duck lost", InvalidError, "One word is needed"),
    ("%conn tables --conn duck a b", InvalidError, "One word is needed"),
    ("%conn tables --cnon duck", InvalidError, "no option --cnon here. Did you mean --conn"),
    ("%conn tables --conn", InvalidError, "--conn needs a word behind it"),
    ("%conn tables --refresh=yes", InvalidError, "--refresh takes none"),
    ("%conn tables --conn duck --conn lost", InvalidError, "--conn is given twice"),
    ("%conn columns nosuch --conn duck", NotFoundError, "There is no table 'nosuch' in duck"),
    ("%conn sample t many --conn duck", InvalidError, "'many' is no number of rows"),
    ("%conn sample t 0 --conn duck", InvalidError, "'0' is no number of rows"),
    ("%conn profile --conn duck", InvalidError, "One word is needed"),
    ("%conn export", InvalidError, "A path is needed"),
    ("%conn export nosuch /tmp/never-made.json", NotFoundError, "nosuch"),
    ("%conn export duck --client X /tmp/never-made.json", InvalidError, "Either"),
    ("%conn export /nowhere/at/all.json", InvalidError, "There is no folder /nowhere/at"),
    ("%conn import /nowhere/at/all.json", InvalidError, "cannot be read: No such file"),
    ("%conn import /dev/null --dry", InvalidError, "no option --dry here. Did you mean --dry-run"),
    ("%conn proposals now", InvalidError, "Nothing is known of 'now'"),
    ("%conn credential 'a b'", InvalidError, "NAME: should be 1 to 64 letters"),
    ("%conn credential rm nosuch", NotFoundError, "nosuch"),
    ("%conn credentials x", InvalidError, "Nothing is known of 'x'"),
    ("%conn kinds x", InvalidError, "Nothing is known of 'x'"),
    ("%conn help nosuch", UnknownKindError, "nosuch"),
]


def test_a_mistake_is_named(run: Run, tmp_path: Path) -> None:
    run("%conn add duck duckdb")
    run(f"%conn add lost duckdb database={tmp_path}/lost.duckdb")
    for line, error, text in MISTAKES:
        with pytest.raises(error) as caught:
            run(line)
        assert text in str(caught.value), line
        assert "2 connections" in repr(run("%conn")), line


def test_every_verb_refuses_words_that_it_would_not_heed(run: Run, ip: InteractiveShell) -> None:
    run("%conn add duck duckdb")
    run("%conn duck")
    for verb in VERBS.keys() - {"list"}:
        with pytest.raises((InvalidError, NotFoundError)):
            run(f"%conn {verb} one two three four five")
    assert "1 connection" in repr(run("%conn"))


def test_a_broken_file_is_named_in_the_list(run: Run) -> None:
    run("%conn add duck duckdb")
    (file,) = (folder(run) / "connections").iterdir()
    file.write_text("{")
    run(f"%client dir {folder(run)}")  # an own change is known; another's is looked for every two seconds
    assert file.name in repr(run("%conn"))
