"""Ctrl-C at any instant of a save: the lock is free, nothing half done lies about, the profile is old or new."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import siege_nb
from siege_nb.errors import ConflictError
from siege_nb.state import Directory
from siege_nb.store import Store
from tests.state.audited import audited, verdict
from tests.store.profiles import client, connection, count, counted, leftovers
from tests.store.test_many_processes import workers

OURS = str(Path(siege_nb.__file__).parent)

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs SIGINT and /proc")


class InterruptAt:
    """Raises KeyboardInterrupt at the n-th line of ours that this thread reaches."""

    def __init__(self, n: int) -> None:
        self.n, self.lines, self.where = n, 0, ""

    def __call__(self, frame: FrameType, event: str, arg: Any) -> Any:
        if not frame.f_code.co_filename.startswith(OURS):
            return None
        if event == "line":
            self.lines += 1
            if self.lines == self.n:
                self.where = f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"
                raise KeyboardInterrupt
        return self


def opened() -> set[str]:
    """What this process has open, by name."""
    found = set()
    for fd in os.listdir("/proc/self/fd"):
        try:
            found.add(f"{fd} {os.readlink(f'/proc/self/fd/{fd}')}")
        except FileNotFoundError:  # the listing's own
            pass
    return found


def new_code(store: Store) -> object:
    return store.clients.update("ACME001", lambda c: counted(c).model_copy(update={"client_code": "MOVED"}))


SAVES: dict[str, Callable[[Store], object]] = {
    "update": lambda store: store.clients.update("ACME001", counted),
    "put": lambda store: store.clients.put(counted(client())),
    "create": lambda store: store.connections.put(connection()),
    "move": new_code,
    "remove": lambda store: store.clients.remove("ACME001"),
}


def state_of(store: Store) -> tuple[object, ...]:
    fresh = Store(Directory(store.directory.path, fsync=False))
    clients = [(kept.item.client_code, count(kept.item)) for kept in fresh.clients.list()]
    assert fresh.clients.damaged() == fresh.connections.damaged() == []
    return (*clients, *(kept.item.name for kept in fresh.connections.list()))


def interrupted(save: Callable[[Store], object], store: Store, tracer: InterruptAt) -> bool:
    """Whether the tracer's interrupt reached the caller.

    In a thread of its own: an error out of a trace function may leave CPython believing that the error handled there
    still is, and every later one in that thread would hang on it.
    """
    reached = []

    def call() -> None:
        sys.settrace(tracer)
        try:
            save(store)
        except KeyboardInterrupt:
            reached.append(True)
        finally:
            sys.settrace(None)

    caller = threading.Thread(target=call)
    caller.start()
    caller.join()
    return bool(reached)


@pytest.mark.parametrize("save", SAVES.values(), ids=SAVES)
def test_an_interrupt_at_every_line(tmp_path: Path, save: Callable[[Store], object]) -> None:
    store = Store(Directory(tmp_path / "0", fsync=False))
    store.clients.put(client())
    old = state_of(store)
    save(store)
    outcomes = {"old": old, "new": state_of(store)}
    descriptors = opened()
    fired, met = [], set()
    for n in range(1, 2000):
        directory = audited(tmp_path / str(n), fsync=False, patience=5)
        store = Store(directory)
        store.clients.put(client())
        tracer = InterruptAt(n)
        if interrupted(save, store, tracer):
            fired.append(tracer.where)
        # Taking the lock shows that it is free, and waits for the thread that may still be finishing.
        directory.change(lambda change: None)
        found = state_of(store)
        met |= {name for name, outcome in outcomes.items() if outcome == found}
        assert found in outcomes.values(), tracer.where
        assert leftovers(directory.path) == [], tracer.where
        assert (directory.path / ".lock").read_text().strip() == "", tracer.where
        assert verdict(directory).ok, tracer.where
        save(store) if found == old else None
        if not tracer.where:
            break
    else:
        pytest.fail("the save never came to its end")
    assert len(fired) >= 40
    assert met == {"old", "new"}
    # Between the system's open and the line that keeps the number a reader's descriptor can get lost, nothing else's.
    assert {os.path.basename(name) for name in opened() - descriptors} <= {"generation"}


def test_an_interrupt_is_remembered_until_the_outcome_is_known(tmp_path: Path) -> None:
    """What Ctrl-C stops while the work runs is the caller, not the work."""
    directory = Directory(tmp_path, fsync=False)
    inside, go_on = threading.Event(), threading.Event()

    def work(change: Any) -> None:
        inside.set()
        assert go_on.wait(10)
        change.write("a", b"1")

    def interrupt() -> None:
        assert inside.wait(10)
        os.kill(os.getpid(), signal.SIGINT)
        go_on.set()

    helper = threading.Thread(target=interrupt)
    helper.start()
    with pytest.raises(KeyboardInterrupt):
        directory.change(work)
    assert directory.read("a") == b"1"
    helper.join()


def test_an_interrupted_failure_keeps_its_reason(tmp_path: Path) -> None:
    def work(change: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        raise ConflictError("taken")

    with pytest.raises((KeyboardInterrupt, ConflictError)) as caught:
        Directory(tmp_path, fsync=False).change(work)
    assert isinstance(caught.value, ConflictError) or isinstance(caught.value.__cause__, ConflictError)


def signals(tmp_path: Path, times: int) -> None:
    dice, sent = random.Random(3), 0
    with workers(("interrupted", tmp_path / "config", times)) as (worker,):
        for _ in range(times):
            for _ in range(dice.randrange(60_000)):  # somewhere within one of its updates
                pass
            worker.process.send_signal(signal.SIGINT)
            sent += 1
            assert worker.line() == "interrupted"
        report = json.loads(worker.lines()[-1])
    print(report)
    assert report["hits"] == sent == times
    assert report["left"] == []
    assert report["lock"] == ""
    assert report["grown"] <= 2
    # What was interrupted may have been done: never less than what was told, never more than one each.
    assert report["acknowledged"] <= report["found"] <= report["acknowledged"] + times
    assert report["revision"] == report["found"] + 1


def test_real_signals(tmp_path: Path) -> None:
    signals(tmp_path, 300)


@pytest.mark.fault
def test_5000_real_signals(tmp_path: Path) -> None:
    signals(tmp_path, 5000)
