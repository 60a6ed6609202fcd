"""`:name` in SQL, bound to what a namespace holds; the values travel apart from the text, on every engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count, pairwise
from typing import Any, Literal, NamedTuple

from siege_nb.errors import QueryError
from siege_nb.query.statements import STANDARD, Grammar, outside
from siege_nb.query.tokens import Token, proper

#: How a driver wants them: `:x` as SQLite does, `$x`, `$1` with a list of values, `%(x)s`; or `:x` again, where a list
#: is a value too ("lists"), and where NULL has a type as well ("arrays").
Style = Literal["named", "dollar", "numeric", "pyformat", "lists", "arrays"]
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

    A name that has no value is text: `take` has seen to those that need one. A list among the elements of `IN (…)`
    becomes as many placeholders as it has values; elsewhere it stays one value, or is a QueryError of kind "usage"
    where an engine has no arrays.
    """
    found = _bound(sql, values, grammar)
    if not found:
        return sql, {}
    given = _Given(style, found)
    text = "".join(piece for piece, _, _ in _pieces(sql, found, values, given, grammar))
    return text, given.values


def origin(sql: str, values: Mapping[str, Any], style: Style, at: int, grammar: Grammar = STANDARD) -> int:
    """The place in the text as written of a place in the rendered one, which a server's error points to."""
    found = _bound(sql, values, grammar)
    if not found:
        return at
    given = _Given(style, found)
    for piece, start, end in _pieces(sql, found, values, given, grammar):
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
                self._marks[name] = _DRIVERS[self.style].mark % name
        return self._marks[name]

    def text(self, sql: str) -> str:
        # The driver looks for %(…)s everywhere, in literals too, and `%(…)%` is its only way to say a percent sign.
        return sql.replace("%(", "%(_)%(") if self.style == "pyformat" else sql

    def written(self, text: str) -> str:
        return text.replace("%(_)%", "%") if self.style == "pyformat" else text

    def many(self, name: str, values: list[Any], *, rows: bool) -> str:
        """Placeholders for all values of a list; with `rows`, a list among them is a row in brackets."""
        while any(other.startswith(f"{name}_") for other in {*self._reserved, *self._marks}):
            name += "_"
        numbers = count()

        def mark(value: Any) -> str:
            return self.mark(f"{name}_{next(numbers)}", value)

        return ", ".join(
            f"({', '.join(map(mark, value))})" if rows and isinstance(value, list) else mark(value) for value in values
        )


class _Driver(NamedTuple):
    mark: str
    #: An empty list must give a condition that no row meets, and NOT IN one that all meet.
    none: str
    every: str
    #: A list can be a value.
    arrays: bool = True
    #: What rows in brackets after IN begin with.
    rows: str = ""


_ANY, _ALL = "= ANY('{{}}')", "<> ALL('{{}}')"  # of any type, and for rows
_DRIVERS: dict[Style, _Driver] = {
    "named": _Driver(":%s", "IN (SELECT {} WHERE 1 = 0)", "NOT IN (SELECT {} WHERE 1 = 0)", False, "VALUES "),
    "lists": _Driver(":%s", "IN (SELECT {} WHERE 1 = 0)", "NOT IN (SELECT {} WHERE 1 = 0)"),
    "arrays": _Driver(":%s", _ANY, _ALL),
    "dollar": _Driver("$%s", "IN (SELECT {} WHERE false)", "NOT IN (SELECT {} WHERE false)"),
    "numeric": _Driver("$%s", _ANY, _ALL),
    "pyformat": _Driver(
        "%%(%s)s", "IN (SELECT {} FROM DUAL WHERE false)", "NOT IN (SELECT {} FROM DUAL WHERE false)", False
    ),
}


def _pieces(
    sql: str, found: list[Placeholder], values: Mapping[str, Any], given: _Given, grammar: Grammar
) -> Iterator[tuple[str, int, int]]:
    """The rendered text piece by piece, each with the place in the text as written that it stands for."""
    if any(isinstance(values[placeholder.name], list) for placeholder in found):
        spots = _opened(sql, found, values, given, grammar)
    else:
        spots = [(start, end, given.mark(name, values[name])) for name, start, end in found]
    at = 0
    for start, end, mark in spots:
        if start < at:  # in an IN of which nothing is left
            continue
        yield given.text(sql[at:start]), at, start
        yield mark, start, end
        at = end
    yield given.text(sql[at:]), at, len(sql)


@dataclass(eq=False)
class _Bracket:
    """A pair of brackets, by the numbers of their tokens."""

    open: int
    outer: _Bracket | None
    commas: list[int] = field(default_factory=list)
    close: int = -1


class _Element(NamedTuple):
    """A list that is an element of an IN: what is replaced in the text, and whether lists in it are rows."""

    start: int
    end: int
    rows: bool


def _opened(
    sql: str, found: list[Placeholder], values: Mapping[str, Any], given: _Given, grammar: Grammar
) -> list[tuple[int, int, str]]:
    """What is put where in a text that binds lists, in order."""
    driver = _DRIVERS[given.style]
    lists = {placeholder.start: placeholder for placeholder in found if isinstance(values[placeholder.name], list)}
    elements, spots = _elements(proper(sql, grammar), lists, values, driver)
    for name, start, end in found:
        value, element = values[name], elements.get(start)
        if element is None:
            leaves = [value]
        else:
            leaves = [leaf for one in value for leaf in (one if element.rows and isinstance(one, list) else [one])]
        if not driver.arrays and any(isinstance(leaf, list) for leaf in leaves):
            raise _no_list(name, sql, start)
        if element is None:
            spots.append((start, end, given.mark(name, value)))
        else:
            spots.append((element.start, element.end, given.many(name, value, rows=element.rows)))
    return sorted(spots)


