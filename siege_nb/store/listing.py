"""The rows of one collection in memory, and how fresh they are."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from siege_nb.declare import Part
from siege_nb.errors import SiegeError
from siege_nb.state import Directory, Identity
from siege_nb.state.files import read_whole
from siege_nb.store import document, files
from siege_nb.store.files import Files, Kept
from siege_nb.store.index import SMALL, Index
from siege_nb.store.rows import Entry, Row, entry, parsed, text
from siege_nb.store.shapes import Shape

T = TypeVar("T", bound=Part)

# In seconds: for how long nobody looks again; what a look may cost whoever asks; after how long they wait for it.
FRESH, QUICK, IDLE = 2.0, 0.05, 5.0
# How often a quick look is repeated because others save meanwhile.
TRIES = 3

_Groups = Mapping[str, tuple[str, ...]]


@dataclass(slots=True)
class Known:
    """What is known of a collection: everything up to its generation, and what was done by hand before `checked`."""

    generation: int
    folder: Identity | None
    entries: dict[str, Entry]
    checked: float
    took: float
    _rows: tuple[Row, ...] | None = None
    _names: dict[str, tuple[str, ...]] | None = None
    _files: dict[str, tuple[str, ...]] | None = None

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows by key."""
        if self._rows is None:
            entries = dict(self.entries)
            self._rows = tuple(row for file in sorted(entries) if (row := entries[file].row))
        return self._rows

    @property
    def names(self) -> _Groups:
        """The files of each name, letter case aside."""
        if self._names is None:
            self._names = _grouped((e.name.casefold(), file) for file, e in list(self.entries.items()) if e.name)
        return self._names

    @property
    def twins(self) -> _Groups:
        """The files of each file name, letter case aside."""
        if self._files is None:
            self._files = _grouped((file.casefold(), file) for file in list(self.entries))
        return self._files

    def named(self, name: str) -> list[str]:
        """The files of a name, letter case aside."""
        folded = name.casefold()
        # Another thread's save may be in the one and not yet in the other.
        known = ((file, self.entries.get(file)) for file in self.names.get(folded, ()))
        return [file for file, entry in known if entry and entry.name.casefold() == folded]

    def with_(self, changes: Mapping[str, Entry | None]) -> Known:
        """A copy after these changes, each to another entry or to none."""
        entries = dict(self.entries)  # before the names: one too many among them does no harm
        names, files = (groups and dict(groups) for groups in (self._names, self._files))
        copied = replace(self, entries=entries, _names=names, _files=files)
        copied.change(changes)
        return copied

    def change(self, changes: Mapping[str, Entry | None]) -> None:
        """Take over what one of our own saves has changed."""
        self._rows = None
        if self._names is None and self._files is None:
            self.entries.update((file, new) for file, new in changes.items() if new is not None)
            for file in [file for file, new in changes.items() if new is None]:
                self.entries.pop(file, None)
            return
        for file, new in changes.items():
            old = self.entries.pop(file, None) if new is None else self.entries.get(file)
            if new is not None:
                self.entries[file] = new
            _move(self._names, file, old and old.name.casefold(), new and new.name.casefold())
            _move(self._files, file, old and file.casefold(), new and file.casefold())


