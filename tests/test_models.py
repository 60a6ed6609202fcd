"""What profiles take and what they refuse."""

from __future__ import annotations

import pytest

from siege_nb.declare import structure
from siege_nb.errors import InvalidError
from siege_nb.models.connection import ConnectionProfile
from siege_nb.store import UnknownParams


def named(name: str, *, at_rest: bool = False) -> ConnectionProfile:
    data = {"name": name, "connection_type": "x", "connection_params": UnknownParams()}
    return structure(ConnectionProfile, data, at_rest=at_rest)


@pytest.mark.parametrize("name", [
    "-x", "--help", "-", " x", "x ", "\tx", "x\n", " ", "a\nb", "a\tb", "a\x00b", "a\x1b[31mb", "a\x7fb", "a\x85b",
    "a\u2028b", "\u00a0x", "x\u3000", "a/b", "ACME001/warehouse",
])  # fmt: skip
def test_a_name_that_cannot_be_typed_is_refused_but_read_where_it_stands(name: str) -> None:
    with pytest.raises(InvalidError, match="name: should"):
        named(name)
    assert named(name, at_rest=True).name == name


@pytest.mark.parametrize("name", ["x", "a b", "sales-2024", "Größe", "日本", "👩‍💻", "a.b:c", "#1", "SELECT"])
def test_any_other_name_is_taken(name: str) -> None:
    assert named(name).name == name
