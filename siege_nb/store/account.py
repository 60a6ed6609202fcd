"""What changes more than one item: a client with its connections and projects, in one step."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from siege_nb.declare import Part
from siege_nb.errors import ConflictError, NotFoundError, SealedError
from siege_nb.models.client import ClientProfile
from siege_nb.state import Change
from siege_nb.store import document
from siege_nb.store.collection import Collection

if TYPE_CHECKING:
    from siege_nb.store import Store

T = TypeVar("T", bound=Part)


def rename_client(store: Store, code: str, new: str) -> ClientProfile:
    """Give a client another code; its file moves, and its connections follow."""
    there = store.clients.find(code).item
    if new == there.client_code:
        return there

    def recoded(item: T) -> T:
        return item.model_copy(update={"client_code": new})

    def work(change: Change) -> None:
        # All of it under the lock, where rows are exact: what is saved meanwhile comes before or after.
        rows = store.connections.rows(eager=True)
        theirs = [row for row in rows if _is(row.summary["client_code"], code)]
        names = {row.name.casefold() for row in theirs if _is(row.scope, code)}
        others = [row.name for row in rows if _is(row.scope, new) and row not in theirs]
        if taken := sorted(name for name in others if name.casefold() in names):
            raise ConflictError(f"{new} has connections of the same names already: {', '.join(taken)}.")
        _refuse_taken(store, code, new)
        _changed(change, store.clients, code, recoded)
        for row in theirs:
            _changed(change, store.connections, row.key, recoded)

    store.directory.change(work, act="rename")
    return store.clients.find(new).item


def remove_client(store: Store, code: str) -> None:
    """Remove a client to whom nothing belongs any more; ConflictError says what does."""

    def check(client: ClientProfile | None) -> None:
        rows = store.connections.rows(eager=True)
        theirs = sorted(row.name for row in rows if _is(row.summary["client_code"], code))
        projects = client.project_associations if client else []
        if theirs or projects:
            owned = (("connections", theirs), ("projects", projects))
            said = "; ".join(f"{noun} {', '.join(names)}" for noun, names in owned if names)
            raise ConflictError(f"The client {code} still has {said}.", hint="Remove, move or unlink them first.")

    store.clients.remove(code, check=check)


def associate(store: Store, code: str, project_code: str) -> ClientProfile:
    """A client has a project from now on, which must be there; from then on its projects are counted."""

    def with_it(client: ClientProfile) -> ClientProfile:
        store.projects.find(project_code)  # under the lock: nobody can remove it meanwhile
        there = client.project_associations
        return client.with_projects(there if project_code in there else [*there, project_code])

    return store.clients.update(code, with_it).item


def dissociate(store: Store, code: str, project_code: str) -> ClientProfile:
    """A client has a project no longer; one that it did not have is told."""

    def without(client: ClientProfile) -> ClientProfile:
        if project_code not in client.project_associations:
            there = ", ".join(client.project_associations) or "none"
            raise NotFoundError(f"The client {code} has no project {project_code!r}.", hint=f"It has: {there}.")
        return _without(client, project_code)

    return store.clients.update(code, without).item


def remove_project(store: Store, code: str) -> None:
    """Remove a project, and its code from the clients that had it."""
    store.projects.find(code)

    def work(change: Change) -> None:
        change.remove(store.projects.shape.file(code))
        for row in store.clients.rows(eager=True):
            if row.summary["projects"]:
                _changed(change, store.clients, row.key, lambda client: _without(client, code))

    store.directory.change(work, act="remove")


def _without(client: ClientProfile, project_code: str) -> ClientProfile:
    return client.with_projects([project for project in client.project_associations if project != project_code])


def _changed(change: Change, collection: Collection[T], key: str, work: Callable[[T], T]) -> None:
    """Change an item as a part of a larger change."""
    shape, file = collection.shape, collection.shape.file(key)
    raw = change.read(file)
    if raw is None:
        raise NotFoundError(f"There is no {shape.noun} {key!r} any more.", hint="Somebody else removed it. Try again.")
    there = document.read(raw, str(collection.directory.path / file))
    item = shape.from_document(there.data, key)
    changed = work(item)
    if changed == item:
        return
    try:
        data = shape.write(changed, item)
    except SealedError as error:
        said = f"{shape.noun.capitalize()} {key!r} still holds an open secret: {error.message}"
        raise SealedError(said, hint="siege migrate seals what older files hold.") from None
    moved = shape.file(shape.key(changed))
    if moved != file:
        change.remove(file)
    change.write(moved, document.write(data, there.revision + 1, f"The {shape.noun}"))


def _refuse_taken(store: Store, code: str, new: str) -> None:
    """Whatever stands under the new code, also what cannot be read, is not written over."""
    old, wanted = store.clients.shape.file(code), store.clients.shape.file(new)
    for name in store.directory.names(store.clients.shape.prefix, store.clients.shape.suffix):
        if name != old and name.casefold() == wanted.casefold():
            raise ConflictError(f"The client_code {new!r} is taken by the file {name}.")


def _is(code: object, other: str) -> bool:
    # Hands write codes in whatever case; and anything at all.
    return isinstance(code, str) and code.casefold() == other.casefold()
