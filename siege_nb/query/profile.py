"""A table in figures: the statement that counts its columns, and what it told."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from siege_nb.query.session import Column, Table
from siege_nb.query.statements import Grammar
from siege_nb.query.tokens import quoted


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """One column in figures; None where its type has no such thing."""

    name: str
    native_type: str
    nulls: int
    distinct: int | None
    least: Any
    greatest: Any


@dataclass(frozen=True, slots=True)
class Profile:
    """A table in figures."""

    table: Table
    rows: int
    columns: list[ColumnProfile]
    seconds: float


# An engine compares and counts what has an order; of the rest some types cannot even be told apart.
_ORDERED = re.compile(
    r"\b(?:u?(?:tiny|small|medium|big|huge)?int(?:eger)?\d*|serial|decimal|numeric|number|real|float\d*|double|money"
    r"|date|time|timetz|datetime\d*|timestamp\w*|interval|year|\w*char\d*|character|\w*text|string|enum|clob)\b",
    re.IGNORECASE,
)
_ALIKE = re.compile(
    r"\b(?:json|xml|point|box|path|polygon|line|lseg|circle|geometry|map|variant|object)\b|[\[<{]", re.IGNORECASE
)


def asking(table: Table, known: Sequence[Column], grammar: Grammar) -> str:
    """The statement that counts the columns of a table, and reads it once."""
    wanted = ["count(*) AS n"]
    for number, column in enumerate(known):
        of, kind = quoted(column.name, grammar), column.native_type
        distinct = f"count(DISTINCT {of})" if not _ALIKE.search(kind) else "NULL"
        # SQLite's columns need have no type: there everything has an order.
        ordered = not kind or (_ORDERED.search(kind) and not _ALIKE.search(kind))
        least, greatest = (f"min({of})", f"max({of})") if ordered else ("NULL", "NULL")
        wanted += [f"count({of}) AS c{number}", f"{distinct} AS d{number}"]
        wanted += [f"{least} AS l{number}", f"{greatest} AS g{number}"]
    return f"SELECT {', '.join(wanted)} FROM {path(table, grammar)}"


def told(table: Table, known: Sequence[Column], row: Sequence[Any], seconds: float) -> Profile:
    """What the one row says that the statement gave."""
    count, *figures = row
    each = [figures[4 * n : 4 * n + 4] for n in range(len(known))]
    found = [
        ColumnProfile(column.name, column.native_type, count - filled, distinct, least, greatest)
        for column, (filled, distinct, least, greatest) in zip(known, each, strict=True)
    ]
    return Profile(table, count, found, seconds)


def path(table: Table, grammar: Grammar) -> str:
    """A table by its whole name, as SQL has it."""
    name = quoted(table.name, grammar)
    return f"{quoted(table.schema, grammar)}.{name}" if table.schema else name
