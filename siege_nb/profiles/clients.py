"""Clients, as the first system's functions have them."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from siege_nb.declare import structure, suspect
from siege_nb.errors import InvalidError, Issue
from siege_nb.models.client import ClientMetadata, ClientProfile, ClientTastes, DesignArtifacts
from siege_nb.models.stamps import now
from siege_nb.profiles.documents import based_on, created, document, key, loaded, merged, saved, taken
from siege_nb.profiles.places import HERE, Place, at, path, rows
from siege_nb.profiles.reasons import empty, false, nothing, raising
from siege_nb.store.shapes import CLIENTS

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_REQUIRED = ("primary_contact", "email")


@raising
def create_client_profile(
    client_name: str, client_code: str, contact_info: Mapping[str, Any], **kwargs: Any
) -> dict[str, Any]:
    """A new client; nothing is saved. Keyword arguments that no part of it declares are kept in its metadata.

    ValueError when the contact lacks primary_contact or email, or the code cannot be one.
    """
    if not isinstance(contact_info, Mapping):
        raise InvalidError("The contact", [Issue("contact_info", f"should be a mapping, not {contact_info!r}"[:200])])
    if missing := [field for field in _REQUIRED if field not in contact_info]:
        raise InvalidError(f"Missing required contact fields: {missing}")
    what = f"Client {client_code!r}"
    given = {
        "client_name": client_name,
        "client_code": client_code,
        "contact_info": dict(contact_info),
        "design_artifacts": taken(DesignArtifacts, kwargs),
        "preferences": taken(ClientTastes, kwargs),
        "default_connection": kwargs.pop("default_connection", None),
        "metadata": kwargs,
    }
    return created(CLIENTS, structure(ClientProfile, given, what=what), what)


@raising
def save_client_profile(profile: Mapping[str, Any], config_directory: Place = HERE) -> str:
    """Write a client and give the path of its file; ConflictError when it was changed since this dict was loaded."""
    client = _stamped(_client(profile))
    clients = at(config_directory).store.clients
    saved(profile, clients.put(client, expected=based_on(profile, clients, client.client_code)).version)
    return path(config_directory, CLIENTS.file(client.client_code))


@nothing
def load_client_profile(client_code: str, config_directory: Place = HERE) -> dict[str, Any] | None:
    """A client, or None; a damaged file is warned of."""
    kept = at(config_directory).store.clients.find(client_code)
    return loaded(document(CLIENTS, kept.item), kept.version)


@false
def update_client_profile(client_code: str, updates: Mapping[str, Any], config_directory: Place = HERE) -> bool:
    """Change the named fields in one step that nobody can come between; another client_code moves the client."""
    workspace = at(config_directory)
    code = merged({}, updates).get("client_code", client_code)

    def work(client: ClientProfile) -> ClientProfile:
        return _stamped(_client(merged(document(CLIENTS, client), updates)))

    if code != client_code:
        work(workspace.store.clients.find(client_code).item)  # what is wrong with it is told before anything moves
        workspace.rename_client(client_code, code)
    workspace.store.clients.update(code, work)
    return True


@empty
def list_client_profiles(config_directory: Place = HERE) -> list[dict[str, Any]]:
    """All clients by their codes: code, name, status, industry, project_count, config_file."""
    return [
        {
            "code": row.key,
            "name": row.name,
            "status": row.summary.get("status") or "active",
            "industry": row.summary.get("industry") or "",
            "project_count": row.summary.get("project_count") or 0,
            "config_file": path(config_directory, row.file),
        }
        for row in sorted(rows(at(config_directory).store.clients), key=lambda row: row.key)
    ]


@empty
def search_client_profiles(
    search_term: str, search_fields: Sequence[str] | None = None, config_directory: Place = HERE
) -> list[dict[str, Any]]:
    """The clients in which a text occurs, however it is cased: in these fields, or in those one would look at."""
    clients = at(config_directory).store.clients
    rows(clients)  # tells of what cannot be searched
    fields = (search_fields,) if isinstance(search_fields, str) else tuple(search_fields or ())
    return [document(CLIENTS, kept.item) for kept in clients.search(str(search_term), fields)]


@raising
def validate_client_profile(profile: Mapping[str, Any]) -> dict[str, Any]:
    """Whether a profile could be saved as it is, and what about it is unusual: is_valid, issues, warnings."""
    if not isinstance(profile, Mapping):
        return {"is_valid": False, "issues": ["The profile should be a mapping"], "warnings": []}
    issues, contact = [], profile.get("contact_info")
    try:
        structure(ClientProfile, profile, at_rest=True)
    except InvalidError as error:
        issues = [str(issue) for issue in error.issues]
    contact = contact if isinstance(contact, Mapping) else {}
    email, person = contact.get("email"), contact.get("primary_contact")
    if isinstance(email, str) and not _EMAIL.fullmatch(email):
        issues.append(f"contact_info.email: is no address, {email!r}")
    if isinstance(person, str) and not person.strip():
        issues.append("contact_info.primary_contact: is empty")
    artifacts = profile.get("design_artifacts")
    warnings = [] if profile.get("project_associations") else ["No projects associated with client"]
    if not (isinstance(artifacts, Mapping) and artifacts.get("logo_path")):
        warnings.append("No logo path specified")
    warnings += [f"{path} looks like a secret; it will not be saved readable" for path, *_ in suspect.suspects(profile)]
    return {"is_valid": not issues, "issues": issues, "warnings": warnings}


@false
def associate_client_with_project(client_code: str, project_code: str, config_directory: Place = HERE) -> bool:
    """Link a client to a project that there is; from then on project_count is the number of them."""
    at(config_directory).associate(client_code, project_code)
    return True


@false
def disassociate_client_from_project(client_code: str, project_code: str, config_directory: Place = HERE) -> bool:
    """Undo what associate_client_with_project did."""
    at(config_directory).dissociate(client_code, project_code)
    return True


@empty
def get_client_project_associations(client_code: str, config_directory: Place = HERE) -> list[str]:
    """The codes of a client's projects."""
    return list(at(config_directory).store.clients.find(client_code).item.project_associations)


