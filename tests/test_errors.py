"""The tree of errors: as drawn, caught by builtin types, shown without a stack."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from siege_nb import errors
from siege_nb.errors import InvalidError, Issue, QueryError, SiegeError
from siege_nb.vault import NoSecretError

# What a class needs or knows besides its message.
MORE: dict[str, Any] = {
    "install": "%pip install 'siege-nb[x]'", "problem": "tls", "fields": ("host", "ssl"), "kind": "syntax", "line": 2,
    "column": 3, "retry_at": datetime(2030, 1, 1, tzinfo=UTC), "hint": "Try this.",
    "issues": (Issue("name", "is required"), Issue("", "is odd")),
}  # fmt: skip


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


@pytest.mark.parametrize("column", [1, 2, 119, 120, 121, 500, 999, 1000, 1001])
def test_an_excerpt_is_cut_around_the_spot(column: int) -> None:
    line = "".join(chr(ord("a") + n % 26) for n in range(1000))
    error = QueryError("no", line=1, column=column)
    error.place(line, 0, 1, 1)
    shown, caret = error.excerpt.split("\n")
    shown, spot = shown.removeprefix("  LINE 1: "), len(caret) - len("  LINE 1: ^")
    assert len(shown) == 120
    assert shown[spot : spot + 1] == line[column - 1 : column]
    assert shown.startswith("…") is (column > 100)
    assert shown.endswith("…") is (column < 900)


def test_an_excerpt_without_a_column_is_the_start_of_its_line() -> None:
    error = QueryError("no", line=1)
    error.place("x" * 121, 0, 1, 1)
    assert error.excerpt == "  LINE 1: " + "x" * 119 + "…"


@pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\x0c", "\x0b", "\x85", "\x1c", "\r"])
def test_only_a_line_feed_ends_a_line(odd: str) -> None:
    error = QueryError("no", line=2, column=8)
    error.place(f"SELECT {odd}1,\nSELECT {odd}2\nFROM t", 0, 1, 1)
    assert error.excerpt == "  LINE 2: SELECT  2\n" + " " * 17 + "^"
    assert len(error._render_traceback_()) == 3


@pytest.mark.parametrize(("line", "column"), [(0, 1), (-1, None), (2, 1), (1, 0), (1, -5), (1, 99)])
def test_a_spot_that_is_nowhere_breaks_nothing(line: int, column: int | None) -> None:
    error = QueryError("no", line=line, column=column)
    error.place("SELECT\r", 0, 1, 1)
    assert error.excerpt.partition("\n")[0] == ("  LINE 1: SELECT" if line == 1 else "")


def test_a_long_message_is_cut() -> None:
    for error in (SiegeError("x" * 100_000), InvalidError("y", [Issue("z" * 9999, "is odd")])):
        assert len(error.message) == len(error.args[0]) == 2000
        assert str(error).endswith("…")
    assert SiegeError("x" * 2000).message == "x" * 2000


@pytest.mark.parametrize("copied", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])
@pytest.mark.parametrize("kind", [*_classes().values(), NoSecretError], ids=lambda kind: kind.__name__)
def test_an_error_comes_whole_from_another_process(kind: type[SiegeError], copied: Any) -> None:
    takes = inspect.signature(kind).parameters
    error = kind("It did not work.", **{name: value for name, value in MORE.items() if name in takes})
    if isinstance(error, QueryError):
        error.place("SELECT 1;\nSELECT x", 10, 2, 2)
    twin = copied(error)
    assert type(twin) is kind
    assert (str(twin), twin.args, vars(twin)) == (str(error), error.args, vars(error))


def test_the_log_goes_nowhere_until_somebody_sets_it_up() -> None:
    script = "import logging, siege_nb.store; logging.getLogger('siege_nb.store').error('heard')"
    silent = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert silent.stderr == ""
    script = f"import logging; logging.basicConfig(); {script}"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "heard" in told.stderr