def _no_list(name: str, sql: str, at: int) -> QueryError:
    hint = f"In brackets after IN it is as many values: IN (:{name}). For JSON bind json.dumps({name})."
    line, column = sql.count("\n", 0, at) + 1, at - sql.rfind("\n", 0, at)
    message = f":{name} is a list where one value is wanted, and this engine has no arrays."
    return QueryError(message, kind="usage", hint=hint, line=line, column=column)


def _elements(
    words: list[Token], lists: Mapping[int, Placeholder], values: Mapping[str, Any], driver: _Driver
) -> tuple[dict[int, _Element], list[tuple[int, int, str]]]:
    """The lists that are elements of an IN, by where they stand, and what else changes in the text around them."""
    inside, closed = _brackets(words, lists)
    elements: dict[int, _Element] = {}
    groups: dict[int, tuple[_Bracket, dict[int, str]]] = {}
    for number, bracket in inside.items():
        placeholder = lists[words[number].start]
        first, last = number, number + 1
        while (outer := bracket.outer) and (bracket.open, bracket.close) == (first - 1, last + 1):
            if words[first - 2].text not in ("(", ","):
                break
            first, last, bracket = first - 1, last + 1, outer
        if bracket.close < 0 or words[bracket.open - 1].word != "IN" or not bracket.open:
            continue
        leads = words[first - 1].word == "VALUES" and first - 2 == bracket.open
        if words[last + 1].text not in (",", ")") or not (leads or words[first - 1].text in ("(", ",")):
            continue
        value, width = values[placeholder.name], _width(words, bracket.open, closed)
        nested = any(isinstance(item, list) for item in value)
        if width > 1 and value and not nested and first < number:  # (a, b) IN ((:pair)): the brackets make it a row
            elements[placeholder.start] = _Element(placeholder.start, placeholder.end, False)
        else:
            rows = nested and (width > 1 or not driver.arrays)
            elements[placeholder.start] = _Element(words[first].start, words[last].end, rows)
        group = groups.setdefault(bracket.open, (bracket, {}))
        group[1][first - leads] = placeholder.name
    spots = [spot for group in groups.values() for spot in _around(words, *group, values, driver, closed)]
    return elements, spots


def _brackets(
    words: list[Token], lists: Mapping[int, Placeholder]
) -> tuple[dict[int, _Bracket], dict[int, _Bracket]]:
    """The round brackets that each list stands in, and all pairs by their closing one."""
    stack: list[_Bracket] = []
    inside: dict[int, _Bracket] = {}
    closed: dict[int, _Bracket] = {}
    for number, word in enumerate(words):
        if word.text in ("(", "[", "{"):
            stack.append(_Bracket(number, stack[-1] if stack else None))
        elif word.text in (")", "]", "}") and stack:
            stack[-1].close = number
            closed[number] = stack.pop()
        elif word.text == "," and stack:
            stack[-1].commas.append(number)
        elif word.start in lists and stack and words[stack[-1].open].text == "(":
            inside[number] = stack[-1]
    return inside, closed


def _around(
    words: list[Token], bracket: _Bracket, names: Mapping[int, str], values: Mapping[str, Any], driver: _Driver,
    closed: Mapping[int, _Bracket],
) -> Iterator[tuple[int, int, str]]:  # fmt: skip
    """What changes in an IN besides its lists: an empty one takes a comma with it, and the last one the IN."""
    edges = [bracket.open, *bracket.commas, bracket.close]
    width, kept = _width(words, bracket.open, closed), False
    for before, after in pairwise(edges):
        name = names.get(before + 1)
        if name is None or values[name]:
            kept = True
        else:
            comma = words[before if kept else after]
            if comma.text == ",":
                yield comma.start, comma.end, ""
    if not kept:
        negated = words[bracket.open - 2].word == "NOT"
        condition = (driver.every if negated else driver.none).format(", ".join(["NULL"] * width))
        yield words[bracket.open - 1 - negated].start, words[bracket.close].end, condition
        return
    nested = any(isinstance(item, list) for name in names.values() for item in values[name])
    if driver.rows and (width > 1 or nested) and words[bracket.open + 1].word not in ("VALUES", "SELECT", "WITH"):
        yield words[bracket.open].end, words[bracket.open].end, driver.rows


# What may stand right before a row in brackets; after any other name they are a function's.
_BEFORE_ROW = frozenset(
    "WHERE AND OR NOT XOR ON HAVING QUALIFY WHEN THEN ELSE SELECT DISTINCT BY RETURNING ROW".split()
)


def _width(words: list[Token], opened: int, closed: Mapping[int, _Bracket]) -> int:
    """How many values the left side of an IN has, whose brackets open there."""
    last = opened - 3 if words[opened - 2].word == "NOT" else opened - 2
    left = closed.get(last)
    if left is None or not left.commas or words[left.open + 1].word in ("SELECT", "WITH"):
        return 1
    before = words[left.open - 1] if left.open else None
    if words[left.open].text != "(" or (before and before.is_name and before.word not in _BEFORE_ROW):
        return 1
    return len(left.commas) + 1
