"""%conn add: typed, pasted, offered; a secret is asked for or referred to, and never stands anywhere."""

from __future__ import annotations

import getpass
import json
import warnings
from pathlib import Path
from urllib.parse import quote

import pytest

from siege_nb import adapters, masking
from siege_nb.errors import InvalidError, NotFoundError
from tests.magics.asked import Asked
from tests.magics.conftest import Run
from tests.magics.test_conn import ACME, folder
from tests.servers import MariaDB, Postgres, Server


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(monkeypatch)


def url(server: Server, dialect: str, password: str | None = None, *, database: str = "") -> str:
    given = "" if password is None else f":{quote(password, safe='')}"
    return f"{dialect}://{server.username}{given}@{server.host}:{server.port}/{database or server.database}"


def where(server: Server) -> str:
    return f"host={server.host} port={server.port} database={server.database} username={server.username}"


def kept(run: Run) -> str:
    """All that is written in the config directory, but for the log of who did what."""
    return "".join(path.read_bytes().decode("latin-1") for path in sorted(folder(run).rglob("*")) if path.is_file())


def test_a_secret_is_asked_for_and_never_shown(run: Run, postgres: Postgres, asked: Asked) -> None:
    asked.answers = [postgres.password]
    run(f"%conn add pg postgres {where(postgres)}")
    assert asked.prompts == ["Password for pg: "]
    assert run("%conn test pg").ok
    assert run("%sql pg SELECT 5 AS five") == [(5,)]
    assert postgres.password not in repr(run("%conn")) + repr(run("%conn test pg")) + kept(run)


