"""What is added to a profile when it is loaded, and what speaks against changing it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from siege_nb.declare import Part, Reference, endpoints_of, secrets_of
from siege_nb.errors import AccessError, InvalidError, Issue
from siege_nb.facts import Use
from siege_nb.models.access import may
from siege_nb.models.connection import ConnectionProfile
from siege_nb.store.unknown import UnknownParams


def used(profile: ConnectionProfile, use: Use) -> ConnectionProfile:
    """The profile with its counters: what its file says, and what has happened since."""
    said = profile.metadata
    known = {
        "last_used": max(said.last_used, use.used or said.last_used),
        "last_connected": max(filter(None, (said.last_connected, use.connected)), default=None),
        "connection_count": said.connection_count + use.count,
    }
    return profile.model_copy(update={"metadata": said.model_copy(update=known)})


def refuse_edit(current: ConnectionProfile | None, wanted: ConnectionProfile, entered: Collection[str] = ()) -> None:
    """Raise what speaks against putting a profile in the place of a stored one; `entered` are secrets named anew."""
    what = f"Connection {wanted.name!r}"
    if current is not None:
        if not may("owner", "edit", current.visibility) and wanted != current:
            raise locked(current)
        if wanted.connection_type != current.connection_type:
            old, new = current.connection_type, wanted.connection_type
            say = f"cannot change from {old!r} to {new!r}; make a new connection"
            raise InvalidError(what, [Issue("connection_type", say)])
        if wanted.connection_params == current.connection_params:
            return
    sealed = {path: s for path, s in secrets_of(wanted.connection_params) if isinstance(s, Reference)}
    if current is None:
        if gone := [path for path, secret in sealed.items() if secret.source == "encrypted"]:
            say = "must be entered again: the connection that it was sealed for is not there"
            raise InvalidError(what, [Issue(path, say) for path in gone])
        return
    stored = dict(secrets_of(current.connection_params))
    carried = [
        path
        for path, secret in sealed.items()
        if path not in entered
        and (secret.source == "encrypted" or (secret.source != "missing" and secret == stored.get(path)))
    ]
    there, now = dict(_places(current.connection_params)), dict(_places(wanted.connection_params))
    refuse_carried(what, moved(there, now), carried)


def moved(there: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The places, of all that say where secrets go, that are not what they were."""
    return sorted(path for path in there.keys() | now.keys() if there.get(path) != now.get(path))


def refuse_carried(what: str, places: Sequence[str], carried: Iterable[str]) -> None:
    """Raise for secrets that would be carried where they were not meant for: to these places."""
    say = f"must be entered again: it was meant for another {' and '.join(places)}"
    if issues := [Issue(path, say) for path in carried if places]:
        raise InvalidError(what, issues)


def refuse_removal(current: ConnectionProfile | None) -> None:
    """Raise if a connection must not be removed."""
    if current is not None and not may("owner", "remove", current.visibility):
        raise locked(current)


def _places(params: Part) -> Iterator[tuple[str, Any]]:
    """Where the secrets of a connection go; of a kind that is not installed, any text may say that."""
    return params.texts() if isinstance(params, UnknownParams) else endpoints_of(params)


def locked(profile: ConnectionProfile) -> AccessError:
    """That a connection is locked, and how to unlock it."""
    return AccessError(f"The connection {profile.name!r} is locked.", hint=f"%conn unlock {profile.qualified} first.")
