"""What looks like a secret where none is declared: names and texts that do, and those that must not."""

from __future__ import annotations

import time
from typing import Any

import pytest
from pydantic import ConfigDict

from siege_nb.declare import Part, Secret
from siege_nb.declare.suspect import named, refuse, suspect, suspects, without
from siege_nb.errors import InvalidError

C = "hunter2canary"


@pytest.mark.parametrize("name", [
    "password", "PASSWORD", "passWord", "Password2", "dbPassword", "userPassword", "ssl_password", "db.passwd", "pwd",
    "dbpwd", "passphrase", "clientSecret", "client_secret", "hadoop_secret", "auth.secret.key", "secret_id", "token",
    "sasToken", "SASToken", "access-token", "accesstoken", "api_key", "APIKey", "apikey", "x-api-key", "AccountKey",
    "SharedAccessKey", "private_key", "fs.azure.account.key.store.dfs.core.windows.net", "Authorization",
    "extra_headers.Authorization", "credentials", "credential", "connectionString", "sas", "pin", "smtp_pass", "jwt",
    "credentials.prod", "api_key_prod", "password_hash",
])  # fmt: skip
def test_a_name_of_a_secret(name: str) -> None:
    assert named(name)
    assert suspect(name, C)
    assert suspect(name, [C])
    assert suspect(name, 12345678)
    for nothing in ("", "  ", "***", None, True, False, 0, 12, "encrypted:v2.a.b.c.d", "${PGPASSWORD}", "<password>"):
        assert not suspect(name, nothing), nothing
    assert not suspect(name, {"$secret": "env:PGPASSWORD"})
    assert suspect(name, {"$secret": C})


@pytest.mark.parametrize("name", [
    "notes", "secretary", "tokenizer", "broken", "shipping", "spin", "compass", "key", "primary_key", "sort_key",
    "keyspace", "password_policy", "token_url", "tokenEndpoint", "secret_name", "access_key_id", "password_length",
    "credentials_stored", "encryption_method", "connection_pool_size", "token_count", "author", "authentication",
    "monkey", "bypass_count", "pinned", "sasl_mechanism", "", "42", "directories.secrets",
])  # fmt: skip
def test_a_name_of_none(name: str) -> None:
    assert not suspect(name, C)
    assert not suspect(name, 12345678)


@pytest.mark.parametrize(("text", "rest"), [
    (f"postgresql://u:{C}@h/db", "postgresql://u@h/db"),
    (f"see https://u:{C}@wiki/x?token={C}&a=1 there", "see https://u@wiki/x?token=&a=1 there"),
    (f"redis://:{C}@h:6379/0", "redis://@h:6379/0"),
    (f"pg://u:{C}@x@h", "pg://u@h"),
    (f"pg://u:{C}/x@h", "pg://u@h"),
    (f"snowflake://{C}:x/", "snowflake:///"),
    (f"u:{C}@h", "u@h"),
    (f"u:{C}@h:5432/d", "u@h:5432/d"),
    (f"jdbc:oracle:thin:@//u:{C}@h:1/d", "jdbc:oracle:thin:@//u@h:1/d"),
    (f"jdbc:oracle:thin:scott/{C}@//h:1/d", "jdbc:oracle:thin:scott@//h:1/d"),
    (f"jdbc:postgresql://h/d?user=u&password={C}", "jdbc:postgresql://h/d?user=u&password="),
    (f"jdbc:sqlserver://h:1;user=u;password={C}&x;encrypt=true", "jdbc:sqlserver://h:1;user=u;password=;encrypt=true"),
    (f"Endpoint=sb://x;SharedAccessKey={C}", "Endpoint=sb://x;SharedAccessKey="),
    (f"DRIVER=x;PWD={{{C};x}};SERVER=h", "DRIVER=x;PWD=;SERVER=h"),
    (f"Server=h; Pwd = {C};", "Server=h; Pwd = ;"),
    (f"https://h/?key={C}", "https://h/?key="),
    (f"https://h/b?sv=1&sig={C}", "https://h/b?sv=1&sig="),
    (f"https://h/cb#access_token={C}", "https://h/cb#access_token="),
    (f"host=h password='{C} x' user=u", "host=h password= user=u"),
    (f"h:6380,password={C},ssl=True", "h:6380,password="),
    (f'LoginModule required username="u" password="{C}";', 'LoginModule required username="u" password=;'),
    (f"Bearer {C}{C}", ""),
    ("ghp_0123456789abcdefghijABCDEFGHIJ012345", ""),
    (f"-----BEGIN RSA PRIVATE KEY-----\n{C}\n-----END RSA PRIVATE KEY-----\n", "\n"),
    (f"-----BEGIN PRIVATE KEY-----\n{C}", ""),
])  # fmt: skip
def test_a_text_that_holds_one_is_left_without_it(text: str, rest: str) -> None:
    assert without(text) == rest
    assert without(rest) == rest
    assert suspect("notes", text)
    assert suspect("notes", ["x", {"a": text}])


