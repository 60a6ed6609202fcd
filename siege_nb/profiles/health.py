"""Whether connections can be reached, how they fare, and which are no longer used."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, overload

from siege_nb.adapters.base import TestResult
from siege_nb.errors import (
    AccessError,
    InvalidError,
    Issue,
    NotFoundError,
    SiegeError,
    UnknownKindError,
)
from siege_nb.models.stamps import now
from siege_nb.profiles.places import HERE, Place, at
from siege_nb.profiles.reasons import notice, raising
from siege_nb.profiles.usage import Usage, latest, usages, written
from siege_nb.state.change import GENERATION
from siege_nb.store.edits import used
from siege_nb.workspace import Workspace

#: A clock that is further ahead of everything in the store is wrong rather than the store so old.
YEAR = timedelta(days=365)
_LOST = "Connection profile not found"


@raising
def verify_connection_profile(connection_id: str, config_directory: Place = HERE) -> dict[str, Any]:
    """Try a connection step by step: success, connection_type, timestamp, error, response_time_ms, problem, steps.

    It never raises for what it finds, and leaves open sessions alone.
    """
    workspace = at(config_directory)
    result: dict[str, Any] = {"success": False, "timestamp": now().isoformat(), "error": None}
    try:
        profile = workspace.store.connections.find(connection_id).item
        result |= {"connection_type": profile.connection_type, "response_time_ms": 0.0, "problem": "", "steps": []}
        tested = workspace.test(profile)
    except SiegeError as error:
        notice(error)
        return result | {"error": _said(error, result.get("connection_type"))}
    if tested.ok:
        workspace.facts.connected(connection_id, now())
    elif tested.error:
        notice(tested.error)
    return result | _told(tested)


#: The name by which the first system's document knows it.
test_connection = verify_connection_profile
test_connection.__test__ = False  # type: ignore[attr-defined]  # pytest would collect it by its name


@raising
def get_connection_status(connection_id: str, config_directory: Place = HERE) -> dict[str, Any]:
    """How a connection fares, by when it was last reached: excellent, good, fair, poor or unknown."""
    workspace = at(config_directory)
    try:
        profile = workspace.store.connections.find(connection_id).item
    except SiegeError as error:
        notice(error)
        missing = isinstance(error, NotFoundError | InvalidError)
        return {"status": "not_found" if missing else "unreadable", "error": _said(error)}
    said = used(profile, workspace.facts.use(connection_id)).metadata
    return {
        "connection_id": profile.connection_id,
        "name": profile.name,
        "type": profile.connection_type,
        "status": said.status,
        "health": said.health,
        "last_connected": written(said.last_connected),
        "connection_count": said.connection_count,
        "auto_connect": said.auto_connect,
        "created_date": written(said.created_date),
        "last_used": written(said.last_used),
    }


@overload
def cleanup_old_connections(
    days_old: int = 90, config_directory: Place = HERE, *, dry_run: Literal[False] = False
) -> int: ...
@overload
def cleanup_old_connections(days_old: int, config_directory: Place, *, dry_run: Literal[True]) -> list[str]: ...
@overload
def cleanup_old_connections(days_old: int = 90, *, dry_run: Literal[True]) -> list[str]: ...
@raising
def cleanup_old_connections(
    days_old: int = 90, config_directory: Place = HERE, *, dry_run: bool = False
) -> int | list[str]:
    """Remove connections never reached and neither made nor used for so many days; how many. A dry run lists their ids.

    Nothing is removed by a clock that cannot be right; last_error() says so.
    """
    if days_old < 0:
        raise InvalidError("The age", [Issue("days_old", f"should not be negative, not {days_old}")])
    workspace = at(config_directory)
    every = list(usages(workspace))
    if wrong := _wrong_clock(workspace, every):
        notice(SiegeError(f"Nothing was removed. {wrong}", hint="Set the clock, or remove them one by one."))
        return [] if dry_run else 0
    before = now() - timedelta(days=days_old)
    old = [use.row.key for use in every if use.count == 0 and _all_before(before, use.created, use.used)]
    return old if dry_run else sum(_removed(workspace, ident) for ident in old)


def _removed(workspace: Workspace, ident: str) -> bool:
    try:
        workspace.remove(ident)
    except (AccessError, NotFoundError) as error:  # locked, or somebody else was faster
        notice(error)
        return False
    return True


def _all_before(limit: datetime, *moments: datetime | None) -> bool:
    return all(at is not None and at < limit for at in moments)


def _wrong_clock(workspace: Workspace, every: list[Usage]) -> str:
    """Why the clock cannot be right, or nothing."""
    said = latest(*(at for use in every for at in (use.created, use.used, use.connected)))
    if said and now() < said:
        return f"The clock says {now():%Y-%m-%d %H:%M} UTC, and a connection is from {said:%Y-%m-%d %H:%M}."
    # When the store was last changed counts too: profiles may be old, and the clock right.
    found = (workspace.directory.identity(name) for name in (GENERATION, "connections"))
    newest = latest(said, *(datetime.fromtimestamp(seen.modified / 1e9, UTC) for seen in found if seen))
    if newest and now() - newest > YEAR:
        return f"The clock says {now():%Y-%m-%d} UTC, more than a year after anything here ({newest:%Y-%m-%d})."
    return ""


def _told(tested: TestResult) -> dict[str, Any]:
    """The outcome of a test as the first system's dict, and what we know besides."""
    error = tested.error
    result: dict[str, Any] = {
        "success": tested.ok,
        "error": _said(error) if error else None,
        "response_time_ms": tested.response_time_ms,
        "problem": tested.problem,
        "steps": [asdict(step) for step in tested.steps],
    }
    if "spark_version" in tested.server:
        result["spark_version"] = tested.server["spark_version"]
    return result


def _said(error: SiegeError, kind: str | None = None) -> str:
    if isinstance(error, NotFoundError):
        return _LOST
    if isinstance(error, UnknownKindError) and kind:
        return f"Connection testing not implemented for {kind}"
    return error.message
