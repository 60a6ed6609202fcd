"""The tree of errors: as drawn, caught by builtin types, shown without a stack."""

from __future__ import annotations

import inspect
import re

import pytest

from siege_nb import errors
from siege_nb.errors import InvalidError, Issue, QueryError, SiegeError


def _classes() -> dict[str, type[BaseException]]:
    return {n: c for n, c in vars(errors).items() if inspect.isclass(c) and issubclass(c, SiegeError)}


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn: dict[str, tuple[str, str]] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"([│ ]*[├└]── |)([A-Z]\w+)(?: \((\w+)\))?(?:  |$)", line):
            depth = len(found[1]) // 4
            path[depth:] = [found[2]]
            drawn[found[2]] = (path[depth - 1] if depth else "", found[3] or "")
    assert set(drawn) == set(_classes())
    for name, (parent, builtin) in drawn.items():
        bases = [base.__name__ for base in _classes()[name].__bases__]
        assert bases == [base for base in (parent or "Exception", builtin) if base], name


@pytest.mark.parametrize("name", sorted(_classes()))
def test_every_error_has_a_sentence_and_ends_in_error(name: str) -> None:
    assert name.endswith("Error")
    assert _classes()[name].__doc__


def test_an_error_shows_message_and_hint_and_no_stack() -> None:
    error = SiegeError("It did not work.", hint="Try this.")
    assert error._render_traceback_() == ["SiegeError: It did not work.", "Try this."]


def test_every_wrong_field_is_told_not_only_the_first() -> None:
    error = InvalidError("Client X", [Issue("name", "is required"), Issue("contact_info.email", "is required")])
    assert str(error) == "Client X is not valid:\n  name: is required\n  contact_info.email: is required"
    assert isinstance(error, ValueError)


def test_a_query_error_points_at_the_spot() -> None:
    error = QueryError('Table "ordrs" does not exist', kind="not_found", line=2, column=6, hint="did you mean: orders")
    error.place("SELECT 1; SELECT *\nFROM ordrs", 10, 3, 5)
    assert str(error).splitlines() == [
        'Table "ordrs" does not exist',
        "  LINE 2: FROM ordrs",
        "               ^",
        "  statement 3 of 5 · did you mean: orders",
    ]