@pytest.mark.parametrize("text", [
    "the token ring", "password: ask Jane", "https://h/path?x=1", "https://h:8443/a@b", "http://[::1]:8080/x",
    "mongodb://h1:27017,h2:27017/db?replicaSet=r", "spark://h1:7077,h2:7077", "{scheme}://{host}:{port}/",
    "postgresql://{user}:{password}@{host}:{port}/{db}", "pg://u:${PGPASSWORD}@h",
    "x?token=<your token>", "x?password=***",
    "sqlite://:memory:", "sqlite:///:memory:", "file:///C:/x", "file://C:\\x", "docker://python:slim", "ssh://git@h/x",
    "https://u@wiki/x?token=&a=1", "jane@example.com", "mailto:jane@example.com", "git@h.example:a/b.git",
    "jdbc:oracle:thin:@//h:1/d", "jdbc:sqlserver://h:1;databaseName=d", "jdbc:sqlite:/a/x.db", "h1:9092,h2:9092",
    "a=b&c=d", "x?keys=1&sort_key=2", "Basic training", "10:30", "SELECT a FROM t WHERE key = 1", "#0066CC",
    "/assets/logo.png", "password=%(password)s", "jdbc:postgresql://h1:5432,h2:5432/d?user=a@b", "",
])  # fmt: skip
def test_a_text_that_holds_none(text: str) -> None:
    assert without(text) == text
    assert not suspect("notes", text)


class Inner(Part):
    user: str = "u"


class Outer(Part):
    model_config = ConfigDict(extra="allow")

    password: Secret | None = None
    token_text: str = ""
    credentials: Inner = Inner()
    host: str = ""
    options: dict[str, Any] = {}


def test_what_is_declared_is_judged_by_its_text() -> None:
    item = Outer(password=Secret(C), token_text="shown", host="u:pw-canary@h", options={"a": {"password": C}, "n": 5})
    extra = item.model_copy(update={"credentials": Inner(user="x")})
    assert [found.path for found in suspects(extra)] == ["host", "options.a.password"]
    more = Outer.model_validate({"clientSecret": C, "list": [{"ok": 1, "pin": 4711}]})
    assert list(suspects(more)) == [("clientSecret", C, None), ("list.0.pin", 4711, None)]
    assert list(suspects(Outer(host="u:pw-canary@h"))) == [("host", "u:pw-canary@h", "u@h")]


def test_what_is_there_already_stays_and_what_is_new_is_refused() -> None:
    there = {"password": "old-canary", "list": [{"token": "old-canary"}]}
    refuse(there, dict(there), "It")
    refuse({"list": [{"a": 1}, *there["list"]]}, there, "It")
    moved = {"other": {"password": "old-canary"}}
    for new in ({"password": C}, {"list": [{"token": C}]}, {**there, "pin": 4711}, moved):
        with pytest.raises(InvalidError, match=r"(?s)looks like a secret.*\$secret") as caught:
            refuse(new, there, "It")
        assert C not in str(caught.value)
        assert len(caught.value.issues) == 1


@pytest.mark.parametrize("piece", [" ", ";", "a", "=", "@", ":", "//", "://", "a=", ";a", "://a:", "password=",
                                   "-----BEGIN PRIVATE KEY-----"])  # fmt: skip
def test_no_text_takes_long(piece: str) -> None:
    began = time.perf_counter()
    without(piece * 5000)
    assert time.perf_counter() - began < 1
