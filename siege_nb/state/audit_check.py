"""Whether an audit log is whole, and whether the files are what it says."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from siege_nb.errors import SiegeError
from siege_nb.state import records
from siege_nb.state.log import lost_in_a_power_cut
from siege_nb.state.records import ACCEPTED, LOG, NOTHING, Head, Key, Line, Record, Target

if TYPE_CHECKING:
    from siege_nb.state.audit import Audit
    from siege_nb.state.directory import Directory

# What is listed by name; the rest is counted.
_SHOWN = 12
# A log that is written all the time is looked at so often without its lock, then once with it.
_TRIES = 5

_MENDED = {
    "begun": "",
    "torn": "note: half a record of a killed writer was cut off before record {}",
    "lost": "note: before record {} the machine stopped: the outcome of the change before it is unknown",
    "cut": "the end of the log was cut off before record {}",
    "headless": "before record {} the head of the log was missing or damaged: what was cut off then would not be seen",
    "rekeyed": "before record {} the head of the log was written with another key, which cannot be checked",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong with a log or with the files, and what is merely worth knowing."""

    ok: bool
    count: int
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def verify(audit: Audit, directory: Directory) -> Verdict:
    """Judge the log and the files as they are at one instant: between two writes, or while nobody may write."""
    for _ in range(_TRIES):
        head = audit.head()
        verdict = Check(audit.known_key()).judge(head, audit.segments(), directory)
        if audit.head() == head:
            return verdict
    return directory.change(lambda _: Check(audit.known_key()).judge(audit.head(), audit.segments(), directory))


def settled(record: Record, directory: Directory, key: Key) -> str:
    """What a change whose end was not seen came to, as far as its files tell now; "" where they do not."""
    try:
        found = {key.stands(target, directory.read(target.name)) for target in record.targets}
    except SiegeError:  # what cannot be read says nothing
        return ""
    if found == {"after"}:
        return "its files are as it made them"
    return "its files are as they were before it" if found == {"before"} else ""


