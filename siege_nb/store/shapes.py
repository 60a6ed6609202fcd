"""Each model's JSON on disk: which file, which keys, in which order."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from siege_nb import adapters
from siege_nb.adapters.base import Params
from siege_nb.declare import Part, secrets_of, structure, suspect, unstructure
from siege_nb.errors import InvalidError, Issue, SealedError, UnknownKindError
from siege_nb.models.client import ClientProfile
from siege_nb.models.connection import ConnectionProfile
from siege_nb.models.database import DatabaseProfile
from siege_nb.models.project import ProjectProfile
from siege_nb.models.stamps import safe_code
from siege_nb.store.rows import value
from siege_nb.store.unknown import UnknownParams

logger = logging.getLogger(__name__)

T = TypeVar("T", bound=Part)


@dataclass(frozen=True)
class Shape(Generic[T]):
    """How the items of one model lie in a directory."""

    noun: str
    #: Files are named prefix + key + .json.
    prefix: str
    key_field: str
    name_field: str
    read: Callable[[dict[str, Any]], T]
    #: The document of an item that takes the place of another, or of none.
    write: Callable[[T, T | None], dict[str, Any]]
    #: What a list shows of a document besides its key and name; never a secret, for the index keeps it.
    summary: Callable[[Mapping[str, Any]], dict[str, Any]]
    #: The fields that a search looks at when none are named; the index keeps their values.
    searched: tuple[str, ...]
    #: The fields of which the first that is not empty says where the name is unique.
    scoped_by: tuple[str, ...] = ()
    #: The name of an item that has none, where it may have none.
    unnamed: str | None = None
    #: Names are handles that users type; they must not be ambiguous.
    unique_names: bool = False
    #: The key may change, and the file with it; elsewhere secrets are bound to it.
    movable: bool = False

    suffix = ".json"

    def file(self, key: str) -> str:
        """The name of the file of a key; InvalidError when no key looks like that."""
        problem = ""
        try:
            return f"{self.prefix}{safe_code(key)}{self.suffix}"
        except (ValueError, TypeError) as error:
            problem = str(error)
        raise InvalidError(f"The {self.noun}", [Issue(self.key_field, f"{problem}, not {key!r}"[:200])])

    def key_in(self, file: str) -> str:
        """The key in the name of a file."""
        return file[len(self.prefix) : -len(self.suffix)]

    def key(self, item: T) -> str:
        """The key of an item."""
        return str(getattr(item, self.key_field))

    def name(self, item: T) -> str:
        """What people call an item."""
        return str(getattr(item, self.name_field))

    def scope(self, item: T) -> str:
        """Where its name is unique."""
        return next((str(found) for field in self.scoped_by if (found := getattr(item, field))), "")

    def qualified(self, item: T) -> str:
        """The name by which an item is found from everywhere."""
        return qualified(self.scope(item), self.name(item))

    def scope_in(self, data: Mapping[str, Any]) -> str:
        """Where the name in a document is unique."""
        return next((str(found) for field in self.scoped_by if (found := data.get(field))), "")

    def is_key(self, key: str) -> bool:
        """A file may be named so."""
        try:
            safe_code(key)
        except ValueError:
            return False
        return True

    def from_document(self, data: Mapping[str, Any], key: str) -> T:
        """The item that a document describes; InvalidError says what is wrong, or that it is another's."""
        said = data.get(self.key_field, key)
        if said != key:
            issue = Issue(self.key_field, f"should be {key!r}, as in the name of the file, not {said!r}"[:200])
            raise InvalidError(f"The {self.noun}", [issue])
        return self.read({**data, self.key_field: key})


def qualified(scope: str, name: str) -> str:
    """SCOPE/name, or the name alone where there is no scope."""
    return f"{scope}/{name}" if scope else name


def _read(model: type[T]) -> Callable[[dict[str, Any]], T]:
    return lambda data: structure(model, data, what=_called(model), at_rest=True)


def _called(model: type[Part]) -> str:
    return f"The {model.__name__.removesuffix('Profile').lower()}"


def _connection(data: dict[str, Any]) -> ConnectionProfile:
    issues: list[Issue] = []
    given, kind = data.get("connection_params"), data.get("connection_type")
    params: Part = UnknownParams()
    if not isinstance(given, dict):
        issues.append(Issue("connection_params", "should be a mapping" if given is not None else "is required"))
    elif isinstance(kind, str):
        try:
            params = structure(params_type(kind), given, at_rest=True)
        except InvalidError as error:
            issues += [Issue(f"connection_params.{i.path}".rstrip("."), i.message) for i in error.issues]
    try:
        found = structure(ConnectionProfile, data | {"connection_params": params}, at_rest=True)
    except InvalidError as error:
        issues = [*error.issues, *issues]
    if issues:
        raise InvalidError("The connection", issues)
    return found


