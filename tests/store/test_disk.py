"""What the system does to a save: full and read-only disks, the order of its syncs, calls that fail."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from siege_nb.state import Directory
from siege_nb.store import Store
from tests.state.audited import audited, verdict
from tests.store.profiles import client, count, leftovers
from tests.store.test_many_processes import ROOT, Worker, workers
from tests.store.workers import CODE, SINGLE


def lacking(program: str, why: str) -> None:
    """Skip here; fail in CI, where a missing program proves nothing."""
    if os.environ.get("CI") == "true" and (why == "not installed" or shutil.which(program)):
        pytest.fail(f"{program}: {why}")
    pytest.skip(f"{program}: {why}")


@pytest.fixture
def strace() -> str:
    found = shutil.which("strace")
    if not found:
        lacking("strace", "not installed; apt-get install strace")
    probe = subprocess.run([found, "-o", os.devnull, "true"], capture_output=True)
    if probe.returncode:
        lacking("strace", f"may not trace here: {probe.stderr.decode()[:200]}")
    return str(found)


def test_a_full_disk_and_a_read_only_one(tmp_path: Path) -> None:
    unshare = shutil.which("unshare")
    if not unshare or subprocess.run([unshare, "-rm", "true"], capture_output=True).returncode:
        if os.environ.get("CI") == "true" and unshare:
            pytest.fail("unshare -rm is not permitted here")
        pytest.skip("no unshare -rm here: a small disk of our own cannot be had")
    worker = f"{sys.executable} -m tests.store.workers full {tmp_path}"
    task = f"mount -t tmpfs -o size=256k tmpfs {tmp_path} && exec {worker}"
    ran = subprocess.run([unshare, "-rm", "sh", "-c", task], cwd=ROOT, capture_output=True, timeout=120)
    assert ran.returncode == 0, ran.stderr.decode()
    report = json.loads(ran.stdout)
    assert report["ballast"] == "No space left on device"
    assert (report["failed"], report["changed"], report["left"]) == (200, 0, [])
    told = f"{tmp_path}/config/client_{CODE}.json was not written: No space left on device (0 bytes free)."
    assert all(message.startswith(told) for message in report["messages"])
    assert report["shrinking"] == "works" or "No space left" in report["shrinking"]
    assert report["after removal"] == [CODE], "removing needs no room"
    assert report["with room"] >= 2
    for attempt in ("update", "remove"):
        assert report[f"{attempt} read-only"].startswith(f"AccessError: {tmp_path}/config")
        assert "Read-only file system" in report[f"{attempt} read-only"]
    assert report["read read-only"] == report["with room"]


# --- The order of calls --------------------------------------------------------------------------------------------


def traced(strace: str, directory: Path, calls: str) -> list[str]:
    """The system calls of one update on the directory's files, in their order."""
    log = directory.parent / "strace.log"
    command = [strace, "-f", "-y", "-s", "8", "-e", f"trace={calls}", "-o", str(log), "-p"]
    with (
        workers(("once", directory)) as (worker,),
        subprocess.Popen([*command, str(worker.process.pid)], stderr=subprocess.PIPE) as tracer,
    ):
        assert tracer.stderr
        attached = tracer.stderr.readline().decode()
        if "attached" not in attached:
            lacking("strace", f"may not attach: {attached}")
        worker.go()
        assert worker.line() == "done"
        worker.lines()
        tracer.communicate(timeout=20)
    return [line.partition(" ")[2].strip() for line in log.read_text().splitlines() if str(directory) in line]


def test_what_is_acknowledged_is_on_the_disk(strace: str, tmp_path: Path) -> None:
    directory = tmp_path / "config"
    lines = traced(strace, directory, "openat,write,fsync,fdatasync,rename,renameat,renameat2,unlinkat,unlink,flock")
    here, new = re.escape(f"<{directory}>"), r"\.tmp-[0-9a-f]{16}"
    audit = re.escape(f"<{directory}/audit/log-000001.jsonl>")
    temporary = re.escape(f"{directory}/") + new
    order = [
        r"flock\(.*/\.lock>, LOCK_EX\) = 0",
        rf"write\(\d+{audit}.* = \d+",
        rf"fdatasync\(\d+{audit}\) += 0",
        rf'openat\(\d+{here}, "{new}", O_WRONLY\|O_CREAT\|O_EXCL\|O_NOFOLLOW\|O_CLOEXEC, 0600\)',
        rf"write\(\d+<{temporary}>.* = \d+",
        rf"fsync\(\d+<{temporary}>\) += 0",
        rf'rename(at|at2)?\(\d+{here}, "{new}", \d+{here}, "client_{CODE}\.json"',
        rf"fsync\(\d+{here}\) += 0",
        rf"write\(\d+{audit}.* = \d+",
        r"flock\(.*/\.lock>, LOCK_UN\) = 0",
    ]
    found = [line for line in lines if any(re.match(pattern, line) for pattern in order)]
    assert len(found) == len(order), "\n".join(lines)
    assert all(re.match(pattern, line) for pattern, line in zip(order, found, strict=True)), "\n".join(lines)
    # Nothing else was made, renamed or removed.
    assert sum("O_EXCL" in line for line in lines) == 1
    assert sum(line.startswith("rename") for line in lines) == 1
    assert not [line for line in lines if line.startswith("unlink")]
    written = [line for line in lines if line.startswith("write(")]
    written_to = {re.sub(r".*/(\.tmp|[^>]*)[^>]*>.*", r"\1", line) for line in written}
    assert written_to == {".tmp", ".lock", "generation", "head", "log-000001.jsonl"}


