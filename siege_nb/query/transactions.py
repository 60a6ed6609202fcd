"""Transactions that we begin: a whole cell in one, or one for a user who commits by hand."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice

from siege_nb.errors import ConnectError, QueryError, SiegeError
from siege_nb.query.session import Queryable
from siege_nb.query.statements import Grammar, begins_transaction, ends_transaction, first_word, outside

logger = logging.getLogger(__name__)

_UNDONE = "All of the cell was rolled back."
# A ROLLBACK may be hit by the same Stop that ended its statement, which is repeated until there is an end.
_TRIES = 5


@contextmanager
def whole(session: Queryable, text: str, statements: Sequence[str]) -> Iterator[None]:
    """All that is done within counts at the end, or nothing of it; a QueryError where that cannot be had."""
    _refuse(session, statements)
    if not _begin(session, text):
        raise QueryError("This engine has no transactions.", kind="usage", hint="Nothing was run.")
    is_committing = False
    try:
        yield
        is_committing = True
        _say(session, "COMMIT")
    except SiegeError as error:
        # The session has said what an open transaction means for its user: there will be none any more.
        left = getattr(session, "after_failure", str)()
        # A COMMIT that fails has undone all; a transaction that some engine ended by itself may have kept something.
        undone = _undo(session) or (is_committing and isinstance(error, QueryError))
        error.hint = " ".join(part for part in (error.hint.removesuffix(left).strip(), _UNDONE * undone) if part)
        raise
    except BaseException:  # what is no database's: a sink whose disk is full
        _undo(session)
        raise


def check(session: Queryable) -> None:
    """A QueryError if what was just run has ended the transaction around it: its engine tells."""
    if not session.in_transaction:
        message = "This statement ended the transaction of the cell: what was done up to here may stay."
        raise QueryError(message, kind="usage", hint="Nothing after it was run.")


def begin_by_hand(session: Queryable, text: str, statement: str) -> None:
    """Begin a transaction that the user is to end, unless one is open or the statement is about one itself.

    Where the engine has none there is nothing to commit, and each statement counts at once.
    """
    grammar = session.grammar
    if not (session.in_transaction or begins_transaction(statement, grammar) or ends_transaction(statement, grammar)):
        _begin(session, text)


def _refuse(session: Queryable, statements: Sequence[str]) -> None:
    if session.in_transaction:
        message = "A transaction is open already: the cell cannot have one of its own."
        raise QueryError(message, kind="usage", hint="COMMIT or ROLLBACK it, or run the cell without --tx.")
    for number, statement in enumerate(statements, start=1):
        if problem := _problem(statement, session.grammar):
            error = QueryError(problem, kind="usage", hint="Nothing was run.")
            error.statement = (number, len(statements))
            raise error


def _problem(statement: str, grammar: Grammar) -> str:
    """Why a statement cannot be part of one transaction, if it cannot."""
    if begins_transaction(statement, grammar) or ends_transaction(statement, grammar):
        word = first_word(statement, grammar)
        return f"{word} begins or ends a transaction, and the cell is to be one as a whole."
    if what := commits(statement, grammar):
        return f"{what} commits by itself on this engine, and could not be rolled back with the rest."
    return ""


def commits(statement: str, grammar: Grammar) -> str:
    """The words of a statement that ends every transaction by itself, as MySQL's DDL does; else ""."""
    if not grammar.hashes:
        return ""
    run = re.sub(r"/\*M?!\d*", " ", statement)  # a comment for others; what stands in it MySQL runs
    words = " ".join(token[0] for token in islice(outside(run, r"\w+|[^\w\s]", grammar), 6)).upper()
    found = _COMMITTING.match(words)
    return found[0] if found else ""


# https://dev.mysql.com/doc/refman/8.4/en/implicit-commit.html; temporary tables are no part of a transaction, and
# CREATE or DROP of one does not end it.
_COMMITTING = re.compile(
    r"(?:CREATE(?: OR REPLACE)?|DROP)(?! (?:OR REPLACE )?TEMPORARY\b)(?: \w+)?"
    r"|(?:ALTER|RENAME|INSTALL|UNINSTALL|REPAIR|OPTIMIZE|CHECK|ANALYZE|CACHE|LOCK|UNLOCK|START|STOP|CHANGE)"
    r" (?:TABLES?|INDEX|USER|ROLE|DATABASE|SCHEMA|VIEW|SLAVE|REPLICA|MASTER|EVENT|PROCEDURE|FUNCTION|SERVER|PLUGIN"
    r"|SONAME|LOCAL)\b"
    r"|TRUNCATE(?: TABLE)?|GRANT|REVOKE|FLUSH|RESET|SET PASSWORD|SET AUTOCOMMIT|LOAD INDEX"
)


def _begin(session: Queryable, text: str) -> bool:
    """Begin a transaction; False where the engine knows none, to which BEGIN is no SQL."""
    try:
        _say(session, "BEGIN")
    except QueryError as error:
        if error.kind != "syntax":
            raise
        logger.debug("no transaction: %s", error.message)
    session.split(text)  # what it learned of the statements, it knows of those of the last text only
    return session.in_transaction


def _say(session: Queryable, word: str) -> None:
    for statement in session.split(word):
        session.execute(statement, {})


def _undo(session: Queryable) -> bool:
    """Roll back what is open, if something is; whether something was."""
    with suppress(SiegeError):  # no answer to it in a transaction that failed, which is one that is open
        session.ping()  # MySQL tells with an answer whether a transaction is open, but not with an error
    was_open = session.in_transaction
    for _ in range(_TRIES):
        try:
            if session.in_transaction:
                _say(session, "ROLLBACK")
            return was_open
        except ConnectError as error:  # it is gone; what its last statement came to, nobody can say
            logger.debug("rolling back: %s", type(error).__name__)
            return False
        except QueryError as error:
            logger.debug("rolling back: %s", error.kind)
    logger.warning("The transaction could not be rolled back; it is still open.")
    return False
