"""A cell's SQL, asked of a session: statement by statement, with the values it names."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from siege_nb.errors import QueryError
from siege_nb.query import binds
from siege_nb.query.session import ALL, Answer, Queryable, Take


@dataclass(frozen=True, slots=True)
class How:
    """What is asked for besides the SQL."""

    #: How much of the last statement's rows is taken, and where to; of those before it only what memory holds.
    take: Take = ALL


PLAIN = How()


def ask(
    session: Queryable, sql: str, namespace: Mapping[str, Any], how: How = PLAIN
) -> tuple[list[Answer], Mapping[str, Any], float]:
    """The answers of all statements of a text, the values bound in it, and the seconds it took.

    Names are looked up before anything is sent; an error says which statement it was.
    """
    values = binds.take(sql, namespace, session.grammar)
    began = time.perf_counter()
    statements = session.split(sql)
    answers, at = [], 0
    for number, statement in enumerate(statements, start=1):
        start = max(at, sql.find(statement, at))
        at = start + len(statement)
        try:
            answers.append(session.execute(statement, values, how.take))
        except QueryError as error:
            if error.line is None and error.kind == "not_found":
                error.line, error.column = _spot(error.message, statement)
            error.place(sql, start, number, len(statements))
            raise
    return answers, values, time.perf_counter() - began


# How engines name what they did not find: "x", 'db.x', `x`, no such column: x, Table with name x.
_NAMED = re.compile(r"""["'`](?:[^"'`]*\.)?([^"'`.]+)["'`]|(?:no such \w+: |with name )(?:\S*\.)?(\w+)""")


def _spot(message: str, statement: str) -> tuple[int | None, int | None]:
    """Where the thing that was not found stands in the statement, if it stands there just once."""
    for found in _NAMED.finditer(message):
        word = re.escape(found[1] or found[2])
        places = list(re.finditer(rf"(?<!\w){word}(?!\w)", statement, re.IGNORECASE))
        if len(places) == 1:
            before = statement[: places[0].start()]
            return before.count("\n") + 1, len(before) - before.rfind("\n")
    return None, None


def counts(answers: Sequence[Answer]) -> tuple[int | None, ...]:
    """Rows returned or changed by each answer."""
    return tuple(a.rowcount if a.table is None else int(a.table.num_rows) for a in answers)
