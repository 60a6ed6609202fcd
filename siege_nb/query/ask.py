"""A cell's SQL, asked of a session: statement by statement, with the values it names."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from siege_nb.errors import QueryError
from siege_nb.query import binds, explain, transactions
from siege_nb.query.session import ALL, Answer, Queryable, Take
from siege_nb.show import some

if TYPE_CHECKING:
    import pyarrow as pa


class Watch(Protocol):
    """Who is told how far a cell is."""

    def statement(self, number: int, total: int) -> None:
        """One of so many statements begins; said in the session's thread."""

    def tick(self, seconds: float, done: float | None) -> None:
        """It has run for so long, and is done to so much if the engine knows; said in the thread that waits."""


@dataclass(frozen=True, slots=True)
class How:
    """What is asked for besides the SQL."""

    #: How much of the last statement's rows is taken, and where to; of those before it they are only counted.
    take: Take = ALL
    #: What of the text is bound to values.
    binds: binds.Mode = "auto"
    #: The values come from here only, not from the namespace; these are bound even where nothing else is.
    params: Mapping[str, Any] | None = None
    #: The whole cell is one transaction: all of it counts or nothing.
    whole: bool = False
    #: Each statement counts at once; else a transaction is begun before it, which the user ends.
    autocommit: bool = True
    #: The plan of the one statement is wanted instead of its answer.
    explain: explain.Explain = ""
    watch: Watch | None = None


PLAIN = How()


def ask(
    session: Queryable, sql: str, namespace: Mapping[str, Any], how: How = PLAIN
) -> tuple[list[Answer], Mapping[str, Any], float]:
    """The answers of all statements of a text, the values bound in it, and the seconds it took.

    Names are looked up before anything is sent; an error says which statement it was. Of all statements but the last
    only the count of their rows is kept.
    """
    text = binds.spaced(sql, session.grammar) if how.binds == "enabled" else sql
    values = _values(text, namespace, session, how)
    began = time.perf_counter()
    statements = session.split(text)
    if how.explain and len(statements) != 1:
        raise QueryError(f"A plan is of one statement, and here are {len(statements)}.", kind="usage")
    lead = explain.question(session, how.explain) if how.explain else ""
    with _seeing(session, namespace), transactions.whole(session, text, statements) if how.whole else nullcontext():
        answers, at = [], 0
        for number, statement in enumerate(statements, start=1):
            start = max(at, text.find(statement, at))
            at = start + len(statement)
            try:
                answers.append(_answer(session, text, lead + statement, values, how, number, len(statements)))
            except QueryError as error:
                _place(error, text, start, lead, statement, (number, len(statements)))
                raise
    if lead:
        answers = [explain.as_text(answers[0])]
    return answers, values, time.perf_counter() - began


def _seeing(session: Queryable, namespace: Mapping[str, Any]) -> AbstractContextManager[None]:
    # Not isinstance: to look through a protocol costs as much as a small statement.
    seeing: Callable[[Mapping[str, Any]], AbstractContextManager[None]] | None = getattr(session, "seeing", None)
    return nullcontext() if seeing is None else seeing(namespace)


def _values(text: str, namespace: Mapping[str, Any], session: Queryable, how: How) -> Mapping[str, Any]:
    if how.binds == "disabled":
        given = how.params or {}
        return {name: binds.unbox(given[name]) for name in binds.names(text, session.grammar) if name in given}
    if how.params is None:
        return binds.take(text, namespace, session.grammar)
    return binds.take(text, how.params, session.grammar, hint=f"--params has {some(list(how.params)) or 'nothing'}.")


def _answer(
    session: Queryable, text: str, statement: str, values: Mapping[str, Any], how: How, number: int, total: int
) -> Answer:
    if how.watch is not None:
        how.watch.statement(number, total)
    if not (how.autocommit or how.whole):
        transactions.begin_by_hand(session, text, statement)
    answer = session.execute(statement, values, how.take if number == total else _COUNTED)
    if how.whole:
        transactions.check(session)
    return answer


class _Nowhere:
    """A sink for rows that are only counted: memory holds the last statement's alone."""

    def write(self, table: pa.Table) -> None:
        pass


_COUNTED = Take(into=_Nowhere())


def _place(error: QueryError, text: str, start: int, lead: str, statement: str, of: tuple[int, int]) -> None:
    """Say where in the cell the error is, which was told by the statement as it was sent."""
    if error.line is None and error.kind == "not_found":
        error.line, error.column = _spot(error.message, statement)
    elif error.line == 1 and error.column is not None:
        error.column = max(1, error.column - len(lead))
    error.place(text, start, *of)


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
