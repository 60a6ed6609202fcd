"""Each model's JSON on disk: which file, which keys, in which order."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import ConfigDict

from siege_nb import adapters
from siege_nb.adapters.base import Params
from siege_nb.declare import Part, secrets_of, structure, unstructure
from siege_nb.errors import InvalidError, Issue, SealedError, UnknownKindError
from siege_nb.models.client import ClientProfile
from siege_nb.models.connection import ConnectionProfile
from siege_nb.models.stamps import safe_code

logger = logging.getLogger(__name__)

T = TypeVar("T", bound=Part)


class UnknownParams(Params):
    """The parameters of a kind that is not installed: kept as they are, so that the profile lists and survives."""

    model_config = ConfigDict(extra="allow")

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        # Which of them are secrets only the missing kind knows.
        return [(key, ...) for key in self.__pydantic_extra__ or {}]


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

    def from_document(self, data: Mapping[str, Any], key: str) -> T:
        """The item that a document describes; InvalidError says what is wrong, or that it is another's."""
        said = data.get(self.key_field, key)
        if said != key:
            issue = Issue(self.key_field, f"should be {key!r}, as in the name of the file, not {said!r}"[:200])
            raise InvalidError(f"The {self.noun}", [issue])
        return self.read({**data, self.key_field: key})


def _client(data: dict[str, Any]) -> ClientProfile:
    return structure(ClientProfile, data, what="The client", at_rest=True)


def _connection(data: dict[str, Any]) -> ConnectionProfile:
    issues: list[Issue] = []
    given, kind = data.get("connection_params"), data.get("connection_type")
    params: Part = UnknownParams()
    if not isinstance(given, dict):
        issues.append(Issue("connection_params", "should be a mapping" if given is not None else "is required"))
    elif isinstance(kind, str):
        try:
            params = structure(_params_type(kind), given, at_rest=True)
        except InvalidError as error:
            issues += [Issue(f"connection_params.{i.path}".rstrip("."), i.message) for i in error.issues]
    try:
        found = structure(ConnectionProfile, data | {"connection_params": params}, at_rest=True)
    except InvalidError as error:
        issues = [*error.issues, *issues]
    if issues:
        raise InvalidError("The connection", issues)
    return found


def _params_type(kind: str) -> type[Params]:
    try:
        return adapters.load(kind).params_type
    except UnknownKindError:
        return UnknownParams
    except Exception as error:  # a stranger's plug-in may break in any way; its profiles must still be listed
        logger.warning("the kind %r cannot be loaded (%r); its parameters are kept as they are", kind, error)
        return UnknownParams


def _client_document(item: ClientProfile, current: ClientProfile | None) -> dict[str, Any]:
    document: dict[str, Any] = unstructure(item)
    return document


def _connection_document(item: ConnectionProfile, current: ConnectionProfile | None) -> dict[str, Any]:
    """The seed's document: what is not set has no key, and `security` says what is true of the secrets."""
    if isinstance(item.connection_params, UnknownParams):
        there = current.connection_params if current else UnknownParams()
        if item.connection_params != there:
            raise SealedError(
                f"No kind {item.connection_type!r} is installed here, so nobody can tell which of its parameters are "
                "secrets; they cannot be written.",
                hint="Install the kind first; what is in the file already stays as it is.",
            )
    else:
        # Nothing open can be written, so a profile with a secret is one whose secrets are safe.
        safe = any(True for _ in secrets_of(item.connection_params))
        said = {"encrypted": safe, "encryption_method": "aes-256-gcm" if safe else "", "credentials_stored": safe}
        item = item.model_copy(update={"security": item.security.model_copy(update=said)})
    document: dict[str, Any] = unstructure(item)
    if document["client_code"] is None:
        del document["client_code"]
    return document


CLIENTS = Shape(
    noun="client",
    prefix="client_",
    key_field="client_code",
    name_field="client_name",
    read=_client,
    write=_client_document,
    movable=True,
)

CONNECTIONS = Shape(
    noun="connection",
    prefix="connections/connection_",
    key_field="connection_id",
    name_field="name",
    read=_connection,
    write=_connection_document,
    unique_names=True,
)
