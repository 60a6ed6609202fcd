"""Which workspace a config directory means. Seed functions name the directory in every call."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from siege_nb.declare import Part
from siege_nb.errors import ConflictError, NotFoundError
from siege_nb.profiles.reasons import notice
from siege_nb.settings import Settings
from siege_nb.store import Collection
from siege_nb.store.rows import Row
from siege_nb.workspace import Workspace

T = TypeVar("T", bound=Part)

Place = str | os.PathLike[str]

#: Where profiles are when a call does not say: in the working directory, as the first system had it.
HERE = "config"

_workspaces: dict[tuple[Settings, int], Workspace] = {}
_lock = threading.Lock()


def at(config_directory: Place) -> Workspace:
    """The workspace of a directory: one per process and settings, so that what it knows is asked for once."""
    settings = Settings.from_environment(config_dir=Path(config_directory).absolute())
    with _lock:
        key = settings, os.getpid()
        if key not in _workspaces:
            _workspaces[key] = Workspace(settings)
        return _workspaces[key]


def path(config_directory: Place, file: str) -> str:
    """The path of a file, as far from here as the directory was named."""
    return os.path.join(config_directory, file)


def rows(collection: Collection[Any]) -> list[Row]:
    """The rows of a collection; of what is missing from them, the reason is told."""
    # Whoever calls these functions may have written a file by hand one line before; a look costs less than the 2 s of
    # memory that lists may otherwise answer from.
    found = list(collection.rows(eager=True))
    for problem in collection.problems():
        notice(problem.error)
    if not found and not collection.directory.path.is_dir():
        notice(NotFoundError(f"There is no directory {collection.directory.path}."))
    return found


def until_kept(collection: Collection[T], key: str, work: Callable[[T, str], None]) -> None:
    """Let `work` save a changed item of this version, again with what is there then if somebody else was faster."""
    while True:  # each round that fails is one in which somebody else got on
        kept = collection.find(key)
        try:
            return work(kept.item, kept.version)
        except ConflictError:
            if collection.find(key).version == kept.version:  # not that: its new name is taken
                raise
