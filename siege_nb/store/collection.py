"""The items of one model in a directory: found, put, changed and removed, each whole or not at all."""

from __future__ import annotations

import builtins
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from siege_nb.declare import Part, suggest
from siege_nb.errors import ConflictError, DamagedError, InvalidError, NotFoundError, SiegeError
from siege_nb.state import Change, Directory, Identity
from siege_nb.store import document
from siege_nb.store.files import Files, Kept
from siege_nb.store.shapes import Shape

logger = logging.getLogger(__name__)

T = TypeVar("T", bound=Part)

# How many names an error lists.
SHOWN = 12


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

    def __init__(self, directory: Directory, shape: Shape[T]) -> None:
        self.directory = directory
        self.shape = shape
        self._files = Files(directory, shape)
        self._named: dict[str, list[str]] = {}
        # At which generation, and in which state of the folder, the names were gathered.
        self._named_at: tuple[int, Identity | None] | None = None

    def find(self, key: str) -> Kept[T]:
        """The item of this key; NotFoundError says what there is, DamagedError what is wrong with its file."""
        found = self._files.look(self.shape.file(key), self.directory.generation())
        if found is None:
            raise self._missing(key)
        return _or_raise(found)

    def find_named(self, name: str) -> Kept[T]:
        """The item of this name, whichever way its letters are cased, or of this key.

        ConflictError when there are several; DamagedError when its file was this one's and cannot be read any more.
        """
        wanted = name.casefold()
        generation = self.directory.generation()
        if self._named_at == self._now(generation) and len(keys := self._named.get(wanted, [])) == 1:
            found = self._files.look(self.shape.file(keys[0]), generation)
            if isinstance(found, SiegeError) or (found and self.shape.name(found.item).casefold() == wanted):
                return _or_raise(found)
        # Not known, or no longer so: only a look at all of them can tell.
        keys = self._gather(generation).get(wanted, [])
        if len(keys) > 1:
            raise ConflictError(
                f"There are {len(keys)} {self.shape.noun}s named {name!r}: {', '.join(keys)}.",
                hint=f"Use the {self.shape.key_field}, or rename all but one.",
            )
        file = self.shape.file(keys[0]) if keys else self._file(name)
        found = self._files.look(file, generation) if file else None
        if found is None:
            raise self._missing(name)
        return _or_raise(found)

    def list(self) -> list[Kept[T]]:
        """All items that can be read, by key."""
        return [found for _, found in self._files.scan() if isinstance(found, Kept)]

    def damaged(self) -> builtins.list[Damaged]:
        """The files that cannot be read, and why; `list` leaves them out."""
        found = self._files.scan()
        return [Damaged(self.directory.path / file, error) for file, error in found if isinstance(error, SiegeError)]

    def put(self, item: T, *, expected: str | None = None) -> Kept[T]:
        """Create or replace; with `expected`, only if that is still its version ("" = it must not exist yet).

        A damaged file in its place is copied aside first. ConflictError when it was changed meanwhile, or when the
        key or the name is taken.
        """
        file = self.shape.file(self.shape.key(item))
        aside: builtins.list[str] = []

        def work(change: Change) -> Kept[T]:
            there = self._there(change, file)
            current = there if isinstance(there, Kept) else None
            if expected is not None and expected != (current.version if current else ""):
                what = "has been changed by someone else" if there else "is no longer there"
                raise ConflictError(
                    f"The {self.shape.noun} {self.shape.name(item)!r} {what if expected else 'is there already'}.",
                    hint="Nothing was saved. Read it again and repeat the change.",
                )
            if isinstance(there, DamagedError):
                aside.append(change.set_aside(file))
            elif isinstance(there, SiegeError):
                raise there
            return self._write(change, item, current)

        kept = self._save(work)
        for name in aside:
            logger.warning("%s was damaged and has been replaced; what it was is in %s", file, name)
        return kept

    def update(self, key: str, work: Callable[[T], T]) -> Kept[T]:
        """Read, change and write in one step that nobody can come between; `work` gives the changed copy."""
        file = self.shape.file(key)
        if self.directory.identity(file) is None:  # without a lock: a mere mistake should not make a directory
            raise self._missing(key)

        def apply(change: Change) -> Kept[T]:
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
            return self._write(change, item, current)

        return self._save(apply)

    def remove(self, key: str) -> None:
        """Remove an item for good, also one that cannot be read."""
        file = self.shape.file(key)
        if self.directory.identity(file) is None:
            raise self._missing(key)

        def work(change: Change) -> None:
            if self.directory.identity(file) is None:
                raise self._missing(key)
            change.remove(file)

        self.directory.change(work)

    def _there(self, change: Change, file: str) -> Kept[T] | SiegeError | None:
        """What the change would write over. Always read: under the lock no file is taken from memory."""
        raw = change.read(file)
        return None if raw is None else self._files.parse(raw, file)

    def _save(self, work: Callable[[Change], Kept[T]]) -> Kept[T]:
        if self.shape.unique_names:
            self._names(self.directory.generation())  # parsed before the lock is taken, not while others wait for it
        before = 0

        def noted(change: Change) -> Kept[T]:
            nonlocal before
            before = change.generation
            return work(change)

        kept = self.directory.change(noted)
        if self._named_at and self._named_at[0] == before:
            # Nobody else has changed anything, so the names are known without looking at all of them again.
            key = self.shape.key(kept.item)
            for name in self._names_of(key):
                self._named[name] = [other for other in self._named[name] if other != key]
            self._named.setdefault(self.shape.name(kept.item).casefold(), []).append(key)
            self._named_at = self._now(before + 1)
        return kept

    def _write(self, change: Change, item: T, current: Kept[T] | None) -> Kept[T]:
        key, name = self.shape.key(item), self.shape.name(item)
        file = self.shape.file(key)
        if current is None or self.shape.key(current.item) != key:
            for other in self.directory.names(self.shape.prefix, self.shape.suffix):
                if other != file and other.casefold() == file.casefold():
                    raise self._taken(self.shape.key_field, key, self.shape.key_in(other))
        if self.shape.unique_names and (
            current is None or self.shape.name(current.item).casefold() != name.casefold()
        ):
            for named in (self._names, self._gather):  # what is remembered may be out of date: then look again
                others = [other for other in named(change.generation).get(name.casefold(), []) if other != key]
                if not others:
                    break
            else:
                raise self._taken(self.shape.name_field, name, others[0])
        data = self.shape.write(item, current.item if current else None)
        raw = document.write(data, (current.revision if current else 0) + 1, f"The {self.shape.noun}")
        change.write(file, raw)
        kept = self._files.parse(raw, file)
        if not isinstance(kept, Kept):
            raise InvalidError(f"The {self.shape.noun} could not be read again: {kept.message}")
        return kept

    def _names(self, generation: int) -> dict[str, builtins.list[str]]:
        return self._named if self._named_at == self._now(generation) else self._gather(generation)

    def _gather(self, generation: int) -> dict[str, builtins.list[str]]:
        """The keys of each name, letter case aside. A damaged file keeps the name that it was last known by."""
        at = self._now(generation)
        named: dict[str, list[str]] = {}
        for file, found in self._files.scan():
            key = self.shape.key_in(file)
            names = [self.shape.name(found.item).casefold()] if isinstance(found, Kept) else self._names_of(key)
            for name in names:
                named.setdefault(name, []).append(key)
        self._named, self._named_at = named, at
        return named

    def _names_of(self, key: str) -> builtins.list[str]:
        return [name for name, keys in builtins.list(self._named.items()) if key in keys]

    def _file(self, key: str) -> str:
        """The file of what may be a key, or nothing."""
        try:
            return self.shape.file(key)
        except InvalidError:
            return ""

    def _now(self, generation: int) -> tuple[int, Identity | None]:
        folder = self.shape.prefix.rpartition("/")[0]
        return generation, self.directory.identity(folder) if folder else None

    def _taken(self, field: str, value: str, key: str) -> ConflictError:
        return ConflictError(f"The {field} {value!r} is taken by the {self.shape.noun} {key!r}.")

    def _missing(self, wanted: str) -> NotFoundError:
        found = self.list()
        words = sorted({w for k in found for w in (self.shape.name(k.item), self.shape.key(k.item))} - {wanted})
        shown = sorted(self.shape.name(k.item) if self.shape.unique_names else self.shape.key(k.item) for k in found)
        more = f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
        there = f"There are: {', '.join(shown[:SHOWN])}{more}." if shown else f"There are no {self.shape.noun}s yet."
        if damaged := [d.path.name for d in self.damaged()]:
            more = f" and {len(damaged) - SHOWN} more" if len(damaged) > SHOWN else ""
            there = f"{there} Cannot be read: {', '.join(damaged[:SHOWN])}{more}."
        return NotFoundError(f"There is no {self.shape.noun} {wanted!r}.{suggest(wanted, words)}", hint=there)


def _or_raise(found: Kept[T] | SiegeError) -> Kept[T]:
    if isinstance(found, Kept):
        return found
    # A new one each time: an error keeps the frames of every place it was raised from.
    raise type(found)(found.message, hint=found.hint)
