"""How connections are used: what their files say, and what has happened since."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from siege_nb.facts import Use
from siege_nb.models.stamps import aware
from siege_nb.profiles.places import rows
from siege_nb.store.rows import Row
from siege_nb.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Usage:
    """One connection of a list, and its use; a moment that its file does not know is None. Asked for, it is parsed."""

    row: Row
    since: Use

    @property
    def created(self) -> datetime | None:
        return moment(self.row.summary.get("created_date"))

    @property
    def used(self) -> datetime | None:
        return latest(moment(self.row.summary.get("last_used")), self.since.used)

    @property
    def connected(self) -> datetime | None:
        return latest(moment(self.row.summary.get("last_connected")), self.since.connected)

    @property
    def count(self) -> int:
        said = self.row.summary.get("connection_count")
        return (said if isinstance(said, int) else 0) + self.since.count


def usages(workspace: Workspace) -> Iterator[Usage]:
    """The connections by name, without reading their files."""
    since, none = workspace.facts.uses(), Use()
    for row in sorted(rows(workspace.store.connections), key=lambda row: (row.name.casefold(), row.key)):
        yield Usage(row, since.get(row.key, none))


def moment(said: Any) -> datetime | None:
    """A time as a file has it; None when it is none."""
    try:
        return aware(datetime.fromisoformat(said)) if isinstance(said, str) else None
    except ValueError:  # edited by hand; whoever loads the profile is told
        return None


def latest(*moments: datetime | None) -> datetime | None:
    """The last of these that there is."""
    return max((at for at in moments if at), default=None)


def written(at: datetime | None) -> str | None:
    """A moment as a dict has it."""
    return at.isoformat() if at else None
