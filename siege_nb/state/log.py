"""The end of an audit log, open to be appended to."""

from __future__ import annotations

import errno
import logging
import os
import stat
import sys
from collections.abc import Callable, Iterable

from siege_nb.errors import AccessError
from siege_nb.state import records
from siege_nb.state.files import Folder
from siege_nb.state.records import LOG, NOTHING, Head, Key, Record, Target

logger = logging.getLogger(__name__)

#: A segment that has grown so large is followed by a new one.
SEGMENT = 10_000_000


class Log:
    """The open end of a log. What a killed writer left undone is mended when it is opened, and a record says so."""

    def __init__(
        self, folder: Folder, key: Key, record: Callable[[str, str, Iterable[Target], int, int | None], Record], *,
        fsync: bool,
    ) -> None:  # fmt: skip
        self._folder = folder
        self._key = key
        self._record = record
        self._fsync = fsync
        self._end: Head
        self._segment = -1
        self._head = folder.open(records.HEAD, os.O_RDWR | os.O_CREAT)
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def append(
        self, act: str, outcome: str, targets: Iterable[Target] = (), *, of: int | None = None, sync: bool = False,
        key: str = "",
    ) -> int:  # fmt: skip
        """Write one record, whole or not at all, and move the head; gives its number."""
        end = self._end
        record = self._record(act, outcome, targets, end.seq + 1, of)
        line = self._key.line(records.fields(record, end.last, key))
        try:
            if os.write(self._segment, line + b"\n") != len(line) + 1:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if sync and self._fsync:
                _datasync(self._segment)
            mac, size = line[-66:-2].decode(), end.size + len(line) + 1
            end = Head(record.seq, mac, record.boot, end.segment, size, self._key.ident)
            self._anchor(end)
        except OSError:
            self._take_back()
            raise
        self._end = end
        return record.seq

    def close(self) -> None:
        """Let go of the files."""
        for fd in (self._head, self._segment):
            if fd >= 0:
                try:
                    os.close(fd)
                except OSError as error:  # all that matters was synced
                    logger.warning("closing the audit log: %s", error)
        self._head = self._segment = -1

    def _open(self) -> None:
        raw = os.read(self._head, 4096)
        happened: list[str] = []
        end = self._key.head(raw)
        if end is None:
            end = records.claimed(raw)
            if end is None or end.key == self._key.ident:
                end = self._without_head(raw, happened)
            else:
                happened.append("rekeyed")
        self._end = end
        while True:
            self._enter(happened)
            if not self._end.size or (self._end.size < SEGMENT and self._end.key == self._key.ident):
                break
            # What is not synced when the next segment begins never would be.
            if self._fsync:
                _datasync(self._segment)
            os.close(self._segment)
            self._segment = -1
            self._end = self._end._replace(segment=self._end.segment + 1, size=0)
        if not self._end.size:
            self.append(LOG, "begun", key=self._key.ident)
            self._folder.sync()
        for what in happened:
            logger.warning("%s: the audit log was mended: %s", self._folder.path, what)
            self.append(LOG, what)

    def _enter(self, happened: list[str]) -> None:
        """Open the segment that the head names, and bring the two together."""
        name = records.segment_name(self._end.segment)
        self._segment = self._folder.open(name, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        status = os.fstat(self._segment)
        if not stat.S_ISREG(status.st_mode):
            raise AccessError(f"{self._folder.path}/{name} is not a regular file.")
        grown = status.st_size > self._end.size
        if status.st_size == self._end.size and (not status.st_size or self._rest(status.st_size - 1) == b"\n"):
            return
        whole, _, torn = self._rest(self._end.size if grown else 0).rpartition(b"\n")
        lines = whole.split(b"\n") if whole else []
        if grown:
            self._adopt(lines)
        else:
            happened.append(self._shrunk(lines))
        if torn:
            os.ftruncate(self._segment, status.st_size - len(torn))
            happened.append("torn")
        self._end = self._end._replace(size=status.st_size - len(torn))

    def _adopt(self, lines: Iterable[bytes]) -> None:
        """Go on after the lines of a writer that was killed before it moved the head; what is none of ours stays."""
        for raw in lines:
            line = records.parse(raw)
            if line is None or (line.prev, line.record.seq) != (self._end.last, self._end.seq + 1):
                continue
            key = line.key or self._end.key
            if key != self._key.ident or self._key.wrote(raw):
                self._end = self._end._replace(seq=line.record.seq, last=line.mac, key=key)

    def _shrunk(self, lines: list[bytes]) -> str:
        """What became of the end of the log: lost with the machine's memory, or cut, which the gap goes on to tell."""
        last = records.parse(lines[-1]) if lines else None
        if last is not None and lost_in_a_power_cut(self._end, last.record):
            self._end = self._end._replace(seq=last.record.seq, last=last.mac)
            return "lost"
        return "cut"

    def _without_head(self, raw: bytes, happened: list[str]) -> Head:
        numbers = list(records.segments(self._folder.names()))
        if not numbers and not raw:
            fresh = Head(0, NOTHING, records.boot_id(), 1, 0, self._key.ident)
            # A log is never without its head, not even one that was begun an instant before a power cut.
            self._anchor(fresh)
            if self._fsync:
                os.fsync(self._head)
            return fresh
        happened.append("headless")
        end = Head(0, NOTHING, "", numbers[-1] if numbers else 1, 0, self._key.ident)
        if numbers:
            self._segment = self._folder.open(records.segment_name(numbers[-1]), os.O_RDWR | os.O_APPEND)
            whole = self._rest(0).rpartition(b"\n")[0]
            os.close(self._segment)
            self._segment = -1
            found = [line for line in map(records.parse, whole.split(b"\n")) if line]
            if found:
                key = found[0].key or end.key
                end = Head(found[-1].record.seq, found[-1].mac, "", numbers[-1], len(whole) + 1, key)
        return end

    def _rest(self, start: int) -> bytes:
        os.lseek(self._segment, start, os.SEEK_SET)
        parts = []
        while part := os.read(self._segment, 1 << 20):
            parts.append(part)
        return b"".join(parts)

    def _anchor(self, end: Head) -> None:
        os.lseek(self._head, 0, os.SEEK_SET)
        raw = self._key.write_head(end)
        if os.write(self._head, raw) != len(raw):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _take_back(self) -> None:
        try:
            os.ftruncate(self._segment, self._end.size)
        except OSError as error:  # whoever appends next finds it torn, or an intent whose outcome is unknown
            logger.warning("%s: half a record is left behind: %s", self._folder.path, error)


def _datasync(fd: int) -> None:
    if sys.platform == "linux":
        os.fdatasync(fd)
    else:
        os.fsync(fd)


def lost_in_a_power_cut(head: Head, last: Record) -> bool:
    """Whether what the log lacks is the one record that is not synced, and the machine has been started since."""
    rebooted = head.boot != records.boot_id() or not head.boot
    return rebooted and last.outcome == "intent" and last.seq == head.seq - 1