@false
def delete_client_profile(client_code: str, config_directory: Place = HERE) -> bool:
    """Remove a client; False while connections or projects belong to it, and last_error() says which."""
    at(config_directory).remove_client(client_code)
    return True


@false
def rename_client_profile(client_code: str, new_code: str, config_directory: Place = HERE) -> bool:
    """Give a client another code; its connections follow it in the same step."""
    at(config_directory).rename_client(client_code, new_code)
    return True


@nothing
def clone_client_profile(
    client_code: str, new_code: str, config_directory: Place = HERE, *, client_name: str | None = None
) -> dict[str, Any] | None:
    """Save a client like another one, without its projects and connections."""
    clients = at(config_directory).store.clients
    like = document(CLIENTS, clients.find(client_code).item)
    metadata = {k: v for k, v in like["metadata"].items() if k not in ("created_date", "last_updated", "project_count")}
    own = {"client_id": str(uuid.uuid4()), "client_code": new_code, "client_name": client_name or like["client_name"]}
    like |= own | {"metadata": metadata, "project_associations": [], "default_connection": None}
    return document(CLIENTS, clients.put(_client(like), expected="").item)


def _client(given: Mapping[str, Any]) -> ClientProfile:
    what = f"Client {given.get('client_code')!r}"
    key(given, "client_code", what)
    return structure(ClientProfile, given, what=what, at_rest=True)


def _stamped(client: ClientProfile) -> ClientProfile:
    metadata: ClientMetadata = client.metadata.model_copy(update={"last_updated": now()})
    return client.model_copy(update={"metadata": metadata})
