"""Items found, put, changed and removed; nothing lost, nothing stale, nothing silently missing."""

from __future__ import annotations

import json
import logging
import os
import threading
from pathlib import Path

import pytest

from siege_nb.errors import ConflictError, DamagedError, InvalidError, NotFoundError
from siege_nb.state import Directory
from siege_nb.store import Store, files
from tests.store.profiles import by_hand, client, connection, count, counted, leftovers, noted


def path_of(store: Store, code: str = "ACME001") -> Path:
    return store.directory.path / f"client_{code}.json"


def raw(ident: str, name: str) -> dict[str, object]:
    return {"connection_id": ident, "name": name, "connection_type": "x", "connection_params": {}}


def test_what_is_put_is_found_by_this_process_and_the_next(store: Store) -> None:
    kept = store.clients.put(client())
    assert store.clients.find("ACME001") == kept
    assert Store(store.directory.path).clients.find("ACME001") == kept
    assert kept.revision == 1
    assert store.clients.put(counted(kept.item)).revision == 2


def test_asking_an_empty_place_makes_nothing(store: Store) -> None:
    assert store.clients.list() == []
    assert store.clients.damaged() == []
    for ask in (store.clients.find, store.connections.find_named, store.clients.remove):
        with pytest.raises(NotFoundError, match="There are no"):
            ask("ACME001")
    with pytest.raises(NotFoundError):
        store.clients.update("ACME001", counted)
    assert not store.directory.path.exists()


def test_not_found_says_what_there_is(store: Store) -> None:
    for n in range(14):
        store.clients.put(client(f"C{n:02}"))
    store.clients.put(client("ACME001"))
    with pytest.raises(NotFoundError) as caught:
        store.clients.find("acme01")
    assert "Did you mean ACME001" in caught.value.message
    assert caught.value.hint == f"There are: ACME001, {', '.join(f'C{n:02}' for n in range(11))} and 3 more."
    store.connections.put(connection("Warehouse"))
    with pytest.raises(NotFoundError, match="Did you mean Warehouse"):
        store.connections.find_named("warehose")


def test_the_expected_version_guards_against_overwriting(store: Store) -> None:
    first = store.clients.put(client(), expected="")
    second = store.clients.put(counted(first.item), expected=first.version)
    with pytest.raises(ConflictError, match="changed by someone else"):
        store.clients.put(noted(first.item, "stale"), expected=first.version)
    with pytest.raises(ConflictError, match="there already"):
        store.clients.put(client(), expected="")
    assert store.clients.find("ACME001") == second
    store.clients.remove("ACME001")
    with pytest.raises(ConflictError, match="no longer there"):
        store.clients.put(second.item, expected=second.version)
    with pytest.raises(NotFoundError):
        store.clients.find("ACME001")


def test_the_expected_version_also_guards_what_was_edited_by_hand(store: Store) -> None:
    kept = store.clients.put(client())
    document = json.loads(path_of(store).read_text())
    document["client_name"] = "By hand"
    by_hand(path_of(store), document)
    with pytest.raises(ConflictError):
        store.clients.put(counted(kept.item), expected=kept.version)
    assert store.clients.find("ACME001").item.client_name == "By hand"


def test_a_code_is_taken_whatever_its_case(store: Store) -> None:
    store.clients.put(client("ACME001"))
    store.clients.put(client("OTHER"))
    with pytest.raises(ConflictError, match="'acme001' is taken by the client 'ACME001'"):
        store.clients.put(client("acme001"))
    with pytest.raises(ConflictError, match="taken"):
        store.clients.update("OTHER", lambda c: c.model_copy(update={"client_code": "Acme001"}))
    assert [kept.item.client_code for kept in store.clients.list()] == ["ACME001", "OTHER"]


def test_a_connection_name_is_taken_whatever_its_case(store: Store) -> None:
    one = store.connections.put(connection("Warehouse")).item
    two = store.connections.put(connection("Lake")).item
    with pytest.raises(ConflictError, match=f"'WAREHOUSE' is taken by the connection {one.connection_id!r}"):
        store.connections.put(connection("WAREHOUSE"))
    with pytest.raises(ConflictError):
        store.connections.update(two.connection_id, lambda c: c.model_copy(update={"name": "warehouse"}))
    renamed = store.connections.update(one.connection_id, lambda c: c.model_copy(update={"name": "WAREHOUSE"}))
    assert store.connections.find_named("warehouse") == renamed
    store.connections.update(one.connection_id, lambda c: c.model_copy(update={"name": "Old"}))
    again = store.connections.put(connection("Warehouse"))
    assert store.connections.find_named("warehouse") == again


