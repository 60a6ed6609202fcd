"""The audit log of one config directory, appended under the directory's lock.

`<config>/audit/log-000001.jsonl` and the following hold the records (see records.py), `<config>/audit/head` says which
is the last. Whoever has neither the key nor an older copy of the whole directory can change none of it unseen; who
removes all of it leaves files that are in no record, which is noted.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from siege_nb.errors import AccessError, SiegeError
from siege_nb.state import records
from siege_nb.state.files import Folder, explain, read_whole, told
from siege_nb.state.log import Log
from siege_nb.state.records import Key, Record, Target

if TYPE_CHECKING:
    from siege_nb.state.audit_check import Verdict
    from siege_nb.state.directory import Directory

logger = logging.getLogger(__name__)

#: An actor, an act or a target is cut here: the log is no place to keep things in.
LONGEST = 300


class Audit:
    """Who did what to a config directory. The key is made on first need, apart from the log.

    `actor` stands in every record of this process: a user, and what they sit at.
    """

    def __init__(
        self, folder: Path, key_file: Path, actor: str, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.folder = Path(folder).absolute() / records.FOLDER
        self._key_file = Path(key_file)
        self._actor = actor[:LONGEST]
        self._now = now
        self._key: Key | None = None

    def records(self, target: str = "") -> Iterator[Record]:
        """What was done, newest last, to one file or to all; each change once, with its outcome. Nothing is checked."""
        pending: Record | None = None
        written = json.dumps(target)[1:-1].encode()
        for raw in self._lines():
            if pending is None and written not in raw:  # most of a log is about something else: not parsed
                continue
            line = records.parse(raw)
            if line is None:  # that is for verify to tell
                continue
            record = line.record
            if pending is not None:
                ours = record.of == pending.seq
                yield pending._replace(outcome=record.outcome if ours else "unknown")
                pending = None
            if record.of is None and (not target or target in (t.name for t in record.targets)):
                if record.outcome == "intent":
                    pending = record
                else:
                    yield record
        if pending is not None:
            yield pending._replace(outcome="unknown")

    def verify(self, directory: Directory) -> Verdict:
        """Whether the log is whole, and the files of the directory are what it says."""
        from siege_nb.state.audit_check import verify

        with told(self.folder, "read"):
            return verify(self, directory)

    @property
    def key(self) -> Key:
        """The key of the log; AccessError when others could have had it."""
        if self._key is None:
            try:
                self._key = records.key_at(self._key_file)
            except SiegeError as error:
                raise _unwritten(error) from None
            except OSError as error:
                raise _unwritten(explain(error, self._key_file, "made")) from error
        return self._key

    def known_key(self) -> Key | None:
        """The key of the log, None where none was made yet."""
        return self._key or records.known_key(self._key_file)

    def other_key(self) -> str:
        """The name of the key that the last record was written with, if it is not this one; "" where all is well."""
        with told(self.folder, "read"):
            head = records.claimed(self.head())
        key = self.known_key()
        return head.key if head and (key is None or key.ident != head.key) else ""

    @contextmanager
    def opened(self, root: Folder, *, fsync: bool) -> Iterator[Log]:
        """The end of the log, to append to; only under the directory's lock."""
        key = self.key
        with self._writing():
            folder = root.below(records.FOLDER, create=True)
            assert folder is not None
        with closing(folder):
            with self._writing():
                log = Log(folder, key, self._record, fsync=fsync)
            with closing(log):
                yield log

    @contextmanager
    def recorded(
        self, root: Folder, act: str, targets: Callable[[Key], Iterable[Target]], *, fsync: bool
    ) -> Iterator[None]:
        """Work within is an act of the log: its intent is on the disk before, and its outcome is told after it."""
        with self.opened(root, fsync=fsync) as log:
            changed = targets(self.key)
            with self._writing():
                seq = log.append(act, "intent", changed, sync=True)
            outcome = "failed"
            try:
                yield
                outcome = "done"
            finally:
                try:
                    log.append(act, outcome, of=seq)
                except OSError as error:  # the intent stands, and the files tell the rest
                    logger.warning("%s: that %s is %s was not recorded: %s", self.folder, act, outcome, error)

    def witness(self, root: Folder, act: str, targets: Iterable[str], *, fsync: bool) -> None:
        """Record what changes no file: a secret opened, a connection tried."""
        with self.opened(root, fsync=fsync) as log, self._writing():
            log.append(act, "seen", [Target(target[:LONGEST]) for target in targets], sync=True)

    def accept(self, root: Folder, name: str, data: bytes | None, *, fsync: bool) -> None:
        """Record that a file is meant to be what it is now."""
        with self.opened(root, fsync=fsync) as log, self._writing():
            log.append("accept", records.ACCEPTED, [self.key.target(name, data, data)], sync=True)

    def _record(self, act: str, outcome: str, targets: Iterable[Target], seq: int, of: int | None) -> Record:
        ts, mono, boot = records.stamp(self._now()), round(time.monotonic(), 6), records.boot_id()
        return Record(seq, ts, mono, boot, os.getpid(), self._actor, act[:LONGEST], outcome, tuple(targets), of)

    def head(self) -> bytes:
        """The head of the log as it is written, b"" where there is none."""
        return read_whole(str(self.folder / records.HEAD)) or b""

    def _lines(self) -> Iterator[bytes]:
        for path in self.segments().values():
            with told(path, "read"), open(path, "rb") as file:
                yield from file

    def segments(self) -> dict[int, Path]:
        """The parts of the log, in order; none where there is no log."""
        with told(self.folder, "read"):
            try:
                names = os.listdir(self.folder)
            except FileNotFoundError:
                names = []
        return {number: self.folder / name for number, name in records.segments(names).items()}

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except SiegeError as error:
            raise _unwritten(error) from None
        except OSError as error:
            raise _unwritten(explain(error, self.folder, "written")) from error


def _unwritten(error: SiegeError) -> SiegeError:
    kind = AccessError if isinstance(error, AccessError) else SiegeError
    return kind(
        f"The audit log cannot be written, so nothing was done: {error.message}",
        hint=error.hint if kind is AccessError else "Make room or mend the disk: what is not recorded is not done.",
    )
