"""A connection as a dict in a user's hand, and as the profile it means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from siege_nb.adapters.base import Params
from siege_nb.declare import secrets_of, structure
from siege_nb.errors import InvalidError, Issue
from siege_nb.facts import Use
from siege_nb.models.connection import ConnectionProfile, checked_name
from siege_nb.models.stamps import safe_code
from siege_nb.profiles.documents import document, key, place, typed
from siege_nb.profiles.sections import said_in, section_of
from siege_nb.store import UnknownParams
from siege_nb.store.edits import used
from siege_nb.store.shapes import CONNECTIONS, params_type


def shown(profile: ConnectionProfile) -> dict[str, Any]:
    """A connection as its file has it; no secret in it is open."""
    return document(CONNECTIONS, closed(profile))


def drafted(given: Mapping[str, Any], stored: ConnectionProfile | None) -> ConnectionProfile:
    """The profile that a dict means; what it says of a secret is typed, unless it is what is stored."""
    what = f"Connection {given.get('name')!r}"
    ident_of(given, what)
    params, kind = given.get("connection_params"), key(given, "connection_type", what)
    if not isinstance(params, Mapping) or not params:
        raise InvalidError("Connection parameters cannot be empty")
    kept = closed(stored).connection_params if stored else None
    found = profile = None
    issues: list[Issue] = []
    try:
        model = params_type(kind)
        found = typed(model, said_in(section_of(given, kind), model) | dict(params), kept, what)
    except InvalidError as error:
        issues = [Issue(f"connection_params.{issue.path}", issue.message) for issue in error.issues]
    try:
        profile = structure(ConnectionProfile, {**given, "connection_params": found or Params()}, at_rest=True)
        if stored is None or profile.name != stored.name:
            checked_name(profile.name)
    except InvalidError as error:
        issues = [*error.issues, *issues]
    if issues or profile is None:
        raise InvalidError(what, issues)
    return profile


def ident_of(given: Mapping[str, Any], what: str) -> str:
    """The id in a dict, if it may be one: it is part of a file's name."""
    try:
        return safe_code(key(given, "connection_id", what))
    except InvalidError:
        raise
    except ValueError as error:
        problem = str(error)
    raise InvalidError(what, [Issue("connection_id", problem)])


def closed(profile: ConnectionProfile) -> ConnectionProfile:
    """The profile with secrets where there may be some: a kind that is not installed cannot tell which they are."""
    params = profile.connection_params
    if not isinstance(params, UnknownParams):
        return profile
    return profile.model_copy(update={"connection_params": structure(UnknownParams, dict(params))})


def uncounted(profile: ConnectionProfile, stored: ConnectionProfile, use: Use) -> ConnectionProfile:
    """The profile with what its file says of its use: what happened since is not to count twice."""
    if use == Use():
        return profile
    merged, said, now = used(stored, use).metadata, stored.metadata, profile.metadata
    known: dict[str, Any] = {}
    if now.last_used <= merged.last_used:
        known["last_used"] = said.last_used
    if now.last_connected is None or (merged.last_connected and now.last_connected <= merged.last_connected):
        known["last_connected"] = said.last_connected
    known["connection_count"] = said.connection_count + max(0, now.connection_count - merged.connection_count)
    return profile.model_copy(update={"metadata": now.model_copy(update=known)})


def with_open_secrets(profile: ConnectionProfile) -> dict[str, Any]:
    """The dict of an opened profile, in which secrets are Secret objects."""
    result = document(CONNECTIONS, profile)
    for path, secret in secrets_of(profile):
        place(result, path, secret)
    return result
