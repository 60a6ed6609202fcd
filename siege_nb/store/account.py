"""What changes more than one item: a client with its connections and projects, in one step."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from siege_nb.declare import Part
from siege_nb.errors import ConflictError, NotFoundError
from siege_nb.models.client import ClientProfile
from siege_nb.state import Change
from siege_nb.store import document
from siege_nb.store.collection import Collection

if TYPE_CHECKING:
    from siege_nb.store import Store

T = TypeVar("T", bound=Part)


def rename_client(store: Store, code: str, new: str) -> ClientProfile:
    """Give a client another code; its file moves, and its connections follow."""
    store.clients.find(code)
    if new == code:
        return store.clients.find(code).item
    theirs = [row for row in store.connections.rows() if row.summary["client_code"] == code]
    names = {row.name.casefold() for row in theirs if row.scope == code}
    clash = [row.name for row in store.connections.rows() if row.scope.casefold() == new.casefold() != code.casefold()]
    if taken := sorted(name for name in clash if name.casefold() in names):
        raise ConflictError(f"{new} has connections of the same names already: {', '.join(taken)}.")

    def work(change: Change) -> None:
        _refuse_taken(store, code, new)
        _changed(change, store.clients, code, lambda item: item.model_copy(update={"client_code": new}))
        for row in theirs:
            if change.read(row.file) is not None:  # removed since
                _changed(change, store.connections, row.key, lambda item: item.model_copy(update={"client_code": new}))

    store.directory.change(work, act="rename")
    return store.clients.find(new).item


def remove_client(store: Store, code: str) -> None:
    """Remove a client to whom nothing belongs any more; ConflictError says what does."""
    client = store.clients.find(code).item
    theirs = sorted(row.name for row in store.connections.rows() if row.summary["client_code"] == code)
    if theirs or client.project_associations:
        owned = [("connections", theirs), ("projects", client.project_associations)]
        said = "; ".join(f"{noun} {', '.join(names)}" for noun, names in owned if names)
        raise ConflictError(f"The client {code} still has {said}.", hint="Remove, move or unlink them first.")
    store.clients.remove(code)


def dissociate(store: Store, code: str, project_code: str) -> ClientProfile:
    """A client has a project no longer; one that it did not have is told."""

    def without(client: ClientProfile) -> ClientProfile:
        if project_code not in client.project_associations:
            there = ", ".join(client.project_associations) or "none"
            raise NotFoundError(f"The client {code} has no project {project_code!r}.", hint=f"It has: {there}.")
        left = [project for project in client.project_associations if project != project_code]
        metadata = client.metadata.model_copy(update={"project_count": len(left)})
        return client.model_copy(update={"project_associations": left, "metadata": metadata})

    return store.clients.update(code, without).item


def remove_project(store: Store, code: str) -> None:
    """Remove a project, and its code from the clients that had it."""
    store.projects.find(code)
    theirs = [row.key for row in store.clients.rows() if row.summary["projects"]]

    def left(client: ClientProfile) -> ClientProfile:
        projects = [project for project in client.project_associations if project != code]
        metadata = client.metadata.model_copy(update={"project_count": len(projects)})
        return client.model_copy(update={"project_associations": projects, "metadata": metadata})

    def work(change: Change) -> None:
        change.remove(store.projects.shape.file(code))
        for key in theirs:
            if code in _read(change, store.clients, key).project_associations:
                _changed(change, store.clients, key, left)

    store.directory.change(work, act="remove")


def _changed(change: Change, collection: Collection[T], key: str, work: Callable[[T], T]) -> None:
    """Change an item as a part of a larger change."""
    shape, file = collection.shape, collection.shape.file(key)
    raw = change.read(file)
    there = document.read(raw or b"", str(collection.directory.path / file))
    item = shape.from_document(there.data, key)
    changed = work(item)
    moved = shape.file(shape.key(changed))
    if moved != file:
        change.remove(file)
    change.write(moved, document.write(shape.write(changed, item), there.revision + 1, f"The {shape.noun}"))


def _read(change: Change, collection: Collection[T], key: str) -> T:
    file = collection.shape.file(key)
    raw = change.read(file)
    if raw is None:
        return collection.find(key).item  # which says that it is gone
    return collection.shape.from_document(document.read(raw, file).data, key)


def _refuse_taken(store: Store, code: str, new: str) -> None:
    for row in store.clients.rows():
        if row.key.casefold() == new.casefold() and row.key != code:
            raise ConflictError(f"The client_code {new!r} is taken by the client {row.key!r}.")
