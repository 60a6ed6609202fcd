"""What the processes of these tests do: `python -m tests.store.workers TASK DIRECTORY …`, one line out per act."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from siege_nb.errors import ConflictError, SiegeError
from siege_nb.models.client import ClientProfile
from siege_nb.state import Directory
from siege_nb.store import Store
from tests.state.audited import audited
from tests.store.profiles import client, connection, count, counted, leftovers, noted

CODE = "ACME001"


def say(what: object) -> None:
    """One whole line, at once: the reader may be about to kill us."""
    os.write(1, f"{what}\n".encode())


def write(path: str, fsync: str, me: str, times: str) -> None:
    """Count on, under our own name too; one line per update that was acknowledged, with its milliseconds."""
    store = Store(Directory(path, fsync=fsync == "fsync", patience=30))

    def one_more(profile: ClientProfile) -> ClientProfile:
        mine = profile.preferences.notification_preferences
        wishes = {"notification_preferences": {**mine, me: mine.get(me, 0) + 1}}
        return counted(profile).model_copy(update={"preferences": profile.preferences.model_copy(update=wishes)})

    say("ready")
    sys.stdin.readline()
    for _ in range(int(times)):
        began = time.perf_counter()
        kept = store.clients.update(CODE, one_more)
        elapsed = (time.perf_counter() - began) * 1000
        say(f"{kept.item.preferences.notification_preferences[me]} {elapsed:.3f}")


def watch(path: str) -> None:
    """Read until told to stop; tells how many versions were seen and what was wrong with any."""
    store = Store(Directory(path))
    say("ready")
    os.set_blocking(0, False)
    reads, seen, last, wrong = 0, set(), -1, []
    while not sys.stdin.read(1):
        try:
            kept = store.clients.find(CODE)
        except SiegeError as error:
            wrong.append(str(error))
            continue
        reads += 1
        seen.add(kept.revision)
        if kept.revision < last:
            wrong.append(f"went back from {last} to {kept.revision}")
        if count(kept.item) != sum(kept.item.preferences.notification_preferences.values()):
            wrong.append("torn")
        last = kept.revision
    last = store.clients.find(CODE).revision
    say(json.dumps({"reads": reads, "versions": len(seen), "last": last, "wrong": wrong[:5]}))


def move(path: str, first: str, second: str) -> None:
    """Rename the client to and fro, each time in a change of two files."""
    store = Store(Directory(path))
    codes = [first, second] if (Path(path) / f"client_{first}.json").exists() else [second, first]
    while True:
        store.clients.update(codes[0], lambda c: counted(c).model_copy(update={"client_code": codes[1]}))
        codes.reverse()
        say(codes[0])


def fill(path: str, me: str, times: str) -> None:
    """Add connections one after the other, and remove each when the next but one is there."""
    store = Store(Directory(path, fsync=False, patience=30))
    say("ready")
    sys.stdin.readline()
    for n in range(1, int(times) + 1):
        store.connections.put(connection(f"{me} {n}", connection_id=f"{me}{n}"), expected="")
        if n > 2:
            store.connections.remove(f"{me}{n - 2}")
        say(n)


def zygote(path: str, histories: str) -> None:
    """Fork a client of the register for each name that is read, or a reader for `reader`; says its pid.

    A fork costs a millisecond where a new interpreter costs a second, most of it what the others then cannot do.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system buries them
    say("ready")
    for name in map(str.strip, sys.stdin):
        child = os.fork()
        if child == 0:
            act_on_register(path, f"{histories}/{name}", only_read=name.startswith("reader"))
        say(child)


