"""What the files said when they were last read, kept beside them, so that a new process need not read them all."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import stat
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

from siege_nb.store.rows import Entry, Row

if TYPE_CHECKING:
    from siege_nb.store.listing import Listing

logger = logging.getLogger(__name__)

FILE = "index.sqlite"
# Another layout gets another number; it has nothing to do with the format of the documents.
LAYOUT = 1
_TABLE = """CREATE TABLE IF NOT EXISTS entry (
    file TEXT PRIMARY KEY,
    device INTEGER, inode INTEGER, size INTEGER, modified INTEGER, changed INTEGER,
    name TEXT, scope TEXT, summary TEXT, text TEXT, sum INTEGER
) WITHOUT ROWID"""
# A place that cannot be written to, a full disk, another process that is at it: none of them is the index's own fault.
_UNUSABLE = {
    sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN,
}  # fmt: skip
_Columns = tuple[Any, ...]
# So many files are read sooner than SQLite is loaded.
SMALL = 256


class Index:
    """The entries of every settled file, by the file's identity, in `index.sqlite`.

    It only saves time. It is never asked when the files can answer, an entry whose file is another one by now counts
    for nothing, and one that was changed here does not fit its checksum. So nothing in it is synced, it may be deleted
    at any time, and what is wrong with it is no error: a damaged one is made anew, and where none can be had, none is.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE
        #: Who shares it: a save of one of them is none of the others'.
        self.listings: list[Listing[Any]] = []
        self._told = False
        self._writers: list[threading.Thread] = []
        # Two that make the file at once would not wait for each other: SQLite refuses one of them.
        self._writing = threading.Lock()

    def load(self, prefix: str, suffix: str) -> dict[str, Entry]:
        """The entries of the files whose names begin so, by file."""
        start, end = len(prefix), -len(suffix)
        found: dict[str, Entry] = {}
        try:
            if not self.path.exists():
                return {}
            with closing(self._opened()) as db:
                kept = db.execute(
                    "SELECT * FROM entry WHERE file > ? AND file < ?", (prefix, prefix + "\U0010ffff")
                ).fetchall()
            for file, *identity, name, scope, summary, text, total in kept:
                if _sum(file, identity, name, scope, summary, text) == total:
                    row = Row(file[start:end], name, scope, file, summary)
                    found[file] = Entry(tuple(identity), name, scope, row, text)
        except (sqlite3.Error, OSError, ValueError, TypeError) as error:
            self._broken(error)
            return {}
        return found

    def keep(self, entries: Mapping[str, Entry], gone: Iterable[str] = ()) -> None:
        """Remember entries of settled files, and forget those of files that are no more; in a thread of its own."""
        lost = [(file,) for file in gone if _storable(file)]
        if entries or lost:
            self._writers = [writer for writer in self._writers if writer.is_alive()]
            # No daemon: a process that ends at once should have read its files for the last time.
            writer = threading.Thread(target=self._keep, args=(dict(entries), lost), name="siege-index", daemon=False)
            try:
                writer.start()
            except RuntimeError:  # the interpreter is ending; the next process reads these files once more
                return
            self._writers.append(writer)

    def forget(self) -> None:
        """Throw the index away, as one that has told something untrue."""
        for end in ("-wal", "-shm", ""):
            try:
                os.unlink(f"{self.path}{end}")
            except FileNotFoundError:
                pass
            except OSError as error:
                self._tell("cannot be removed", error)

    def settle(self) -> None:
        """Wait until all that is to be kept is kept."""
        for writer in list(self._writers):
            writer.join()

    def _keep(self, entries: dict[str, Entry], lost: list[tuple[str]]) -> None:
        kept = [columns for file, entry in entries.items() if (columns := _columns(file, entry))]
        if not kept and not lost:
            return
        try:
            with self._writing, closing(self._opened()) as db, db:
                db.executemany(f"INSERT OR REPLACE INTO entry VALUES ({', '.join('?' * 11)})", kept)
                db.executemany("DELETE FROM entry WHERE file = ?", lost)
        except (sqlite3.Error, OSError) as error:
            self._broken(error)

    def _opened(self) -> sqlite3.Connection:
        try:
            # As private as the files; SQLite makes its own beside it alike.
            os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            if not stat.S_ISREG(os.lstat(self.path).st_mode):
                raise OSError(f"{self.path} is not a regular file") from None
        db = sqlite3.connect(self.path, timeout=1.0)
        try:
            layout = db.execute("PRAGMA user_version").fetchone()[0]
            if layout > LAYOUT:
                raise _NewerError(f"it was written by a newer siege_nb (layout {layout})")
            if layout < LAYOUT:
                db.execute("PRAGMA journal_mode = WAL")
                db.execute(_TABLE)
                db.execute(f"PRAGMA user_version = {LAYOUT}")
            db.execute("PRAGMA synchronous = OFF")
            # A client who was removed should not live on in the free pages.
            db.execute("PRAGMA secure_delete = ON")
        except BaseException:
            db.close()
            raise
        return db

    def _broken(self, error: Exception) -> None:
        """Throw away what is no index; leave alone what only cannot be used now."""
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CANTOPEN) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            logger.debug("%s is in use by another process (%s); what it lacks is read once more", self.path, error)
        elif isinstance(error, _NewerError | OSError) or (isinstance(error, sqlite3.Error) and code in _UNUSABLE):
            self._tell("is not used", error)
        else:
            self._tell("is damaged and will be made anew", error)
            self.forget()

    def _tell(self, what: str, error: Exception) -> None:
        log = logger.debug if self._told else logger.warning
        log("%s %s (%s); every file is read instead", self.path, what, error)
        self._told = True


class _NewerError(sqlite3.DatabaseError):
    """An index that only a newer version understands."""


def _columns(file: str, entry: Entry) -> _Columns | None:
    """An entry as it is kept; None for one that will have to be read again."""
    # Some file systems have numbers that SQLite has no room for.
    if entry.row is None or entry.identity is None or max(entry.identity) >= 1 << 63:
        return None
    said = entry.row.said if isinstance(entry.row.said, str) else json.dumps(entry.row.said)
    if not _storable(file + entry.name + entry.scope + said + entry.text):
        return None
    total = _sum(file, entry.identity, entry.name, entry.scope, said, entry.text)
    return file, *entry.identity, entry.name, entry.scope, said, entry.text, total


def _storable(text: str) -> bool:
    """SQLite keeps UTF-8; a file's name may be other bytes."""
    try:
        return bool(text.encode())
    except UnicodeEncodeError:
        return False


def _sum(file: str, identity: Sequence[int], name: str, scope: str, summary: str, text: str) -> int:
    return crc32(f"{file}\0{identity[1]}\0{identity[3]}\0{name}\0{scope}\0{summary}\0{text}".encode())
