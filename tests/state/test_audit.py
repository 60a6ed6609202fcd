"""An audit log: what it says of a change, and that nothing of it can be changed unseen."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from siege_nb import state
from siege_nb.errors import InvalidError, SiegeError
from siege_nb.state import Audit, Directory, Record, audit_check, records
from tests.state.audited import at, audited, document, head, log, token, told, verdict, write

CANARY = "p4ssw0rd-canary"


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    return audited(tmp_path / "config", fsync=False)


def lines(directory: Directory) -> list[bytes]:
    return log(directory).read_bytes().splitlines(keepends=True)


# --- What is written -------------------------------------------------------------------------------------------------


def test_a_change_is_one_record_with_its_outcome(directory: Directory) -> None:
    write(directory, act="save", a__b=document(1, token(1)), plain="text")
    directory.change(lambda change: change.remove("plain"), act="remove")
    directory.witness("open", "a/b")
    assert directory.audit
    began, save, remove, opened = directory.audit.records()
    assert (began.act, began.outcome) == ("log", "begun")
    assert (save.act, save.outcome, save.actor, save.pid) == ("save", "done", "tester", os.getpid())
    assert [(t.name, t.before, t.after, len(t.tokens)) for t in save.targets] == [
        ("a/b", None, 1, 1), ("plain", None, None, 0),
    ]  # fmt: skip
    assert [(t.name, t.was != "", t.mark) for t in remove.targets] == [("plain", True, "")]
    assert (opened.act, opened.outcome, [t.name for t in opened.targets]) == ("open", "seen", ["a/b"])
    assert [record.seq for record in (began, save, remove, opened)] == [1, 2, 4, 6]
    assert [record.act for record in directory.audit.records("a/b")] == ["save", "open"]
    assert list(directory.audit.records("a")) == []
    assert verdict(directory).ok
    assert verdict(directory).notes == ()


def test_a_change_that_fails_or_changes_nothing(directory: Directory) -> None:
    directory.change(lambda change: None)
    assert not (directory.path / "audit").exists(), "a change of nothing is no act"
    with pytest.raises(ZeroDivisionError):
        directory.change(lambda change: (change.write("a", b"1"), 1 // 0))
    assert not (directory.path / "audit").exists(), "nothing was about to be changed"
    (directory.path / "a").mkdir()
    with pytest.raises(PermissionError):
        write(directory, a="1")
    assert told(directory) == [("log", "begun"), ("change", "failed")]
    assert verdict(directory).problems == ("a cannot be read: something else stands in its place.",)


def test_a_change_that_failed_is_not_expected_of_its_file(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(directory, a=document(1, token(1)))

    def refused(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(state.files.Folder, "replace", refused)
        with pytest.raises(SiegeError):
            write(directory, a=document(2, token(2)))
    assert told(directory)[-1] == ("change", "failed")
    assert (verdict(directory).problems, verdict(directory).notes) == ((), ())
    write(directory, a=document(2, token(2)))
    assert (verdict(directory).problems, verdict(directory).notes) == ((), ())


def test_the_log_has_no_values_and_is_private(directory: Directory) -> None:
    write(directory, f"\x1b[2J{chr(10)}\u202e", client=document(7, token(5), note=CANARY))
    directory.witness("a\x00b\r", "line\none")
    data = log(directory).read_bytes() + head(directory).read_bytes()
    for value in (CANARY, token(5), "encrypted", f"{5:020x}", f"{5:032x}"):
        assert value.encode() not in data
    assert data.isascii()
    assert not {byte for byte in data if byte < 0x20} - {0x0A}
    assert len(lines(directory)) == 4
    ours = (directory.path / "audit", log(directory), head(directory))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in ours}
    if os.name == "posix":
        assert modes == {"audit": 0o700, "log-000001.jsonl": 0o600, "head": 0o600}
    assert [act for act, _ in told(directory)][1:] == ["\x1b[2J\n\u202e", "a\x00b\r"]


def test_what_is_written_in_the_log_by_name_is_refused(directory: Directory) -> None:
    for name in ("audit/head", "audit/log-000001.jsonl", "audit/x"):
        with pytest.raises(InvalidError):
            directory.change(lambda change, name=name: change.write(name, b""))


def test_without_an_audit_nothing_is_logged(tmp_path: Path) -> None:
    plain = Directory(tmp_path, fsync=False)
    plain.witness("open", "a")
    write(plain, a="1")
    assert sorted(os.listdir(tmp_path)) == [".lock", "a", "generation"]


def test_a_clock_that_runs_backwards_keeps_the_chain(tmp_path: Path) -> None:
    times = [at("2026-03-01"), at("2016-03-01"), at("2027-04-05"), at("1999-01-01"), at("2026-03-01")]
    wound = iter([time for time in times for _ in range(3)])
    path = tmp_path / "config"
    audit = Audit(path, tmp_path / "audit.key", "tester", now=lambda: next(wound))
    directory = Directory(path, fsync=False, audit=audit)
    for n in range(5):
        write(directory, a=str(n))
    stamps = [record.ts for record in audit.records()]
    assert stamps != sorted(stamps)
    assert {stamp[:4] for stamp in stamps} >= {"1999", "2016", "2026", "2027"}
    assert verdict(directory).ok
    assert verdict(directory).count == 11


# --- What is found ---------------------------------------------------------------------------------------------------


def test_every_flipped_bit_is_found(directory: Directory) -> None:
    write(directory, act="save", a=document(1, token(1)))
    directory.witness("open", "a")
    assert verdict(directory).ok
    flips = 0
    for path in (log(directory), head(directory)):
        data = path.read_bytes()
        with open(path, "r+b", buffering=0) as file:
            for place, byte in enumerate(data):
                for bit in range(8):
                    file.seek(place)
                    file.write(bytes([byte ^ 1 << bit]))
                    assert not verdict(directory).ok, (path.name, place, bit)
                    flips += 1
                file.seek(place)
                file.write(bytes([byte]))
    assert verdict(directory).ok
    print(f"{flips:,} flipped bits, all found")
    assert flips >= 14_000


EDITS: dict[str, Callable[[list[bytes], int], list[bytes]]] = {
    "deleted": lambda found, n: found[:n] + found[n + 1 :],
    "swapped": lambda found, n: [*found[: n - 1], found[n], found[n - 1], *found[n + 1 :]],
    "duplicated": lambda found, n: [*found[:n], found[n], *found[n:]],
    "truncated": lambda found, n: [*found[:n], found[n][:-20] + b"\n", *found[n + 1 :]],
    "torn": lambda found, n: [*found[:n], found[n][:40]],
    "cut": lambda found, n: found[:n],
    "emptied": lambda found, n: [*found[:n], b"\n", *found[n + 1 :]],
    "forged": lambda found, n: [*found[:n], found[n].replace(b'"tester"', b'"nobody"'), *found[n + 1 :]],
    "moved to the end": lambda found, n: [*found[:n], *found[n + 1 :], found[n]],
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_every_edited_record_is_found_now_and_after_more_was_written(
    tmp_path: Path, edit: Callable[[list[bytes], int], list[bytes]]
) -> None:
    for n in range(1, 9):
        directory = audited(tmp_path / str(n), fsync=False)
        for revision in range(4):
            write(directory, a=str(revision))
        found = lines(directory)
        assert len(found) == 9
        changed = edit(found, n)
        if changed == found:  # the last, moved to the end
            continue
        log(directory).write_bytes(b"".join(changed))
        assert not verdict(directory).ok
        write(directory, a="more")
        assert not verdict(directory).ok, "what was done before must still be seen"
        write(directory, b="and more")
        assert not verdict(directory).ok
        assert directory.read("a") == b"more"


def test_what_is_missing_or_out_of_place_is_named(directory: Directory) -> None:
    for n in range(4):
        write(directory, a=str(n))
    found = lines(directory)
    log(directory).write_bytes(b"".join(found[:3] + found[4:6] + found[8:]))
    assert verdict(directory).problems == ("Record 4 is missing.", "Records 7 to 8 are missing.")
    log(directory).write_bytes(b"".join(found[:5] + found[4:]))
    assert verdict(directory).problems == ("Record 5 is there twice, or not in its place.",)


def test_a_log_that_is_written_while_it_is_verified(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked at again; and when that goes on and on, once under the lock."""
    real, meanwhile = audit_check.Check._against_files, [0]

    def against(self: audit_check.Check, *args: Any) -> None:
        meanwhile[0] += 1
        if meanwhile[0] <= writes:
            write(directory, a=document(meanwhile[0], token(meanwhile[0])))
        real(self, *args)

    monkeypatch.setattr(audit_check.Check, "_against_files", against)
    for writes in (1, 5):
        write(directory, a=document(0, token(0)))
        meanwhile[0] = 0
        judged = verdict(directory)
        assert (judged.problems, judged.notes) == ((), ())
        assert meanwhile[0] == writes + 1


