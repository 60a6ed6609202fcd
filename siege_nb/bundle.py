"""Profiles in one document without a secret in it: to be carried to another machine, or given to a colleague.

What was sealed becomes a secret that is missing, and is asked for again; what is referred to by name (env:, keyring:,
vault:) stays a name, for whoever has something under it.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from siege_nb.declare import Part, Reference, secrets_of, with_secrets
from siege_nb.errors import InvalidError, Issue, SiegeError
from siege_nb.models.client import ClientProfile
from siege_nb.models.connection import ConnectionProfile
from siege_nb.models.stamps import now
from siege_nb.state import private
from siege_nb.store import Collection, UnknownParams
from siege_nb.store.shapes import CLIENTS, CONNECTIONS, DATABASES, PROJECTS, Shape
from siege_nb.workspace import Workspace

FORMAT = "siege_nb bundle"
VERSION = 1
#: More is no bundle of profiles.
LARGEST = 64 << 20

#: Each part of a document and what its items are, in the order in which they refer to each other.
_PARTS: Mapping[str, Shape[Any]] = {
    "projects": PROJECTS, "clients": CLIENTS, "connections": CONNECTIONS, "databases": DATABASES,
}  # fmt: skip


@dataclass(frozen=True)
class Unpacked:
    """What came of a document: each item whole, or not at all."""

    added: tuple[str, ...] = ()
    #: What is there already and stays as it is.
    conflicts: tuple[str, ...] = ()
    #: What could not be read or saved, and why.
    refused: tuple[str, ...] = ()
    #: Secrets that must be entered again: NAME field.
    reenter: tuple[str, ...] = ()
    #: Secrets that are taken from where they are referred to: NAME field ← env:VARIABLE.
    references: tuple[str, ...] = ()
    #: What else one should know.
    notes: tuple[str, ...] = ()
    dry_run: bool = False

    @property
    def lines(self) -> list[str]:
        """What is to be said of it, a line each."""
        said = [f"{'would be added' if self.dry_run else 'added'}: {item}" for item in self.added]
        said += [f"is there already, and stays: {item}" for item in self.conflicts]
        said += [f"refused: {item}" for item in self.refused]
        said += [f"enter again: {item}" for item in self.reenter]
        said += [f"is taken from: {item}" for item in self.references]
        return said + list(self.notes) or ["There is nothing in it."]


def bundle(workspace: Workspace, client_code: str | None = None, names: Iterable[str] = ()) -> dict[str, Any]:
    """All profiles as one document; or a client's with its connections and projects; or some connections only."""
    store, chosen = workspace.store, list(names)
    found: dict[str, Sequence[Part]] = dict.fromkeys(_PARTS, ())
    damaged: list[str] = []
    if chosen:
        items = [store.connections.find_named(name, workspace.client).item for name in chosen]
        found["connections"] = list({item.connection_id: item for item in items}.values())
    elif client_code is not None:
        client = store.clients.find(client_code).item
        found["clients"] = [client]
        found["connections"] = [p for p in _items(store.connections) if p.client_code == client.client_code]
        found["projects"] = [p for p in _items(store.projects) if p.project_code in client.project_associations]
    else:
        found = {part: _items(getattr(store, part)) for part in _PARTS}
    if not chosen:
        collections: list[Collection[Any]] = [getattr(store, part) for part in _PARTS]
        damaged = [file.error.message for collection in collections for file in collection.damaged()]
    for profile in found["connections"]:
        assert isinstance(profile, ConnectionProfile)
        workspace.witness("export", profile)
    parts = {part: [_document(_PARTS[part], item) for item in items] for part, items in found.items()}
    document = {"format": FORMAT, "version": VERSION, "made": now().isoformat(), **parts}
    return document | ({"left_out": damaged} if damaged else {})


def unbundle(workspace: Workspace, document: Mapping[str, Any], *, dry_run: bool = False) -> Unpacked:
    """Add what a document holds to a workspace; what is there already stays as it is, and is named."""
    _refuse_strange(document)
    unpacking = _Unpacking(workspace, dry_run)
    found = {part: list(unpacking.read(part, document.get(part, []))) for part in _PARTS}
    unpacking.unpack(found)
    return unpacking.told()


def write(document: Mapping[str, Any], path: Path) -> None:
    """The document as a file of its owner's alone; one that is there is not written over."""
    data = json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"
    if not path.parent.is_dir():
        raise InvalidError(f"There is no folder {path.parent}.")
    problem = "is there already"
    try:
        if private.make(path, lambda: data):
            return
    except OSError as error:
        problem = f"cannot be written: {error.strerror}"
    raise InvalidError(f"{path} {problem}.", hint="Give another path, or remove what is there first.")