class Listing(Generic[T]):
    """What is known of a collection without reading its files.

    A change made through a Directory, by whichever process, is seen at once: its generation tells. What was edited by
    hand is looked for, with a stat of every file, if nobody has looked for 2 seconds; where that takes more than 50 ms
    it is done behind the caller's back, who is told what was known, unless nobody has asked for 5 seconds.
    """

    def __init__(self, directory: Directory, shape: Shape[T], read: Files[T], index: Index) -> None:
        self.directory = directory
        self.shape = shape
        self._files = read
        self.index = index
        self.known: Known | None = None
        self._base = str(directory.path)
        self._folder = shape.prefix.rpartition("/")[0]
        self._asked = 0.0
        self._behind: threading.Thread | None = None
        index.listings.append(self)

    def fresh(self, *, eager: bool = False) -> Known:
        """What there is, as fresh as the rule has it; an eager caller misses no edit if that is cheap."""
        known, now = self.known, time.monotonic()
        asked, self._asked = self._asked, now
        if known is None or known.generation != self.directory.generation():
            return self.look()
        slow = known.took >= QUICK
        if known.folder == self.folder() and now - known.checked <= FRESH and (slow or not eager):
            return known
        if not slow or now - asked > IDLE:
            return self.look()
        if self._behind is None or not self._behind.is_alive():
            self._behind = threading.Thread(target=self._look_behind, name="siege-listing", daemon=True)
            try:
                self._behind.start()
            except RuntimeError:  # the interpreter is ending
                return self.look()
        return known

    def unchanged(self, generation: int) -> Known | None:
        """What is known, if nobody has changed anything since, or made a file by hand beside the others."""
        known = self.known
        return known if known and known.generation == generation and known.folder == self.folder() else None

    def at(self, generation: int) -> Known:
        """What there is at least up to a generation."""
        known = self.known
        return known if known and known.generation == generation else self.look()

    def look(self) -> Known:
        """What there is now: every file is looked at, and read if it may have changed."""
        for _ in range(TRIES):
            known = self._look()
            # While one reads a folder, what is removed and what is added may both be missed: no state that ever was.
            if known.took > QUICK or known.generation == self.directory.generation():
                break
        return known

    def _look(self) -> Known:
        # First the generation: whatever is changed from here on will show by another one.
        generation, folder, began, start = self.directory.generation(), self.folder(), time.time_ns(), time.monotonic()
        there = self.directory.identities(self.shape.prefix, self.shape.suffix)
        known, large = self.known, len(there) > SMALL
        if known is None:
            indexed = self.index.load(self.shape.prefix, self.shape.suffix) if large else {}
            known = Known(generation, folder, indexed, 0.0, 0.0)
        entries = known.entries
        stale = [f for f, i in there.items() if (e := entries.get(f)) is None or e.identity != i]
        gone = [] if len(there) == len(entries) and not stale else [f for f in list(entries) if f not in there]
        took = time.monotonic() - start
        changes: dict[str, Entry | None] = dict.fromkeys(gone)
        for file in stale:
            changes[file] = self._read(file, there[file], began, entries.get(file))
        # Assigned whole: a save of ours that came between has its generation, and this, without it, is looked at again.
        found = known.with_(changes) if changes else known
        self.known = replace(found, generation=generation, folder=folder, checked=start, took=took)
        if large and changes:
            self.index.keep({f: e for f, e in changes.items() if e}, gone)
        return self.known

    def saved(self, before: int, changes: Mapping[str, Mapping[str, Any] | None]) -> None:
        """What a save of ours, made at this generation, has put into these files."""
        known = self.known
        if known and known.generation == before:
            # Whose file it is by now nobody knows any more, so the next look reads it.
            said = {f: data if data is None else entry(self.shape, f, data, None) for f, data in changes.items()}
            try:
                known.change(said)
            except BaseException:  # a Ctrl-C may come half-way
                self.known = None
                raise
            known.folder, known.generation = self.folder(), before + 1
        for other in self.index.listings:
            if other is not self and other.known and other.known.generation == before:
                other.known.generation = before + 1

    def doubt(self) -> None:
        """Look again before anything is told."""
        if known := self.known:
            self.known = replace(known, checked=-IDLE, took=0.0)

    def anew(self) -> Known:
        """What there is by the files alone: the index has told something untrue."""
        self.index.forget()
        self.known = None
        return self.look()

    def folder(self) -> Identity | None:
        """The state of the folder, where it is the collection's own; the root changes with every lock that is taken."""
        return self.directory.identity(self._folder) if self._folder else None

    def _look_behind(self) -> None:
        try:
            self.look()
        except SiegeError:  # whoever asks next and waits for it is told
            self._asked = 0.0

    def _read(self, file: str, identity: Identity, began: int, last: Entry | None) -> Entry | None:
        """What a file says now; None when it is gone."""
        settled = identity if began - max(identity.modified, identity.changed) > files.TICK else None
        if identity.size > document.LARGEST:
            return _damaged(document.too_large(identity.size, str(self.directory.path / file)), settled, last)
        try:
            raw = self._raw(file)
        except SiegeError as error:
            return _damaged(error, None, last)  # it may be over by the next look
        if raw is None:
            return None
        data = parsed(raw)
        if data is not None and (found := entry(self.shape, file, data, settled)):
            return found
        kept = self._files.parse(raw, file)
        if not isinstance(kept, Kept):
            return _damaged(kept, settled, last)
        data, name, scope = document.read(raw, file).data, self.shape.name(kept.item), self.shape.scope(kept.item)
        row = Row(self.shape.key_in(file), name, scope, file, self.shape.summary(data))
        return Entry(settled, name, scope, row, text(self.shape, data))

    def _raw(self, file: str) -> bytes | None:
        try:
            # Of thousands, half of the time would go into what Directory.read does besides; the folder is trusted.
            return read_whole(f"{self._base}/{file}")
        except OSError:
            return self.directory.read(file)  # which says in words what is wrong


def _damaged(problem: SiegeError, identity: Identity | None, last: Entry | None) -> Entry:
    """A file keeps the name that it was last known by."""
    return Entry(identity, last.name if last else "", last.scope if last else "", None, problem=problem)


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    groups: dict[str, tuple[str, ...]] = {}
    for group, file in pairs:
        groups[group] = (*groups[group], file) if group in groups else (file,)
    return groups


def _move(groups: dict[str, tuple[str, ...]] | None, file: str, old: str | None, new: str | None) -> None:
    """Take a file from one group to another, if the groups have been made."""
    if groups is None:
        return
    if old is not None and old != new:
        groups[old] = tuple(other for other in groups.get(old, ()) if other != file)
    if new is not None and file not in groups.get(new, ()):
        groups[new] = (*groups.get(new, ()), file)
