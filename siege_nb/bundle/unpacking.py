"""A document of profiles taken in: what is there stays, and nothing of ours is read for whoever made it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from siege_nb.bundle.packing import FORMAT, PARAMS, PARTS, VERSION, emptied, rests_of, without
from siege_nb.declare import Part, Reference, secrets_of, with_secrets
from siege_nb.declare.secret import REFERENCE_KEY
from siege_nb.errors import InvalidError, Issue, SiegeError
from siege_nb.models.client import ClientProfile
from siege_nb.models.connection import ConnectionProfile, checked_name
from siege_nb.store.shapes import Shape
from siege_nb.workspace import Workspace


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
    #: Where secrets were taken from in the place it comes from: NAME field ← env:VARIABLE. They are to be entered here.
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
        said += [f"was taken from, where it came from: {item}" for item in self.references]
        return said + list(self.notes) or ["There is nothing in it."]


def unbundle(workspace: Workspace, document: Mapping[str, Any], *, dry_run: bool = False) -> Unpacked:
    """Add what a document holds to a workspace; what is there already stays as it is, and is named."""
    _refuse_strange(document)
    unpacking = _Unpacking(workspace, dry_run)
    found = {part: list(unpacking.read(part, document.get(part, []))) for part in PARTS}
    unpacking.unpack(found)
    return unpacking.told()


class _Unpacking:
    """One import under way: what is taken already, and what came of each item."""

    def __init__(self, workspace: Workspace, dry_run: bool) -> None:
        self.workspace, self.dry_run = workspace, dry_run
        store = workspace.store
        self._keys = {part: {row.key.casefold() for row in getattr(store, part).rows()} for part in PARTS}
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
        shape = PARTS[part]
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
                if shape.unique_names:
                    checked_name(str(data.get(shape.name_field)), what)
                item = self._closed(shape, {k: v for k, v in data.items() if k != "_siege"}, key, what)
                yield self._untrusted(shape, item)  # what somebody typed into the file is sealed when it is saved
            except SiegeError as error:
                self._refused.append(f"{what}: {error.message}")

    def _closed(self, shape: Shape[Any], data: dict[str, Any], key: str, what: str) -> Part:
        """The item of a document that somebody may have written by hand: a secret where none belongs is left out."""
        item: Part = shape.from_document(data, key)
        rests = rests_of(item)
        if not rests:
            return item
        self._notes.append(f"{what}: what stood open where no secret belongs was left out: {', '.join(rests)}")
        again: Part = shape.from_document(without(data, rests), key)
        return again

    def _untrusted(self, shape: Shape[Any], item: Part) -> Part:
        """The item without what would read secrets of this place: whoever made the file may have named them."""
        at = PARAMS if isinstance(item, ConnectionProfile) else ""
        told = [(path.removeprefix(at), secret) for path, secret in secrets_of(item) if isinstance(secret, Reference)]
        named = [(path, secret.written) for path, secret in told if secret.source not in ("encrypted", "missing")]
        self._references += [f"{shape.qualified(item)} {path} ← {written}" for path, written in named]
        untrusted: Part = with_secrets(item, {at + path: Reference(f"missing:{path}") for path, _ in named})
        return emptied(untrusted, open_too=False)

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
            self._tell_secrets(profile.qualified, profile)
            if profile.client_code and profile.client_code.casefold() not in self._keys["clients"]:
                self._notes.append(f"{profile.qualified} belongs to the client {profile.client_code}, who is not here")

    def _keyed(self, part: str, item: Part) -> None:
        shape, collection = PARTS[part], getattr(self.workspace.store, part)
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
            if isinstance(secret, Reference):
                self._reenter.append(f"{name} {path.removeprefix(PARAMS)}")
        self._reenter += [f"{name} {path.removeprefix(PARAMS)}" for path in _missing_in(holder)]


def _missing_in(value: Any, path: str = "") -> Iterator[str]:
    """Where secrets are missing that nobody has declared."""
    steps: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, Mapping):
        if set(value) == {REFERENCE_KEY}:
            if str(value[REFERENCE_KEY]).startswith("missing:"):
                yield path
            return
        steps = value.items()
    elif isinstance(value, Part):
        steps = value
    elif isinstance(value, list):
        steps = enumerate(value)
    for key, inner in steps:
        yield from _missing_in(inner, f"{path}.{key}" if path else str(key))


def _refuse_strange(document: Mapping[str, Any]) -> None:
    if document.get("format") != FORMAT:
        raise InvalidError("This is no bundle of siege_nb.", hint="%conn export PATH writes one.")
    if document.get("version") != VERSION:
        raise InvalidError("This bundle was written by another version of siege_nb, in a format not known here.")
    strange = sorted(str(key) for key in set(document) - {"format", "version", "made", "left_out", *PARTS})
    if strange:
        raise InvalidError("The bundle", [Issue(key[:80], "there is no such part") for key in strange])
