"""What is added to a profile when it is loaded, and what speaks against changing it."""

from __future__ import annotations

from collections.abc import Collection

from siege_nb.declare import Reference, endpoints_of, secrets_of
from siege_nb.errors import AccessError, InvalidError, Issue
from siege_nb.facts import Use
from siege_nb.models.access import may
from siege_nb.models.connection import ConnectionProfile


def used(profile: ConnectionProfile, use: Use) -> ConnectionProfile:
    """The profile with its counters: what its file says, and what has happened since."""
    said = profile.metadata
    known = {
        "last_used": max(said.last_used, use.used or said.last_used),
        "last_connected": max(filter(None, (said.last_connected, use.connected)), default=None),
        "connection_count": said.connection_count + use.count,
    }
    return profile.model_copy(update={"metadata": said.model_copy(update=known)})


def refuse_edit(current: ConnectionProfile, wanted: ConnectionProfile, entered: Collection[str] = ()) -> None:
    """Raise what speaks against replacing a stored profile by the wanted one; `entered` are secrets named anew."""
    what = f"Connection {current.name!r}"
    if not may("owner", "edit", current.visibility) and wanted.visibility == current.visibility:
        raise locked(current)
    if wanted.connection_type != current.connection_type:
        issue = f"cannot change from {current.connection_type!r} to {wanted.connection_type!r}; make a new connection"
        raise InvalidError(what, [Issue("connection_type", issue)])
    there, stored = dict(endpoints_of(current.connection_params)), dict(secrets_of(current.connection_params))
    moved = [path for path, value in endpoints_of(wanted.connection_params) if there.get(path) != value]
    carried = [
        path
        for path, secret in secrets_of(wanted.connection_params)
        if isinstance(secret, Reference)
        and path not in entered
        and (secret.source == "encrypted" or (secret.source != "missing" and secret == stored.get(path)))
    ]
    if moved and carried:
        say = f"must be entered again: it was meant for another {' and '.join(moved)}"
        raise InvalidError(what, [Issue(path, say) for path in carried])


def locked(profile: ConnectionProfile) -> AccessError:
    """That a connection is locked, and how to unlock it."""
    return AccessError(f"The connection {profile.name!r} is locked.", hint=f"%conn unlock {profile.name} first.")
