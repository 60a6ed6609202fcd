"""What somebody pastes, as a kind and its fields."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import pytest

from siege_nb import adapters
from siege_nb.adapters.sqlite import SQLiteAdapter
from siege_nb.adapters.urls import Pasted, from_url
from siege_nb.declare import Secret, structure
from siege_nb.errors import InvalidError


def opened(pasted: Pasted) -> dict[str, str]:
    return {path: secret.reveal() for path, secret in pasted.secrets.items()}


@pytest.mark.parametrize(("text", "kind", "values", "secrets", "leftover"), [
    # SQLAlchemy
    ("postgresql+psycopg://me:s%40cret@h.example.com:5433/d%20b", "postgres",
     {"host": "h.example.com", "port": "5433", "database": "d b", "username": "me"}, {"password": "s@cret"}, ()),
    ("postgresql+asyncpg://me@h/db", "postgres", {"host": "h", "database": "db", "username": "me"}, {}, ()),
    ("mysql+mysqlconnector://root:x1@[::1]:3306/db?charset=utf8mb4&ssl_ca=/ca.pem", "mysql",
     {"host": "::1", "port": "3306", "database": "db", "username": "root", "ssl_ca": "/ca.pem"}, {"password": "x1"},
     ("charset",)),
    ("mariadb://u:@h", "mysql", {"host": "h", "username": "u"}, {}, ()),
    ("MySQL+PyMySQL://u@h", "mysql", {"host": "h", "username": "u"}, {}, ()),
    ("sqlite://", "sqlite", {}, {}, ()),
    ("sqlite:///:memory:", "sqlite", {"database": ":memory:"}, {}, ()),
    ("sqlite:///rel%20.db", "sqlite", {"database": "rel%20.db"}, {}, ()),
    ("sqlite+pysqlite:////data/me@work/x.db?read_only=true&mode=ro", "sqlite",
     {"database": "/data/me@work/x.db", "read_only": "true"}, {}, ("mode",)),
    ("duckdb:///:memory:", "duckdb", {"database": ":memory:"}, {}, ()),
    ("duckdb+duckdb_sqlalchemy:///a.duckdb", "duckdb", {"database": "a.duckdb"}, {}, ()),
    # libpq
    ("postgres://u@h/db?sslmode=verify-full&connect_timeout=3&sslrootcert=system", "postgres",
     {"host": "h", "database": "db", "username": "u", "sslmode": "verify-full", "sslrootcert": "system"}, {},
     ("connect_timeout",)),
    ("postgresql:///db?host=h&port=5&user=me&password=s3cret", "postgres",
     {"host": "h", "port": "5", "database": "db", "username": "me"}, {"password": "s3cret"}, ()),
    (r"host=h dbname = d user=u password='it\'s \\ x' port=5 connect_timeout=1", "postgres",
     {"host": "h", "port": "5", "database": "d", "username": "u"}, {"password": r"it's \ x"}, ("connect_timeout",)),
    ("  user=me host=h\n", "postgres", {"host": "h", "username": "me"}, {}, ()),
    # JDBC
    ("jdbc:postgresql://h:5/db?user=u&password=p%401&ssl=true", "postgres",
     {"host": "h", "port": "5", "database": "db", "username": "u"}, {"password": "p@1"}, ("ssl",)),
    ("jdbc:mysql://h/db?useSSL=false", "mysql", {"host": "h", "database": "db"}, {}, ("useSSL",)),
    ("jdbc:mysql://h:5/db;user=u;password=p%3B@1=/;useSSL=false", "mysql",
     {"host": "h", "port": "5", "database": "db", "username": "u"}, {"password": "p;@1=/"}, ("useSSL",)),
    ("jdbc:mysql://h;user=u;password=p+1", "mysql", {"host": "h", "username": "u"}, {"password": "p+1"}, ()),
    ("jdbc:postgresql://h/db?user=u&password=p;x=1", "postgres",
     {"host": "h", "database": "db", "username": "u"}, {"password": "p;x=1"}, ()),
    ("mysql://h/db;user=u;password=p", "mysql",
     {"host": "h", "database": "db", "username": "u"}, {"password": "p"}, ()),
    ("jdbc:duckdb:/x/y.db;password=p", "duckdb", {"database": "/x/y.db"}, {}, ("password",)),
    ("jdbc:sqlite:/x/y.db", "sqlite", {"database": "/x/y.db"}, {}, ()),
    ("jdbc:duckdb:", "duckdb", {}, {}, ()),
    # Spark
    ("local[*]", "spark", {"master_url": "local[*]"}, {}, ()),
    ("yarn", "spark", {"master_url": "yarn"}, {}, ()),
    ("spark://a:7077,b:7077", "spark", {"master_url": "spark://a:7077,b:7077"}, {}, ()),
    ("sc://h:15002/;token=s%3Bcret;use_ssl=true;user_id=me", "spark",
     {"master_url": "sc://h:15002", "use_ssl": "true"}, {"token": "s;cret"}, ("user_id",)),
    ("sc://h;token=a+b==?c#d", "spark", {"master_url": "sc://h"}, {"token": "a+b==?c#d"}, ()),
    # Jupyter
    ("http://h:8888/lab?token=abc123", "notebook", {"url": "http://h:8888/lab"}, {"token": "abc123"}, ()),
    ("https://hub/user/me@there.org/lab?token=t1&reset#x", "notebook",
     {"url": "https://hub/user/me@there.org/lab"}, {"token": "t1"}, ("reset",)),
    ("http://me:s3cret@h:8888/", "notebook", {"url": "http://h:8888/"}, {}, ("username", "password")),
])  # fmt: skip
def test_what_is_pasted_is_taken_apart(
    text: str, kind: str, values: dict[str, str], secrets: dict[str, str], leftover: tuple[str, ...]
) -> None:
    pasted = from_url(text)
    assert (pasted.kind, pasted.values, opened(pasted), pasted.leftover) == (kind, values, secrets, leftover)


@pytest.mark.parametrize("raw", [
    "p@ss", "p@w@h", "p:w", "p/w", "p@w/x", "p?w", "p?w@x/y", "p#w", "@", "w@127.0.0.1:1", "a b", "100%", "é😀", "p\\w",
    "%zz", "=&=", "[x", "p@h/x?y", "p;w=x", ";password=w",
])  # fmt: skip
def test_no_half_of_a_password_becomes_a_host(raw: str) -> None:
    pasted = from_url(f"postgresql://me:{raw}@db.example.com:5432/base?sslmode=require")
    assert opened(pasted) == {"password": raw}
    assert pasted.values == {
        "host": "db.example.com", "port": "5432", "database": "base", "username": "me", "sslmode": "require",
    }  # fmt: skip


@pytest.mark.parametrize("text", [
    "oracle+oracledb://me:s3cret@h:1521/?service_name=x", "snowflake://me:s3cret@account/db",
    "jdbc:oracle:thin:me/s3cret@h:1521:x", "database://me:s3cret@h",
    "jdbc:oracle:thin:scott/s3cret@h:1521/s", "jdbc:sqlserver://h;user=me;password={s3cret;x}",
])  # fmt: skip
def test_what_no_kind_knows_is_a_secret_as_a_whole(text: str) -> None:
    pasted = from_url(f" {text}\n")
    assert (pasted.kind, pasted.values, pasted.leftover) == ("database", {}, ())
    assert opened(pasted) == {"connection_string": text}
    assert "s3cret" not in repr(pasted)


@pytest.mark.parametrize("text", [
    "", "s3cret", "mysql://root:s3cret", "postgresql://h1:5432,s3cret:5432/db", "postgres", "sqlite://s3cret.db",
    "me:s3cret@h/db", "Server=h;Uid=me;Pwd=s3cret", "Driver={x};Pwd=s3cret", "password=s3cret",
    "http://h/a b?token=s3cret", "mysql://h/db;user=me;password=s3cret@x",
    "http://127.0.0.1\\@s3cret/", "://s3cret", "postgresql://[::1:s3cret/db", "host=h password='s3cret",
])  # fmt: skip
def test_no_error_quotes_what_was_pasted(text: str) -> None:
    with pytest.raises(InvalidError) as caught:
        from_url(text)
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    below = [frame for frame in told.stack if frame.filename.endswith("siege_nb/adapters/urls.py")]
    assert below
    shown = str(caught.value) + "".join(f"{frame.locals}" for frame in below)
    assert "s3cret" not in shown
    assert caught.value.__context__ is None
    assert caught.value.hint


def test_a_long_text_that_is_nearly_one_takes_no_time() -> None:
    with pytest.raises(InvalidError):
        from_url("a=" * 5000 + "\\")
    from_url(f"postgresql://u:{'@?/' * 5000}@h/db")


def test_the_fields_fit_the_kind() -> None:
    for text in ("postgresql://u:p@h:5/db?sslmode=require", "mysql://u@h", "sqlite:///x.db", "duckdb://", "local[2]",
                 "http://h/lab?token=x", "sc://h/;use_ssl=true"):  # fmt: skip
        pasted = from_url(text)
        params = structure(adapters.load(pasted.kind).params_type, pasted.document())
        assert params.model_fields_set == {*pasted.values, *pasted.secrets}
    port = structure(adapters.load("postgres").params_type, from_url("postgres://u@h:5/d").document())
    assert (port.port, port.sslmode) == (5, "prefer")  # type: ignore[attr-defined]


def test_dotted_paths_become_parts() -> None:
    pasted = Pasted("x", {"a.b": "1", "c": "2"}, {"a.d": Secret("s3cret")})
    assert pasted.document() == {"a": {"b": "1", "d": Secret("s3cret")}, "c": "2"}


STRANGER = """
from typing import Annotated, Literal
from siege_nb.adapters.base import Params
from siege_nb.adapters.sqlite import SQLiteAdapter
from siege_nb.declare import Part, Secret

class Login(Part):
    name: str
    key: Secret

class FarParams(Params):
    host: str
    login: Login

class Far(SQLiteAdapter):
    kind, title, schemes = "far", "Far away", ("faraway",)
    params_type = FarParams
    url_fields = {"username": "login.name", "password": "login.key", "region": "host"}
"""


def test_a_strangers_kind_is_pasted_as_ours_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import EntryPoint

    (tmp_path / "stranger_far.py").write_text(STRANGER)
    monkeypatch.syspath_prepend(str(tmp_path))
    known = adapters._registered() | {"far": EntryPoint("far", "stranger_far:Far", adapters.GROUP)}
    monkeypatch.setattr(adapters, "_registered", lambda: known)
    pasted = from_url("faraway+tls://me:k3y@h?zone=x")
    assert (pasted.kind, pasted.values, pasted.leftover) == ("far", {"host": "h", "login.name": "me"}, ("zone",))
    assert opened(pasted) == {"login.key": "k3y"}
    found: Any = structure(adapters.load("far").params_type, pasted.document())
    assert (found.host, found.login.name) == ("h", "me")
    assert issubclass(adapters.load("far"), SQLiteAdapter)
    adapters.load.cache_clear()
