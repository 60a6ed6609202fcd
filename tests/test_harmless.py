"""What a database says neither steers a terminal nor turns a line around, on the screen or in a log."""

from __future__ import annotations

import copy
import logging
import sqlite3

import pytest

from siege_nb.errors import ConnectError, InvalidError, Issue, MissingDriverError, QueryError, SiegeError, harmless

STEERING = "\x1b[2J\x1b]0;owned\x07 \x9b31m \r \x08 \u202egnp.exe\u202c \u2066x\u2069 \u200f \u2028 \x00 \udc80"
RAW = set("\x1b\x07\x9b\r\x08\u202e\u202c\u2066\u2069\u200f\u2028\x00\udc80")


def test_codes_are_shown_and_lines_and_signs_stay() -> None:
    assert harmless("a\tb\nc\r\nd é 漢 👩\u200d👧") == "a\tb\nc\nd é 漢 👩\u200d👧"
    assert harmless("\x1b[31m\u202e\udc80") == "\\x1b[31m\\u202e\\udc80"
    assert not RAW & set(harmless(STEERING))


@pytest.mark.parametrize(
    "error",
    [
        SiegeError(STEERING, hint=STEERING),
        QueryError(STEERING, hint=STEERING),
        ConnectError(STEERING),
        InvalidError(STEERING, [Issue(STEERING, STEERING)]),
        MissingDriverError(STEERING, install=STEERING),
    ],
)
def test_no_error_carries_them_to_a_screen_or_a_log(error: SiegeError, caplog: pytest.LogCaptureFixture) -> None:
    for told in (error, copy.copy(error)):
        logging.getLogger("test").warning("it failed: %s", told, exc_info=told)
        shown = [str(told), repr(told), *told._render_traceback_(), *map(str, told.args), told.hint, told.message]
        assert not RAW & set("".join(shown))
    assert "it failed: " in caplog.text
    assert not RAW & set(caplog.text)


def test_nor_does_the_place_in_the_sql() -> None:
    sql = f'SELECT 1;\nSELECT "{STEERING}" FROM t'.replace("\x00", "").replace("\udc80", "")
    with sqlite3.connect(":memory:") as connection, pytest.raises(sqlite3.Error) as caught:
        connection.execute(sql.partition("\n")[2])
    connection.close()
    error = QueryError(str(caught.value), line=1, column=8)
    error.place(sql, sql.index("\n") + 1, 2, 2)
    assert "LINE 2" in str(error)
    assert not RAW & set(str(error))
