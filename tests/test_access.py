"""Who may do what with a connection: every role, visibility and verb."""

from __future__ import annotations

from typing import get_args

import pytest

from siege_nb.models.access import ALLOWED, VERBS, Act, Role, Visibility, may, table

# Written out, not derived: reading, using, editing, removing and sharing, in this order; y or n.
EXPECTED = {
    ("private", "owner"): "yyyyy",
    ("private", "admin"): "nnnnn",
    ("private", "member"): "nnnnn",
    ("public", "owner"): "yyyyy",
    ("public", "admin"): "yyyyy",
    ("public", "member"): "yynnn",
    ("locked", "owner"): "yynny",
    ("locked", "admin"): "yynny",
    ("locked", "member"): "yynnn",
}


def test_every_role_visibility_and_act() -> None:
    found = {
        (visibility, role): "".join("y" if may(role, act, visibility) else "n" for act in get_args(Act))
        for visibility in get_args(Visibility)
        for role in get_args(Role)
    }
    assert found == EXPECTED


@pytest.mark.parametrize(("verb", "column"), [("GET", 0), ("POST", 1), ("PATCH", 2), ("PUT", 2), ("DELETE", 3)])
def test_every_verb_is_an_act(verb: str, column: int) -> None:
    for (visibility, role), acts in EXPECTED.items():
        assert may(role, VERBS[verb], visibility) == (acts[column] == "y")  # type: ignore[arg-type]


def test_the_table_says_the_same() -> None:
    lines = table().splitlines()
    assert lines[0] == "| visibility | role | GET | POST | PATCH | PUT | DELETE | share |"
    assert len(lines) == 2 + sum(len(roles) for roles in ALLOWED.values())
    assert "| private | member | no | no | no | no | no | no |" in lines
    assert "| locked | admin | yes | yes | no | no | no | yes |" in lines
