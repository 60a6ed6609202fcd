"""Profiles as one document without a secret in it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from siege_nb.declare import Part, Reference, secrets_of, suspect, with_secrets
from siege_nb.declare.secret import REFERENCE_KEY
from siege_nb.errors import InvalidError
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

PARAMS = "connection_params."
#: Each part of a document and what its items are, in the order in which they refer to each other.
PARTS: Mapping[str, Shape[Any]] = {
    "projects": PROJECTS, "clients": CLIENTS, "connections": CONNECTIONS, "databases": DATABASES,
}  # fmt: skip

#: What is taken out of these is on record: they say where secrets are used.
WITNESSED = ("connections", "databases")


def bundle(workspace: Workspace, client_code: str | None = None, names: Iterable[str] = ()) -> dict[str, Any]:
    """All profiles as one document; or a client's with its connections and projects; or some connections only."""
    store, chosen = workspace.store, list(names)
    found: dict[str, Sequence[Part]] = dict.fromkeys(PARTS, ())
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
        found = {part: _items(getattr(store, part)) for part in PARTS}
    if not chosen:
        collections: list[Collection[Any]] = [getattr(store, part) for part in PARTS]
        damaged = [file.error.message for collection in collections for file in collection.damaged()]
    if files := [PARTS[part].file(PARTS[part].key(item)) for part in WITNESSED for item in found[part]]:
        workspace.directory.witness("export", *files)
    parts = {part: [_document(PARTS[part], item) for item in items] for part, items in found.items()}
    document = {"format": FORMAT, "version": VERSION, "made": now().isoformat(), **parts}
    left_out = damaged + [line for part, items in found.items() for line in _left_out(PARTS[part], items)]
    return document | ({"left_out": left_out} if left_out else {})


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


def _items(collection: Collection[Any]) -> list[Any]:
    return sorted((kept.item for kept in collection.list()), key=collection.shape.qualified)


def _document(shape: Shape[Any], item: Part) -> dict[str, Any]:
    """An item as its file has it, but for its secrets."""
    hollow = emptied(item, open_too=True)
    document: dict[str, Any] = shape.write(hollow, hollow)
    if isinstance(item, ConnectionProfile) and isinstance(item.connection_params, UnknownParams):
        closed = {path: None for path, _ in item.connection_params.open_texts()}
        document["connection_params"] = without(document["connection_params"], closed)
    document.pop("security", None)  # it speaks of secrets that are not in here
    told: dict[str, Any] = without(document, rests_of(hollow))
    return told


def emptied(item: Part, *, open_too: bool) -> Part:
    """A copy in which a secret that is sealed is missing, for it opens nowhere else; or an open one too."""
    at = PARAMS if isinstance(item, ConnectionProfile) else ""
    missing = {
        path: Reference(f"missing:{path.removeprefix(at)}")
        for path, secret in secrets_of(item)
        if (secret.source == "encrypted" if isinstance(secret, Reference) else open_too)
    }
    hollow: Part = with_secrets(item, missing)
    return hollow


def _left_out(shape: Shape[Any], items: Iterable[Part]) -> Iterator[str]:
    """What looks like a secret in items, and where; only what cannot be sealed is left out so."""
    for item in items:
        if paths := [found.path.removeprefix(PARAMS) for found in suspect.suspects(item)]:
            yield f"{shape.noun} {shape.qualified(item)}: {', '.join(paths)} (looks like a secret)"


def without(value: Any, rests: Mapping[str, str | None], path: str = "") -> Any:
    """A document in which at these paths only the rests are left; None stands for nothing, and is asked for again."""
    if isinstance(value, dict):
        return {key: without(inner, rests, f"{path}.{key}" if path else key) for key, inner in value.items()}
    if isinstance(value, list):
        return [without(inner, rests, f"{path}.{number}") for number, inner in enumerate(value)]
    # What is open in parameters of an unknown kind is known by a path without the places in lists.
    at = path if path in rests else suspect.bare(path)
    if at not in rests or value is None or isinstance(value, bool):
        return value
    rest = rests[at]
    return {REFERENCE_KEY: f"missing:{at}"} if rest is None else rest


def rests_of(item: Part) -> dict[str, str | None]:
    return {found.path: found.rest for found in suspect.suspects(item)}
