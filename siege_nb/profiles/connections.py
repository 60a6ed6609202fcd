"""Connections, as the first system's functions have them."""

from __future__ import annotations

import copy
import os
import uuid
from collections.abc import Mapping
from typing import Any

from siege_nb import adapters
from siege_nb.adapters.base import Params
from siege_nb.declare import structure
from siege_nb.errors import DamagedError, InvalidError, Issue, NotFoundError
from siege_nb.models.connection import ConnectionMetadata, ConnectionProfile
from siege_nb.profiles.documents import based_on, created, loaded, merged, saved, taken
from siege_nb.profiles.drafts import drafted, ident_of, shown, uncounted, with_open_secrets
from siege_nb.profiles.places import HERE, Place, at, path, rows, until_kept
from siege_nb.profiles.reasons import empty, false, nothing, raising
from siege_nb.profiles.sections import SECTIONS, both, said_in
from siege_nb.profiles.usage import Usage, usages, written
from siege_nb.store import Kept
from siege_nb.store.edits import used
from siege_nb.store.shapes import CONNECTIONS
from siege_nb.workspace import Workspace

#: Types of the first system, whether or not a kind for them is installed.
_TYPES = {*SECTIONS, "api"}
_TOP = ("client_code", "workspace", "environment", "owner", "visibility", "tags", "notes")


@raising
def create_connection_profile(
    name: str, connection_type: str, connection_params: Mapping[str, Any], **kwargs: Any
) -> dict[str, Any]:
    """A new connection with its parameters as given; nothing is saved. What no part of it declares is metadata.

    ValueError when there are no parameters.
    """
    if not connection_params:
        raise InvalidError("Connection parameters cannot be empty")
    if not isinstance(connection_params, Mapping):
        raise InvalidError(f"Connection {name!r}", [Issue("connection_params", "should be a mapping")])
    what = f"Connection {name!r}"
    section = SECTIONS.get(connection_type)
    given: dict[str, Any] = {field: kwargs.pop(field) for field in _TOP if field in kwargs}
    given |= {"name": name, "connection_type": connection_type, "connection_params": Params()}
    given["metadata"] = taken(ConnectionMetadata, kwargs)
    if section:
        given[f"{connection_type}_specific"] = said_in(connection_params, section) | taken(section, kwargs)
    given["metadata"] |= kwargs
    profile = created(CONNECTIONS, structure(ConnectionProfile, given, what=what), what)
    return profile | {"connection_params": copy.deepcopy(dict(connection_params))}


@raising
def save_connection_profile(profile: Mapping[str, Any], config_directory: Place = HERE) -> str:
    """Seal the secrets of a connection, write it, and give the path of its file; ConflictError as for a client."""
    workspace = at(config_directory)
    ident = ident_of(profile, f"Connection {profile.get('name')!r}")
    stored = _stored(workspace, ident)
    wanted = drafted(profile, stored)
    wanted = uncounted(wanted, stored, workspace.facts.use(ident)) if stored else wanted
    connections = workspace.store.connections
    made, now = workspace.save(wanted, expected=based_on(profile, connections, ident)), connections.find(ident)
    if now.item == made:  # else somebody has come between
        saved(profile, now.version)
    return path(config_directory, CONNECTIONS.file(ident))


@nothing
def load_connection_profile(connection_id: str, config_directory: Place = HERE) -> dict[str, Any] | None:
    """A connection, or None; a secret in it is its reference, and a damaged file is warned of."""
    workspace = at(config_directory)
    return _loaded(workspace, workspace.store.connections.find(connection_id))


@nothing
def find_connection_by_name(name: str, config_directory: Place = HERE) -> dict[str, Any] | None:
    """The connection of this name, however it is cased, or SCOPE/name; None also when several have it."""
    workspace = at(config_directory)
    return _loaded(workspace, workspace.store.connections.find_named(name))


