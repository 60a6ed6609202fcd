"""The files of one shape, read, and remembered for as long as they stay the same."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from siege_nb.declare import Part
from siege_nb.errors import AccessError, DamagedError, InvalidError, SiegeError
from siege_nb.state import Directory, Identity
from siege_nb.store import document
from siege_nb.store.rows import at, parsed
from siege_nb.store.shapes import Shape

logger = logging.getLogger(__name__)

T = TypeVar("T", bound=Part)

# Two writes within one tick of the file system's clock, 4 to 10 ms where it is coarse, may leave the same time stamp.
TICK = 100_000_000


@dataclass(frozen=True, slots=True)
class Kept(Generic[T]):
    """An item as it is kept. It is shared by all who find it: change a copy."""

    item: T
    #: How often it was saved.
    revision: int
    #: Another one after every change, also by hand: what a pool or an If-Match compares.
    version: str


@dataclass(frozen=True, slots=True)
class _Seen(Generic[T]):
    """What a file was when it was last read."""

    identity: Identity
    generation: int
    #: It had not changed for so long that its identity tells every later change.
    settled: bool
    found: Kept[T] | SiegeError


class Files(Generic[T]):
    """The files of one shape. Asking for one again costs a stat, and a reading only if it may have changed."""

    def __init__(self, directory: Directory, shape: Shape[T]) -> None:
        self.directory = directory
        self.shape = shape
        self._base = str(directory.path)
        self._seen: dict[str, _Seen[T]] = {}
        # By the bytes themselves: a save reads what is there and what it wrote without parsing either twice.
        self._parsed: dict[str, tuple[bytes, Kept[T] | SiegeError]] = {}

    def look(self, file: str, generation: int, *, by_identity: bool = False) -> Kept[T] | SiegeError | None:
        """What a file holds now; by its identity alone where many are asked.

        The generation covers what an identity may hide from us: a network file system that answers out of date.
        """
        began = time.time_ns()
        try:
            identity = self.directory.identity(file)
        except InvalidError:
            name = repr(f"{self._base}/{file}")
            return DamagedError(f"{name} cannot be read: no {self.shape.noun} has such a name.", hint="Rename it.")
        if identity is None:
            self._forget(file)
            return None
        seen = self._seen.get(file)
        if seen and seen.settled and seen.identity == identity and (by_identity or seen.generation == generation):
            return seen.found
        if identity.size > document.LARGEST:
            return document.too_large(identity.size, f"{self._base}/{file}")
        try:
            raw = self.directory.read(file)
        except SiegeError as error:
            return error
        if raw is None:
            return None
        found = self.parse(raw, file)
        if isinstance(found, SiegeError) and not (seen and seen.found is found):
            logger.warning("%s", found.message)
        settled = began - max(identity.modified, identity.changed) > TICK
        self._seen[file] = _Seen(identity, generation, settled, found)
        return found

    def last(self, file: str) -> Kept[T] | None:
        """What a file held when it was last read here."""
        known = self._parsed.get(file)
        return known[1] if known and isinstance(known[1], Kept) else None

    def parse(self, raw: bytes, file: str) -> Kept[T] | SiegeError:
        """What these bytes are as that file: an item, or the error that says what is wrong. The same once for all."""
        digest = hashlib.sha256(raw).digest()
        known = self._parsed.get(file)
        if known is not None and known[0] == digest:
            return known[1]
        found = self._parse(raw, file)
        self._parsed[file] = digest, found
        return found

    def _parse(self, raw: bytes, file: str) -> Kept[T] | SiegeError:
        where = f"{self._base}/{file}"
        try:
            data, revision, total = document.read(raw, where)
            item = self.shape.from_document(data, self.shape.key_in(file))
        except InvalidError as error:
            wrong = "; ".join(str(issue) for issue in error.issues) or error.message
            return DamagedError(f"{where} is not as it should be: {wrong}.", hint="Mend it in an editor.")
        except (DamagedError, AccessError) as error:
            return error
        return Kept(item, revision, f"{revision}-{total[:16]}")

    def scan(self) -> Iterator[tuple[str, Kept[T] | SiegeError]]:
        """Every file of the shape with what it holds."""
        generation = self.directory.generation()
        files = self.directory.names(self.shape.prefix, self.shape.suffix)
        for file in files:
            found = self.look(file, generation, by_identity=True)
            if found is not None:  # None: removed since the folder was read
                yield file, found
        for file in (self._seen.keys() | self._parsed.keys()) - set(files):
            self._forget(file)

    def values(self, file: str, paths: Sequence[str]) -> Iterator[Any]:
        """What stands in a file at these dotted paths."""
        raw = self.directory.read(file) or b""
        data: Mapping[str, Any] | None = parsed(raw)
        if data is None:
            try:
                data = document.read(raw, file).data
            except SiegeError:  # a damaged file is no hit; `problems` tells of it
                return
        for path in paths:
            yield from at(data, path)

    def _forget(self, file: str) -> None:
        self._seen.pop(file, None)
        self._parsed.pop(file, None)
