"""Rows as the C extension hands them over, and rows that nobody wants any more."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from siege_nb.errors import SiegeError
from siege_nb.query.columns import BATCH

if TYPE_CHECKING:
    from siege_nb.adapters.sql_session import SQLSession

log = logging.getLogger(__name__)

_INTERRUPTED = 1317


def batches(connection: Any, size: int) -> Iterator[list[Any]]:
    """The rows of an unbuffered raw result, past the driver's cursor, which doubles the work for each row."""
    from _mysql_connector import MySQLInterfaceError
    from mysql.connector.errors import get_mysql_exception

    driver = connection._cmysql
    driver.raw(True)
    rows = iter(driver.fetch_row, None)
    try:
        while batch := list(islice(rows, size)):
            yield batch
    except MySQLInterfaceError as error:
        connection.free_result()
        raise get_mysql_exception(error.errno, msg=error.msg, sqlstate=error.sqlstate) from error
    connection.free_result()


def release(session: SQLSession, cursor: Any, *, stops: Callable[[], bool]) -> None:
    """Close a cursor; the connection is free then.

    `stops`: the statement does nothing but send rows. If there are many left the server is told to stop, which ends no
    transaction but undoes what the statement did; they are read to the end else.
    """
    import mysql.connector

    for act in (lambda: _let_go(session, cursor, stops), cursor.close):
        try:
            act()
        except mysql.connector.Error as error:
            log.debug("closing a cursor: %s", error.errno)  # what ended the statement has been told, or is told next


def _let_go(session: SQLSession, cursor: Any, stops: Callable[[], bool]) -> None:
    if session.connection.unread_result and len(cursor.fetchmany(BATCH)) == BATCH and stops():
        _hush(session, cursor)
    _drain(cursor)
    while cursor.nextset():
        _drain(cursor)


def _drain(cursor: Any) -> None:
    while cursor.fetchmany(BATCH):
        pass


def _hush(session: SQLSession, cursor: Any) -> None:
    """Have the server send no more rows."""
    import mysql.connector

    try:
        session.interrupt(session.connection)
    except SiegeError as error:
        log.debug("no second connection to stop a statement with: %s", type(error).__name__)
        return
    try:
        _drain(cursor)
        # All had been sent already: what was meant for this statement must not end the next one.
        cursor.execute("DO 0")
    except mysql.connector.Error as error:
        if error.errno != _INTERRUPTED:
            raise
