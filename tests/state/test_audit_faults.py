"""An audit log under faults: killed writers, full disks, other processes, and a machine that stops."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from siege_nb import state
from siege_nb.errors import AccessError, ConflictError, SiegeError
from siege_nb.state import Directory, records
from tests.state.audited import audited, document, head, log, token, told, verdict, write
from tests.state.test_directory import other_holder, posix

ROOT = Path(__file__).parent.parent.parent

pytestmark = posix


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    return audited(tmp_path / "config", fsync=False)


@contextmanager
def appender(*task: object) -> Iterator[subprocess.Popen[bytes]]:
    """A process at a task of appender.py; it is killed if it has not ended."""
    command = [sys.executable, "-m", "tests.state.appender", *map(str, task)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def died(*task: object) -> None:
    """Run a task that is to end by killing itself."""
    with appender(*task) as process:
        _, said = process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL, said.decode()


# --- What a killed writer leaves -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("where", "now", "revision"), [
    ("before", "its files are as they were before it", b'"rev": 1'),
    ("after", "its files are as it made them", b'"rev": 2'),
])  # fmt: skip
def test_killed_between_intent_and_outcome_is_unknown_and_the_file_tells(
    directory: Directory, where: str, now: str, revision: bytes
) -> None:
    write(directory, a=document(1, token(1)))
    died("dying", directory.path, where)
    assert told(directory)[-1] == ("save", "unknown")
    judged = verdict(directory)
    assert judged.ok
    assert judged.notes == (f"The outcome of record 4 (save of a) is unknown; {now}.",)
    assert revision in (directory.read("a") or b"")
    write(directory, a=document(3, token(3)))
    assert verdict(directory).ok
    assert verdict(directory).notes == ("The outcome of record 4 (save of a) is unknown.",)
    # Neither of the two that it may have been is a foreign one, every other is.
    (directory.path / "a").write_text(document(4, token(7)))
    assert not verdict(directory).ok


@pytest.mark.parametrize(("where", "outcome"), [("1", "unknown"), ("2", "done")])
def test_killed_before_the_head_moved_loses_nothing(directory: Directory, where: str, outcome: str) -> None:
    write(directory, a=document(1))
    old = head(directory).read_bytes()
    died("dying", directory.path, where)
    assert (head(directory).read_bytes() == old) == (where == "1")
    assert told(directory)[-1] == ("save", outcome)
    assert verdict(directory).ok
    write(directory, a=document(3))
    assert told(directory)[-2:] == [("save", outcome), ("change", "done")]
    assert verdict(directory).ok


def test_a_torn_record_is_cut_off_and_a_record_says_so(directory: Directory) -> None:
    write(directory, a="1")
    for n in range(3):  # the second and third die while they mend what the one before them left
        died("torn", directory.path, n)
        judged = verdict(directory)
        assert judged.ok
        assert judged.notes == ("log-000001.jsonl ends in half a record, of a writer that was killed.",)
    write(directory, a="2")
    assert directory.read("a") == b"2"
    assert told(directory)[-2:] == [("log", "torn"), ("change", "done")]
    judged = verdict(directory)
    assert judged.ok
    assert judged.notes == ("Half a record of a killed writer was cut off before record 4.",)


def test_a_torn_first_record_is_mended_too(directory: Directory) -> None:
    died("torn", directory.path, "first")
    assert head(directory).exists()
    write(directory, a="1")
    assert told(directory) == [("log", "begun"), ("log", "torn"), ("change", "done")]
    assert verdict(directory).ok


def test_what_is_lost_when_the_machine_stops_is_no_cut(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last outcome is not synced. In the same boot its absence has another reason."""
    write(directory, a=document(1, token(1)))
    write(directory, a=document(2, token(2)))
    found = log(directory).read_bytes().splitlines(keepends=True)
    log(directory).write_bytes(b"".join(found[:-1]))
    assert verdict(directory).problems == ("The end of the log was cut off: record 5 is missing.",)
    with monkeypatch.context() as rebooted:
        rebooted.setattr(records, "boot_id", lambda: "another")
        judged = verdict(directory)
        assert judged.ok
        assert judged.notes[0] == "The machine stopped after record 4: its outcome is unknown."
        assert "its files are as it made them" in judged.notes[1]
        write(directory, a=document(3, token(3)))
        assert told(directory)[-3:] == [("change", "unknown"), ("log", "lost"), ("change", "done")]
        assert verdict(directory).ok
        # But no reboot explains that an intent is missing, which was on the disk before its file was changed.
        found = log(directory).read_bytes().splitlines(keepends=True)
        log(directory).write_bytes(b"".join(found[:-2]))
    monkeypatch.setattr(records, "boot_id", lambda: "a third")
    assert not verdict(directory).ok
    write(directory, a="4")
    assert not verdict(directory).ok


