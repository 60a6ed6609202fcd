"""What is said when somebody else was faster: what they changed and, where the audit log knows, who it was and when."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from siege_nb.declare import Part
from siege_nb.errors import ConflictError, SiegeError
from siege_nb.state import Directory
from siege_nb.store.files import Kept

logger = logging.getLogger(__name__)

# How many fields, and how many people, an error lists.
SHOWN = 6


class StaleError(ConflictError):
    """A save was based on something that is no longer so: `there` is something else, `kept` if it can be read."""

    def __init__(self, there: bool, kept: Kept[Any] | None) -> None:
        super().__init__("stale")
        self.there = there
        self.kept = kept


def overtaken(
    directory: Directory, file: str, what: str, expected: str, read: Kept[Any] | None, wanted: Part, stale: StaleError
) -> ConflictError:
    """The error for a save of `wanted` over another version than the expected one; `read` is that, if still known."""
    said = f"{what} is there already."
    if expected and not stale.there:
        said = f"{what} is no longer there{_who(directory, file, expected)}."
    elif expected:
        said = f"{what} has been changed by someone else{_who(directory, file, expected)}"
        if stale.kept is None:
            said += " and cannot be read any more."
        elif read is not None and read.version == expected:
            said += f": {_listed(read.item, stale.kept.item)}."
        else:
            said += f"; yours differs from it in {_listed(wanted, stale.kept.item)}."
    return ConflictError(said, hint="Nothing was saved. Read it again and repeat the change.")


def _listed(old: Part, new: Part) -> str:
    fields = list(_differing(old, new))
    more = f" and {len(fields) - SHOWN} more" if len(fields) > SHOWN else ""
    return f"{', '.join(fields[:SHOWN])}{more}" or "nothing that can be named"


def _differing(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """The dotted paths at which two models differ; never what stands there."""
    if isinstance(old, Part) and type(old) is type(new):
        names = {**dict.fromkeys(type(old).model_fields), **(old.model_extra or {}), **(new.model_extra or {})}
        for name in names:
            below = f"{path}.{name}" if path else name
            yield from _differing(getattr(old, name, None), getattr(new, name, None), below)
    elif old != new:
        yield path or "its kind"


def _who(directory: Directory, file: str, expected: str) -> str:
    """' (by ALICE at 12:00, …)': whoever changed the file after the expected revision. Costs a reading of the log."""
    revision = int(expected.partition("-")[0] or 0) if expected[:1].isdigit() else 0
    found: dict[str, str] = {}
    if directory.audit is not None and expected:
        try:
            for record in directory.audit.records(file):
                after = next((target.after for target in record.targets if target.name == file), None)
                if record.outcome != "failed" and (after is None or after > revision):
                    found[record.actor] = f"by {record.actor} at {record.ts}"
        except (SiegeError, OSError) as error:  # that there is a conflict matters more than whose
            logger.warning("who changed %s cannot be told: %s", file, error)
    return f" ({', '.join(list(found.values())[-SHOWN:])})" if found else ""
