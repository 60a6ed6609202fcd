"""The light listing: as fresh as promised, and no better informed than the files, whatever the index says."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from siege_nb.errors import DamagedError, NotFoundError
from siege_nb.state import Directory, Identity, directory
from siege_nb.store import Store, listing
from siege_nb.store.index import Index
from siege_nb.store.listing import Listing
from siege_nb.store.rows import Entry, Row
from tests.store.profiles import by_hand, client, connection, noted
from tests.store.test_many_processes import workers


@pytest.fixture(autouse=True)
def _always_indexed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "SMALL", 0)


@pytest.fixture
def many(store: Store) -> Store:
    """Twenty connections that settled long ago, and an index of them."""
    for n in range(20):
        raw = {"connection_id": f"c{n:02}", "name": f"lake {n}", "connection_type": "x", "connection_params": {}}
        path = store.directory.path / "connections" / f"connection_c{n:02}.json"
        by_hand(path, raw | {"tags": [f"t{n}"], "metadata": {"connection_count": n}})
    store.directory.path.chmod(0o700)
    time.sleep(0.15)  # the files' own clock has to move on: within one tick no stat tells two writes apart
    assert len(store.connections.rows()) == 20
    store.index.settle()
    return store


def fresh(store: Store) -> Store:
    """What another process would have."""
    return Store(Directory(store.directory.path, fsync=False))


def names(store: Store) -> list[str]:
    return sorted(row.name for row in store.connections.rows())


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are read."""
    seen: list[str] = []
    for place, name in ((listing, "read_whole"), (directory, "read_whole")):
        real = getattr(place, name)
        monkeypatch.setattr(place, name, lambda path, _real=real: (seen.append(path), _real(path))[1])
    return seen


def file_of(store: Store, ident: str) -> Path:
    return store.directory.path / "connections" / f"connection_{ident}.json"


def test_a_row_says_what_a_list_shows(many: Store) -> None:
    for handle in (many, fresh(many)):
        row = handle.connections.rows()[3]
        assert (row.key, row.name, row.scope, row.file) == ("c03", "lake 3", "", "connections/connection_c03.json")
        assert row.summary == {
            "connection_type": "x", "status": "active", "client_code": None, "workspace": "", "environment": None,
            "owner": "", "visibility": "private", "tags": ["t3"], "auto_connect": False,
            "last_used": None, "last_connected": None,
            "connection_count": 3, "created_date": None,
        }  # fmt: skip
    many.clients.put(client("ACME", metadata={"industry": "Tech", "project_count": 7}, project_associations=["P"]))
    (row,) = many.clients.rows()
    assert row.summary == {"status": "active", "industry": "Tech", "project_count": 7, "projects": 1}


def test_another_process_reads_no_file_that_is_in_the_index(many: Store, reads: list[str]) -> None:
    other = fresh(many)
    assert names(other) == names(many)
    assert reads == []
    assert other.connections.find_named("lake 7").item.connection_id == "c07"
    assert set(reads) == {str(file_of(many, "c07"))}
    by_hand(file_of(many, "c07"), {"name": "pond", "connection_type": "x", "connection_params": {}})
    reads.clear()
    assert "pond" in names(fresh(many))
    assert reads == [str(file_of(many, "c07"))]


def test_an_unsettled_file_is_never_indexed(store: Store) -> None:
    store.connections.put(connection("lake", connection_id="a"))
    assert names(store) == ["lake"]
    store.index.settle()
    assert store.index.load("connections/connection_", ".json") == {}