def test_no_reboot_explains_that_a_witness_is_missing(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    write(directory, a="1")
    directory.witness("open", "a")
    found = log(directory).read_bytes().splitlines(keepends=True)
    log(directory).write_bytes(b"".join(found[:-1]))
    monkeypatch.setattr(records, "boot_id", lambda: "another")
    assert verdict(directory).problems == ("The end of the log was cut off: record 4 is missing.",)


def test_a_tail_of_zeros_is_cut_off(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some file systems keep the length of what was not synced, and not the bytes."""
    write(directory, a="1")
    found = log(directory).read_bytes().splitlines(keepends=True)
    log(directory).write_bytes(b"".join(found[:-1]) + bytes(len(found[-1])))
    monkeypatch.setattr(records, "boot_id", lambda: "another")
    write(directory, a="2")
    assert verdict(directory).ok
    assert told(directory)[-4:] == [("change", "unknown"), ("log", "lost"), ("log", "torn"), ("change", "done")]


# --- A log that cannot be written ------------------------------------------------------------------------------------


def test_a_full_disk_and_a_read_only_one_refuse(tmp_path: Path) -> None:
    unshare = shutil.which("unshare")
    if not unshare or subprocess.run([unshare, "-rm", "true"], capture_output=True).returncode:
        if os.environ.get("CI") == "true" and unshare:
            pytest.fail("unshare -rm is not permitted here")
        pytest.skip("no unshare -rm here: a small disk of our own cannot be had")
    worker = f"{sys.executable} -m tests.state.appender full {tmp_path}"
    task = f"mount -t tmpfs -o size=256k tmpfs {tmp_path} && exec {worker}"
    ran = subprocess.run([unshare, "-rm", "sh", "-c", task], cwd=ROOT, capture_output=True, timeout=120)
    assert ran.returncode == 0, ran.stderr.decode()
    report = json.loads(ran.stdout)
    assert report["ballast"] == "No space left on device"
    # What is left of the log's last page takes a few records; then nothing is done any more.
    unwritten = "SiegeError: The audit log cannot be written, so nothing was done: "
    refused = [said for said in report["refused"] if said.startswith(unwritten)]
    assert len(refused) >= 40
    assert all("No space left on device" in said for said in report["refused"])
    assert report["done"] < 20
    assert report["unchanged"]
    assert report["left"] == []
    assert "ok=True" in report["verdict"]
    assert len(report["read-only"]) == 2
    assert all("Read-only file system" in said for said in report["read-only"])
    assert (report["read"], report["ok"], report["told"]) == (True, True, ["change", "done"])


@pytest.mark.parametrize("what", [
    "link", "file", "loose", "anothers", "pipe", "folder for a head", "loose key", "no key",
])  # fmt: skip
def test_a_log_that_is_not_ours_to_write_refuses(directory: Directory, tmp_path: Path, what: str) -> None:
    write(directory, a="1")
    audit, key = directory.path / "audit", tmp_path / "keys" / "audit.key"
    if what in ("link", "file"):
        audit.rename(tmp_path / "moved")
        audit.symlink_to(tmp_path / "moved") if what == "link" else audit.write_text("")
    elif what == "loose":
        audit.chmod(0o777)
    elif what == "anothers":
        if os.geteuid() != 0:
            pytest.skip("only root can give a file away")
        os.chown(audit, 65534, -1)
    elif what == "pipe":
        log(directory).unlink()
        os.mkfifo(log(directory))
    elif what == "folder for a head":
        head(directory).unlink()
        head(directory).mkdir()
    elif what == "loose key":
        key.chmod(0o644)
    else:
        key.write_text("no key")
    fresh = audited(directory.path, fsync=False)
    for attempt in (
        lambda: write(fresh, a="2"), lambda: write(fresh, a="2", b="3"), lambda: fresh.witness("open", "a"),
        lambda: fresh.change(lambda change: change.remove("a")),
    ):  # fmt: skip
        with pytest.raises(SiegeError, match="The audit log cannot be written, so nothing was done") as refused:
            attempt()
        assert isinstance(refused.value, AccessError) or what in ("folder for a head", "no key")
        assert (fresh.read("a"), fresh.read("b"), fresh.generation()) == (b"1", None, 1)


def test_an_outcome_that_cannot_be_written_is_told_and_the_change_stands(
    directory: Directory, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write(directory, a="1")
    real = state.log.Log.append

    def append(self: state.log.Log, act: str, outcome: str, *args: object, **options: object) -> int:
        if outcome == "done":
            raise OSError(28, "No space left on device")
        return real(self, act, outcome, *args, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(state.log.Log, "append", append)
        write(directory, a="2")
    assert "was not recorded: [Errno 28] No space left on device" in caplog.text
    assert directory.read("a") == b"2"
    assert told(directory)[-1] == ("change", "unknown")
    (note,) = verdict(directory).notes
    assert note == "The outcome of record 4 (change of a) is unknown; its files are as it made them."


def test_half_an_append_is_taken_back(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    write(directory, a="1")
    before = log(directory).read_bytes()

    class Full:
        def __getattr__(self, name: str) -> object:
            return getattr(os, name)

        def write(self, fd: int, data: bytes) -> int:
            return os.write(fd, data[:100])

    with monkeypatch.context() as patch:
        patch.setattr(state.log, "os", Full())
        with pytest.raises(SiegeError, match="No space left"):
            write(directory, a="2")
    assert log(directory).read_bytes() == before
    assert directory.read("a") == b"1"
    write(directory, a="2")
    assert verdict(directory).ok


def test_a_witness_waits_no_longer_than_it_may(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    write(directory, a="1")
    assert state.directory.WITNESS == 2.0
    monkeypatch.setattr(state.directory, "WITNESS", 0.2)
    with other_holder(directory):
        began = time.monotonic()
        with pytest.raises(ConflictError, match="held by pid"):
            directory.witness("open", "a")
        assert time.monotonic() - began < 2
    directory.witness("open", "a")
    assert told(directory)[1:] == [("change", "done"), ("open", "seen")]


# --- Several writers -------------------------------------------------------------------------------------------------


def test_processes_and_threads_append_to_one_chain(tmp_path: Path) -> None:
    directory = audited(tmp_path / "config", fsync=False)
    with appender("threads", directory.path, "x", 4, 25) as one, appender("threads", directory.path, "y", 4, 25) as two:
        looks, stop = [], threading.Event()

        def look() -> None:
            while not stop.is_set() and len(looks) < 10:
                looks.append(verdict(audited(directory.path)))

        watcher = threading.Thread(target=look)
        watcher.start()
        for process in (one, two):
            out, err = process.communicate(timeout=100)
            assert (process.returncode, out, err) == (0, b"done\n", b"")
        stop.set()
        watcher.join()
    assert [judged.problems for judged in looks if not judged.ok] == []
    judged = verdict(directory)
    assert judged.ok
    assert judged.notes == ()
    assert judged.count == 1 + 2 * 4 * 25 * 3
    assert directory.audit
    found = list(directory.audit.records())
    assert {record.actor for record in found[1:]} == {"x", "y"}
    for name in (f"{me}{n}" for me in "xy" for n in range(4)):
        mine = [(record.act, record.outcome) for record in found if record.targets and record.targets[0].name == name]
        assert mine == [("save", "done"), ("open", "seen")] * 25
    assert list((tmp_path / "keys").iterdir()) == [tmp_path / "keys" / "audit.key"], "they made one key"


def killed(tmp_path: Path, kills: int) -> None:
    """Kill one of two writers at a random instant, so often; nothing that was acknowledged is missing after it."""
    path, dice = tmp_path / "config", random.Random(62)
    acknowledged, torn, done = {"x": 0, "y": 0}, 0, 0
    running: dict[str, subprocess.Popen[bytes]] = {}

    def start(me: str) -> None:
        command = [sys.executable, "-m", "tests.state.appender", "count", path, me, acknowledged[me] + 1, 1_000_000]
        running[me] = subprocess.Popen([*map(str, command)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        pipe = running[me].stdout
        assert pipe
        acknowledged[me] = int(pipe.readline())

    def kill(me: str) -> None:
        nonlocal done
        running[me].kill()
        out, err = running[me].communicate()
        assert err == b"" or b"was mended" in err, err.decode()
        done += running.pop(me).returncode == -signal.SIGKILL
        whole = [line for line in out.splitlines(keepends=True) if line.endswith(b"\n")]
        acknowledged[me] = int(whole[-1]) if whole else acknowledged[me]

    try:
        start("x"), start("y")
        while done < kills:
            me = dice.choice("xy")
            for _ in range(dice.randrange(30_000)):  # somewhere within one of its saves
                pass
            kill(me)
            if done % 10 == 0:
                with appender("torn", path, done) as half:  # and one that dies within the very write
                    half.communicate(timeout=60)
                    torn += half.returncode == -signal.SIGKILL
                assert verdict(audited(path)).ok
            start(me)
    finally:
        for process in running.values():
            process.kill()
            process.communicate()
    directory = audited(path)
    write(directory, last="1")
    judged = verdict(directory)
    assert judged.ok, judged.problems
    assert directory.audit
    found = list(directory.audit.records())
    missing = 0
    for me, last in acknowledged.items():
        saved = {t.after for r in found for t in r.targets if t.name == me and r.outcome in ("done", "unknown")}
        missing += len(set(range(1, last + 1)) - saved)
    healed = told(directory).count(("log", "torn"))
    unknown = sum(record.outcome == "unknown" for record in found)
    total = sum(acknowledged.values())
    print(f"{done} kills, {torn} torn, {healed} mended; {total} acknowledged, {missing} missing, {unknown} unknown")
    assert missing == 0
    assert done == kills
    assert healed == torn == kills // 10
    assert total > 5 * kills
    assert not [note for note in judged.notes if not re.search("unknown|cut off before", note)]


@pytest.mark.fault
def test_nothing_acknowledged_is_missing_after_50_kills(tmp_path: Path) -> None:
    killed(tmp_path, 50)


@pytest.mark.soak
def test_nothing_acknowledged_is_missing_after_300_kills(tmp_path: Path) -> None:
    killed(tmp_path, 300)
