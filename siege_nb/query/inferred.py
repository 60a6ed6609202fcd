"""Which tables a statement reads from, as sqlglot understands it, and where its query begins."""

from __future__ import annotations

import logging
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from siege_nb.query.reading import QUERIES
from siege_nb.query.statements import Grammar
from siege_nb.query.tokens import Token

if TYPE_CHECKING:
    from sqlglot.expressions import Expr

_CHANGES = frozenset("UPDATE DELETE MERGE".split())
_PARSED_WHOLE = QUERIES | _CHANGES | {"INSERT", "CREATE", "("}
#: Of these only the query in them is looked at. GRANT SELECT and REVOKE … FROM hold none.
_HOLDING = frozenset("EXPLAIN COPY DESCRIBE DESC SUMMARIZE REPLACE".split())


def opening(parts: Sequence[Token]) -> tuple[int, bool]:
    """Where CTEs are put into a statement, and whether it has some already that they stand before."""
    first = _query(parts) or 0
    if parts[first].word != "WITH":
        return parts[first].start, False
    after = first + 1
    if parts[after : after + 1] and parts[after].word == "RECURSIVE":
        after += 1
    return parts[after].start if after < len(parts) else parts[first].end, True


def takes_ctes(parts: Sequence[Token], grammar: Grammar) -> bool:
    """Whether a CTE may stand before the statement on every server of its kind: MariaDB has none for an UPDATE."""
    return not (grammar.hashes and parts[0].word in _CHANGES)


def _query(parts: Sequence[Token]) -> int | None:
    """Which token the query of a statement begins with: of INSERT … SELECT the SELECT, of an UPDATE all of it."""
    if parts[0].word in _CHANGES | QUERIES | {"("}:
        return 0
    depth = 0
    for number, part in enumerate(parts):
        following = parts[number + 1] if number + 1 < len(parts) else None
        if part.text == "(":
            # INSERT INTO t (SELECT …) UNION …: all of it is the query; COPY (SELECT …) TO: what is in the brackets.
            if depth == 0 and following and following.word in QUERIES:
                return number + 1 if parts[0].word == "COPY" else number
            depth += 1
        elif part.text == ")":
            depth -= 1
        elif depth == 0 and part.word in QUERIES and not (following and part.word == "WITH" and following.text == "("):
            if part.word == "TABLE" and number:  # CREATE TABLE
                continue
            return number
        elif depth == 0 and part.word in _CHANGES and parts[0].word == "EXPLAIN":
            return number
    return None


def tables(text: str, parts: Sequence[Token], wanted: Container[str], kind: str) -> list[str]:
    """Which of the wanted tables a statement reads from by a bare name that is no CTE of its own, in small letters."""
    if not any(part.is_name and part.name in wanted for part in parts):  # sqlglot takes its time to load
        return []
    offset, first = parts[0].start, _query(parts)
    if first is None or parts[0].word not in _PARSED_WHOLE | _HOLDING:
        return []
    if parts[0].word in _HOLDING:
        end = _closing(parts, first)
        text = text[parts[first].start - offset : end - offset]
    tree = _parsed(text, kind)
    if tree is None:
        return []
    from sqlglot import exp

    found = []
    written = tree.this if isinstance(tree, exp.Insert | exp.Create | exp.Delete | exp.Update | exp.Merge) else None
    while isinstance(written, exp.Schema):
        written = written.this
    for table in tree.find_all(exp.Table):
        name = table.name
        if table is not written and name in wanted and not table.db and not _is_cte(table):
            found.append(name)
    return list(dict.fromkeys(name.casefold() for name in found))


def _closing(parts: Sequence[Token], first: int) -> int:
    """Where the query that begins with this token ends: at the bracket that was opened before it, or at the end."""
    depth = 0
    for part in parts[first:]:
        depth += {"(": 1, ")": -1}.get(part.text, 0)
        if depth < 0:
            return part.start
    return parts[-1].end


def _is_cte(table: Expr) -> bool:
    """A CTE of this name is in sight of the table."""
    above = table.parent
    while above is not None:
        with_ = above.args.get("with_") or above.args.get("with")
        if with_ is not None and any(cte.alias.casefold() == table.name.casefold() for cte in with_.expressions):
            return True
        above = above.parent
    return False


def _parsed(text: str, kind: str) -> Expr | None:
    """The statement as sqlglot reads it; None for what it does not know."""
    import sqlglot
    from sqlglot.dialects.dialect import Dialect

    dialect = {"mssql": "tsql"}.get(kind, kind)
    try:
        with _quiet():
            tree = sqlglot.parse_one(text, dialect=dialect if Dialect.get(dialect) else None)
    except (sqlglot.errors.SqlglotError, RecursionError):
        return None
    return None if isinstance(tree, sqlglot.exp.Command) else tree


@contextmanager
def _quiet() -> Iterator[None]:
    """sqlglot warns on the screen of what it does not know; here that is no news."""
    logger = logging.getLogger("sqlglot")

    def silent(record: logging.LogRecord) -> bool:
        return False

    logger.addFilter(silent)
    try:
        yield
    finally:
        logger.removeFilter(silent)
