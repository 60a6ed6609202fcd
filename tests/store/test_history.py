"""Clients of one profile, killed and stopped at random: what each of them saw fits one order of events."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from siege_nb.state import Directory
from siege_nb.store import Store
from tests.store.profiles import client, leftovers, noted
from tests.store.test_many_processes import workers
from tests.store.workers import CODE

CLIENTS, SECONDS = 4, 40.0


@dataclass(frozen=True)
class Event:
    what: str
    began: int
    ended: int
    revision: int
    value: str


@dataclass
class Verdict:
    """What is wrong with a history; and what is not, but worth knowing."""

    duplicates: list[int] = field(default_factory=list)
    mismatches: list[Event] = field(default_factory=list)
    stale: list[Event] = field(default_factory=list)
    unacknowledged: int = 0
    reads: int = 0
    writes: int = 0
    refused: int = 0

    @property
    def bad(self) -> tuple[int, int, int]:
        return len(self.duplicates), len(self.mismatches), len(self.stale)


def judge(events: Iterable[Event]) -> Verdict:
    """Whether there is one register behind these events: each value written once, none read after a later one."""
    verdict, values, tried = Verdict(), dict[int, str](), dict[tuple[int, str], bool]()
    ordered = sorted(events, key=lambda event: event.ended)
    for event in ordered:
        if event.what == "try":
            tried[event.revision, event.value] = False
        elif event.what == "wrote":
            verdict.writes += 1
            if event.revision in values:
                verdict.duplicates.append(event.revision)
            values[event.revision] = event.value
            tried[event.revision, event.value] = True
        elif event.what == "refused":
            verdict.refused += 1
            del tried[event.revision, event.value]
    # What a killed client was at may have been done: whoever reads it first says so, and from then on it holds.
    for event in ordered:
        if event.what == "read":
            verdict.reads += 1
            if event.revision not in values and (event.revision, event.value) in tried:
                verdict.unacknowledged += 1
                values[event.revision] = event.value
            if values.get(event.revision) != event.value:
                verdict.mismatches.append(event)
    # Nobody may begin after somebody has seen a revision, and see an older one.
    seen = sorted((e.ended, e.revision) for e in ordered if e.what in ("read", "wrote"))
    highest, at = 0, 0
    for event in sorted((e for e in ordered if e.what in ("read", "wrote")), key=lambda event: event.began):
        while at < len(seen) and seen[at][0] < event.began:
            highest, at = max(highest, seen[at][1]), at + 1
        if event.revision < highest or (event.what == "wrote" and event.revision == highest):
            verdict.stale.append(event)
    return verdict


def events_in(folder: Path) -> list[Event]:
    found = []
    for path in folder.iterdir():
        for line in path.read_text().splitlines():
            what, began, ended, revision, value = line.split(" ")
            found.append(Event(what, int(began), int(ended), int(revision), value))
    return found


@pytest.mark.fault
def test_one_order_of_events_whoever_is_killed_or_stopped(tmp_path: Path) -> None:
    config, histories = tmp_path / "config", tmp_path / "histories"
    histories.mkdir()
    store = Store(Directory(config, fsync=False))
    store.clients.put(noted(client(), "first"))
    (histories / "before").write_text(f"wrote {time.monotonic_ns()} {time.monotonic_ns()} 1 first\n")
    dice, running, kills, stops, holders = random.Random(11), dict[str, int](), 0, 0, 0
    with workers(("zygote", config, histories)) as (mother,):

        def start(name: str) -> None:
            assert mother.process.stdin
            mother.process.stdin.write(f"{name}\n".encode())
            mother.process.stdin.flush()
            running[name] = int(mother.line())

        for name in ("reader", *(f"client{n}" for n in range(CLIENTS))):
            start(name)
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            time.sleep(dice.uniform(0.02, 0.4))  # between faults, not for anything
            names = [name for name in running if name != "reader" or dice.random() < 0.2]
            victim = dice.choice(names)
            holder = (config / ".lock").read_text().partition(" ")[0]
            if dice.random() < 0.5:
                victim = next((name for name, pid in running.items() if str(pid) == holder), victim)
            if dice.random() < 0.6:
                os.kill(running[victim], signal.SIGKILL)
                kills, holders = kills + 1, holders + (str(running[victim]) == holder)
                start(victim)
            else:
                os.kill(running[victim], signal.SIGSTOP)
                time.sleep(dice.uniform(0.01, 0.2))
                os.kill(running[victim], signal.SIGCONT)
                stops += 1
        for pid in running.values():
            os.kill(pid, signal.SIGKILL)
        mother.process.kill()
    last = Store(Directory(config, fsync=False)).clients.find(CODE)
    events = events_in(histories)
    now = time.monotonic_ns()
    verdict = judge([*events, Event("read", now, now, last.revision, last.item.metadata.notes)])
    operations = verdict.reads + verdict.writes + verdict.refused
    print(f"{operations} operations ({verdict.writes} writes, {verdict.refused} refused), {kills} kills, {holders} of "
          f"them of the lock's holder, {stops} stops; {verdict.unacknowledged} done but not acknowledged")  # fmt: skip
    assert verdict.bad == (0, 0, 0), (verdict.duplicates[:3], verdict.mismatches[:3], verdict.stale[:3])
    assert operations >= 40_000
    assert verdict.writes >= 1_000
    assert verdict.refused >= 100
    assert kills >= 60
    assert stops >= 40
    assert holders >= 5
    assert verdict.unacknowledged <= kills + CLIENTS + 1
    Store(Directory(config, fsync=False)).clients.update(CODE, lambda c: noted(c, "after"))
    assert leftovers(config) == []


def history(*lines: str) -> list[Event]:
    found = []
    for line in lines:
        what, began, ended, revision, value = line.split()
        found.append(Event(what, int(began), int(ended), int(revision), value))
    return found


@pytest.mark.parametrize(("lines", "bad"), [
    (["wrote 0 1 1 a", "read 2 3 1 a", "try 4 0 2 b", "wrote 4 5 2 b", "read 6 7 2 b"], (0, 0, 0)),
    (["wrote 0 1 1 a", "try 2 0 2 b", "read 5 6 2 b", "read 7 8 2 b"], (0, 0, 0)),
    (["wrote 0 1 1 a", "wrote 2 9 2 b", "read 3 4 2 b", "read 3 5 1 a"], (0, 0, 0)),
    (["wrote 0 1 1 a", "wrote 2 3 2 b", "wrote 2 4 2 c"], (1, 0, 0)),
    (["wrote 0 1 1 a", "read 2 3 1 b"], (0, 1, 0)),
    (["wrote 0 1 1 a", "try 2 0 2 b", "try 2 0 2 c", "read 5 6 2 b", "read 7 8 2 c"], (0, 1, 0)),
    (["wrote 0 1 1 a", "wrote 2 3 2 b", "read 4 5 1 a"], (0, 0, 1)),
    (["wrote 0 1 1 a", "wrote 2 9 2 b", "read 3 4 2 b", "read 5 6 1 a"], (0, 0, 1)),
    (["wrote 0 1 1 a", "try 2 0 2 b", "refused 2 3 2 b", "read 4 5 2 b"], (0, 1, 0)),
])  # fmt: skip
def test_the_judge_sees_each_fault(lines: list[str], bad: tuple[int, int, int]) -> None:
    assert judge(history(*lines)).bad == bad
