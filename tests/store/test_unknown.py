"""Parameters of a kind that is not installed: what may be a secret is closed, whatever its type."""

from __future__ import annotations

from typing import Any

import pytest

from siege_nb.declare import Reference, Secret, secrets_of, structure
from siege_nb.store import UnknownParams


@pytest.mark.parametrize("given", [
    {"password": 12345678}, {"pin": 998877}, {"pin": 4711.5}, {"deep": {"list": [{"pin": 4711}]}},
    {"endpoint": "Endpoint=sb://x;SharedAccessKey=canary"}, {"uri": "x://canary:x/"}, {"host": "//u:canary@h"},
    {"url": "jdbc:sqlserver://h;password=canary"}, {"note": "anything"}, {"username": "me@h"},
])  # fmt: skip
def test_what_may_be_a_secret_is_one_in_the_hand_and_an_open_text_at_rest(given: dict[str, Any]) -> None:
    typed = structure(UnknownParams, given)
    (found,) = secrets_of(typed)
    assert typed.open_texts() == set()
    assert list(typed.texts()) == []
    there = structure(UnknownParams, given, at_rest=True)
    assert list(secrets_of(there)) == []
    ((path, text),) = there.open_texts()
    assert found[1] == Secret(text)
    assert path.rpartition(".")[2] == found[0].rpartition(".")[2] or "list" in path


@pytest.mark.parametrize("given", [
    {"port": 5432}, {"timeout": 10.5, "size": 0}, {"ssl": True}, {"password": ""}, {"password": None}, {"n": 123456},
    {"url": "https://h:8443/x", "host": "h", "username": "u"}, {"token_count": 100000},
])  # fmt: skip
def test_what_is_none_stays_readable(given: dict[str, Any]) -> None:
    typed = structure(UnknownParams, given)
    assert list(secrets_of(typed)) == []
    assert typed.open_texts() == set()


def test_a_reference_stays_one() -> None:
    typed = structure(UnknownParams, {"password": {"$secret": "env:X"}})
    assert dict(secrets_of(typed)) == {"password": Reference("env:X")}