def act_on_register(path: str, history: str, *, only_read: bool) -> None:
    """Read the profile and replace it, by turns, until killed; what was asked and what came of it is written down."""
    store = Store(Directory(path, fsync=False, patience=60))
    log = os.open(history, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    me, count = os.path.basename(history), 0

    def note(*words: object) -> None:
        os.write(log, f"{' '.join(map(str, words))}\n".encode())

    while True:
        began = time.monotonic_ns()
        kept = store.clients.find(CODE)
        note("read", began, time.monotonic_ns(), kept.revision, kept.item.metadata.notes)
        if only_read:
            continue
        count += 1
        value, began = f"{me}.{os.getpid()}.{count}", time.monotonic_ns()
        note("try", began, 0, kept.revision + 1, value)
        try:
            done = store.clients.put(noted(kept.item, value), expected=kept.version)
        except ConflictError:
            note("refused", began, time.monotonic_ns(), kept.revision + 1, value)
        else:
            note("wrote", began, time.monotonic_ns(), done.revision, value)


def once(path: str) -> None:
    """One update with all its syncs, for those who watch system calls."""
    store = Store(audited(Path(path)))
    store.clients.put(client())
    say("ready")
    sys.stdin.readline()
    store.clients.update(CODE, counted)
    say("done")


#: One change each; every one of them ends in a state of its own.
SINGLE: dict[str, Callable[[Store], object]] = {
    "update": lambda store: store.clients.update(CODE, counted),
    "move": lambda store: store.clients.update(CODE, lambda c: counted(c).model_copy(update={"client_code": "MOVED"})),
    "create": lambda store: store.connections.put(connection(connection_id="C1")),
    "remove": lambda store: store.clients.remove(CODE),
}


def subject(fd: str) -> None:
    """Make the change that is asked for over a socket, as often as asked."""
    prctl, anyone = 0x59616D61, -1  # PR_SET_PTRACER: strace may attach although it is not our parent
    ctypes.CDLL(None).prctl(prctl, anyone, 0, 0, 0)
    with socket.socket(fileno=int(fd)) as asked, tempfile.TemporaryDirectory() as warm:
        # What is imported on first use is imported here, not under faults.
        store = Store(audited(Path(warm, "config")))
        for change in SINGLE.values():
            store.clients.put(client())
            change(store)
        asked.send(b"ready")
        while question := asked.recv(1 << 12).decode():
            work, path = question.split()
            store = Store(audited(Path(path)))
            try:
                SINGLE[work](store)
                answer = "acknowledged"
            except SiegeError as error:
                answer = f"refused {type(error).__name__}: {error}"
            except BaseException as error:
                answer = f"raw {error!r}"
            asked.send(answer.encode())


def interrupted(path: str, times: str) -> None:
    """Update until interrupted so many times, then tell what is left behind."""
    store = Store(audited(Path(path), fsync=False, patience=20))
    store.clients.put(client())
    before, hits, done = len(os.listdir("/proc/self/fd")), 0, 0
    armed = late = False

    def interrupt(*_: object) -> None:
        # While we count the last one, the next one waits.
        nonlocal late
        if armed:
            raise KeyboardInterrupt
        late = True

    signal.signal(signal.SIGINT, interrupt)
    say("ready")
    while hits < int(times):
        try:
            armed = True
            if late:
                late = False
                raise KeyboardInterrupt
            while True:
                store.clients.update(CODE, counted)
                done += 1
        except KeyboardInterrupt:
            armed = False
            hits += 1
            say("interrupted")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    store.clients.update(CODE, counted)
    after = len(os.listdir("/proc/self/fd"))
    kept = store.clients.find(CODE)
    say(json.dumps({
        "hits": hits, "acknowledged": done + 1, "found": count(kept.item), "revision": kept.revision,
        "left": leftovers(Path(path)), "lock": (Path(path) / ".lock").read_text().strip(), "grown": after - before,
    }))  # fmt: skip


def full(path: str) -> None:
    """On a small disk of our own: fill it, try to write 200 times, read, remove; then the same read-only."""
    report: dict[str, Any] = {"failed": 0, "changed": 0, "messages": [], "left": []}
    directory = Path(path) / "config"
    store = Store(Directory(directory))
    store.clients.put(noted(client(), "n" * 500))
    store.clients.put(client("OTHER"))
    kept = store.clients.find(CODE)
    with open(Path(path) / "ballast", "wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(b"x" * 4096)
        except OSError as error:
            report["ballast"] = error.strerror
    for n in range(200):
        try:
            store.clients.update(CODE, lambda c, n=n: noted(c, f"{n}" * 1000))
        except SiegeError as error:
            report["failed"] += 1
            report["messages"].append(str(error))
        report["changed"] += Store(directory).clients.find(CODE) != kept
    try:
        store.clients.update(CODE, lambda c: noted(c, ""))
        report["shrinking"] = "works"
    except SiegeError as error:
        report["shrinking"] = str(error)
    report["left"] = leftovers(directory)
    store.clients.remove("OTHER")
    report["after removal"] = [k.item.client_code for k in Store(directory).clients.list()]
    (Path(path) / "ballast").unlink()
    report["with room"] = store.clients.update(CODE, counted).revision
    os.system(f"mount -o remount,ro {path}")
    for attempt in ("update", "remove"):
        try:
            if attempt == "update":
                store.clients.update(CODE, counted)
            else:
                store.clients.remove(CODE)
        except SiegeError as error:
            report[f"{attempt} read-only"] = f"{type(error).__name__}: {error}"
    report["read read-only"] = Store(directory).clients.find(CODE).revision
    say(json.dumps(report))


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