def test_a_name_given_by_another_process_is_taken_here_at_once(store: Store) -> None:
    store.connections.put(connection("Lake"))
    other = Store(Directory(store.directory.path, fsync=False))
    kept = other.connections.put(connection("Warehouse"))
    with pytest.raises(ConflictError):
        store.connections.put(connection("warehouse"))
    assert store.connections.find_named("warehouse") == kept
    other.connections.update(kept.item.connection_id, lambda c: c.model_copy(update={"name": "Else"}))
    with pytest.raises(NotFoundError):
        store.connections.find_named("warehouse")
    assert store.connections.put(connection("warehouse")).revision == 1


def test_two_of_one_name_made_by_hand_load_and_are_told_apart_by_id(store: Store) -> None:
    folder = store.directory.path / "connections"
    for ident in ("a", "b"):
        by_hand(folder / f"connection_{ident}.json", raw(ident, "Twin"))
    assert [kept.item.connection_id for kept in store.connections.list()] == ["a", "b"]
    with pytest.raises(ConflictError, match="2 connections named 'twin': a, b"):
        store.connections.find_named("twin")
    store.connections.update("a", lambda c: c.model_copy(update={"notes": "a twin may be edited"}))
    store.connections.update("b", lambda c: c.model_copy(update={"name": "Single"}))
    assert store.connections.find_named("twin").item.connection_id == "a"


def test_a_twin_made_by_hand_is_noticed_by_who_knew_the_first(store: Store) -> None:
    kept = store.connections.put(connection("Twin"))
    assert store.connections.find_named("twin") == kept
    folder = store.directory.path / "connections"
    by_hand(folder / "connection_b.json", raw("b", "Twin"))
    os.utime(folder, (0, 0))  # as another tick of a coarse clock would
    for _ in range(2):
        with pytest.raises(ConflictError, match="2 connections named 'twin'"):
            store.connections.find_named("twin")


def test_an_item_is_also_found_by_its_key(store: Store) -> None:
    kept = store.connections.put(connection("Warehouse"))
    ident = kept.item.connection_id
    assert store.connections.find_named(ident) == kept
    store.connections.put(connection(ident))
    assert store.connections.find_named(ident).item.name == ident, "a name comes before a key"
    (store.directory.path / "connections" / "connection_lost.json").write_text("{")
    with pytest.raises(DamagedError):
        store.connections.find_named("lost")


def test_nothing_suggests_the_word_that_was_not_found(store: Store) -> None:
    store.clients.put(client("ACME001", client_name="ACME002"))
    with pytest.raises(NotFoundError) as caught:
        store.clients.find("ACME002")
    assert "mean ACME001?" in caught.value.message


def test_a_damaged_file_keeps_the_name_it_was_known_by(store: Store) -> None:
    ident = store.connections.put(connection("duck")).item.connection_id
    store.connections.put(connection("Lake"))
    path = store.directory.path / "connections" / f"connection_{ident}.json"
    good = path.read_text()
    path.write_text(good[:-30])
    for _ in range(2):
        with pytest.raises(DamagedError, match=path.name):
            store.connections.find_named("Duck")
        store.connections.list()
    with pytest.raises(ConflictError, match=f"'duck' is taken by the connection '{ident}'"):
        store.connections.put(connection("duck"))
    Store(Directory(store.directory.path, fsync=False)).connections.put(connection("Sea"))
    with pytest.raises(DamagedError):
        store.connections.find_named("duck")
    path.write_text(good.replace('"duck"', '"goose"'))
    assert store.connections.put(connection("duck")).revision == 1
    assert store.connections.find_named("goose").item.connection_id == ident


def test_a_given_up_name_is_free_though_its_file_is_damaged_later(store: Store) -> None:
    ident = store.connections.put(connection("duck")).item.connection_id
    store.connections.update(ident, lambda c: c.model_copy(update={"name": "goose"}))
    (store.directory.path / "connections" / f"connection_{ident}.json").write_text("{")
    assert store.connections.put(connection("duck")).revision == 1
    with pytest.raises(DamagedError):
        store.connections.find_named("goose")


