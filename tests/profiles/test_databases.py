"""Each function for databases keeps the first system's contract."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

import siege_nb
from siege_nb.engines import jdbc
from siege_nb.errors import InvalidError, NotFoundError
from siege_nb.profiles.places import at
from tests.profiles.conftest import on_disk
from tests.servers import MariaDB, Postgres


def made(name: str = "sales", kind: str = "postgres", **values: Any) -> dict[str, Any]:
    """A database that is saved."""
    login = {"username": "u", "password": "hunter2-canary"} | values
    config = siege_nb.create_database_config(name, kind, "db.host", 5432, "sales_db", **login)
    siege_nb.save_database_config(config)
    return config


def loaded(name: str = "sales") -> dict[str, Any]:
    found = siege_nb.load_database_config(name)
    assert found is not None, siege_nb.last_error()
    return found


def options(name: str = "sales") -> dict[str, str]:
    found = siege_nb.get_spark_database_options(name)
    assert found is not None, siege_nb.last_error()
    return found


def test_create_gives_the_documented_dict() -> None:
    config = siege_nb.create_database_config(
        "sales", "postgres", "db.host", 5432, "sales_db", "u", "pw", ssl_mode="require", schema="x"
    )
    assert config == {
        "name": "sales", "connection_type": "postgres", "host": "db.host", "port": 5432, "database": "sales_db",
        "username": "u", "password": "pw", "jdbc_url": "jdbc:postgresql://db.host:5432/sales_db",
        "jdbc_driver": "org.postgresql.Driver",
        "connection_params": {"ssl_mode": "require", "timeout": 30, "pool_size": 5, "schema": "x"},
        "spark_options": {"fetchsize": "1000", "batchsize": "10000"},
    }  # fmt: skip
    assert list(config)[:7] == ["name", "connection_type", "host", "port", "database", "username", "password"]


@pytest.mark.parametrize(("kind", "url", "driver"), [
    ("postgresql", "jdbc:postgresql://h:1/d", "org.postgresql.Driver"),
    ("MySQL", "jdbc:mysql://h:1/d", "com.mysql.cj.jdbc.Driver"),
    ("mariadb", "jdbc:mysql://h:1/d", "com.mysql.cj.jdbc.Driver"),
    ("oracle", "jdbc:oracle:thin:@//h:1/d", "oracle.jdbc.OracleDriver"),
    ("sqlserver", "jdbc:sqlserver://h:1;databaseName=d", "com.microsoft.sqlserver.jdbc.SQLServerDriver"),
    ("mssql", "jdbc:sqlserver://h:1;databaseName=d", "com.microsoft.sqlserver.jdbc.SQLServerDriver"),
    ("trino", "jdbc:trino://h:1/d", ""),
])  # fmt: skip
def test_each_make_has_its_jdbc_url(kind: str, url: str, driver: str) -> None:
    config = siege_nb.create_database_config("x", kind, "h", 1, "d", "u", "pw")
    assert (config["jdbc_url"], config["jdbc_driver"]) == (url, driver)


def test_save_load_and_list() -> None:
    config = made()
    found = loaded()
    assert found.pop("password").startswith("encrypted:v2.")
    assert config.pop("password") == "hunter2-canary"
    assert found == config
    assert b"canary" not in on_disk(Path("config"))
    made("b2", "mysql")
    assert siege_nb.list_database_configs("config") == [
        {"name": name, "connection_type": kind, "host": "db.host", "database": "sales_db",
         "config_file": f"config/database_{name}.json"}
        for name, kind in (("b2", "mysql"), ("sales", "postgres"))
    ]  # fmt: skip
    assert siege_nb.load_database_config("nobody") is None
    with pytest.raises(ValueError, match="name"):
        siege_nb.load_database_config("../x")
    with pytest.raises(ValueError, match="name"):
        siege_nb.save_database_config(config | {"name": "../x"})


def test_a_password_is_kept_typed_or_referred_to(monkeypatch: pytest.MonkeyPatch) -> None:
    made()
    siege_nb.save_database_config(loaded())
    assert options()["password"] == "hunter2-canary"
    assert siege_nb.update_database_config("sales", {"password": "***", "username": "v"})
    assert options()["password"] == "hunter2-canary"
    assert siege_nb.update_database_config("sales", {"password": "encrypted:v2.looks.like.one.0"})
    assert options()["password"] == "encrypted:v2.looks.like.one.0"
    assert siege_nb.update_database_config("sales", {"password": {"$secret": "env:SALES_PASSWORD"}})
    monkeypatch.setenv("SALES_PASSWORD", "from-outside")
    assert options()["password"] == "from-outside"
    assert siege_nb.update_database_config("sales", {"password": "again-typed"})
    made("other", password="")
    assert options("other")["password"] == ""
    with pytest.raises(InvalidError, match="access_key"):
        siege_nb.create_database_config("x", "mysql", "h", 1, "d", "u", "pw", access_key="k")


def test_another_address_makes_another_url_and_asks_for_the_password() -> None:
    made()
    assert siege_nb.update_database_config("sales", {"host": "evil"}) is False
    assert "must be entered again" in str(siege_nb.last_error())
    assert siege_nb.update_database_config("sales", {"jdbc_url": "jdbc:postgresql://evil/x"}) is False
    assert siege_nb.update_database_config("sales", {"host": "new", "password": "new-canary"})
    assert loaded()["jdbc_url"] == "jdbc:postgresql://new:5432/sales_db"
    own = {"jdbc_url": "jdbc:postgresql://a,b/x", "password": "new-canary"}
    assert siege_nb.update_database_config("sales", own)
    assert siege_nb.update_database_config("sales", {"port": 1, "password": "new-canary"})
    assert loaded()["jdbc_url"] == "jdbc:postgresql://a,b/x", "one of the user's own stays"
    assert siege_nb.update_database_config("sales", {"name": "other"}) is False
    assert siege_nb.update_database_config("nobody", {}) is False


@pytest.mark.parametrize("change", [
    {"jdbc_driver": "evil.Driver"}, {"database": "evil/?ssl=false&host=evil"}, {"connection_type": "mysql"},
    {"connection_params": {"ssl_mode": "disable"}}, {"spark_options": {"sslmode": "disable"}},
    {"spark_options": {"socketFactory": "evil.Factory"}}, {"host": "evil"}, {"port": 1},
])  # fmt: skip
def test_a_stored_password_goes_nowhere_else(change: dict[str, Any]) -> None:
    made(ssl_mode="require")
    before = options()
    assert siege_nb.update_database_config("sales", change) is False
    assert "must be entered again" in str(siege_nb.last_error())
    assert options() == before
    assert siege_nb.update_database_config("sales", change | {"password": "entered-canary"}), siege_nb.last_error()
    assert options()["password"] == "entered-canary"


def test_what_only_says_how_fast_needs_no_password() -> None:
    made()
    change = {"spark_options": {"fetchSize": "9", "dbtable": "t"}, "username": "v"}
    assert siege_nb.update_database_config("sales", change), siege_nb.last_error()
    assert options()["fetchSize"] == "9"


@pytest.mark.parametrize("name", ["url", "URL", "driver", "user", "password"])
def test_where_it_goes_is_no_option_of_sparks(name: str) -> None:
    made()
    before = options()
    with pytest.raises(InvalidError, match=f"spark_options.{name}"):
        made("other", spark_options={name: "evil"})
    assert siege_nb.update_database_config("sales", {"spark_options": {name: "evil"}, "password": "x-canary"}) is False
    with pytest.raises(InvalidError, match=f"spark_options.{name}"):
        siege_nb.save_database_config(loaded() | {"spark_options": {name: "evil"}})
    file = Path("config/database_sales.json")
    file.write_text(json.dumps(json.loads(file.read_text()) | {"spark_options": {name: "evil", "x": "y"}}))
    assert options() == {k: v for k, v in before.items() if "size" not in k} | {"x": "y"}, "what is derived wins"
    assert siege_nb.update_database_config("sales", {"username": "v"}), siege_nb.last_error()


@pytest.mark.parametrize(("change", "path"), [
    ({"connection_params": {"password": "open-canary"}}, "connection_params.password"),
    ({"connection_params": {"pin": 998877}}, "connection_params.pin"),
    ({"spark_options": {"sslpassword": "open-canary"}}, "spark_options.sslpassword"),
    ({"jdbc_url": "jdbc:postgresql://h/d?password=open-canary"}, "jdbc_url"),
    ({"host": "u:open-canary@h"}, "host"),
])  # fmt: skip
def test_what_looks_like_a_secret_is_refused(change: dict[str, Any], path: str) -> None:
    made()
    assert siege_nb.update_database_config("sales", change | {"password": "new-canary"}) is False
    assert f"{path}: looks like a secret" in str(siege_nb.last_error())
    with pytest.raises(InvalidError, match=path):
        siege_nb.save_database_config(loaded() | change | {"password": "new-canary"})
    assert b"open-canary" not in on_disk(Path("config"))
    params = {key: value for key, value in change.get("connection_params", {}).items() if key != "password"}
    more = {"host": "h"} | {key: value for key, value in change.items() if key != "connection_params"} | params
    if more != {"host": "h"}:
        with pytest.raises(InvalidError, match="looks like a secret"):
            siege_nb.create_database_config(
                "x", "postgres", port=1, database="d", username="u", password="pw", **more
            )


def test_spark_gets_what_it_needs() -> None:
    made(spark_options={"fetchsize": "5"}, ssl_mode="require")
    assert options() == {
        "url": "jdbc:postgresql://db.host:5432/sales_db", "driver": "org.postgresql.Driver", "user": "u",
        "password": "hunter2-canary", "sslmode": "require", "fetchsize": "5", "batchsize": "10000",
    }  # fmt: skip
    assert siege_nb.get_spark_database_options("nobody") is None
    assert isinstance(siege_nb.last_error(), NotFoundError)
    seen = [record.outcome for record in at("config").directory.audit.records("database_sales.json")]  # type: ignore[union-attr]
    assert "seen" in seen


def test_delete() -> None:
    made()
    assert siege_nb.delete_database_config("sales") is True
    assert siege_nb.delete_database_config("sales") is False
    assert not Path("config/database_sales.json").exists()


def test_a_damaged_file_is_none_and_warned_of() -> None:
    made()
    Path("config/database_sales.json").write_text("{")
    with pytest.warns(siege_nb.ProfileWarning, match=r"database_sales\.json"):
        assert siege_nb.load_database_config("sales") is None
    with pytest.warns(siege_nb.ProfileWarning, match=r"database_sales\.json"):
        assert siege_nb.list_database_configs() == []


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_server_that_answers(kind: str, request: pytest.FixtureRequest) -> None:
    server: Postgres | MariaDB = request.getfixturevalue("postgres" if kind == "postgresql" else "mariadb")
    login = (server.host, server.port, server.database, server.username)
    siege_nb.save_database_config(siege_nb.create_database_config("there", kind, *login, server.password))
    assert siege_nb.test_database_connection("there", "config") is True, siege_nb.last_error()
    siege_nb.save_database_config(siege_nb.create_database_config("wrong", kind, *login, "wr0ng-canary"))
    assert siege_nb.test_database_connection("wrong") is False
    assert "Authentication failed" in str(siege_nb.last_error())
    encrypted = siege_nb.create_database_config("tls", kind, *login, server.password, ssl_mode="verify-full")
    siege_nb.save_database_config(encrypted)
    assert siege_nb.test_database_connection("tls") is False, "the mode is not ignored"
    assert siege_nb.test_database_connection("nobody") is False


def test_a_make_that_is_no_kind_of_ours_goes_through_sqlalchemy() -> None:
    made("far", "nosuchdialect")
    assert siege_nb.test_database_connection("far") is False
    assert "nosuchdialect" in str(siege_nb.last_error())
    assert "canary" not in str(siege_nb.last_error())


def test_drivers_are_jars_that_are_here_else_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(jdbc, "JARS", tmp_path)
    assert jdbc.drivers(["postgres", "postgresql", "mysql", "elsewhere"]) == {
        "spark.jars.packages": "org.postgresql:postgresql:42.7.7,com.mysql:mysql-connector-j:9.3.0"
    }
    for name in ("postgresql.jar", "postgresql-jdbc3.jar", "postgresql-42.7.7.jar"):
        (tmp_path / name).touch()
    assert jdbc.drivers(["postgres", "oracle"]) == {
        "spark.jars": str(tmp_path / "postgresql-42.7.7.jar"),
        "spark.jars.packages": "com.oracle.database.jdbc:ojdbc11:23.8.0.25.04",
    }
    assert jdbc.drivers([]) == {}


def test_a_database_in_a_file(here: Path) -> None:
    sqlite3.connect(here / "x.db").close()
    config = siege_nb.create_database_config("x", "sqlite", "", 1, str(here / "x.db"), "", "")
    assert (config["jdbc_url"], config["jdbc_driver"]) == (f"jdbc:sqlite:{here}/x.db", "org.sqlite.JDBC")
    siege_nb.save_database_config(config)
    assert siege_nb.test_database_connection("x") is True, siege_nb.last_error()
