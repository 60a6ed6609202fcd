"""`:name` in SQL, bound to what a namespace holds; the values travel apart from the text, on every engine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from siege_nb.errors import QueryError
from siege_nb.query.statements import STANDARD, Grammar, outside

#: How a driver wants them: `:x`, `$x`, `$1` with a list of values, `%(x)s`; or `:x` again, for an engine whose NULL has
#: a type and that has arrays.
Style = Literal["named", "dollar", "numeric", "pyformat", "arrays"]
#: What of a text is bound: "auto" as `parse` says; "enabled" also what stands right after a bracket, as in a[:x] and
#: f(y):x, but not after a quote, where it is a struct's; "disabled" nothing that is not given for it.
Mode = Literal["auto", "enabled", "disabled"]

# Not after a word (a label, JSON paths), a colon (::casts), a quote ({'a':1}) or a bracket (slices).
_BIND = r"""(?<![\w:'"\]\}\)\[]):(?P<name>[A-Za-z_]\w*)"""
_CLOSE = r"(?<=[\]\}\)\[]):(?=[A-Za-z_])"

_ASSIGN = "Assign it first; a colon that is meant as text belongs between quotes."


class Placeholder(NamedTuple):
    """A `:name` and where it stands."""

    name: str
    start: int
    end: int


def parse(sql: str, grammar: Grammar = STANDARD) -> list[Placeholder]:
    """Every `:name` that is one: not in a literal or comment, no cast, no slice, no key of a struct."""
    if ":" not in sql:
        return []
    return [Placeholder(found["name"], found.start(), found.end()) for found in outside(sql, _BIND, grammar)]


def names(sql: str, grammar: Grammar = STANDARD) -> tuple[str, ...]:
    """The names to bind, each once, in the order they come."""
    return tuple(dict.fromkeys(placeholder.name for placeholder in parse(sql, grammar)))


def spaced(sql: str, grammar: Grammar = STANDARD) -> str:
    """The text with a blank before each `:name` that "auto" would let pass for the bracket right before it."""
    if ":" not in sql:
        return sql
    for found in reversed(list(outside(sql, _CLOSE, grammar))):
        sql = f"{sql[: found.start()]} {sql[found.start() :]}"
    return sql


def take(sql: str, namespace: Mapping[str, Any], grammar: Grammar = STANDARD, *, hint: str = _ASSIGN) -> dict[str, Any]:
    """The values of all names in the text as plain Python; one that has none is a QueryError of kind "usage"."""
    wanted = names(sql, grammar)
    missing = [name for name in wanted if name not in namespace]
    if missing:
        from siege_nb.declare import suggest

        known = [name for name in namespace if not name.startswith("_")]
        near = "".join(suggest(name, known, most=1) for name in missing)
        said = ", ".join(f":{name}" for name in missing)
        raise QueryError(f"There is no value for {said}.{near}", kind="usage", hint=hint)
    return {name: unbox(namespace[name]) for name in wanted}


def render(
    sql: str, values: Mapping[str, Any], style: Style, grammar: Grammar = STANDARD
) -> tuple[str, dict[str, Any] | list[Any]]:
    """The text and the values as a driver wants them; only names that stand in the text are handed on.

    A name that has no value is text: `take` has seen to those that need one. A list in `IN (:xs)` becomes as many
    placeholders as it has values; elsewhere it stays one value.
    """
    found = _bound(sql, values, grammar)
    if not found:
        return sql, {}
    given = _Given(style, found)
    text = "".join(piece for piece, _, _ in _pieces(sql, found, values, given))
    return text, given.values


def origin(sql: str, values: Mapping[str, Any], style: Style, at: int, grammar: Grammar = STANDARD) -> int:
    """The place in the text as written of a place in the rendered one, which a server's error points to."""
    found = _bound(sql, values, grammar)
    if not found:
        return at
    given = _Given(style, found)
    for piece, start, end in _pieces(sql, found, values, given):
        if at < len(piece):
            return start + len(given.written(piece[:at])) if piece == given.text(sql[start:end]) else start
        at -= len(piece)
    return len(sql)


def unbox(value: Any) -> Any:
    """A value of numpy, pandas, Arrow or Polars as plain Python; a series or another collection as a list."""
    if isinstance(value, list | tuple | set | frozenset | range):
        return [unbox(item) for item in value]
    # By the name of its module: a value cannot be of a library that nobody imported.
    match type(value).__module__.partition(".")[0]:
        case "numpy":
            dtype = getattr(value, "dtype", None)
            if dtype is not None and dtype.kind in "mM" and dtype.str.endswith("[ns]"):
                value = value.astype(dtype.str.replace("[ns]", "[us]"))  # nanoseconds come out as bare integers
            return unbox(value.tolist()) if hasattr(value, "tolist") else value
        case "pandas":
            return _unbox_pandas(value)
        case "pyarrow":
            return unbox(value.as_py() if hasattr(value, "as_py") else value.to_pylist())
        case "polars":
            return unbox(value.to_list())
    return value


def _unbox_pandas(value: Any) -> Any:
    kind = type(value).__name__
    if kind in ("NaTType", "NAType"):
        return None
    if kind == "Timestamp":
        return value.to_pydatetime(warn=False)
    if kind == "Timedelta":
        return value.to_pytimedelta()
    return unbox(value.tolist()) if hasattr(value, "tolist") else value


def _bound(sql: str, values: Mapping[str, Any], grammar: Grammar) -> list[Placeholder]:
    return [found for found in parse(sql, grammar) if found.name in values] if values else []


class _Given:
    """The values in a driver's order, and the placeholder that stands for each."""

    def __init__(self, style: Style, found: list[Placeholder]) -> None:
        self.style = style
        self._reserved = {placeholder.name for placeholder in found}
        self._marks: dict[str, str] = {}
        self.values: dict[str, Any] | list[Any] = [] if style == "numeric" else {}

    def mark(self, name: str, value: Any) -> str:
        if name not in self._marks:
            if isinstance(self.values, list):
                self.values.append(value)
                self._marks[name] = f"${len(self.values)}"
            else:
                self.values[name] = value
                self._marks[name] = _MARKS.get(self.style, ":%s") % name
        return self._marks[name]

    def text(self, sql: str) -> str:
        # The driver looks for %(…)s everywhere, in literals too, and `%(…)%` is its only way to say a percent sign.
        return sql.replace("%(", "%(_)%(") if self.style == "pyformat" else sql

    def written(self, text: str) -> str:
        return text.replace("%(_)%", "%") if self.style == "pyformat" else text

    def many(self, name: str, values: Iterable[Any]) -> str:
        while any(other.startswith(f"{name}_") for other in {*self._reserved, *self._marks}):
            name += "_"
        return ", ".join(self.mark(f"{name}_{n}", value) for n, value in enumerate(values))


_MARKS = {"dollar": "$%s", "pyformat": "%%(%s)s"}
# An empty list must give a condition that no row meets, and NOT IN one that all meet; each engine by its own words.
_EMPTY = {
    "named": "IN (SELECT NULL WHERE 1 = 0)",
    "dollar": "IN (SELECT NULL WHERE false)",
    "pyformat": "IN (SELECT NULL FROM DUAL WHERE false)",
}
_IN = re.compile(r"\b(NOT\s+)?IN\s*\(\s*\Z", re.IGNORECASE)
_CLOSED = re.compile(r"\s*\)")


def _pieces(
    sql: str, found: list[Placeholder], values: Mapping[str, Any], given: _Given
) -> Iterator[tuple[str, int, int]]:
    """The rendered text piece by piece, each with the place in the text as written that it stands for."""
    at = 0
    for name, start, end in found:
        value = values[name]
        mark = None
        if isinstance(value, list) and (opened := _IN.search(sql, max(at, start - 40), start)):
            closed = _CLOSED.match(sql, end)
            if closed and value:
                mark = given.many(name, value)
            elif closed:
                start, end = opened.start(), closed.end()
                mark = _empty(given, opened[1] is not None)
        if mark is None:
            mark = given.mark(name, value)
        yield given.text(sql[at:start]), at, start
        yield mark, start, end
        at = end
    yield given.text(sql[at:]), at, len(sql)


def _empty(given: _Given, negated: bool) -> str:
    if given.style in ("numeric", "arrays"):
        return "<> ALL('{}')" if negated else "= ANY('{}')"
    return ("NOT " if negated else "") + _EMPTY[given.style]