def test_records_of_another_history_are_found(directory: Directory) -> None:
    """They are as they were written, with the same key and the same numbers."""
    write(directory, a="0")
    begun = log(directory).read_bytes(), head(directory).read_bytes()
    histories = []
    for history in ("x", "y"):
        log(directory).write_bytes(begun[0])
        head(directory).write_bytes(begun[1])
        for n in range(2):
            write(directory, a=f"{history}{n}")
        histories.append(lines(directory))
    theirs, ours = histories
    assert verdict(directory).ok
    for n in range(3, 7):
        log(directory).write_bytes(b"".join([*ours[:n], theirs[n], *ours[n + 1 :]]))
        assert any("does not follow" in problem for problem in verdict(directory).problems)
    log(directory).write_bytes(b"".join(theirs))
    assert verdict(directory).problems == ("Record 7 is not the one that the head of the log names.",)


def test_a_cut_tail_is_found_by_the_head_alone(directory: Directory) -> None:
    write(directory, a="1")
    early = head(directory).read_bytes()
    for n in range(3):
        write(directory, a=str(n))
    found = lines(directory)
    log(directory).write_bytes(b"".join(found[:3]))
    (problem,) = verdict(directory).problems
    assert problem == "The end of the log was cut off: records 4 to 9 are missing."
    # With an older copy of the head as well, nothing of the log is amiss: only the file tells.
    head(directory).write_bytes(early)
    assert verdict(directory).ok
    assert verdict(directory).notes == ("a was changed by hand.",)