@empty
def list_connection_profiles(
    connection_type: str | os.PathLike[str] | None = None, config_directory: Place | None = None
) -> list[dict[str, Any]]:
    """The connections by name, all or of one type: connection_id, name, type, status, last_used, connection_count.

    A single argument that is a directory and no type is the directory: list_connection_profiles("config").
    """
    if connection_type is not None and config_directory is None and _is_place(connection_type):
        connection_type, config_directory = None, connection_type
    wanted = None if connection_type is None else str(connection_type).casefold()
    where = HERE if config_directory is None else config_directory
    listed = (_listed(use, where) for use in usages(at(where)))
    return [row for row in listed if wanted in (None, str(row["type"]).casefold())]


@false
def update_connection_profile(connection_id: str, updates: Mapping[str, Any], config_directory: Place = HERE) -> bool:
    """Change the named fields; a change that somebody else makes meanwhile is kept too."""
    _update(at(config_directory), connection_id, updates)
    return True


@false
def delete_connection_profile(connection_id: str, config_directory: Place = HERE) -> bool:
    """Remove a connection and its secrets; False while it is locked."""
    workspace = at(config_directory)
    workspace.remove(workspace.store.connections.find(connection_id).item)
    return True


@false
def rename_connection_profile(connection_id: str, new_name: str, config_directory: Place = HERE) -> bool:
    """Give a connection another name; False when that is taken."""
    _update(at(config_directory), connection_id, {"name": new_name})
    return True


@nothing
def clone_connection_profile(
    connection_id: str, new_name: str, config_directory: Place = HERE
) -> dict[str, Any] | None:
    """Save a connection like another one, with its secrets sealed anew; its history stays with the first."""
    workspace = at(config_directory)
    like = workspace.opened(workspace.store.connections.find(connection_id).item, act="clone", sealed_only=True)
    said = like.metadata.model_dump(exclude={"created_date", "last_used", "last_connected", "connection_count"})
    new = {"connection_id": str(uuid.uuid4()), "name": new_name, "metadata": ConnectionMetadata(**said)}
    return shown(workspace.save(like.model_copy(update=new), expected=""))


@raising
def open_profile(profile: Mapping[str, Any], config_directory: Place = HERE) -> dict[str, Any]:
    """A copy of a connection's dict with Secret objects for its secrets. Saving, testing and %%sql need none of it."""
    workspace = at(config_directory)
    ident = ident_of(profile, f"Connection {profile.get('name')!r}")
    return with_open_secrets(workspace.opened(drafted(profile, _stored(workspace, ident))))


def _update(workspace: Workspace, ident: str, updates: Mapping[str, Any]) -> None:
    def work(stored: ConnectionProfile, version: str) -> None:
        wanted = drafted(merged(shown(stored), both(merged({}, updates), stored.connection_type), tag="type"), stored)
        if wanted.connection_id != ident:
            bound = Issue("connection_id", "cannot change: its secrets are bound to it")
            raise InvalidError(f"Connection {stored.name!r}", [bound])
        workspace.save(wanted, expected=version)

    until_kept(workspace.store.connections, ident, work)


def _listed(use: Usage, where: Place) -> dict[str, Any]:
    said = use.row.summary
    return {
        "connection_id": use.row.key,
        "name": use.row.name,
        "type": said.get("connection_type"),
        "status": said.get("status") or "active",
        "last_used": written(use.used),
        "connection_count": use.count,
        "config_file": path(where, use.row.file),
    }


def _loaded(workspace: Workspace, kept: Kept[ConnectionProfile]) -> dict[str, Any]:
    profile = used(kept.item, workspace.facts.use(kept.item.connection_id))
    return loaded(shown(profile), kept.version)


def _stored(workspace: Workspace, ident: str) -> ConnectionProfile | None:
    try:
        return workspace.store.connections.find(ident).item
    except (NotFoundError, DamagedError):  # a damaged one is copied aside by who writes over it
        return None


def _is_place(word: str | os.PathLike[str]) -> bool:
    if not isinstance(word, str) or os.sep in word or (os.altsep and os.altsep in word):
        return True
    if word.casefold() in _TYPES or word.casefold() in adapters.kinds() or not os.path.isdir(word):
        return False
    in_use = {str(row.summary.get("connection_type")).casefold() for row in rows(at(HERE).store.connections)}
    return word.casefold() not in in_use
