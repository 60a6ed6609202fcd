"""`siege audit`: what was done, told line by line, and an exit code when it was tampered with."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner, Result

from siege_nb.cli import app
from siege_nb.models.connection import ConnectionProfile
from siege_nb.settings import Settings
from siege_nb.state import Audit, Directory
from siege_nb.store import Store
from tests.store.profiles import client, connection, counted


def siege(*words: str) -> Result:
    return CliRunner().invoke(app, words)


@pytest.fixture
def store() -> Store:
    settings = Settings.from_environment()
    audit = Audit(settings.config_dir, settings.data_dir / "audit.key", "tester")
    return Store(Directory(settings.config_dir, fsync=False, audit=audit))


@pytest.fixture
def saved(store: Store) -> ConnectionProfile:
    """A client and a connection; the client was changed once, the connection's secrets were opened once."""
    store.clients.put(client())
    store.clients.update("ACME001", counted)
    kept = store.connections.put(connection("Warehouse", client_code="ACME001")).item
    store.directory.witness("open", store.connections.shape.file(kept.connection_id))
    return kept


def test_a_whole_log_is_told_as_whole(saved: ConnectionProfile) -> None:
    done = siege("audit", "verify")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "8 records, whole\n", "")


def test_nothing_recorded_yet_is_no_problem() -> None:
    assert siege("audit", "verify").stdout == "0 records, whole\n"
    assert siege("audit", "show").stdout == ""


def test_a_cut_log_and_a_hand_edit_are_told_with_exit_code_1(store: Store, saved: ConnectionProfile) -> None:
    path = store.directory.path / "client_ACME001.json"
    path.write_text(path.read_text().replace("Acme", "Emca"))
    log = store.directory.path / "audit" / "log-000001.jsonl"
    log.write_bytes(log.read_bytes()[:-10])
    done = siege("audit", "verify")
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        "note     log-000001.jsonl ends in half a record, of a writer that was killed.",
        "note     client_ACME001.json was changed by hand.",
        "PROBLEM  The end of the log was cut off: record 8 is missing.",
        "7 records, 1 problem",
    ]


def test_show_lists_what_was_done_to_what(saved: ConnectionProfile) -> None:
    file = f"connections/connection_{saved.connection_id}.json"
    told = siege("audit", "show").stdout
    assert len(told.splitlines()) == 5
    assert "tester  update  done  client_ACME001.json 1 → 2" in told
    assert f"tester  open  seen  {file}" in told
    for name in ("Warehouse", "warehouse", saved.connection_id, file):
        shown = siege("audit", "show", name).stdout.splitlines()
        assert [line.split("  ")[-1].split()[0] for line in shown] == [file] * 2
    assert len(siege("audit", "show", "ACME001").stdout.splitlines()) == 2
    assert len(siege("audit", "show", "--last", "1").stdout.splitlines()) == 1
    refused = siege("audit", "show", "nobody")
    assert refused.exit_code == 2
    assert "Nothing was recorded of 'nobody'" in refused.stderr


def test_what_was_removed_is_found_by_its_code(store: Store, saved: ConnectionProfile) -> None:
    store.clients.remove("ACME001")
    assert siege("audit", "show", "ACME001").stdout.splitlines()[-1].endswith("client_ACME001.json 2 → –")


def test_an_act_cannot_move_the_cursor(store: Store) -> None:
    store.directory.witness("a\x1b[2Jb\rc\u202ed", "x\ny")
    told = siege("audit", "show").stdout
    assert told.isprintable() or set(told) - {"\n"} == {char for char in told if char.isprintable()}
    assert r"a\x1b[2Jb\rc\u202ed" in told
    assert r"x\ny" in told


def test_a_change_whose_end_was_not_seen_says_what_the_file_is(store: Store, saved: ConnectionProfile) -> None:
    audit = store.directory.path / "audit"
    # As a writer leaves it that is killed with its head not yet moved.
    before = (audit / "log-000001.jsonl").read_bytes(), (audit / "head").read_bytes()
    store.clients.update("ACME001", counted)
    after = (audit / "log-000001.jsonl").read_bytes().splitlines(keepends=True)
    (audit / "log-000001.jsonl").write_bytes(before[0] + after[-2])
    (audit / "head").write_bytes(before[1])
    *_, line, now = siege("audit", "show").stdout.splitlines()
    assert "update  unknown  client_ACME001.json 2 → 3" in line
    assert now.strip() == "its files are as it made them"
    assert "is unknown; its files are as it made them" in siege("audit", "verify").stdout


def test_a_restored_file_is_accepted_by_its_file_or_its_name(store: Store, saved: ConnectionProfile) -> None:
    file = f"connections/connection_{saved.connection_id}.json"
    path = store.directory.path / file
    path.write_bytes(path.read_bytes().replace(b'"notes": ""', b'"notes": "encrypted:v2.abcdefgh.00:00:00"'))
    told = siege("audit", "verify")
    assert told.exit_code == 1
    assert f"PROBLEM  An older or foreign ciphertext was put into {file}." in told.stdout
    assert f"siege audit accept {file}\n" in told.stdout
    done = siege("audit", "accept", "warehouse", "ACME001")
    assert (done.exit_code, done.stdout) == (0, f"accepted  {file}\naccepted  client_ACME001.json\n")
    told = siege("audit", "verify")
    assert told.exit_code == 0
    assert "was put into" in told.stdout
    assert siege("audit", "show", file).stdout.splitlines()[-1].endswith(f"accept  accepted  {file} 1 → 1")
    assert siege("audit", "accept", file).exit_code == 0
    refused = siege("audit", "accept", "nothing")
    assert refused.exit_code == 2
    assert "no file 'nothing'" in refused.stderr
