"""What happens with profiles, beside them: how often each was used, how its tests went, what is in its database.

Counting never rewrites a profile. All of it but the history could be gathered anew, so nothing here is worth a failed
query: what cannot be noted is logged, and what cannot be read is not known.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from siege_nb.models.stamps import now

logger = logging.getLogger(__name__)

FILE = "facts.sqlite"
#: Tests that are kept of each connection.
KEPT_TESTS = 100
_FORMAT = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS uses (ident TEXT PRIMARY KEY, used TEXT, connected TEXT, count INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS tests (
    id INTEGER PRIMARY KEY, ident TEXT NOT NULL, at TEXT NOT NULL, ok INTEGER NOT NULL, milliseconds REAL NOT NULL,
    problem TEXT NOT NULL, message TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS tests_of ON tests (ident, id);
CREATE TABLE IF NOT EXISTS metadata (
    ident TEXT NOT NULL, key TEXT NOT NULL, as_of TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (ident, key));
"""


@dataclass(frozen=True, slots=True)
class Use:
    """How a connection has been used so far."""

    used: datetime | None = None
    connected: datetime | None = None
    count: int = 0


@dataclass(frozen=True, slots=True)
class Tried:
    """One test of a connection, and how it went; the message is masked before it comes here."""

    at: datetime
    ok: bool
    milliseconds: float
    problem: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """Something known of a database, and since when."""

    value: Any
    as_of: datetime


class Facts:
    """The facts of one config directory. Several processes may write at once."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._ready: tuple[int, int] | None = None

    def connected(self, ident: str, at: datetime) -> None:
        """A session was opened."""
        self._note(
            "INSERT INTO uses VALUES (?1, ?2, ?2, 1) ON CONFLICT (ident)"
            " DO UPDATE SET used = ?2, connected = ?2, count = count + 1",
            (ident, at.isoformat()),
        )

    def used(self, ident: str, at: datetime) -> None:
        """The connection was looked at or used without a new session."""
        self._note(
            "INSERT INTO uses (ident, used) VALUES (?1, ?2) ON CONFLICT (ident) DO UPDATE SET used = ?2",
            (ident, at.isoformat()),
        )

    def uses(self) -> dict[str, Use]:
        """How each connection has been used."""
        rows = self._ask("SELECT ident, used, connected, count FROM uses")
        return {ident: _use(*known) for ident, *known in rows}

    def use(self, ident: str) -> Use:
        """How one connection has been used."""
        for used, connected, count in self._ask("SELECT used, connected, count FROM uses WHERE ident = ?", (ident,)):
            return _use(used, connected, count)
        return Use()

    def tested(self, ident: str, tried: Tried) -> None:
        """A connection was tested; the oldest of many tests are forgotten."""
        row = (ident, tried.at.isoformat(), tried.ok, tried.milliseconds, tried.problem, tried.message)
        self._note(
            "INSERT INTO tests (ident, at, ok, milliseconds, problem, message) VALUES (?, ?, ?, ?, ?, ?)",
            row,
            "DELETE FROM tests WHERE ident = ?1 AND id NOT IN"
            f" (SELECT id FROM tests WHERE ident = ?1 ORDER BY id DESC LIMIT {KEPT_TESTS})",
        )

    def tests(self, ident: str, most: int = KEPT_TESTS) -> list[Tried]:
        """The tests of a connection, the newest first."""
        rows = self._ask(
            "SELECT at, ok, milliseconds, problem, message FROM tests WHERE ident = ? ORDER BY id DESC LIMIT ?",
            (ident, most),
        )
        return [
            Tried(moment, bool(ok), milliseconds, str(problem), str(said))
            for at, ok, milliseconds, problem, said in rows
            if (moment := _moment(at)) and isinstance(milliseconds, float)
        ]

    def remember(self, ident: str, key: str, value: Any, at: datetime) -> None:
        """Keep something known of a database, as JSON."""
        text = json.dumps(value, ensure_ascii=False)
        self._note("INSERT OR REPLACE INTO metadata VALUES (?, ?, ?, ?)", (ident, key, at.isoformat(), text))

    def recall(self, ident: str, key: str) -> Known | None:
        """What is known of a database under this key."""
        for as_of, text in self._ask("SELECT as_of, value FROM metadata WHERE ident = ? AND key = ?", (ident, key)):
            try:
                value = json.loads(text)
            except (TypeError, ValueError, RecursionError):  # none of ours
                return None
            moment = _moment(as_of)
            return Known(value, moment) if moment else None
        return None

    def forget(self, ident: str) -> None:
        """Forget everything about a connection that is no more."""
        self._note("DELETE FROM uses WHERE ident = ?1", (ident,), "DELETE FROM tests WHERE ident = ?1",
                   "DELETE FROM metadata WHERE ident = ?1")  # fmt: skip

    def forget_metadata(self, ident: str) -> None:
        """What was known of a database is so no longer."""
        self._note("DELETE FROM metadata WHERE ident = ?", (ident,))

    def _note(self, statement: str, values: tuple[Any, ...], *following: str) -> None:
        try:
            with self._opened() as connection, connection:
                connection.execute(statement, values)
                for more in following:
                    connection.execute(more, values[:1])
        except (sqlite3.Error, OSError) as error:
            logger.warning("%s: not noted: %s", self.path, error)

    def _ask(self, question: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        if not self.path.exists():  # asking makes nothing
            return []
        try:
            with self._opened() as connection:
                return connection.execute(question, values).fetchall()
        except (sqlite3.Error, OSError) as error:
            logger.warning("%s: not known: %s", self.path, error)
            return []

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        # Opened for each act: 0.2 ms, and neither threads nor forked children share anything.
        if not self.path.exists():
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        with closing(sqlite3.connect(self.path, timeout=2.0)) as connection:
            status = self.path.stat()
            if self._ready != (status.st_dev, status.st_ino):
                self._prepare(connection)
                self._ready = status.st_dev, status.st_ino
            connection.execute("PRAGMA synchronous = NORMAL")
            yield connection

    def _set_aside(self) -> None:
        aside = self.path.with_name(f"{FILE}.corrupt-{now():%Y%m%dT%H%M%S%fZ}")
        os.replace(self.path, aside)
        for tail in ("-wal", "-shm"):  # another file's pages would be taken for the new one's
            self.path.with_name(FILE + tail).unlink(missing_ok=True)
        logger.error("%s is damaged and was set aside as %s; counting begins anew", self.path, aside.name)

    def _prepare(self, connection: sqlite3.Connection) -> None:
        try:
            found = connection.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                self._set_aside()  # the next act begins anew
            raise
        if found > _FORMAT:
            raise sqlite3.DatabaseError(f"it was written by a newer siege_nb (format {found})")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA secure_delete = ON")  # what is forgotten is not left on the disk
        connection.executescript(_SCHEMA)
        connection.execute(f"PRAGMA user_version = {_FORMAT}")


def _use(used: Any, connected: Any, count: Any) -> Use:
    return Use(_moment(used), _moment(connected), count if isinstance(count, int) and count > 0 else 0)


def _moment(written: Any) -> datetime | None:
    """A time that was noted; None for what is none, as a hand or another program may have left it."""
    try:
        found = datetime.fromisoformat(written)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None