@pytest.mark.parametrize(
    "what", ["garbage", "empty", "a directory", "no table", "other columns", "cut", "newer", "deleted"]
)
def test_a_broken_index_is_no_error(many: Store, what: str, caplog: pytest.LogCaptureFixture) -> None:
    path = many.index.path
    whole = path.read_bytes()
    match what:
        case "garbage":
            path.write_bytes(os.urandom(20_000))
        case "empty":
            path.write_bytes(b"")
        case "a directory":
            path.unlink()
            path.mkdir()
        case "cut":
            path.write_bytes(whole[: len(whole) // 2])
        case "deleted":
            path.unlink()
        case _:
            db = sqlite3.connect(path)
            said = {"no table": "DROP TABLE entry", "newer": "PRAGMA user_version = 99",
                    "other columns": "ALTER TABLE entry DROP COLUMN text"}  # fmt: skip
            db.execute(said[what])
            db.commit()
            db.close()
    expected = names(many)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            other = fresh(many)
            assert names(other) == expected
            assert other.connections.find_named("lake 3").item.name == "lake 3"
            other.index.settle()
    if what in ("a directory", "newer"):
        assert caplog.text.count("is not used") == 2, "once for each process"
        assert what != "newer" or sqlite3.connect(path).execute("PRAGMA user_version").fetchone() == (99,)
    else:
        assert len(other.index.load("connections/connection_", ".json")) == 20, "it was made anew"
        assert caplog.text.count("made anew") <= 1


def test_flipped_bits_in_the_index_are_never_believed(many: Store) -> None:
    """Whatever a flip does, it is noticed by SQLite, by the checksum or by the file's identity."""
    whole, expected = many.index.path.read_bytes(), names(many)
    changed = 0
    for at in range(0, len(whole), max(1, len(whole) // 150)):
        many.index.forget()
        many.index.path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        other = fresh(many)
        assert names(other) == expected, at
        changed += 1
        other.index.settle()
    assert changed >= 150


@pytest.mark.parametrize("summed", [False, True])
def test_a_forged_row_is_not_believed(many: Store, summed: bool) -> None:
    """One that lies about a name, with a checksum that does not fit, and with one that does."""
    entries = many.index.load("connections/connection_", ".json")
    entry = entries["connections/connection_c05.json"]
    if summed:
        assert entry.row
        many.index.keep({entry.row.file: entry._replace(name="lie", row=entry.row._replace(name="lie"))})
        many.index.settle()
    else:
        with sqlite3.connect(many.index.path) as db:
            assert db.execute("UPDATE entry SET name = 'lie' WHERE file LIKE '%c05.json'").rowcount == 1
    other = fresh(many)
    with pytest.raises(NotFoundError):
        other.connections.find_named("lie")
    assert other.connections.find_named("lake 5").item.connection_id == "c05"
    other.connections.put(connection("lie", connection_id="new"))
    assert names(fresh(many)) == sorted([*names(many)])


def test_a_row_of_a_file_that_is_another_by_now_is_not_believed(many: Store) -> None:
    old = file_of(many, "c05")
    document = json.loads(old.read_text()) | {"name": "pond 5"}
    status = old.stat()
    with open(old, "r+") as file:  # in place, of the same size, and with the old times put back
        file.write(json.dumps(document, indent=2))
    os.utime(old, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert old.stat().st_size == status.st_size
    assert "pond 5" in names(fresh(many))


def test_an_index_that_is_locked_is_gone_without(many: Store, caplog: pytest.LogCaptureFixture) -> None:
    db = sqlite3.connect(many.index.path, isolation_level=None)
    db.execute("PRAGMA locking_mode = EXCLUSIVE")
    db.execute("BEGIN EXCLUSIVE")
    with caplog.at_level(logging.DEBUG):
        assert len(names(fresh(many))) == 20
    db.close()
    assert "locked" in caplog.text
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING], "it is over in a moment"


def test_collections_that_are_first_listed_at_once_share_a_new_index(tmp_path: Path) -> None:
    for n in range(100):
        (tmp_path / str(n)).mkdir()
        index = Index(tmp_path / str(n))
        for file in ("a.json", "b.json", "c.json", "d.json"):
            index.keep({file: Entry((1, 2, 3, 4, 5), "name", "", Row(file, "name", "", file, {}))})
        index.settle()
        assert len(index.load("", ".json")) == 4, n


def test_a_copied_directory_reads_its_own_files(many: Store, tmp_path: Path) -> None:
    shutil.copytree(many.directory.path, tmp_path / "copy")
    path = tmp_path / "copy" / "connections" / "connection_c05.json"
    path.write_text(path.read_text().replace("lake 5", "pond 5"))
    assert "pond 5" in names(Store(Directory(tmp_path / "copy", fsync=False)))


# --- Freshness ------------------------------------------------------------------------------------------------------


def looked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """By which threads the folder is looked at."""
    seen: list[str] = []
    real = Directory.identities

    def identities(self: Directory, prefix: str, suffix: str = "") -> object:
        seen.append(threading.current_thread().name)
        return real(self, prefix, suffix)

    monkeypatch.setattr(Directory, "identities", identities)
    return seen


def test_own_saves_are_in_the_list_without_another_look(many: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = looked(monkeypatch)
    many.connections.put(connection("new", connection_id="a"))
    many.connections.update("c03", lambda c: c.model_copy(update={"name": "renamed"}))
    many.connections.remove("c04")
    many.clients.put(client())
    expected = {*(f"lake {n}" for n in range(20)), "new", "renamed"} - {"lake 3", "lake 4"}
    assert set(names(many)) == expected
    assert many.connections.find_named("renamed").item.connection_id == "c03"
    assert [row.key for row in many.connections.rows()] == sorted(row.key for row in many.connections.rows())
    # Only the clients, of whom nothing was known yet.
    assert len(seen) == 1
    assert set(names(fresh(many))) == expected


def test_a_save_of_another_process_is_seen_at_once(many: Store) -> None:
    other = fresh(many)
    for n in range(5):
        other.connections.put(connection(f"new {n}", connection_id=f"n{n}"))
        assert f"new {n}" in names(many)
        other.connections.remove(f"n{n}")
        assert f"new {n}" not in names(many)


def test_a_hand_edit_is_seen_within_seconds(many: Store) -> None:
    names(many)
    file_of(many, "c05").write_text(file_of(many, "c05").read_text().replace("lake 5", "pond 5"))
    edited = time.monotonic()
    while "pond 5" not in names(many):
        assert time.monotonic() - edited < 4
    assert time.monotonic() - edited < listing.FRESH + 1
    assert many.connections.find_named("pond 5").item.connection_id == "c05"


def test_a_slow_look_is_made_behind_the_callers_back(many: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "QUICK", -1.0)
    monkeypatch.setattr(listing, "FRESH", 0.0)
    names(many)
    seen = looked(monkeypatch)
    file_of(many, "c05").write_text(file_of(many, "c05").read_text().replace("lake 5", "pond 5"))
    edited = time.monotonic()
    while "pond 5" not in names(many):
        assert time.monotonic() - edited < 4
    assert set(seen) == {"siege-listing"}
    monkeypatch.setattr(listing, "IDLE", -1.0)
    names(many)
    assert "MainThread" in seen, "nobody has asked for long: who asks now waits"


def test_a_look_overtaken_by_a_save_is_repeated(many: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is read, then somebody saves, then the old picture is put in place."""
    real = Listing._read
    saves = iter(["between"])

    def read(self: Listing, *a: object) -> object:  # type: ignore[type-arg]
        found = real(self, *a)  # type: ignore[arg-type]
        for name in saves:
            many.connections.put(connection(name, connection_id="b"))
        return found

    monkeypatch.setattr(Listing, "_read", read)
    file_of(many, "c05").write_text(file_of(many, "c05").read_text().replace("lake 5", "pond 5"))
    many.connections._listing.look()
    assert {"between", "pond 5"} <= set(names(many))


def test_damaged_files_are_reported_without_reading_the_others(many: Store, reads: list[str]) -> None:
    file_of(many, "c05").write_text('{"name": "lake 5"')
    file_of(many, "c06").write_text('{"connection_id": "c06"}')
    file_of(many, "c07").write_text('{"connection_id": "other", "name": "lake 7"}')
    file_of(many, "c08").write_bytes(b" " * (2 << 20))
    many.directory.path.joinpath("connections", "connection_no code.json").write_text('{"name": "x"}')
    newer = json.loads(file_of(many, "c09").read_text()) | {"_siege": {"format": 9}}
    file_of(many, "c09").write_text(json.dumps(newer))
    for handle in (many, fresh(many)):
        reads.clear()
        handle.connections._listing.look()
        problems = {d.path.name: d.error.message for d in handle.connections.problems()}
        bad = ["connection_c05.json", "connection_c06.json", "connection_c07.json", "connection_c08.json",
               "connection_c09.json", "connection_no code.json"]  # fmt: skip
        assert sorted(problems) == bad
        assert all(name in message for name, message in problems.items())
        assert len(reads) <= 12
        assert len(handle.connections.rows()) == 15
        assert [d.path for d in handle.connections.damaged()] == [d.path for d in handle.connections.problems()]
    with pytest.raises(DamagedError):
        many.connections.find_named("lake 5")


def test_what_is_odd_but_right_is_listed(store: Store) -> None:
    path = store.directory.path / "connections" / "connection_a.json"
    by_hand(path, {"name": "Ünïcode", "connection_type": "x", "connection_params": {}})
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    store.directory.path.chmod(0o700)
    (row,) = store.connections.rows()
    assert (row.key, row.name) == ("a", "Ünïcode")
    assert store.connections.find_named("ÜNÏCODE").item.name == "Ünïcode"


def test_where_no_index_can_be_written_there_is_none(
    many: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    many.index.forget()
    refusals: list[object] = []

    def refuse(*a: object, **k: object) -> sqlite3.Connection:
        refusals.append(a)
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr(sqlite3, "connect", refuse)
    other = fresh(many)
    with caplog.at_level(logging.WARNING):
        assert len(names(other)) == 20
        other.index.settle()
        assert len(names(other)) == 20
    assert len(refusals) == 1
    assert caplog.text.count("unable to open") == 1


# --- Several processes ----------------------------------------------------------------------------------------------


def test_two_processes_save_while_a_third_lists(tmp_path: Path) -> None:
    """Every list is a state that was: no name is there twice, none that is acknowledged is missing.

    What a list is that others changed while it was made cannot be told from outside; those are not judged.
    """
    store = Store(Directory(tmp_path, fsync=False))
    store.connections.put(connection("first", connection_id="first"))
    done: dict[str, int] = {}
    lists = 0
    with workers(("fill", tmp_path, "a", 60), ("fill", tmp_path, "b", 60)) as started:
        for worker in started:
            worker.go()
        while not all(done.get(me) == 60 for me in "ab"):
            for me, worker in zip("ab", started, strict=True):
                if done.get(me, 0) < 60:
                    done[me] = int(worker.line())
            before = store.directory.generation()
            there = names(store)
            assert len(there) == len(set(there))
            assert "first" in there
            if store.directory.generation() != before:
                continue
            lists += 1
            for me, last in done.items():
                mine = sorted(int(name.removeprefix(f"{me} ")) for name in there if name.startswith(me))
                # Each removes the last but two, one at a time: of what it added, two or three in a row are there.
                assert mine == list(range(mine[0], mine[-1] + 1))
                assert mine[-1] >= last
                assert 1 <= len(mine) <= 3
    assert lists >= 10
    assert names(store) == names(fresh(store)) == ["a 59", "a 60", "b 59", "b 60", "first"]


def test_three_kernels_see_each_others_changes(tmp_path: Path) -> None:
    kernels = [Store(Directory(tmp_path, fsync=False)) for _ in range(3)]
    for n in range(30):
        me = kernels[n % 3]
        me.connections.put(connection(f"lake {n}", connection_id=f"l{n}"))
        me.clients.put(noted(client(f"C{n}"), str(n)))
        for kernel in kernels:
            assert len(kernel.connections.rows()) == len(kernel.clients.rows()) == n + 1
            assert kernel.connections.find_named(f"LAKE {n}").item.connection_id == f"l{n}"


def test_a_files_name_that_is_no_text_comes_and_goes(many: Store) -> None:
    """Whatever bytes a file is named by, it is told of as one that cannot be read, and the index does without."""
    odd = os.fsencode(file_of(many, "x").parent) + b"/connection_\xff.json"
    with open(odd, "wb") as file:
        file.write(b'{"name": "odd", "connection_type": "x", "connection_params": {}}')
    assert len(many.connections.rows(eager=True)) == 20
    (problem,) = many.connections.problems()
    assert "connection_id: should be 1 to 64 letters" in problem.error.message
    os.unlink(odd)
    time.sleep(0.15)
    file_of(many, "c01").unlink()
    assert len(many.connections.rows(eager=True)) == 19
    assert many.connections.problems() == []
    many.index.settle()
    assert len(fresh(many).connections.rows()) == 19
    with sqlite3.connect(many.directory.path / "index.sqlite") as index:
        assert index.execute("SELECT count(*) FROM entry WHERE file LIKE '%c01%'").fetchone() == (0,)
    index.close()


def test_half_a_character_is_kept_in_no_index(many: Store) -> None:
    half = Row("x", "a\ud800", "", "connections/connection_x.json", "{}")
    many.index.keep({half.file: Entry(Identity(1, 2, 3, 4, 5), half.name, "", half, "")})
    many.index.settle()
    with sqlite3.connect(many.directory.path / "index.sqlite") as index:
        assert index.execute("SELECT count(*) FROM entry").fetchone() == (20,)
    index.close()