class Check:
    """A judgement in the making."""

    def __init__(self, key: Key | None) -> None:
        self.key = key
        self.problems: list[str] = []
        self.notes: list[str] = []
        #: What each file may hold: one target after a change that ended, several where that is not known.
        self.files: dict[str, list[Target]] = {}
        self._pending: Record | None = None
        self._unknown: list[Record] = []
        #: The problems that are a file's own: whoever put it there may say so.
        self._put: dict[str, list[str]] = {}
        self._count, self._seq, self._mac = 0, 0, NOTHING
        self._head: Head | None = None
        #: The mac of the record that the head names.
        self._named = NOTHING

    def judge(self, head: bytes, segments: dict[int, Path], directory: Directory) -> Verdict:
        """The verdict on a log and the files of its directory."""
        self._head = records.claimed(head)
        self._chain(segments)
        self._settle()
        self._against_head(head)
        if self.key is not None:
            self._against_files(directory, self.key)
        elif segments:
            self.problems.append("The key of the log is missing: nothing in it can be checked.")
        return Verdict(not self.problems, self._count, tuple(self.problems), tuple(self.notes))

    def _chain(self, segments: dict[int, Path]) -> None:
        last = 0
        for number, path in segments.items():
            name = path.name
            for missing in range(last + 1, min(number, last + _SHOWN)):
                self.problems.append(f"{records.segment_name(missing)} is missing.")
            last = number
            *lines, torn = path.read_bytes().split(b"\n")
            if torn:
                self.notes.append(f"{name} ends in half a record, of a writer that was killed.")
            self._segment(name, lines)

    def _segment(self, name: str, lines: list[bytes]) -> None:
        first = records.parse(lines[0]) if lines else None
        ident = first.key if first else ""
        ours = self.key is not None and ident == self.key.ident
        if self.key is not None and not ours and lines:
            what = f"was written with another key ({ident})" if ident else "does not begin with the name of its key"
            self.problems.append(f"{name} {what}: its {len(lines)} records cannot be checked.")
        for number, raw in enumerate(lines, 1):
            line = records.parse(raw)
            if line is None:
                self.problems.append(f"{name} line {number} is no record.")
                continue
            self._count += 1
            self._link(line)
            if self.key is None or not ours:
                continue
            if self.key.wrote(raw):
                self._follow(line.record)
            else:
                self.problems.append(f"{name} line {number} (record {line.record.seq}) was changed.")

    def _link(self, line: Line) -> None:
        seq, expected = line.record.seq, self._seq + 1
        if seq < expected:
            self.problems.append(f"Record {seq} is there twice, or not in its place.")
        elif seq > expected:
            gap = f"Record {expected} is" if seq == expected + 1 else f"Records {expected} to {seq - 1} are"
            self.problems.append(f"{gap} missing.")
        elif line.prev != self._mac:
            self.problems.append(f"Record {seq} does not follow the one before it.")
        self._seq, self._mac = seq, line.mac
        if self._head is not None and seq == self._head.seq:
            self._named = line.mac

    def _follow(self, record: Record) -> None:
        """Keep what the files should hold now."""
        if record.act == LOG:
            told = _MENDED.get(record.outcome, "record {} says nothing that is known").format(record.seq)
            note = told.removeprefix("note: ")
            if told:
                (self.problems if note == told else self.notes).append(f"{note[0].upper()}{note[1:]}.")
        elif record.of is not None:
            if self._pending is None or self._pending.seq != record.of:
                self.notes.append(f"Record {record.seq} is the outcome of a change that is not there.")
                return
            pending, self._pending = self._pending, None
            self._expect(pending, certain=record.outcome == "done")
        else:
            self._settle()
            if record.outcome == "intent":
                self._pending = record
                for target in record.targets:
                    self._as_expected(target, record.seq)
            elif record.outcome == ACCEPTED:
                self._accept(record)

    def _settle(self) -> None:
        if self._pending is not None:
            self._unknown.append(self._pending)
            self._expect(self._pending, certain=False)
            self._pending = None

    def _expect(self, record: Record, *, certain: bool) -> None:
        for target in record.targets:
            if certain:
                self.files[target.name] = [target]
            else:
                before = Target(target.name, mark=target.was, tokens=target.had)
                self.files.setdefault(target.name, []).extend((before, target))

    def _accept(self, record: Record) -> None:
        """Its files are meant to be as they were then; how they came to be so is worth knowing, and no problem."""
        for target in record.targets:
            self._as_expected(target, record.seq)
            for problem in self._put.pop(target.name, ()):
                self.problems.remove(problem)
                self.notes.append(f"{problem.removesuffix(_way_out(target.name))} Record {record.seq} accepts it.")
            self.files[target.name] = [target]

    def _foreign(self, tokens: set[str], name: str, when: str = "") -> None:
        one = "An older or foreign ciphertext was put"
        put = one if len(tokens) == 1 else f"{len(tokens)} older or foreign ciphertexts were put"
        problem = f"{put} into {name}{when}.{_way_out(name)}"
        self.problems.append(problem)
        self._put.setdefault(name, []).append(problem)

    def _as_expected(self, target: Target, seq: int) -> None:
        """What the change found there: whoever puts an old secret back may count on the next save to take it up."""
        expected = self.files.get(target.name)
        if not expected or target.was in {one.mark for one in expected}:
            return
        if foreign := set(target.had).difference(*(one.tokens for one in expected)):
            self._foreign(foreign, target.name, f" before record {seq}")
        else:
            self.notes.append(f"{target.name} was changed by hand before record {seq}.")

    def _against_head(self, raw: bytes) -> None:
        if not raw:
            if self._count:
                self.problems.append("The head of the log is missing: whether its end was cut off cannot be seen.")
            return
        head = self._head
        if head is None or (self.key and head.key == self.key.ident and self.key.head(raw) is None):
            self.problems.append("The head of the log was changed.")
        elif self.key is not None and head.key != self.key.ident:
            self.problems.append(f"The head of the log was written with another key ({head.key}).")
        elif head.seq > self._seq:
            self._cut(head)
        elif head.seq and self._named != head.last:
            self.problems.append(f"Record {head.seq} is not the one that the head of the log names.")

    def _cut(self, head: Head) -> None:
        last = self._unknown[-1] if self._unknown else None
        if last is not None and last.seq == self._seq and lost_in_a_power_cut(head, last):
            self.notes.append(f"The machine stopped after record {last.seq}: its outcome is unknown.")
        else:
            gap = f"record {head.seq} is" if head.seq == self._seq + 1 else f"records {self._seq + 1} to {head.seq} are"
            self.problems.append(f"The end of the log was cut off: {gap} missing.")

    def _against_files(self, directory: Directory, key: Key) -> None:
        for record in self._unknown:
            names = ", ".join(target.name for target in record.targets)
            now = settled(record, directory, key)
            told = f"The outcome of record {record.seq} ({record.act} of {names}) is unknown"
            self.notes.append(f"{told}; {now}." if now else f"{told}.")
        closed, there = set(), set[str]()
        for folder in sorted({*_folders(directory.path), *map(_folder, self.files)}):
            try:
                # What begins with a dot is an editor's, a notebook server's, a file system's.
                there |= {name for name in directory.names(folder) if ".json" in name and name[len(folder)] != "."}
            except SiegeError as error:
                if not folder:
                    raise
                closed.add(folder)
                self._closed(directory, folder, stat.S_ISDIR, error)
        if strange := sorted(there - self.files.keys()):
            more = f" and {len(strange) - _SHOWN} more" if len(strange) > _SHOWN else ""
            listed = ", ".join(strange[:_SHOWN])
            self.notes.append(f"In no record, so older than the log or put there by hand: {listed}{more}.")
        for name, expected in self.files.items():
            if _folder(name) not in closed:
                try:
                    data = directory.read(name)
                except SiegeError as error:
                    self._closed(directory, name, stat.S_ISREG, error)
                else:
                    self._against_file(name, expected, data, key)

    def _closed(self, directory: Directory, name: str, ours: Callable[[int], bool], error: SiegeError) -> None:
        """Tell what cannot be read; a link or a pipe in its place was put there for us to follow."""
        try:
            mode = os.lstat(directory.path / name).st_mode
        except OSError:  # then we may not even look
            mode = 0
        if mode and not ours(mode):
            what = "a symbolic link" if stat.S_ISLNK(mode) else "something else"
            self.problems.append(f"{name} cannot be read: {what} stands in its place.")
        else:
            self.notes.append(f"{name} cannot be read: {error.message}")

    def _against_file(self, name: str, expected: list[Target], data: bytes | None, key: Key) -> None:
        if key.mark(name, data) in {target.mark for target in expected}:
            return
        if data is None:
            self.notes.append(f"{name} is gone: it was removed by hand.")
        elif foreign := set(key.tokens(data)).difference(*(target.tokens for target in expected)):
            self._foreign(foreign, name)
        else:
            self.notes.append(f"{name} was changed by hand.")


def _way_out(name: str) -> str:
    return f" If you put it there yourself: siege audit accept {shlex.quote(name)}"


def _folder(name: str) -> str:
    return "".join(name.rpartition("/")[:2])


def _folders(path: Path) -> list[str]:
    try:
        with os.scandir(path) as entries:
            below = [e.name for e in entries if e.is_dir(follow_symlinks=False) and not e.name.startswith(".")]
    except FileNotFoundError:
        below = []
    return ["", *(f"{name}/" for name in below if name != records.FOLDER)]
