"""One declaration: validated with every wrong field, written without secrets, read back with unknown keys."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

import pytest
from pydantic import Field

from siege_nb.declare import (
    Part,
    Reference,
    Secret,
    fields,
    schema,
    secrets_of,
    structure,
    table,
    ui,
    unstructure,
    with_secrets,
)
from siege_nb.errors import InvalidError, SealedError


class Login(Part):
    """A user name and a password."""

    type: Literal["sql_auth", "sql"] = "sql_auth"
    username: str
    password: Secret


class Nobody(Part):
    """No sign-in."""

    type: Literal["none"] = "none"


class Header(Part):
    """A header of every request."""

    name: str
    value: Secret


class Thing(Part):
    """Something with all that a declaration can hold."""

    server: str = ui(title="Server", endpoint=True, placeholder="sql.example.com", max_length=40)
    port: int = ui(1433, ge=1, le=65535)
    authentication: Annotated[Login | Nobody, Field(discriminator="type")] = ui(group="auth")
    mode: Literal["a", "b"] = "a"
    key: Secret | None = None
    headers: list[Header] = []
    gate: int | None = ui(None, ge=1, le=65535, endpoint=True)


GOOD = {"server": "s", "authentication": {"type": "sql", "username": "u", "password": "hunter2!"}}


def issues(data: dict[str, object]) -> dict[str, str]:
    with pytest.raises(InvalidError) as caught:
        structure(Thing, data)
    assert caught.value.__context__ is None
    return {issue.path: issue.message for issue in caught.value.issues}


def test_every_wrong_field_is_named_with_what_is_there_instead() -> None:
    found = issues({"prt": 3, "port": "abc", "mode": "q", "authentication": {"type": "sql", "username": 3}})
    assert found["server"] == "is required"
    assert found["port"] == "should be a whole number, not 'abc'"
    assert found["mode"] == "should be 'a' or 'b', not 'q'"
    assert found["authentication.username"] == "should be text, not 3"
    assert found["authentication.password"] == "is required"
    assert "Did you mean port" in found["prt"]


def test_a_wrong_variant_lists_those_there_are() -> None:
    assert issues({"server": "s", "authentication": {"type": "zz"}}) == {
        "authentication.type": "should be one of sql_auth, none, not 'zz'"
    }
    assert "authentication.type" in issues({"server": "s", "authentication": {}})


def test_bounds_and_lists_have_paths() -> None:
    found = issues(GOOD | {"port": 0, "headers": [{"name": "x", "value": "y"}, {"nam": "x"}]})
    assert set(found) == {"port", "headers.1.name", "headers.1.nam", "headers.1.value"}


@pytest.mark.parametrize("canary", ["canary-s3cr3t", 12345678, ["canary-s3cr3t"], {"a": "canary-s3cr3t"}])
def test_no_error_shows_a_secret(canary: object) -> None:
    for data in (
        GOOD | {"key": {"$secret": canary}},
        GOOD | {"key": [canary]},
        GOOD | {"pasword": canary},
        {"authentication": {"type": "sql", "username": "u", "password": canary, "x": canary}},
    ):
        shown = str(issues(data))
        assert "canary" not in shown
        assert "12345678" not in shown


@pytest.mark.parametrize(("field", "said"), [
    ("server", "string should have at most 40 characters"), ("gate", "should be a whole number"),
])  # fmt: skip
def test_no_error_shows_the_text_of_an_address(field: str, said: str) -> None:
    for text in (f"tcp://me:canary-s3cr3t@{'h' * 40}", f"sc://h/;token=canary-s3cr3t{'x' * 40}", "canary-s3cr3t" * 4):
        assert issues(GOOD | {field: text}) == {field: said}
    assert issues(GOOD | {"gate": 70000})["gate"].endswith(", not 70000")  # a number is no text


@pytest.mark.parametrize("stars", ["***", "*", "••••"])
def test_a_mask_is_never_taken_for_a_secret(stars: str) -> None:
    assert "mask" in issues(GOOD | {"key": stars})["key"]


@pytest.mark.parametrize("typed", ["env:HOME", "encrypted:v2.x.y:z:w", "vault:name", "{'$secret': 'env:X'}"])
def test_what_is_typed_is_a_password_whatever_it_looks_like(typed: str) -> None:
    key = structure(Thing, GOOD | {"key": typed}).key
    assert type(key) is Secret
    assert key == Secret(typed)


def test_a_reference_is_understood_at_rest_only() -> None:
    written = {"$secret": "env:PGPASSWORD"}
    assert isinstance(structure(Thing, GOOD | {"key": written}, at_rest=True).key, Reference)
    assert issues(GOOD | {"key": written})["key"] == "should be text"


def test_an_open_secret_cannot_be_written() -> None:
    thing = structure(Thing, GOOD)
    for write in (lambda: unstructure(thing), lambda: thing.model_dump_json()):
        with pytest.raises(Exception, match="cannot be written") as caught:
            write()
        assert isinstance(caught.value, SealedError) or "SealedError" in repr(caught.value)
        assert "hunter2" not in str(caught.value)


def test_secrets_are_found_and_replaced_by_path() -> None:
    thing = structure(Thing, GOOD | {"key": "k1", "headers": [{"name": "x", "value": "v1"}]})
    assert set(dict(secrets_of(thing))) == {"authentication.password", "key", "headers.0.value"}
    sealed = with_secrets(thing, {path: Reference(f"encrypted:v2.{path}") for path, _ in secrets_of(thing)})
    written = unstructure(sealed)
    assert written["headers"][0]["value"] == "encrypted:v2.headers.0.value"
    assert written["authentication"]["password"] == "encrypted:v2.authentication.password"
    assert with_secrets(structure(Thing, written, at_rest=True), dict(secrets_of(thing))) == thing


def test_unknown_keys_of_a_file_are_kept_at_every_level() -> None:
    document = {"server": "s", "authentication": {"type": "none", "later": [1, {"x": None}]}, "future": {"a": 1}}
    written = unstructure(structure(Thing, document, at_rest=True))
    assert written["future"] == {"a": 1}
    assert written["authentication"]["later"] == [1, {"x": None}]


def test_times_are_written_as_iso_text() -> None:
    class Timed(Part):
        """A time."""

        at: datetime

    assert unstructure(Timed(at=datetime(2026, 1, 2, tzinfo=UTC))) == {"at": "2026-01-02T00:00:00+00:00"}


def test_the_schema_marks_secrets_and_hints() -> None:
    described = schema(Thing)
    assert described["$defs"]["Login"]["properties"]["password"]["writeOnly"] is True
    assert described["properties"]["server"]["x-endpoint"] is True
    assert described["properties"]["authentication"]["discriminator"]["propertyName"] == "type"


def test_the_table_has_a_row_per_field() -> None:
    assert [one.path for one in fields(Thing)] == [
        "server", "port", "authentication.type", "authentication.username", "authentication.password", "mode", "key",
        "headers", "gate",
    ]  # fmt: skip
    assert "| `authentication.password` (sql_auth) | secret | *required* | Password |" in table(Thing)


def test_a_declaration_is_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        structure(Thing, GOOD).port = 3  # type: ignore[misc]
