"""Whatever call fails in whichever change of the store: old or new, never half, and the memory of it is the disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from siege_nb import state
from siege_nb.errors import SiegeError
from siege_nb.models.project import ProjectProfile
from siege_nb.state import Directory
from siege_nb.store import Store, account, listing
from siege_nb.store.account import remove_project, rename_client
from tests.state.test_faults import FaultyOs, posix
from tests.store.profiles import client, connection, counted, leftovers

CHANGES: dict[str, Callable[[Store], object]] = {
    "create": lambda store: store.connections.put(connection("new", connection_id="new")),
    "put": lambda store: store.clients.put(counted(client())),
    "put over a damaged one": lambda store: store.clients.put(client("BAD")),
    "update": lambda store: store.clients.update("ACME001", counted),
    "rename": lambda store: store.clients.update("ACME001", lambda c: c.model_copy(update={"client_code": "NEW"})),
    "associate": lambda store: account.associate(store, "ACME001", "P1"),
    "remove": lambda store: store.clients.remove("ACME001"),
    "rename with connections": lambda store: rename_client(store, "OWNER", "HEIR"),
    "remove a project of a client": lambda store: remove_project(store, "P2"),
}

Contents = tuple[tuple[str, int, str], ...]


def prepared(path: Path) -> Store:
    path.mkdir(mode=0o700)
    (path / "client_BAD.json").write_text("{")
    store = Store(Directory(path, fsync=False))
    store.clients.put(client())
    store.projects.put(ProjectProfile(project_code="P1"))
    store.connections.put(connection("old", connection_id="old"))
    store.clients.put(client("OWNER"))
    store.connections.put(connection("theirs", connection_id="theirs", client_code="OWNER"))
    store.projects.put(ProjectProfile(project_code="P2"))
    account.associate(store, "OWNER", "P2")
    return store


def contents(store: Store) -> Contents:
    """What rows tell, with what is in each item as well."""
    found = []
    for collection in (store.clients, store.connections, store.projects):
        for row in collection.rows():
            told = str([row.summary.get("projects"), row.summary.get("client_code")])
            found.append((row.file, collection.find(row.key).revision, told))
    return (*found, *((damaged.path.name, 0, "") for damaged in store.clients.problems()))


@posix
@pytest.mark.parametrize("name", CHANGES)
def test_any_failing_call_leaves_the_old_or_the_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    change = CHANGES[name]
    model = prepared(tmp_path / "model")
    old = contents(model)
    change(model)
    new = contents(model)
    assert new != old
    fired = kept = lost = 0
    for k in range(1, 400):
        store = prepared(tmp_path / str(k))
        assert contents(store) == old
        shim = FaultyOs(k)
        with monkeypatch.context() as patch:
            for module in (state.files, state.lock, state.directory):
                patch.setattr(module, "os", shim)
            patch.setattr(listing, "FRESH", -1.0)
            try:
                change(store)
                done = True
            except SiegeError:
                done = False
        later = Store(Directory(store.directory.path, fsync=False))
        # A reader that comes later finishes what was begun; it and whoever made the change tell the same from then on.
        after = contents(later)
        assert after == new if done else after in (old, new), (k, shim.fired)
        assert contents(store) == after, (k, shim.fired, "what is remembered is not what is there")
        later.directory.change(lambda change: None)
        assert leftovers(store.directory.path) == [], (k, shim.fired)
        assert contents(later) == after
        if not shim.fired:
            break
        fired, kept, lost = fired + 1, kept + done, lost + (not done)
    else:
        pytest.fail("there was always one more call to fail")
    print(f"{name}: {fired} faults fired, {kept} changes made all the same, {lost} refused")
    assert fired >= 20
    assert lost >= 10
