"""Updates are merged into dicts."""

from __future__ import annotations

from typing import Any

import pytest

from siege_nb.profiles.documents import merged


@pytest.mark.parametrize(("there", "updates", "result"), [
    ({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}}, {"a": {"b": 1, "c": 3}}),
    ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
    ({"a": {"b": 1}}, {"a": 2}, {"a": 2}),
    ({"a": 1}, {"a": {"b": 1}}, {"a": {"b": 1}}),
    ({"p": {"$secret": "env:A"}}, {"p": {"$secret": "env:B"}}, {"p": {"$secret": "env:B"}}),
    ({"p": {"x": 1}}, {"p": {"$secret": "env:B"}}, {"p": {"$secret": "env:B"}}),
    ({"auth": {"type": "login", "password": "p"}}, {"auth": {"type": "windows"}}, {"auth": {"type": "windows"}}),
    ({"auth": {"type": "login", "password": "p"}}, {"auth": {"user": "u"}},
     {"auth": {"type": "login", "password": "p", "user": "u"}}),
])  # fmt: skip
def test_mapping_by_mapping(there: dict[str, Any], updates: dict[str, Any], result: dict[str, Any]) -> None:
    assert merged(there, updates, tag="type") == result


def test_only_so_deep() -> None:
    assert merged({"a": {"b": {"c": 1, "d": 2}}}, {"a": {"b": {"c": 3}}}, depth=1) == {"a": {"b": {"c": 3}}}


def test_what_is_given_stays_as_it_is() -> None:
    there, updates = {"a": {"b": [1]}}, {"a": {"c": [2]}}
    result = merged(there, updates)
    result["a"]["c"].append(3)
    assert (there, updates) == ({"a": {"b": [1]}}, {"a": {"c": [2]}})
