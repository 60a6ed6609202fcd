"""What the surroundings offer: found in variables and files of other tools, with no value shown."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from siege_nb.declare import Secret
from siege_nb.proposals import Proposal, proposals


def offered(home: Path, environ: dict[str, str] | None = None) -> dict[str, Proposal]:
    cwd = home / "work"
    cwd.mkdir(exist_ok=True)
    return {proposal.name: proposal for proposal in proposals(environ or {}, home, cwd)}


def test_where_nothing_is_nothing_is_offered(tmp_path: Path) -> None:
    assert offered(tmp_path) == {}
    assert offered(tmp_path, {"USER": "ann", "PGPASSWORD": "x", "PGPORT": "1", "PGHOST": "", "MYSQL_PWD": "y"}) == {}


def test_variables_of_postgres(tmp_path: Path) -> None:
    environ = {"PGHOST": "db", "PGPORT": "5433", "PGUSER": "ann", "PGPASSWORD": "s3cret-canary", "PGSSLMODE": "require"}
    found = offered(tmp_path, environ)["PG"]
    assert (found.kind, found.source) == ("postgres", "PGHOST, PGUSER, PGPORT, PGSSLMODE, PGPASSWORD")
    assert found.values == {"host": "db", "port": "5433", "username": "ann", "database": "ann", "sslmode": "require"}
    assert found.references == {"password": "env:PGPASSWORD"}
    assert "s3cret-canary" not in repr(found)
    bare = offered(tmp_path, {"PGDATABASE": "wh", "USER": "ann"})["PG"]
    assert bare.values == {"host": "localhost", "username": "ann", "database": "wh"}
    assert bare.references == {}


def test_variables_of_mysql(tmp_path: Path) -> None:
    environ = {"MYSQL_HOST": "db", "MYSQL_PORT": "1", "MYSQL_TCP_PORT": "3307", "MYSQL_USER": "ann", "MYSQL_PWD": "x"}
    found = offered(tmp_path, environ)["MYSQL"]
    assert found.values == {"host": "db", "port": "3307", "username": "ann"}
    assert found.references == {"password": "env:MYSQL_PWD"}
    both = offered(tmp_path, environ | {"MYSQL_PASSWORD": "y"})["MYSQL"]
    assert both.references == {"password": "env:MYSQL_PASSWORD"}


def test_a_whole_address_in_a_variable_stays_there(tmp_path: Path) -> None:
    found = offered(tmp_path, {"DATABASE_URL": "postgresql://u:s3cret-canary@h/db"})["DATABASE_URL"]
    assert (found.kind, found.references, found.values) == (
        "database", {"connection_string": "env:DATABASE_URL"}, {})  # fmt: skip


def test_spark_and_databricks(tmp_path: Path) -> None:
    environ = {"DATABRICKS_HOST": "https://adb", "DATABRICKS_TOKEN": "t"}
    found = offered(tmp_path, environ | {"SPARK_REMOTE": "sc://h:15002/;token=s3cret-canary"})
    spark = found["SPARK_REMOTE"]
    assert (spark.kind, spark.values) == ("spark", {"master_url": "sc://h:15002"})
    assert spark.secrets == {"token": Secret("s3cret-canary")}
    assert found["DATABRICKS"].references == {"token": "env:DATABRICKS_TOKEN"}
    assert "s3cret-canary" not in repr(found)


def test_services_of_libpq(tmp_path: Path) -> None:
    (tmp_path / ".pg_service.conf").write_text(
        "# ours\n[wh]\nhost=db\nport=5433\ndbname=sales\nuser=ann\npassword=s3cret#can=ary\nsslmode=verify-full\n"
        "connect_timeout=3\n\n[local]\nuser=bob\n"
    )
    found = offered(tmp_path)
    wh = found["service:wh"]
    assert wh.values == {"host": "db", "port": "5433", "database": "sales", "username": "ann", "sslmode": "verify-full"}
    assert wh.secrets == {"password": Secret("s3cret#can=ary")}
    assert wh.leftover == ("connect_timeout",)
    assert found["service:local"].values == {"host": "localhost", "database": "bob", "username": "bob"}
    elsewhere = tmp_path / "elsewhere.conf"
    elsewhere.write_text("[other]\nhost=x\n")
    assert list(offered(tmp_path, {"PGSERVICEFILE": str(elsewhere)})) == ["service:other"]
    assert "s3cret" not in repr(found)


def test_connections_of_jupysql(tmp_path: Path) -> None:
    (tmp_path / ".jupysql").mkdir()
    (tmp_path / ".jupysql" / "connections.ini").write_text(
        "[wh]\ndrivername = postgresql+psycopg2\nusername = ann\npassword = a@b/c:d%e#f\nhost = db\nport = 5433\n"
        "database = sales\nextra = 1\n\n[mem]\ndrivername = duckdb\n\n[file]\ndrivername = sqlite\n"
        "database = my.db\n\n[odd]\ndrivername = oracle\nhost = h\nusername = u\npassword = s3cret-canary\n"
    )
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "connections.ini").write_text("[wh]\ndrivername: mysql\nhost: other\nusername: bob\n")
    found = offered(tmp_path)
    wh = found["jupysql:wh"]
    assert wh.kind == "postgres"
    assert wh.values == {"host": "db", "port": "5433", "username": "ann", "database": "sales"}
    assert wh.secrets == {"password": Secret("a@b/c:d%e#f")}
    assert wh.leftover == ("extra",)
    assert (found["jupysql:mem"].kind, found["jupysql:mem"].values) == ("duckdb", {})
    assert (found["jupysql:file"].kind, found["jupysql:file"].values) == ("sqlite", {"database": "my.db"})
    assert found["jupysql:odd"].kind == "database"
    assert list(found["jupysql:odd"].secrets) == ["connection_string"]
    assert (found["ini:wh"].kind, found["ini:wh"].values["host"]) == ("mysql", "other")
    assert "s3cret-canary" not in repr(found)


def test_the_option_file_of_mysql(tmp_path: Path) -> None:
    (tmp_path / ".my.cnf").write_text(
        "!includedir /etc/mysql/conf.d\n[client]\nuser = ann\npassword = 'with # and \" in it'\nhost=db # here\n"
        "port=3307\nssl-ca=/etc/ca.pem\nssl-mode=VERIFY_CA\nno-beep\nsocket=/tmp/s\n[mysqldump]\nuser=other\n"
    )
    found = offered(tmp_path)
    assert list(found) == ["my.cnf"]
    assert found["my.cnf"].values == {
        "host": "db", "port": "3307", "username": "ann", "ssl_ca": "/etc/ca.pem", "ssl": "verify_ca"}  # fmt: skip
    assert found["my.cnf"].secrets == {"password": Secret("with # and \" in it")}
    assert found["my.cnf"].leftover == ("socket",)


@pytest.mark.parametrize("content", [
    b"password=s3cret-canary\n[client\n", b"s3cret-canary", b"\xff\xfe s3cret-canary",
    b"[client]\n s3cret-canary = [\n[x",
])  # fmt: skip
def test_a_file_that_cannot_be_read_is_named_and_not_quoted(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    for name in (".my.cnf", ".pg_service.conf"):
        (tmp_path / name).write_bytes(content)
    (tmp_path / ".jupysql").mkdir()
    (tmp_path / ".jupysql" / "connections.ini").mkdir()  # a folder in its place
    with caplog.at_level(logging.WARNING):
        offered(tmp_path, {"SPARK_REMOTE": "s3cret-canary nonsense"})
    assert "connections.ini cannot be read" in caplog.text
    assert "SPARK_REMOTE" in caplog.text
    assert "s3cret-canary" not in caplog.text
