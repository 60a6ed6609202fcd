"""Older files made as safe as those that are saved today: open secrets and old ciphertext sealed, times with a zone.

Each file is changed whole or not at all, and one that has nothing left to do is not touched: a migration that was
killed is simply run again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from siege_nb.declare import Part, Reference, Secret, secrets_of, suspect, with_secrets
from siege_nb.errors import ConflictError, SiegeError
from siege_nb.store import Collection, UnknownParams, document
from siege_nb.vault import Vault, legacy
from siege_nb.vault.places import LAYOUTS, Layout
from siege_nb.workspace import Workspace

T = TypeVar("T", bound=Part)

# A key and its value in a file that may be no JSON any more.
_SAID = re.compile(r'"([^"\\]{1,200})"\s*:\s*(?:"((?:[^"\\]|\\.)*)|(\d{4,}))')


@dataclass(frozen=True, slots=True)
class Item:
    """What was done to one file, and what could not be."""

    file: str
    done: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What a migration did: the files there was something to say of."""

    items: tuple[Item, ...]
    looked_at: int

    @property
    def changed(self) -> int:
        """How many files were changed, or would be."""
        return sum(bool(item.done) for item in self.items)

    @property
    def problems(self) -> int:
        """How many things could not be done."""
        return sum(len(item.problems) for item in self.items)


def migrate(workspace: Workspace, *, dry_run: bool = False) -> Report:
    """Seal every secret that stands open or in the old ciphertext, and say what is left; no value is in the report."""
    items: list[Item] = []
    looked_at = 0
    store = workspace.store
    collections: list[Collection[Any]] = [store.clients, store.projects, store.connections, store.databases]
    for collection in collections:
        of_these = list(_of(workspace, collection, dry_run))
        looked_at += len(of_these)
        items += of_these
    items += _set_aside(workspace)
    return Report(tuple(item for item in items if item.done or item.problems), looked_at)


def _of(workspace: Workspace, collection: Collection[T], dry_run: bool) -> Iterator[Item]:
    for kept in collection.list():
        yield _migrated(workspace, collection, collection.shape.key(kept.item), dry_run)
    for wrong in collection.damaged():
        yield Item(wrong.path.relative_to(workspace.directory.path).as_posix(), problems=(wrong.error.message,))


def _migrated(workspace: Workspace, collection: Collection[T], key: str, dry_run: bool) -> Item:
    shape = collection.shape
    file = shape.file(key)
    layout = next((layout for layout in LAYOUTS if layout.prefix == shape.prefix), None)
    try:
        while True:
            kept = collection.find(key)
            raw = document.read(workspace.directory.read(file) or b"{}", file).data
            item, done, problems = _opened(kept.item, raw)
            if not done or dry_run:
                return Item(file, done, problems)
            try:
                collection.put(_sealed(workspace.vault, item, layout, key), expected=kept.version)
            except ConflictError:
                if collection.find(key).version == kept.version:  # then it is not that someone else changed it
                    raise
            else:
                return Item(file, done, problems)
    except SiegeError as error:
        return Item(file, problems=(error.message,))


def _opened(item: T, raw: Mapping[str, Any]) -> tuple[T, tuple[str, ...], tuple[str, ...]]:
    """The item with what is to be sealed in the hand, what saving it will have done, and what cannot be done."""
    done, problems, found = list[str](), list[str](), dict(secrets_of(item))
    opened: dict[str, Secret] = {}
    for path, secret in found.items():
        if not isinstance(secret, Reference):
            done.append(f"{path} sealed")
        elif secret.source == "encrypted" and not secret.name.startswith("v2."):
            try:
                opened[path] = legacy.opened(secret.written)
                done.append(f"{path} opened with {legacy.VARIABLE} and sealed")
            except SiegeError as error:
                problems.append(f"{path} was not opened: {error.message}")
    params = getattr(item, "connection_params", None)
    unknown = {path for path, _ in params.open_texts()} if isinstance(params, UnknownParams) else set()
    if unknown:
        problems.append(f"only a kind that is not installed knows whether {', '.join(sorted(unknown))} is a secret")
    looks_so = {one.path for one in suspect.suspects(item)}
    for path, value in _values(raw):
        if path not in found and suspect.bare(path).removeprefix("connection_params.") not in unknown:
            if isinstance(value, str) and legacy.written_so(value):
                problems.append(f"{path} is encrypted, but no secret here: enter it again")
            elif path in looks_so:
                problems.append(f"{path} may be a secret, stands readable in the file, and cannot be sealed there")
    done += [f"{path} written with its zone" for path in _naive(item, raw)]
    return with_secrets(item, opened), tuple(done), tuple(problems)


def _sealed(vault: Vault, item: T, layout: Layout | None, key: str) -> T:
    if layout is None:
        return item
    if not layout.below:
        return vault.seal(item, kind=layout.kind, ident=key)
    inner = vault.seal(getattr(item, layout.below), kind=layout.kind, ident=key)
    return item.model_copy(update={layout.below: inner})


def _values(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    below = f"{at}." if at else ""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _values(inner, f"{below}{name}")
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            yield from _values(inner, f"{below}{n}")
    else:
        yield at, value


def _naive(item: Any, raw: Any, at: str = "") -> Iterator[str]:
    """The times in a model that its file holds without a zone."""
    if isinstance(item, Part) and isinstance(raw, Mapping):
        for name in type(item).model_fields:
            yield from _naive(getattr(item, name), raw.get(name), f"{at}.{name}" if at else name)
    elif isinstance(item, datetime) and isinstance(raw, str):
        try:
            if datetime.fromisoformat(raw).tzinfo is None:
                yield at
        except ValueError:  # a way to write a time that only the model reads
            yield at


def _tells(text: str) -> bool:
    """A damaged file seems to hold a secret."""
    said = ((key, int(number) if number else value) for key, value, number in _SAID.findall(text))
    return any(suspect.suspect(key, value) for key, value in said) or suspect.without(text) != text


def _set_aside(workspace: Workspace) -> Iterator[Item]:
    """The copies of damaged files that may still hold a secret; they are evidence, and not ours to change."""
    for path in sorted(workspace.directory.path.rglob("*.corrupt-*")):
        if path.is_file() and _tells(path.read_text("utf-8", errors="replace")):
            problem = "still holds what may be a secret; delete it when you need it no more"
            yield Item(path.relative_to(workspace.directory.path).as_posix(), problems=(problem,))