# --- Calls that fail ------------------------------------------------------------------------------------------------

FAULTS = [
    (call, error)
    for call, errors in {
        "openat": ("EMFILE", "ENOSPC", "EACCES", "EIO"),
        "write": ("ENOSPC", "EIO", "EDQUOT"),
        "fsync": ("EIO", "ENOSPC", "EDQUOT"),
        "/rename": ("EIO", "ENOSPC", "EXDEV", "EROFS"),
        "/unlink": ("EIO", "EROFS"),
        "/stat|statx": ("EIO", "EACCES"),
        "flock": ("EINTR", "ENOLCK"),
        "/mkdir": ("EROFS", "ENOSPC"),
        "close": ("EIO",),
        "getdents64": ("EIO",),
        "lseek": ("EIO",),
    }.items()
    for error in errors
]


class Subject:
    """A process that makes one change whenever it is told to, over a socket that no fault touches."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.store.workers", "subject", str(theirs.fileno())],
            cwd=ROOT, pass_fds=[theirs.fileno()], stderr=subprocess.PIPE,
        )  # fmt: skip
        theirs.close()
        self.socket = ours
        assert self.receive() == "ready"

    def receive(self) -> str:
        return self.socket.recv(1 << 16).decode()

    def ask(self, what: str) -> str:
        self.socket.send(what.encode())
        return self.receive()

    def stop(self) -> None:
        self.socket.close()
        self.process.communicate(timeout=20)


@pytest.fixture
def subject(strace: str) -> Iterator[Subject]:
    found = Subject()
    yield found
    found.stop()


def contents(store: Store) -> list[tuple[str, int]]:
    """What is kept, in a form to compare; nothing of it may be damaged."""
    found = [(kept.item.client_code, count(kept.item)) for kept in store.clients.list()]
    assert store.clients.damaged() == store.connections.damaged() == []
    return found + [(kept.item.name, 0) for kept in store.connections.list()]


@pytest.mark.fault
@pytest.mark.parametrize("work", SINGLE)
def test_every_system_call_may_fail_once(strace: str, subject: Subject, tmp_path: Path, work: str) -> None:
    tally = {"runs": 0, "fired": 0, "acknowledged": 0, "refused": 0, "done all the same": 0}
    log, directory = tmp_path / "log", tmp_path / "config"
    model = Store(Directory(tmp_path / "model", fsync=False))
    model.clients.put(client())
    old = contents(model)
    SINGLE[work](model)
    new = contents(model)
    for call, error in FAULTS:
        for k in range(1, 200):
            store = Store(audited(directory, fsync=False))
            store.clients.put(client())
            tracer = subprocess.Popen(
                [strace, "-f", "-qq", "-o", str(log), "-e", f"trace={call}",
                 "-e", f"inject={call}:error={error}:when={k}", "-p", str(subject.process.pid)],
                stderr=subprocess.PIPE,
            )  # fmt: skip
            while "TracerPid:\t0\n" in Path(f"/proc/{subject.process.pid}/status").read_text():
                assert tracer.poll() is None, tracer.stderr and tracer.stderr.read()
            said = subject.ask(f"{work} {directory}")
            tracer.send_signal(signal.SIGINT)
            tracer.communicate(timeout=20)
            fired = log.read_text().count("(INJECTED)")
            context = (call, error, k, said)
            # Whoever comes later finishes what was begun, and finds the old or the new.
            later = Store(audited(directory, fsync=False))
            found = contents(later)
            assert found in (old, new), (context, found)
            if said == "acknowledged":
                assert found == new, context
                tally["acknowledged"] += 1
            else:
                assert said.startswith("refused "), context
                tally["refused" if found == old else "done all the same"] += 1
            later.clients.put(client("NEXT"))
            assert leftovers(directory) == [], context
            assert verdict(later.directory).ok, (context, verdict(later.directory))
            shutil.rmtree(directory)
            tally["runs"] += 1
            tally["fired"] += fired
            if not fired:
                break
        else:
            pytest.fail(f"{call} never ran out of calls")
    print(tally)
    assert tally["fired"] >= 40
    assert tally["refused"] > tally["acknowledged"] > 0


def test_a_worker_that_dies_is_noticed() -> None:
    """The harness itself: silence is no success."""
    with pytest.raises(AssertionError), workers(("no such task", "x")):
        pass
    worker = Worker("write")
    with pytest.raises(AssertionError, match="missing 4 required"):
        worker.lines()
    worker.stop()
