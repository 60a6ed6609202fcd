"""Several files changed together: what is to be done is written down first, and done again if it was cut short."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from siege_nb.errors import InvalidError
from siege_nb.state import records
from siege_nb.state.files import TEMPORARY, Folder, split

logger = logging.getLogger(__name__)

JOURNAL = ".journal"


class Step(NamedTuple):
    """One file's part of a change: put what was staged in its place, or remove it."""

    name: str
    staged: str | None


def write(root: Folder, steps: Iterable[Step]) -> None:
    """Write the steps down. From here on they will happen, whoever dies."""
    text = json.dumps({"format": 1, "steps": list(steps)}, indent=2)
    staged = root.stage(text.encode())
    try:
        root.replace(staged, JOURNAL)
        root.sync()
    except BaseException:
        root.remove(JOURNAL)
        root.drop(staged)
        raise


def read(root: Folder) -> list[Step]:
    """The steps that a writer left undone; a journal that makes no sense is set aside."""
    raw = root.read(JOURNAL)
    if raw is None:
        return []
    try:
        return list(_checked(raw))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        aside = f"{JOURNAL}.corrupt-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
        root.replace(JOURNAL, aside)
        logger.error("%s: an unfinished change cannot be read (%s), set aside as %s", root.path, error, aside)
        return []


def perform(steps: Iterable[Step], folders: Mapping[str, Folder], *, again: bool = False) -> None:
    """Do the steps. Done again, what was done already does no harm."""
    # What is removed goes last: a reader in between sees a renamed item twice rather than not at all.
    for name, staged in sorted(steps, key=lambda step: step[1] is None):
        folder, file = split(name)
        if folder not in folders:
            continue
        try:
            if staged is None:
                folders[folder].remove(file)
            else:
                folders[folder].replace(staged, file)
        except FileNotFoundError:
            if not again:
                raise


def targets(
    steps: Iterable[Step], folders: Mapping[str, Folder], key: records.Key
) -> list[records.Target]:
    """What the steps make of their files, as the audit log tells it; some of them may have been done already."""
    found = []
    for name, staged in steps:
        folder, file = split(name)
        before = folders[folder].read(file) if folder in folders else None
        after = None
        if staged is not None and folder in folders:
            after = folders[folder].read(staged)
            after = before if after is None else after
        found.append(key.target(name, before, after))
    return found


def erase(root: Folder) -> None:
    """The steps are done. Synced, or a power cut would have them done again over later changes."""
    root.remove(JOURNAL)
    root.sync()


def _checked(raw: bytes) -> Iterator[Step]:
    for name, staged in json.loads(raw)["steps"]:
        split(name)
        if staged is not None and not (staged.startswith(TEMPORARY) and staged[len(TEMPORARY) :].isalnum()):
            raise InvalidError(f"{staged!r} is no file of ours")
        yield Step(name, staged)