def read(path: Path) -> dict[str, Any]:
    """The document in a file."""
    problem = ""
    try:
        if path.stat().st_size > LARGEST:
            problem = f"has more than {LARGEST >> 20} MB"
        else:
            document = json.loads(path.read_bytes())
            if isinstance(document, dict):
                return document
            problem = "holds no mapping"
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
    except (ValueError, RecursionError):  # its message may quote the text
        problem = "is no JSON"
    raise InvalidError(f"{path} {problem}.", hint="%conn export PATH writes what can be read here.")


class _Unpacking:
    """One import under way: what is taken already, and what came of each item."""

    def __init__(self, workspace: Workspace, dry_run: bool) -> None:
        self.workspace, self.dry_run = workspace, dry_run
        store = workspace.store
        self._keys = {part: {row.key.casefold() for row in getattr(store, part).rows()} for part in _PARTS}
        self._names = {(row.scope.casefold(), row.name.casefold()) for row in store.connections.rows()}
        self._added: list[str] = []
        self._conflicts: list[str] = []
        self._refused: list[str] = []
        self._reenter: list[str] = []
        self._references: list[str] = []
        self._notes: list[str] = []

    def told(self) -> Unpacked:
        """What came of it."""
        lists = self._added, self._conflicts, self._refused, self._reenter, self._references, self._notes
        added, conflicts, refused, reenter, references, notes = map(tuple, lists)
        return Unpacked(added, conflicts, refused, reenter, references, notes, self.dry_run)

    def read(self, part: str, given: Any) -> Iterator[Part]:
        """The items of one part that are what they should be; the others are refused."""
        shape = _PARTS[part]
        if not isinstance(given, list):
            self._refused.append(f"{part}: should be a list")
            return
        for number, data in enumerate(given, start=1):
            key = data.get(shape.key_field) if isinstance(data, dict) else None
            what = f"{shape.noun} {key!r}"[:80] if isinstance(key, str) else f"{shape.noun} number {number}"
            try:
                if not isinstance(key, str):
                    raise InvalidError(what, [Issue(shape.key_field, "is required, as text")])
                shape.file(key)
                item = self._closed(shape, {k: v for k, v in data.items() if k != "_siege"}, key, what)
                yield _emptied(item, open_too=False)  # what somebody typed into the file is sealed when it is saved
            except SiegeError as error:
                self._refused.append(f"{what}: {error.message}")

    def _closed(self, shape: Shape[Any], data: dict[str, Any], key: str, what: str) -> Part:
        """The item of a document that somebody may have written by hand: a secret where none belongs is left out."""
        item: Part = shape.from_document(data, key)
        closed = _harmless(data, declared={path for path, _ in secrets_of(item)})
        if closed == data:
            return item
        self._notes.append(f"{what}: what stood open where no secret belongs was left out")
        again: Part = shape.from_document(closed, key)
        return again

    def unpack(self, found: Mapping[str, Sequence[Part]]) -> None:
        """Save what is not there yet."""
        moved = {p.connection_id: self._free_id(p) for p in found["connections"] if isinstance(p, ConnectionProfile)}
        for part, items in found.items():
            for item in items:
                if isinstance(item, ConnectionProfile):
                    self._connection(item.model_copy(update={"connection_id": moved[item.connection_id]}))
                elif isinstance(item, ClientProfile):
                    default = item.default_connection
                    self._keyed(part, item.model_copy(update={"default_connection": moved.get(default or "", default)}))
                else:
                    self._keyed(part, item)

    def _free_id(self, profile: ConnectionProfile) -> str:
        ident = profile.connection_id
        if ident.casefold() in self._keys["connections"]:
            ident = str(uuid.uuid4())
        self._keys["connections"].add(ident.casefold())
        return ident

    def _connection(self, profile: ConnectionProfile) -> None:
        name = profile.scope.casefold(), profile.name.casefold()
        label = f"connection {profile.qualified}"
        if name in self._names:
            self._conflicts.append(label)
        elif self._save(label, lambda: self.workspace.save(profile, expected="")):
            self._names.add(name)
            self._tell_secrets(profile.qualified, profile.connection_params)
            if profile.client_code and profile.client_code.casefold() not in self._keys["clients"]:
                self._notes.append(f"{profile.qualified} belongs to the client {profile.client_code}, who is not here")

    def _keyed(self, part: str, item: Part) -> None:
        shape, collection = _PARTS[part], getattr(self.workspace.store, part)
        key = shape.key(item)
        label = f"{shape.noun} {key}"
        if key.casefold() in self._keys[part]:
            self._conflicts.append(label)
            return
        sealed = self.workspace.vault.seal(item, kind=shape.noun, ident=key) if not self.dry_run else item
        if self._save(label, lambda: collection.put(sealed, expected="")):
            self._keys[part].add(key.casefold())
            self._tell_secrets(key, item)

    def _save(self, label: str, save: Any) -> bool:
        try:
            if not self.dry_run:
                save()
        except SiegeError as error:
            self._refused.append(f"{label}: {error.message}")
            return False
        self._added.append(label)
        return True

    def _tell_secrets(self, name: str, holder: Part) -> None:
        for path, secret in secrets_of(holder):
            if isinstance(secret, Reference) and secret.source == "missing":
                self._reenter.append(f"{name} {path}")
            elif isinstance(secret, Reference):
                self._references.append(f"{name} {path} ← {secret.written}")