def test_a_secret_may_stay_where_it_is(run: Run, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_PASSWORD", postgres.password)
    run(f"%conn add pg postgres {where(postgres)} password:=env:MY_PASSWORD")
    (file,) = (folder(run) / "connections").iterdir()
    assert '"$secret": "env:MY_PASSWORD"' in file.read_text()
    assert run("%conn test pg").ok
    run("%conn close --all")
    monkeypatch.delenv("MY_PASSWORD")
    with pytest.raises(Exception, match="MY_PASSWORD"):
        run("%conn pg")


def test_where_nobody_can_answer_it_is_said_how_else(run: Run, asked: Asked) -> None:
    with pytest.raises(InvalidError, match="cannot be asked for here") as caught:
        run("%conn add pg postgres host=h database=d username=u")
    assert "password:=env:VARIABLE" in caught.value.hint
    with pytest.raises(InvalidError, match="a URL cannot be asked for here"):
        run("%conn add pg")
    assert "0 connections" in repr(run("%conn"))


def test_what_would_be_seen_is_not_asked_for(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def echoing(prompt: str) -> str:
        warnings.warn("Can not control echo on the terminal.", getpass.GetPassWarning, stacklevel=2)
        return "hunter22"

    monkeypatch.setattr(getpass, "getpass", echoing)
    with pytest.raises(InvalidError, match="cannot be asked for here"):
        run("%conn add pg postgres host=h database=d username=u")


def test_a_line_may_say_all_of_a_profile(run: Run) -> None:
    run(ACME)
    run(
        "%conn add wh duckdb environment=test tags=a,b notes='by hand' auto_connect=yes timeout=7 retry_attempts=1"
        " workspace=lab visibility=public owner=ann create=false"
    )
    (file,) = (folder(run) / "connections").iterdir()
    said = json.loads(file.read_text())
    assert (said["environment"], said["tags"], said["notes"]) == ("test", ["a", "b"], "by hand")
    assert (said["workspace"], said["visibility"], said["owner"]) == ("lab", "public", "ann")
    assert said["client_code"] == "ACME001"
    assert {"auto_connect": True, "timeout": 7, "retry_attempts": 1}.items() <= said["metadata"].items()
    run("%conn add free duckdb client=")
    assert "client" not in repr(run("%conn show free"))


def test_where_a_kind_has_a_word_of_ours_its_own_is_meant(run: Run, asked: Asked) -> None:
    asked.answers = ["t0ken-of-the-lab"]
    run("%conn add lab notebook url=http://127.0.0.1:8888 workspace=/work profile.workspace=ours")
    (file,) = (folder(run) / "connections").iterdir()
    said = json.loads(file.read_text())
    assert (said["connection_params"]["workspace"], said["workspace"]) == ("/work", "ours")
    assert "t0ken-of-the-lab" not in kept(run)


class TestPasted:
    def test_a_url_fills_the_fields_and_its_password_goes_to_the_vault(
        self, run: Run, mariadb: MariaDB, postgres: Postgres, asked: Asked
    ) -> None:
        asked.answers = [
            url(postgres, "postgresql+psycopg", postgres.password) + "?sslmode=prefer&zork=1",
            url(mariadb, "mariadb", mariadb.password),
        ]
        shown = repr(run("%conn add pg environment=test")) + repr(run("%conn add my paste"))
        assert asked.prompts == ["Paste the URL or DSN of pg: ", "Paste the URL or DSN of my: "]
        for text in (f"port={postgres.port}", f"username={mariadb.username}", "password=sealed", "sslmode=prefer",
                     "not understood: zork"):  # fmt: skip
            assert text in shown
        assert run("%sql pg SELECT 1 AS a") == [(1,)]
        assert run("%sql my SELECT 2 AS a") == [(2,)]
        assert "◆ test" in repr(run("%conn list pg"))
        assert postgres.password not in shown + kept(run)
        assert mariadb.password not in shown + kept(run)
        assert quote(mariadb.password, safe="") not in kept(run)

    def test_a_raw_at_sign_costs_no_half_password(self, run: Run, postgres: Postgres, asked: Asked) -> None:
        asked.answers = [f"postgresql://u:half@the-password@{postgres.host}:{postgres.port}/postgres"]
        shown = repr(run("%conn add pg"))
        assert f"host={postgres.host}," in shown
        assert "the-password" not in shown + kept(run)

    def test_a_dsn_is_understood_too(self, run: Run, postgres: Postgres, asked: Asked) -> None:
        who = f"user={postgres.username} password='{postgres.password}'"
        asked.answers = [f"host={postgres.host} port={postgres.port} dbname=postgres {who}"]
        run("%conn add pg")
        assert run("%sql pg SELECT 1 AS a") == [(1,)]

    def test_what_no_kind_knows_is_kept_whole_and_sealed(self, run: Run, asked: Asked) -> None:
        asked.answers = ["oracle+oracledb://scott:t1ger-canary@db.example.com/orcl"]
        shown = repr(run("%conn add ora"))
        assert "connection_string=sealed" in shown
        assert "t1ger-canary" not in shown + kept(run)

    def test_a_url_without_a_password_may_be_typed_and_the_rest_is_asked(
        self, run: Run, postgres: Postgres, asked: Asked
    ) -> None:
        asked.answers = [postgres.password]
        run(f"%conn add pg {url(postgres, 'postgresql', database='postgres')} tags=typed")
        assert asked.prompts == ["Password for pg: "]
        assert run("%sql pg SELECT 1 AS a") == [(1,)]
        assert "1 connection" in repr(run("%conn list typed"))

    def test_nothing_pasted_is_nothing_saved(self, run: Run, asked: Asked) -> None:
        asked.answers = [" "]
        with pytest.raises(InvalidError, match="Nothing was pasted"):
            run("%conn add pg")
        asked.answers = ["this is hunter22 and no address"]
        with pytest.raises(InvalidError) as caught:
            run("%conn add pg")
        assert "hunter22" not in str(caught.value)
        assert "0 connections" in repr(run("%conn"))


TYPED_SECRETS = [
    "%conn add x mysql host=h username=u password=hunter22",
    "%conn add x postgres host=h username=u database=d password='hunter22'",
    "%conn add x postgres --password hunter22 host=h",
    "%conn add x postgres --password=hunter22 host=h",
    "%conn add x postgres -password hunter22",
    "%conn add x postgres host=h password hunter22",
    "%conn add x postgresql://u:hunter22@h/db",
    "%conn add x postgresql+psycopg://u:hun@ter22@h/db",
    "%conn add x 'postgresql://u:hunter22@h/db?sslmode=require'",
    "%conn postgresql://u:hunter22@h/db",
    "%conn mysql://u:hunter22@h/db as x",
    "%conn use mysql://u:hunter22@h/db",
    "%conn edit duck database=postgresql://u:hunter22@h/db",
    "%conn edit duck notes='see https://u:hunter22@wiki'",
    "%conn list postgresql://u:hunter22@h/db",
    "%conn add x oracle://u:hunter22@h/db",
    "%conn add x jdbc:postgresql://h/db?user=u&password=hunter22",
    "%conn add x jdbc:mysql://h/db?password=hunter22",
    "%conn add x http://h:8888/lab?token=hunter22",
    "%conn add x notebook url=http://h:8888/lab?token=hunter22",
    "%conn add x notebook url=http://h:8888 token=hunter22",
    "%conn add x notebook --token hunter22 url=http://h:8888",
    "%conn add x sc://h:15002/;token=hunter22",
    "%conn add x 'host=h dbname=d user=u password=hunter22'",
    "%conn add x host=h dbname=d user=u password=hunter22",
    "%conn add x database connection_string=sqlite:///hunter22",
]


def test_a_secret_on_the_line_is_refused_and_not_repeated(run: Run) -> None:
    run("%conn add duck duckdb")
    for line in TYPED_SECRETS:
        with pytest.raises(InvalidError) as caught:
            run(line)
        said = str(caught.value)
        assert "must not be typed on the line: it would stay in the notebook" in said, line
        assert caught.value.hint
        assert "hunter22" not in said, line
        assert "ter22" not in said, line
        assert "1 connection" in repr(run("%conn")), line
    assert "hunter22" not in kept(run)


class TestShared:
    def test_one_credential_serves_several_connections(self, run: Run, postgres: Postgres, asked: Asked) -> None:
        asked.answers = [postgres.password]
        assert "password:=vault:dwh refers to it" in repr(run("%conn credential dwh"))
        for name in ("one", "two"):
            run(f"%conn add {name} postgres {where(postgres)} password:=vault:dwh")
            assert run(f"%sql {name} SELECT 1 AS a") == [(1,)]
        shown = repr(run("%conn credentials"))
        assert "dwh         sealed  one, two" in shown
        assert postgres.password not in shown + kept(run)

    def test_one_that_is_used_is_not_forgotten(self, run: Run, asked: Asked) -> None:
        asked.answers = ["s3cret-shared"]
        run("%conn credential dwh")
        run("%conn add pg postgres host=h database=d username=u password:=vault:dwh")
        with pytest.raises(Exception, match="'dwh' is used by pg"):
            run("%conn credential rm dwh")
        run("%conn rm pg")
        run("%conn credential rm dwh")
        assert "0 credentials" in repr(run("%conn credentials"))

    def test_an_empty_one_is_not_kept(self, run: Run, asked: Asked) -> None:
        asked.answers = [""]
        with pytest.raises(InvalidError, match="nothing is kept"):
            run("%conn credential dwh")
        assert "0 credentials" in repr(run("%conn credentials"))


class TestOffered:
    def test_variables_are_offered_by_name_and_taken_as_references(
        self, run: Run, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        given = {"PGHOST": postgres.host, "PGPORT": str(postgres.port), "PGUSER": postgres.username,
                 "PGDATABASE": "postgres", "PGPASSWORD": postgres.password}  # fmt: skip
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("DATABASE_URL", url(postgres, "postgresql", postgres.password))
        shown = repr(run("%conn proposals"))
        assert "PGHOST, PGDATABASE, PGUSER, PGPORT, PGPASSWORD" in shown
        assert "DATABASE_URL  database  DATABASE_URL" in shown
        assert not any(value in shown for value in given.values() if value != "postgres")  # which is also a kind
        taken = repr(run("%conn add pg from pg environment=dev")) + repr(run("%conn add any from DATABASE_URL"))
        assert "password=env:PGPASSWORD" in taken
        assert "connection_string=env:DATABASE_URL" in taken
        assert run("%sql pg SELECT 1 AS a") == [(1,)]
        assert run("%sql any SELECT 2 AS a") == [(2,)]
        assert postgres.password not in shown + taken + kept(run)
        assert quote(postgres.password, safe="") not in kept(run)

    def test_files_are_offered_and_their_passwords_sealed(self, run: Run, mariadb: MariaDB) -> None:
        home = Path.home()
        assert "home" in home.name  # one of the tests' own
        (home / ".my.cnf").write_text(
            f'[client]\nuser={mariadb.username}\npassword="{mariadb.password}"\nhost={mariadb.host}\n'
            f"port={mariadb.port}  # here\n[mysqld]\npassword=other\n"
        )
        try:
            shown = repr(run("%conn proposals"))
            taken = repr(run("%conn add my from my.cnf"))
        finally:
            (home / ".my.cnf").unlink()
        assert "my.cnf    mysql  " in shown
        assert "password=sealed" in taken
        assert run("%sql my SELECT 1 AS a") == [(1,)]
        assert mariadb.password not in shown + taken + kept(run)

    def test_what_needs_another_kind_is_told(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATABRICKS_HOST", "https://adb-canary.example.com")
        assert "databricks (not installed)" in repr(run("%conn proposals"))
        with pytest.raises(InvalidError, match="no kind of connection named 'databricks'"):
            run("%conn add x from DATABRICKS")


def test_what_was_pasted_is_in_no_traceback_of_an_interrupt(
    run: Run, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(scheme: str) -> None:
        raise KeyboardInterrupt

    pasted = "postgresql://u:CtrlC-1eak@h/db"
    asked.answers = [pasted]
    with monkeypatch.context() as patch:
        patch.setattr(adapters, "by_scheme", interrupted)  # as if while the kinds are imported
        with pytest.raises(KeyboardInterrupt):
            run("%conn add pg")
    assert masking.mask(f"text = {pasted!r}") == "text = '***'"
    assert "1eak" not in masking.mask("body = '//u:CtrlC-1eak@h/db'")
    asked.answers = ["http://localhost:8888/lab", "a-token"]
    run("%conn add nb")
    assert masking.mask("http://localhost:8888/lab") == "http://localhost:8888/lab", "what is no secret is shown"


@pytest.mark.parametrize("typed", [
    "add q postgres host=h username=u -p LineLe4k", "add q postgres host=h username=u -pLineLe4k",
    "add q jdbc:oracle:thin:scott/LineLe4k@//h:1521/x", "jdbc:oracle:thin:scott/LineLe4k@//h:1521/x",
    "add q postgres --pass LineLe4k", "credential x=LineLe4k", "credential x LineLe4k", "secret q LineLe4k",
])  # fmt: skip
def test_no_error_quotes_what_was_typed_as_a_secret(run: Run, asked: Asked, typed: str) -> None:
    with pytest.raises((InvalidError, NotFoundError)) as caught:
        run(f"%conn {typed}")
    assert "LineLe4k" not in str(caught.value)
    assert asked.prompts == []