@pytest.mark.parametrize("how", ["removed", "emptied", "garbage", "forged", "of another key"])
def test_a_log_without_its_head_is_told_for_good(directory: Directory, how: str) -> None:
    for n in range(3):
        write(directory, a=str(n))
    found = lines(directory)
    log(directory).write_bytes(b"".join(found[:5]))
    honest = json.loads(head(directory).read_bytes())
    if how == "removed":
        head(directory).unlink()
    else:
        forged = honest | {"seq": 5, "last": json.loads(found[4])["mac"], "size": sum(map(len, found[:5]))}
        forged |= {"key": "anothers"} if how == "of another key" else {}
        text = {"emptied": "", "garbage": "garbage"}.get(how, f"{json.dumps(forged, separators=(',', ':')):<447}\n")
        head(directory).write_text(text)
    for _ in range(3):
        judged = verdict(directory)
        assert not judged.ok
        assert any("head of the log" in problem for problem in judged.problems)
        write(directory, a="more")
    assert directory.audit
    assert [record.seq for record in directory.audit.records()][-1] > 5


def test_a_log_that_was_removed_whole_is_told_by_its_head(directory: Directory) -> None:
    write(directory, a="1")
    log(directory).unlink()
    assert verdict(directory).problems == ("The end of the log was cut off: records 1 to 3 are missing.",)
    write(directory, a="2")
    assert not verdict(directory).ok


def test_segments_follow_each_other(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state.log, "SEGMENT", 3000)
    for n in range(20):
        write(directory, a=document(n))
    parts = sorted((directory.path / "audit").glob("log-*.jsonl"))
    assert len(parts) > 4
    assert all(len(part.read_bytes()) < 5000 for part in parts)
    for before, after in pairwise(parts):
        last, first = (json.loads(part.read_bytes().splitlines()[at]) for part, at in ((before, -1), (after, 0)))
        assert (first["prev"], first["seq"], first["outcome"]) == (last["mac"], last["seq"] + 1, "begun")
    assert verdict(directory).ok
    assert verdict(directory).count == 40 + len(parts)
    assert len([1 for act, _ in told(directory) if act == "change"]) == 20
    for part in parts:
        data = part.read_bytes()
        part.unlink()
        assert not verdict(directory).ok, part.name
        part.write_bytes(data)
    assert verdict(directory).ok


def test_another_key_is_told_as_that(directory: Directory, tmp_path: Path) -> None:
    for n in range(5):
        write(directory, a=str(n))
    key = tmp_path / "keys" / "audit.key"
    key.rename(tmp_path / "old.key")
    lost = verdict(audited(directory.path))
    assert (lost.count, lost.problems) == (11, ("The key of the log is missing: nothing in it can be checked.",))
    assert not key.exists(), "verifying makes no key"
    later = audited(directory.path, fsync=False)
    write(later, a="5")
    judged = verdict(audited(directory.path))
    old, ours = (json.loads(log(directory, n).read_bytes().splitlines()[0])["key"] for n in (1, 2))
    assert old != ours
    said = f"log-000001.jsonl was written with another key ({old}): its 11 records cannot be checked."
    assert judged.problems[0] == said
    assert len(judged.problems) == 2, "and that the head was"
    write(later, a="6")
    log(later, 2).write_bytes(log(later, 2).read_bytes().replace(b'"tester"', b'"nobody"', 1))
    assert any("was changed" in problem for problem in verdict(later).problems)


def test_a_gap_is_named_however_far_on_it_is() -> None:
    check = audit_check.Check(None)
    for seq, prev, mac in ((1, records.NOTHING, "a"), (1000, "b", "c"), (1002, "d", "e"), (1003, "e", "f")):
        record = Record(seq, "", 0.0, "", 1, "", "", "seen", ())
        check._link(records.Line(record, prev, mac))
    assert check.problems == ["Records 2 to 999 are missing.", "Record 1001 is missing."]