def params_type(kind: str) -> type[Params]:
    """What a kind declares; of one that is not installed, whatever there is."""
    try:
        return adapters.load(kind).params_type
    except UnknownKindError:
        return UnknownParams
    except Exception as error:  # a stranger's plug-in may break in any way; its profiles must still be listed
        logger.warning("the kind %r cannot be loaded (%r); its parameters are kept as they are", kind, error)
        return UnknownParams


# Keys that the documented layout does not have: they stand in a file only where they say something.
_UNSAID = {
    "client_code": None, "workspace": "", "environment": None, "owner": "", "visibility": "private",
    "notebook_specific": None, "spark_specific": None, "database_specific": None, "default_connection": None,
}  # fmt: skip


def _document(item: Part) -> dict[str, Any]:
    document: dict[str, Any] = unstructure(item)
    return {key: value for key, value in document.items() if key not in _UNSAID or value != _UNSAID[key]}


def _plain_document(item: Part, current: Part | None) -> dict[str, Any]:
    suspect.refuse(item, current, _called(type(item)))
    return _document(item)


def _connection_document(item: ConnectionProfile, current: ConnectionProfile | None) -> dict[str, Any]:
    """The seed's document, in which `security` says what is true of the secrets."""
    params = item.connection_params
    if isinstance(params, UnknownParams):
        there = current.connection_params if current else None
        fresh = params.open_texts() - (there.open_texts() if isinstance(there, UnknownParams) else set())
        if fresh:
            raise SealedError(
                f"No kind {item.connection_type!r} is installed here, so nobody can tell whether "
                f"{', '.join(sorted(path for path, _ in fresh))} is a secret; it cannot be written as it is.",
                hint="Install the kind first; what is in the file already stays as it is.",
            )
    suspect.refuse(item, current, f"Connection {item.name!r}")
    # Nothing open can be written, so a profile with a secret is one whose secrets are safe.
    safe = any(True for _ in secrets_of(params))
    said = {"encrypted": safe, "encryption_method": "aes-256-gcm" if safe else "", "credentials_stored": safe}
    document = _document(item)
    return document | {"security": document["security"] | said}


def _at(**paths: str) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """A summary: the values of a document at these paths, None where it says nothing."""
    return lambda data: {name: value(data, path) for name, path in paths.items()}


def _client_summary(data: Mapping[str, Any]) -> dict[str, Any]:
    projects = data.get("project_associations")
    return {
        "status": value(data, "metadata.status", "active"),
        "industry": value(data, "metadata.industry", ""),
        "project_count": value(data, "metadata.project_count", 0),
        "projects": len(projects) if isinstance(projects, list) else 0,
    }


def _connection_summary(data: Mapping[str, Any]) -> dict[str, Any]:
    metadata = data.get("metadata")
    used: Mapping[str, Any] = metadata if isinstance(metadata, dict) else {}
    return {
        "connection_type": data.get("connection_type"),
        "status": used.get("status", "active"),
        "client_code": data.get("client_code"),
        "workspace": data.get("workspace", ""),
        "environment": data.get("environment"),
        "owner": data.get("owner", ""),
        "visibility": data.get("visibility", "private"),
        "tags": data.get("tags", []),
        "auto_connect": used.get("auto_connect", False),
        "last_used": used.get("last_used"),
        "last_connected": used.get("last_connected"),
        "connection_count": used.get("connection_count", 0),
        "created_date": used.get("created_date"),
    }


CLIENTS = Shape(
    noun="client",
    prefix="client_",
    key_field="client_code",
    name_field="client_name",
    read=_read(ClientProfile),
    write=_plain_document,
    summary=_client_summary,
    searched=(
        "client_name", "client_code", "metadata.industry", "contact_info.primary_contact", "contact_info.email",
    ),
    movable=True,
)

CONNECTIONS = Shape(
    noun="connection",
    prefix="connections/connection_",
    key_field="connection_id",
    name_field="name",
    read=_connection,
    write=_connection_document,
    summary=_connection_summary,
    searched=("name", "connection_type", "client_code", "workspace", "environment", "tags", "notes"),
    scoped_by=("workspace", "client_code"),
    unique_names=True,
)

PROJECTS = Shape(
    noun="project",
    prefix="project_",
    key_field="project_code",
    name_field="project_name",
    read=_read(ProjectProfile),
    write=_plain_document,
    summary=_at(description="description"),
    searched=("project_name", "project_code", "description"),
    unnamed="",
)

DATABASES = Shape(
    noun="database",
    prefix="database_",
    key_field="name",
    name_field="name",
    read=_read(DatabaseProfile),
    write=_plain_document,
    summary=_at(connection_type="connection_type", host="host", database="database"),
    searched=("name", "connection_type", "host", "database"),
)
