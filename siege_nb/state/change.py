"""What is to be changed together in a config directory."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from siege_nb.errors import InvalidError, Issue, SiegeError
from siege_nb.state import records
from siege_nb.state.files import Folder, split

if TYPE_CHECKING:
    from siege_nb.state.directory import Directory

GENERATION = "generation"


class Change:
    """What is to be changed together. Nothing of it can be seen by others before `Directory.change` returns."""

    def __init__(self, directory: Directory, root: Folder, generation: int) -> None:
        self.directory = directory
        self._root = root
        #: The directory's number before this change.
        self.generation = generation
        self._staged: dict[str, bytes | None] = {}
        self._before: dict[str, bytes | None] = {}

    def read(self, name: str) -> bytes | None:
        """A file as this change leaves it."""
        if name in self._staged:
            return self._staged[name]
        data = self._before[name] = self.directory.read(name)
        return data

    def write(self, name: str, data: bytes) -> None:
        """Put these bytes under the name."""
        self._staged[self._changeable(name)] = data

    def remove(self, name: str) -> None:
        """Leave nothing under the name."""
        self._staged[self._changeable(name)] = None

    def set_aside(self, name: str) -> str:
        """Keep a copy of a file that is about to be written over; gives the copy's name."""
        data = self.read(self._changeable(name))
        aside = first = f"{name}.corrupt-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
        count = 1
        while self.read(aside) is not None:
            aside, count = f"{first}-{count}", count + 1
        if data is not None:
            self.write(aside, data)
        return aside

    def _targets(self, key: records.Key) -> list[records.Target]:
        return [key.target(name, self._was(name), data) for name, data in self._staged.items()]

    def _was(self, name: str) -> bytes | None:
        try:
            return self._before[name] if name in self._before else self.directory.read(name)
        except SiegeError:  # why it cannot be read is told where it is to be changed
            return b""

    def _changeable(self, name: str) -> str:
        folder, _ = split(name)
        if name == GENERATION or folder == records.FOLDER:
            raise InvalidError("The file name", [Issue("", f"{name!r} is the directory's own")])
        return name
