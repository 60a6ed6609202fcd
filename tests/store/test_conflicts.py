"""Two kernels and a server over one directory: each sees what the others do, and none writes over it unawares."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from siege_nb.errors import ConflictError
from siege_nb.models.client import ClientProfile
from siege_nb.state import Audit, Directory
from siege_nb.store import Store
from tests.store.profiles import client, connection, count, counted, noted
from tests.store.test_many_processes import begin, workers
from tests.store.workers import CODE


@pytest.fixture
def people(tmp_path: Path) -> list[Store]:
    """Three who work on one directory, each with a name that the log knows."""
    path, key = tmp_path / "config", tmp_path / "data" / "audit.key"
    logs = [Audit(path, key, name) for name in ("alice kernel", "bob kernel", "carol server")]
    return [Store(Directory(path, fsync=False, audit=log)) for log in logs]


def conflict(store: Store, item: ClientProfile, version: str) -> ConflictError:
    before = store.clients.find(item.client_code)
    with pytest.raises(ConflictError) as caught:
        store.clients.put(item, expected=version)
    assert store.clients.find(item.client_code) == before
    assert caught.value.__context__ is None
    return caught.value


def test_a_conflict_says_what_was_changed_by_whom_and_when(people: list[Store]) -> None:
    alice, bob, carol = people
    mine = alice.clients.put(client())
    bob.clients.update(CODE, lambda c: noted(c, "a secret of bob"))
    carol.clients.update(CODE, lambda c: counted(c).model_copy(update={"client_name": "Other"}))
    with pytest.raises(ConflictError) as caught:
        alice.clients.put(noted(mine.item, "alice's"), expected=mine.version)
    said = caught.value.message
    who = re.search(r"changed by someone else \(by bob kernel at (\S+), by carol server at (\S+)\): ", said)
    assert who, said
    assert who[1] < who[2]
    assert said.endswith(": client_name, metadata.project_count, metadata.notes.")
    assert "secret of bob" not in str(caught.value)
    assert caught.value.hint == "Nothing was saved. Read it again and repeat the change."


def test_where_the_version_one_had_is_forgotten_the_difference_to_what_is_there_is_said(people: list[Store]) -> None:
    alice, bob, _ = people
    mine = alice.clients.put(client())
    bob.clients.update(CODE, lambda c: noted(c, "x"))
    alice.clients.find(CODE)
    said = conflict(alice, counted(mine.item), mine.version).message
    assert "(by bob kernel at " in said
    assert said.endswith("; yours differs from it in metadata.project_count, metadata.notes.")


def test_a_conflict_over_what_is_gone_or_damaged(people: list[Store]) -> None:
    alice, bob, _ = people
    mine = alice.clients.put(client())
    path = alice.directory.path / f"client_{CODE}.json"
    path.write_text("{")
    with pytest.raises(ConflictError, match=r"changed by someone else and cannot be read any more\."):
        alice.clients.put(mine.item, expected=mine.version)
    bob.clients.remove(CODE)
    with pytest.raises(ConflictError, match="no longer there \\(by bob kernel at "):
        alice.clients.put(mine.item, expected=mine.version)
    bob.clients.put(client())
    with pytest.raises(ConflictError, match="is there already") as caught:
        alice.clients.put(mine.item, expected="")
    assert "bob" not in caught.value.message


def test_without_a_log_nobody_is_blamed(store: Store) -> None:
    mine = store.clients.put(client())
    Store(Directory(store.directory.path, fsync=False)).clients.update(CODE, counted)
    said = conflict(store, mine.item, mine.version).message
    assert said.endswith("changed by someone else; yours differs from it in metadata.project_count.")


def test_a_log_that_cannot_be_read_does_not_hide_the_conflict(
    people: list[Store], caplog: pytest.LogCaptureFixture
) -> None:
    alice, bob, _ = people
    mine = alice.clients.put(client())
    bob.clients.update(CODE, counted)
    (log,) = (alice.directory.path / "audit").glob("log-*")
    log.unlink()
    log.mkdir()
    with pytest.raises(ConflictError, match=r"changed by someone else: metadata\.project_count"):
        # Refused before anything is logged: the conflict is found by reading.
        alice.clients.put(mine.item, expected=mine.version)
    assert "cannot be told" in caplog.text


def test_a_secret_that_was_changed_is_named_and_not_shown(people: list[Store]) -> None:
    from siege_nb.declare import structure
    from tests.store.conftest import TinyParams

    def params(sealed: str) -> dict[str, Any]:
        login = {"type": "login", "username": "u", "password": f"encrypted:v2.k1.001122.{sealed}.ddeeff"}
        return {"connection_params": structure(TinyParams, {"host": "h", "authentication": login}, at_rest=True)}

    alice, bob, _ = people
    mine = alice.connections.put(connection(connection_id="c", connection_type="tiny", **params("aabbcc")))
    bob.connections.update("c", lambda c: c.model_copy(update=params("ffeedd")))
    with pytest.raises(ConflictError, match=r"connection_params\.authentication\.password") as caught:
        alice.connections.put(mine.item, expected=mine.version)
    assert "ffeedd" not in str(caught.value) + repr(caught.value)


def test_two_kernels_and_a_server_see_each_others_changes_and_overwrite_none(tmp_path: Path) -> None:
    """Real processes: two that save and one that watches; we are the fourth, and try to save over each."""
    store = begin(tmp_path)
    refusals, saved, seen = list[str](), list[str](), 0
    with (
        workers(("watch", tmp_path)) as (server,),
        workers(*[("write", tmp_path, "quick", name, 100_000) for name in ("one", "two")]) as kernels,
    ):
        mine = store.clients.find(CODE)
        for round_ in range(20):
            kernel = kernels[round_ % 2]
            if round_ < 2:
                kernel.go()
            for _ in range(3):
                acknowledged = int(kernel.line().split()[0])
            began = time.monotonic()
            name = ("one", "two")[round_ % 2]
            while store.clients.find(CODE).item.preferences.notification_preferences.get(name, 0) < acknowledged:
                assert time.monotonic() - began < 1.5
            seen += 1
            try:
                mine = store.clients.put(noted(mine.item, f"mine {round_}"), expected=mine.version)
            except ConflictError as error:
                refusals.append(error.message)
                mine = store.clients.find(CODE)
            else:
                saved.append(f"mine {round_}")
            # The file is there a moment before the generation tells of it.
            while store.clients.rows()[0].summary["project_count"] < count(mine.item):
                assert time.monotonic() - began < 1.5
        for kernel in kernels:
            kernel.process.kill()
            kernel.lines()
        server.go()
        assert server.lines()[-1].find('"wrong": []') > 0
    assert seen == 20 == len(refusals) + len(saved)
    assert len(refusals) >= 5
    assert all("project_count" in message for message in refusals)
    # Whatever was saved by whomever is still there.
    final = store.clients.find(CODE).item
    assert count(final) == sum(final.preferences.notification_preferences.values())
    assert final.metadata.notes == (saved[-1] if saved else "")