def test_who_never_knew_a_damaged_file_is_told_of_it(store: Store) -> None:
    by_hand(store.directory.path / "connections" / "connection_x.json", {})
    with pytest.raises(NotFoundError) as caught:
        store.connections.find_named("duck")
    assert caught.value.hint == "There are no connections yet. Cannot be read: connection_x.json."


def test_another_code_moves_the_file(store: Store) -> None:
    store.clients.put(client("OLD"))
    kept = store.clients.update("OLD", lambda c: c.model_copy(update={"client_code": "NEW"}))
    assert (kept.item.client_code, kept.revision) == ("NEW", 2)
    assert [p.name for p in store.directory.path.glob("client_*")] == ["client_NEW.json"]
    assert store.clients.find("NEW") == kept
    with pytest.raises(NotFoundError):
        store.clients.find("OLD")
    assert leftovers(store.directory.path) == []


def test_the_id_of_a_connection_cannot_change(store: Store) -> None:
    kept = store.connections.put(connection())
    with pytest.raises(InvalidError, match="secrets are bound"):
        store.connections.update(kept.item.connection_id, lambda c: c.model_copy(update={"connection_id": "x"}))
    assert store.connections.find(kept.item.connection_id) == kept


def test_an_update_that_changes_nothing_writes_nothing(store: Store) -> None:
    kept = store.clients.put(client())
    before = store.directory.generation(), os.stat(path_of(store))
    assert store.clients.update("ACME001", lambda c: c) == kept
    assert (store.directory.generation(), os.stat(path_of(store))) == before


