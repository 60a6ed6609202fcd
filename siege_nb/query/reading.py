"""What a statement reads from: tables, aliases, CTEs and subqueries with their columns, from tokens and not parsed.

Half-typed SQL is read as far as it goes; what cannot be made out is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from siege_nb.query.tokens import Token

#: With what a query begins.
QUERIES = frozenset("SELECT WITH VALUES FROM TABLE PIVOT UNPIVOT".split())
#: Behind these stands a table.
TABLES = frozenset("FROM JOIN INTO UPDATE TABLE USING DESCRIBE SUMMARIZE TRUNCATE".split())
#: What begins a part of a statement; none of them is an alias.
CLAUSES = TABLES | frozenset(
    """
    SELECT WHERE ON BY HAVING SET VALUES LIMIT OFFSET RETURNING QUALIFY WINDOW UNION INTERSECT EXCEPT GROUP ORDER WHEN
    WITH INSERT DELETE MERGE CREATE ALTER DROP FETCH FOR
    """.split()
)
_NO_ALIAS = CLAUSES | frozenset(
    """
    AS INNER LEFT RIGHT FULL OUTER CROSS NATURAL LATERAL ASOF SEMI ANTI POSITIONAL STRAIGHT_JOIN TABLESAMPLE SAMPLE
    PIVOT UNPIVOT DEFAULT USE IGNORE FORCE THEN DO CONFLICT LOCK ADD RENAME COLUMN IF EXISTS NOT CASCADE RESTRICT
    """.split()
)
_BEFORE_TABLE = frozenset("ONLY LATERAL TABLE INTO OVERWRITE IF NOT EXISTS".split())
_COMBINING = frozenset("UNION INTERSECT EXCEPT MINUS".split())


@dataclass(frozen=True, slots=True)
class Source:
    """Something that columns come from."""

    #: How its columns are addressed: its alias, or its own name.
    alias: str
    #: The name of a table, with schema and database before it; empty for a CTE or a subquery.
    path: tuple[str, ...] = ()
    #: The columns that the text itself gives it: a name each, or all those of another source.
    outputs: tuple[Output, ...] = ()


Output: TypeAlias = str | Source


class Spot(NamedTuple):
    """Where in a statement a place is."""

    #: The word that began the part of the statement, in capitals; "" at its beginning.
    clause: str
    #: The tokens between that word and the place, on its own level of brackets.
    between: tuple[Token, ...]
    #: What columns can come from there, the nearest first.
    sources: tuple[Source, ...]
    #: The statement's CTEs by name.
    ctes: dict[str, Source]


def spot(parts: Sequence[Token], at: int) -> Spot:
    """What the place before the token `at` of a statement is about."""
    reader = _Reader(parts)
    known: dict[str, Source] = {}
    sources: list[Source] = []
    ranges = reader.around(at)
    for begin, end in reversed(ranges):  # a CTE is in sight of what stands deeper
        known |= reader.ctes(begin, end, known)
    for begin, end in ranges:
        sources += reader.sources(*reader.branch(begin, end, at), known)
    begin, _ = ranges[0]
    between: list[Token] = []
    for number in reversed(list(reader.level(begin, at))):
        if (word := parts[number].word) in CLAUSES:
            return Spot(word, tuple(reversed(between)), tuple(sources), known)
        between.append(parts[number])
    return Spot("", tuple(reversed(between)), tuple(sources), known)


def sources(parts: Sequence[Token]) -> list[Source]:
    """Every table that a statement names, on whatever level."""
    reader = _Reader(parts)
    found: list[Source] = []
    for begin, end in [(0, len(parts)), *((n + 1, closing) for n, closing in reader.closings.items())]:
        found += [source for source in reader.sources(begin, end, reader.ctes(begin, end, {})) if source.path]
    return list(dict.fromkeys(found))


def ctes(parts: Sequence[Token]) -> list[str]:
    """The names of the CTEs that a statement has before it."""
    return list(_Reader(parts).ctes(0, len(parts), {}))


class _Reader:
    """The tokens of one statement, with their brackets matched. A range is a part of them between two brackets."""

    def __init__(self, parts: Sequence[Token]) -> None:
        self.parts = parts
        self.closings: dict[int, int] = {}
        opened: list[int] = []
        for number, part in enumerate(parts):
            if part.text == "(":
                opened.append(number)
            elif part.text == ")" and opened:
                self.closings[opened.pop()] = number
        self.closings |= dict.fromkeys(opened, len(parts))

    def word(self, number: int) -> str:
        return self.parts[number].word if 0 <= number < len(self.parts) else ""

    def around(self, at: int) -> list[tuple[int, int]]:
        """The ranges that a place is in, the innermost first."""
        found = [(number + 1, end) for number, end in self.closings.items() if number < at <= end]
        return [*sorted(found, reverse=True), (0, len(self.parts))]

    def level(self, begin: int, end: int) -> Iterator[int]:
        """The tokens of a range that are in no brackets within it; of brackets only the opening one."""
        while begin < end:
            yield begin
            begin = self.closings.get(begin, begin) + 1

    def branch(self, begin: int, end: int, at: int) -> tuple[int, int]:
        """The part of a UNION that a place is in."""
        for number in self.level(begin, end):
            if self.word(number) in _COMBINING:
                if number >= at:
                    return begin, number
                begin = number + 1
        return begin, end

    def ctes(self, begin: int, end: int, known: dict[str, Source]) -> dict[str, Source]:
        """The CTEs of a range by name in small letters; those that are `known` are in their sight."""
        found: dict[str, Source] = {}
        at = next((n for n in self.level(begin, end) if self.word(n) == "WITH"), end) + 1
        at += self.word(at) == "RECURSIVE"
        while at < end and self.parts[at].is_name:
            name, columns = self.parts[at].name, tuple[Output, ...]()
            at += 1
            if at in self.closings and self.word(self.closings[at] + 1) == "AS":
                columns, at = self.names(at), self.closings[at] + 1
            while self.word(at) in ("AS", "NOT", "MATERIALIZED"):
                at += 1
            if at not in self.closings:
                break
            body = at + 1, self.closings[at]
            found[name.casefold()] = Source(name, (), columns or self.outputs(*body, {**known, **found}))
            at = self.closings[at] + 1
            if self.word(at) != ",":
                break
            at += 1
        return found

    def names(self, bracket: int) -> tuple[Output, ...]:
        """The names in a list in brackets."""
        return tuple(part.name for part in self.parts[bracket : self.closings[bracket]] if part.is_name)

    def sources(self, begin: int, end: int, known: dict[str, Source]) -> list[Source]:
        """What the FROM, JOIN, INTO or UPDATE of a range names."""
        found: list[Source] = []
        is_list = False
        at = begin
        while at < end:
            word = self.word(at)
            # JOIN … USING (x) names columns.
            if word in TABLES and not (word == "USING" and at + 1 in self.closings):
                is_list = word in ("FROM", "USING")
            elif not (word == "," and is_list):
                is_list = is_list and word not in CLAUSES
                at = self.closings.get(at, at) + 1
                continue
            at = self.source(at + 1, end, known, found)
        return found

    def source(self, at: int, end: int, known: dict[str, Source], found: list[Source]) -> int:
        """Read one thing that columns come from; gives where it ends."""
        while self.word(at) in _BEFORE_TABLE:
            at += 1
        if at >= end:
            return at
        path: tuple[str, ...] = ()
        outputs: tuple[Output, ...] = ()
        if at in self.closings:
            inside, closing = at + 1, self.closings[at]
            if self.word(inside) in QUERIES or self.word(inside) == "(":
                outputs = self.outputs(inside, closing, known)
            else:  # a join in brackets
                self.source(inside, closing, known, found)
                found += self.sources(inside, closing, known)
            at = closing + 1
        elif self.parts[at].is_name and self.word(at) not in CLAUSES:
            path = (self.parts[at].name,)
            while self.word(at + 1) == "." and at + 2 < end and self.parts[at + 2].is_name:
                path, at = (*path, self.parts[at + 2].name), at + 2
            at += 1
            if at in self.closings and self.word(at - 1) != "." and not self._is_insert(at):
                path, at = (), self.closings[at] + 1  # a function that gives a table
            elif len(path) == 1 and (cte := known.get(path[0].casefold())):
                alias, at = self.alias(at, cte.alias)
                found.append(Source(alias, (), cte.outputs))
                return at
        else:
            return at
        alias, at = self.alias(at, path[-1] if path else "")
        if at in self.closings and alias and not path:  # (VALUES …) AS t(a, b)
            outputs, at = self.names(at), self.closings[at] + 1
        if alias:
            found.append(Source(alias, path, outputs))
        return at

    def _is_insert(self, at: int) -> bool:
        """The bracket opens the columns of INSERT INTO t (…)."""
        while at > 0 and (self.parts[at - 1].is_name or self.word(at - 1) == "."):
            at -= 1
            if self.word(at) in ("INTO", "TABLE"):
                return True
        return False

    def alias(self, at: int, otherwise: str) -> tuple[str, int]:
        """The alias that stands here, if one does, and where it ends."""
        after = at + (self.word(at) == "AS")
        if after < len(self.parts) and self.parts[after].is_name and self.word(after) not in _NO_ALIAS:
            return self.parts[after].name, after + 1
        return otherwise, at

    def outputs(self, begin: int, end: int, known: dict[str, Source]) -> tuple[Output, ...]:
        """The columns of a query: of a UNION those of its first part."""
        known = {**known, **self.ctes(begin, end, known)}
        if self.word(begin) == "(":
            return self.outputs(begin + 1, min(end, self.closings[begin]), known)
        select = next((n for n in self.level(begin, end) if self.word(n) == "SELECT"), None)
        begin, end = self.branch(begin, end, begin if select is None else select)
        read = self.sources(begin, end, known)
        if select is None:  # DuckDB's FROM t, and TABLE t
            return tuple(read)
        found: list[Output] = []
        item = select + 1
        item += self.word(item) in ("DISTINCT", "ALL")
        for number in [*self.level(item, end), end]:
            ends = number == end or self.word(number) in CLAUSES
            if ends or self.word(number) == ",":
                found += self.output(item, number, read)
                item = number + 1
            if ends:
                break
        return tuple(found)

    def output(self, begin: int, end: int, read: Sequence[Source]) -> Sequence[Output]:
        """What one item of a SELECT gives: a name, all of some sources, or nothing that has a name."""
        if begin >= end:
            return ()
        last = self.parts[end - 1]
        before = self.word(end - 2) if end - 2 >= begin else ""
        if last.text == "*":
            if before != ".":
                return read
            of = self.parts[end - 3].name.casefold()
            return [source for source in read if source.alias.casefold() == of]
        named = not before or before in (".", "AS", ")") or self.parts[end - 2].kind != "sign"
        return (last.name,) if last.is_name and named else ()
