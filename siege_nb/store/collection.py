"""The items of one model in a directory: found, put, changed and removed, each whole or not at all."""

from __future__ import annotations

import builtins
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from siege_nb.declare import Part
from siege_nb.errors import ConflictError, DamagedError, InvalidError, NotFoundError, SiegeError
from siege_nb.state import Change, Directory
from siege_nb.store import document
from siege_nb.store.conflict import StaleError, overtaken
from siege_nb.store.files import Files, Kept
from siege_nb.store.index import Index
from siege_nb.store.listing import Listing
from siege_nb.store.naming import meant, missing
from siege_nb.store.rows import Entry, Row
from siege_nb.store.shapes import Shape

logger = logging.getLogger(__name__)

R = TypeVar("R")
T = TypeVar("T", bound=Part)

#: What a save puts into each file: a document, or nothing.
_Said = dict[str, Mapping[str, Any] | None]

#: Raises what speaks against changing what is there; None stands for nothing, or what cannot be read.
Check = Callable[[T | None], None]


def _anything(current: object) -> None:
    """Nothing speaks against it."""


@dataclass(frozen=True, slots=True)
class Damaged:
    """A file that belongs to a collection and cannot be read, and why."""

    path: Path
    error: SiegeError


class Collection(Generic[T]):
    """The items of one model. What is found is remembered: finding it again costs a stat and one small read.

    A file that cannot be read is left where it is: `find` raises, `list` leaves it out and logs a warning, `damaged`
    tells of all such files.
    """

    def __init__(self, directory: Directory, shape: Shape[T], index: Index | None = None) -> None:
        self.directory = directory
        self.shape = shape
        self._files = Files(directory, shape)
        self._listing = Listing(directory, shape, self._files, index or Index(directory.path))

    def find(self, key: str) -> Kept[T]:
        """The item of this key; NotFoundError says what there is, DamagedError what is wrong with its file."""
        found = self._files.look(self.shape.file(key), self.directory.generation())
        if found is None:
            raise self._missing(key)
        return _or_raise(found)

    def find_named(self, name: str, scope: str = "") -> Kept[T]:
        """The item of this name, whichever way its letters are cased, of SCOPE/name, or of this key.

        Of several, the one of the given scope, then the one of no scope. ConflictError when there are several still;
        DamagedError when its file was this one's and cannot be read any more.
        """
        generation = self.directory.generation()
        if known := self._listing.unchanged(generation):
            try:
                file = meant(known, self.shape, name, scope)
            except ConflictError:  # one of them may have been renamed
                file = ""
            if file and (found := self._borne(file, known.entries[file], generation)):
                return _or_raise(found)
        # Not known, or no longer so: only a look at all of them can tell. What then still differs, the index made up.
        listing = self._listing
        for look in (partial(listing.fresh, eager=True), listing.look, listing.anew):
            known = look()
            file = meant(known, self.shape, name, scope)
            if not file:
                break
            if found := self._borne(file, known.entries[file], generation):
                return _or_raise(found)
        raise self._missing(name)

    def list(self) -> list[Kept[T]]:
        """All items that can be read, by key, each read whole; where a line of each will do, `rows` costs far less."""
        return [found for _, found in self._files.scan() if isinstance(found, Kept)]

    def rows(self, *, eager: bool = False) -> Sequence[Row]:
        """A line of each item, by key, from memory: see Listing for how fresh it is."""
        return self._listing.fresh(eager=eager).rows

    def search(self, text: str, fields: Sequence[str] = ()) -> builtins.list[Kept[T]]:
        """The items in which this text occurs, letter case aside, in one of the fields, given as dotted paths.

        A value is looked at as Python writes it; elements of lists go by their number. Fields other than those that
        are searched by default cost a reading of every file.
        """
        wanted, paths = text.casefold(), tuple(fields) or self.shape.searched
        entries, generation = self._listing.fresh().entries, self.directory.generation()
        narrowed = set(paths) <= set(self.shape.searched)
        files = sorted(f for f, e in [*entries.items()] if e.row and (not narrowed or wanted in e.text))
        said = (file for file in files if any(wanted in str(v).casefold() for v in self._files.values(file, paths)))
        found = (self._files.look(file, generation, by_identity=True) for file in said)
        return [kept for kept in found if isinstance(kept, Kept)]

    def damaged(self) -> builtins.list[Damaged]:
        """The files that cannot be read, and why; `list` leaves them out."""
        found = self._files.scan()
        return [Damaged(self.directory.path / file, error) for file, error in found if isinstance(error, SiegeError)]

    def problems(self) -> builtins.list[Damaged]:
        """The files that `rows` leaves out, and why; some faults only `damaged` finds, which reads every file whole."""
        entries = self._listing.fresh().entries
        found = sorted((file, e.problem) for file, e in [*entries.items()] if e.problem)
        return [Damaged(self.directory.path / file, error) for file, error in found]

    def check(self, key: str, check: Check[T]) -> None:
        """Let `check` raise what speaks against replacing or removing what is there now."""
        found = self._files.look(self.shape.file(key), self.directory.generation())
        check(found.item if isinstance(found, Kept) else None)

    def put(self, item: T, *, expected: str | None = None, check: Check[T] = _anything) -> Kept[T]:
        """Create or replace; with `expected`, only if that is still its version ("" = it must not exist yet).

        What is there is shown to `check` before, under the lock. A damaged file in its place is copied aside first,
        but not where none was expected. ConflictError when it was changed meanwhile, and by whom, or when the key or
        the name is taken.
        """
        file = self.shape.file(self.shape.key(item))
        read = self._files.last(file)
        aside: builtins.list[str] = []
        if self.directory.identity(file) is None:
            self._listing.fresh()  # before the lock is taken, not while others wait for it

        def work(change: Change, said: _Said) -> Kept[T]:
            there = self._there(change, file)
            current = there if isinstance(there, Kept) else None
            version = current.version if current else "" if there is None else "damaged"
            if expected not in (None, version):
                raise StaleError(there is not None, current)
            check(current.item if current else None)
            if isinstance(there, DamagedError):
                aside.append(change.set_aside(file))
            elif isinstance(there, SiegeError):
                raise there
            return self._write(change, said, item, current)

        kept = conflict = None
        try:
            kept = self._save(work, "save")
        except StaleError as stale:
            what = f"The {self.shape.noun} {self.shape.name(item)!r}"
            conflict = overtaken(self.directory, file, what, expected or "", read, item, stale)
        if kept is None:
            assert conflict is not None
            raise conflict
        for name in aside:
            logger.warning("%s was damaged and has been replaced; what it was is in %s", file, name)
        return kept

    def update(self, key: str, work: Callable[[T], T]) -> Kept[T]:
        """Read, change and write in one step that nobody can come between; `work` gives the changed copy."""
        file = self.shape.file(key)
        if self.directory.identity(file) is None:  # without a lock: a mere mistake should not make a directory
            raise self._missing(key)

        def apply(change: Change, said: _Said) -> Kept[T]:
            there = self._there(change, file)
            if there is None:
                raise self._missing(key)
            current = _or_raise(there)
            item = work(current.item)
            if item == current.item:
                return current
            if (moved := self.shape.key(item)) != key:
                if not self.shape.movable:
                    raise InvalidError(
                        f"The {self.shape.key_field} of a {self.shape.noun} cannot change: its secrets are bound to it."
                    )
                if self._there(change, self.shape.file(moved)) is not None:
                    raise self._taken(self.shape.key_field, moved, key)
                change.remove(file)
                said[file] = None
            return self._write(change, said, item, current)

        return self._save(apply, "update")

    def remove(self, key: str, *, check: Check[T] = _anything) -> None:
        """Remove an item for good, also one that cannot be read; what is there is shown to `check` before."""
        file = self.shape.file(key)
        if self.directory.identity(file) is None:
            raise self._missing(key)

        def work(change: Change, said: _Said) -> None:
            there = self._there(change, file)
            if there is None:
                raise self._missing(key)
            check(there.item if isinstance(there, Kept) else None)
            change.remove(file)
            said[file] = None

        self._save(work, "remove")

    def _there(self, change: Change, file: str) -> Kept[T] | SiegeError | None:
        """What the change would write over. Always read: under the lock no file is taken from memory."""
        identity = self.directory.identity(file)
        if identity is not None and identity.size > document.LARGEST:
            return document.too_large(identity.size, str(self.directory.path / file))
        raw = change.read(file)
        return None if raw is None else self._files.parse(raw, file)

    def _save(self, work: Callable[[Change, _Said], R], act: str) -> R:
        said: _Said = {}
        before = 0

        def noted(change: Change) -> R:
            nonlocal before
            before = change.generation
            return work(change, said)

        try:
            result = self.directory.change(noted, act=act)
        except BaseException:
            if said:  # it may have been made all the same, and not been counted
                self._listing.doubt()
            raise
        if said:
            self._listing.saved(before, said)
        return result

    def _write(self, change: Change, said: _Said, item: T, current: Kept[T] | None) -> Kept[T]:
        file = self.shape.file(self.shape.key(item))
        self._refuse_taken(change.generation, item, file, current)
        data = self.shape.write(item, current.item if current else None)
        raw = document.write(data, (current.revision if current else 0) + 1, f"The {self.shape.noun}")
        change.write(file, raw)
        kept = self._files.parse(raw, file)
        if not isinstance(kept, Kept):
            raise InvalidError(f"The {self.shape.noun} could not be read again: {kept.message}")
        said[file] = data
        return kept

    def _refuse_taken(self, generation: int, item: T, file: str, current: Kept[T] | None) -> None:
        """Raise if the key or the name that an item newly takes is another's, letter case aside."""
        if current is None or self.shape.file(self.shape.key(current.item)) != file:
            for other in self._listing.at(generation).twins.get(file.casefold(), ()):
                if other != file and self.directory.identity(other) is not None:
                    raise self._taken(self.shape.key_field, self.shape.key(item), self.shape.key_in(other))
        if self.shape.unique_names and (current is None or self._handle(current.item) != self._handle(item)):
            known = self._listing.at(generation)
            for other in known.named(self.shape.name(item)):
                # What is remembered may be out of date: the file decides.
                if other != file and self._bears(other, known.entries[other], generation, self._handle(item)):
                    raise self._taken(self.shape.name_field, self.shape.name(item), self.shape.key_in(other))

    def _bears(self, file: str, entry: Entry, generation: int, handle: tuple[str, str]) -> bool:
        """Whether a file has this name and scope; a damaged one keeps those that it was last known by."""
        found = self._files.look(file, generation)
        if isinstance(found, Kept):
            return self._handle(found.item) == handle
        return found is not None and (entry.name.casefold(), entry.scope.casefold()) == handle

    def _borne(self, file: str, entry: Entry, generation: int) -> Kept[T] | SiegeError | None:
        """What a file holds, if that still has the name by which it was looked up, or cannot be read."""
        found = self._files.look(file, generation)
        if isinstance(found, Kept) and self._handle(found.item) != (entry.name.casefold(), entry.scope.casefold()):
            return None
        return found

    def _handle(self, item: T) -> tuple[str, str]:
        return self.shape.name(item).casefold(), self.shape.scope(item).casefold()

    def _taken(self, field: str, value: str, key: str) -> ConflictError:
        return ConflictError(f"The {field} {value!r} is taken by the {self.shape.noun} {key!r}.")

    def _missing(self, wanted: str) -> NotFoundError:
        return missing(self.shape, self._listing.fresh(eager=True), wanted)


def _or_raise(found: Kept[T] | SiegeError) -> Kept[T]:
    if isinstance(found, Kept):
        return found
    # A new one each time: an error keeps the frames of every place it was raised from.
    raise type(found)(found.message, hint=found.hint)