def test_an_update_that_raises_changes_nothing(store: Store) -> None:
    store.clients.put(client())
    before = path_of(store).read_bytes()
    with pytest.raises(ZeroDivisionError):
        store.clients.update("ACME001", lambda c: counted(c, 1 // 0))
    assert path_of(store).read_bytes() == before
    assert store.clients.update("ACME001", counted).revision == 2, "the lock is free again"


def test_what_cannot_be_read_again_is_not_written(store: Store) -> None:
    kept = store.clients.put(client())
    deep: object = 1
    for _ in range(40):
        deep = [deep]
    for bad in (float("nan"), float("inf"), "\ud800", object(), deep, "x" * (1 << 20), b"bytes"):
        wishes = kept.item.preferences.model_copy(update={"notification_preferences": {"x": bad}})
        with pytest.raises(InvalidError):
            store.clients.update("ACME001", lambda c, w=wishes: c.model_copy(update={"preferences": w}))
    assert store.clients.find("ACME001") == kept


@pytest.mark.parametrize("key", [
    "", ".", "..", "../x", "a/../../x", "a/b", "a\\b", "a\0", "con", "NUL", "com1", "a.", "a ", " a", "\u202eacme",
    "e\u0301", "\uff21", "*", "?", "~", "$HOME", "x" * 65, "\ud800", "a\n", "-rf/", "C:", "é", "{x}", "%2e%2e",
])  # fmt: skip
def test_hostile_keys_are_refused_at_every_door(store: Store, key: str, tmp_path: Path) -> None:
    by_hand(tmp_path / "x.json", {})
    profile = client().model_copy(update={"client_code": key})
    store.clients.put(client())
    for door in (
        store.clients.find,
        store.clients.remove,
        lambda k: store.clients.update(k, counted),
        lambda k: store.clients.put(profile),
        lambda k: store.clients.update("ACME001", lambda c: profile),
    ):
        with pytest.raises(InvalidError, match="client_code"):
            door(key)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["config", "x.json"]
    assert [p.name for p in store.directory.path.glob("c*")] == ["client_ACME001.json"]


def test_a_damaged_file_is_named_left_out_and_reported(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    store.clients.put(client("GOOD"))
    path_of(store, "BAD").write_text('{"client_code": "BAD",')
    path_of(store, "no code").write_text("{}")
    with caplog.at_level(logging.WARNING):
        assert [kept.item.client_code for kept in store.clients.list()] == ["GOOD"]
    assert str(path_of(store, "BAD")) in caplog.text
    assert str(path_of(store, "no code")) in caplog.text
    assert [d.path for d in store.clients.damaged()] == [path_of(store, "BAD"), path_of(store, "no code")]
    with pytest.raises(DamagedError, match=r"client_BAD.json cannot be read: line 1 column 23"):
        store.clients.find("BAD")
    with pytest.raises(DamagedError):
        store.clients.update("BAD", counted)
    assert path_of(store, "BAD").read_text() == '{"client_code": "BAD",'


def test_a_damaged_file_is_copied_aside_before_it_is_replaced(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    store.clients.put(client())
    path_of(store).write_bytes(b"\xff half of it")
    with caplog.at_level(logging.WARNING):
        kept = store.clients.put(client())
    assert store.clients.find("ACME001") == kept
    (aside,) = store.directory.path.glob("client_ACME001.json.corrupt-*")
    assert aside.read_bytes() == b"\xff half of it"
    assert aside.stat().st_mode & 0o777 == 0o600
    assert aside.name in caplog.text
    assert store.clients.damaged() == []


def test_a_damaged_file_can_be_removed(store: Store) -> None:
    by_hand(path_of(store), {})
    store.clients.remove("ACME001")
    assert not path_of(store).exists()


def test_a_mended_file_is_found_at_once(store: Store) -> None:
    good = store.clients.put(client())
    content = path_of(store).read_text()
    path_of(store).write_text(content[:-3] + "   ")
    for _ in range(2):
        with pytest.raises(DamagedError):
            store.clients.find("ACME001")
    path_of(store).write_text(content)
    assert store.clients.find("ACME001") == good


def test_a_copied_file_that_says_anothers_key_is_damaged_not_anothers(store: Store) -> None:
    store.clients.put(client("ONE"))
    path_of(store, "TWO").write_bytes(path_of(store, "ONE").read_bytes())
    with pytest.raises(DamagedError, match="client_code: should be 'TWO', as in the name of the file, not 'ONE'"):
        store.clients.find("TWO")
    assert len(store.clients.list()) == 1


@pytest.mark.parametrize("how", ["in place", "replaced"])
def test_edits_behind_our_back_are_seen_at_once(store: Store, how: str, tmp_path: Path) -> None:
    kept = store.clients.put(noted(client(), "0000"))
    template = path_of(store).read_text()
    wrong = 0
    for n in range(1, 1001):
        text = template.replace('"0000"', f'"{n:04}"')
        if how == "in place":
            with open(path_of(store), "r+") as file:
                file.write(text)
        else:
            (tmp_path / "new").write_text(text)
            os.replace(tmp_path / "new", path_of(store))
        wrong += store.clients.find("ACME001").item.metadata.notes != f"{n:04}"
    assert wrong == 0
    assert store.clients.find("ACME001").revision == kept.revision


def test_finding_again_reads_the_generation_and_looks_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "TICK", -(1 << 62))
    ident = store.connections.put(connection("Warehouse")).item.connection_id
    kept = store.connections.find_named("warehouse")
    calls: list[str] = []
    for name in ("open", "lstat", "stat", "listdir", "scandir", "read"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, _n=name, _r=real, **k: (calls.append(_n), _r(*a, **k))[1])
    assert store.connections.find(ident) is kept
    assert calls == ["open", "read", "lstat"]
    calls.clear()
    assert store.connections.find_named("WareHouse") is kept
    assert calls == ["open", "read", "lstat", "lstat"], "the folder too: a second one of that name may have come"


def test_a_young_file_is_read_again_but_not_parsed_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.clients.put(client())
    kept = store.clients.find("ACME001")
    monkeypatch.setattr(files, "TICK", 1 << 62)
    reads: list[str] = []
    real = Directory.read
    monkeypatch.setattr(Directory, "read", lambda self, name: (reads.append(name), real(self, name))[1])
    store.clients.find("ACME001")
    assert store.clients.find("ACME001") is kept
    assert reads == ["client_ACME001.json"] * len(reads) != []


def test_a_change_of_another_process_is_seen_whatever_the_file_times_say(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network file system may answer with what it remembers: only the generation tells then."""
    monkeypatch.setattr(files, "TICK", -(1 << 62))
    store.clients.put(client())
    frozen = store.directory.identity("client_ACME001.json")
    monkeypatch.setattr(store.directory, "identity", lambda name: frozen)
    assert count(store.clients.find("ACME001").item) == 0
    Store(Directory(store.directory.path, fsync=False)).clients.update("ACME001", counted)
    assert count(store.clients.find("ACME001").item) == 1


def test_threads_of_one_process_lose_no_update(store: Store) -> None:
    store.clients.put(client())
    handles = [store, Store(Directory(store.directory.path, fsync=False))]
    failures: list[BaseException] = []

    def work(n: int) -> None:
        try:
            for _ in range(25):
                handles[n % 2].clients.update("ACME001", counted)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert count(store.clients.find("ACME001").item) == 200
    assert store.clients.find("ACME001").revision == 201