def _items(collection: Collection[Any]) -> list[Any]:
    return [kept.item for kept in collection.list()]


def _document(shape: Shape[Any], item: Part) -> dict[str, Any]:
    """An item as its file has it, but for its secrets."""
    emptied = _emptied(item, open_too=True)
    document: dict[str, Any] = shape.write(emptied, emptied)
    if isinstance(item, ConnectionProfile) and isinstance(item.connection_params, UnknownParams):
        closed = {path for path, _ in item.connection_params.open_texts()}
        document["connection_params"] = _without(document["connection_params"], closed)
    document.pop("security", None)  # it speaks of secrets that are not in here
    told: dict[str, Any] = _harmless(document)
    return told


def _emptied(item: Part, *, open_too: bool) -> Part:
    """A copy in which a secret that is sealed is missing, for it opens nowhere else; or an open one too."""
    at = "connection_params." if isinstance(item, ConnectionProfile) else ""
    missing = {
        path: Reference(f"missing:{path.removeprefix(at)}")
        for path, secret in secrets_of(item)
        if (secret.source == "encrypted" if isinstance(secret, Reference) else open_too)
    }
    emptied: Part = with_secrets(item, missing)
    return emptied


def _without(value: Any, closed: set[str], path: str = "") -> Any:
    """A document of unknown parameters without the texts that may be secrets."""
    if isinstance(value, dict):
        return {key: _without(inner, closed, f"{path}.{key}" if path else key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without(inner, closed, path) for inner in value]
    return _missing(path) if path in closed and isinstance(value, str) else value


# Keys of the user's own are kept in profiles, and nobody has declared what they hold.
_SECRET_KEY = re.compile(
    r"(?i)(?:^|[_.-])(?:passw(?:or)?d|passphrase|pwd|secret|token|credentials?|connection_?string|(?:api|access|private)_?key)$"
)
_IN_URL = re.compile(r"(?<=://)([^\s/:@]*):[^\s@]+@")
_IN_QUERY = re.compile(r"(?i)([?&;]\w*(?:passw(?:or)?d|pwd|secret|token|key)=)[^&;\s]+")


def _harmless(value: Any, path: str = "", declared: Container[str] = ()) -> Any:
    """A document in which nothing is called a secret and no URL carries one, but for what is declared as a secret."""
    if isinstance(value, dict):
        return {key: _harmless(inner, f"{path}.{key}" if path else key, declared) for key, inner in value.items()}
    if isinstance(value, list):
        return [_harmless(inner, f"{path}.{number}", declared) for number, inner in enumerate(value)]
    if not isinstance(value, str) or not value or path.endswith("$secret") or path in declared:
        return value
    if _SECRET_KEY.search(path):
        return _missing(path)
    return _IN_QUERY.sub(r"\1", _IN_URL.sub(r"\1@", value))


def _missing(path: str) -> dict[str, str]:
    return {"$secret": f"missing:{path}"}


def _refuse_strange(document: Mapping[str, Any]) -> None:
    if document.get("format") != FORMAT:
        raise InvalidError("This is no bundle of siege_nb.", hint="%conn export PATH writes one.")
    if document.get("version") != VERSION:
        raise InvalidError("This bundle was written by another version of siege_nb, in a format not known here.")
    strange = sorted(str(key) for key in set(document) - {"format", "version", "made", "left_out", *_PARTS})
    if strange:
        raise InvalidError("The bundle", [Issue(key[:80], "there is no such part") for key in strange])
