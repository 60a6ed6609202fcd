"""Sessions lent and taken back: one per connection and holder, another after an edit, none shared with a fork."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from siege_nb import pool
from siege_nb.adapters.duckdb import DuckDBAdapter, DuckDBParams
from siege_nb.errors import ConnectError, ConnectTimeoutError
from siege_nb.pool import Key, Lease, Pool
from siege_nb.query.session import Session
from siege_nb.testing import BareHost

KEY = Key("id-1", "cells")


class Opener:
    """Opens real DuckDB sessions and counts them."""

    def __init__(self) -> None:
        self.opened: list[Session] = []

    def __call__(self) -> Session:
        self.opened.append(DuckDBAdapter(DuckDBParams()).open(BareHost()))
        return self.opened[-1]


@pytest.fixture
def sessions() -> Iterator[Pool]:
    made = Pool()
    yield made
    made.close_all()


def lease(sessions: Pool, open_: Callable[[], Session], version: str = "1", key: Key = KEY) -> Lease:
    return sessions.lease(key, version, "duck", open_, deadline=5)


def test_a_holder_keeps_the_same_session_until_it_is_closed(sessions: Pool) -> None:
    open_ = Opener()
    assert lease(sessions, open_) is lease(sessions, open_)
    assert lease(sessions, open_, key=Key("id-1", "browser")) is not lease(sessions, open_)
    assert len(open_.opened) == 2
    assert sessions.close("id-1", "browser") == 1
    assert sessions.close("id-1") == 1
    assert sessions.close("id-1") == 0
    lease(sessions, open_)
    assert len(open_.opened) == 3


def test_an_edited_profile_gets_a_new_session_and_the_old_one_is_closed(sessions: Pool) -> None:
    open_ = Opener()
    lease(sessions, open_, "1")
    lease(sessions, open_, "2")
    old, _ = open_.opened
    with pytest.raises(ConnectError, match="was lost"):
        old.ping()


def test_fifty_threads_at_once_open_one_session(sessions: Pool) -> None:
    open_, gate, found = Opener(), threading.Barrier(50), []

    def take() -> None:
        gate.wait()
        found.append(lease(sessions, open_))

    threads = [threading.Thread(target=take) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(open_.opened) == 1
    assert len({id(one) for one in found}) == 1


def test_a_failed_open_is_told_and_leaves_nothing(sessions: Pool) -> None:
    def fail() -> Session:
        raise ConnectError("no")

    before = threading.active_count()
    with pytest.raises(ConnectError, match="no"):
        lease(sessions, fail)
    assert sessions.find(KEY) is None
    until = time.monotonic() + 5
    while threading.active_count() > before:
        assert time.monotonic() < until


def test_a_driver_that_keeps_no_deadline_meets_ours(sessions: Pool) -> None:
    never = threading.Event()

    def hang() -> Session:
        never.wait(30)
        raise AssertionError

    began = time.monotonic()
    with pytest.raises(ConnectTimeoutError, match=r"did not answer within 0\.3 s"):
        sessions.lease(KEY, "1", "slow", hang, deadline=0.3)
    assert time.monotonic() - began < 0.3 + pool.MARGIN + 0.5
    never.set()


def test_an_idle_session_that_has_died_is_replaced(sessions: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    open_ = Opener()
    first = lease(sessions, open_)
    first.call(first.session.close)
    assert lease(sessions, open_) is first, "it was used just now: nobody asked it"
    monkeypatch.setattr(pool, "IDLE_BEFORE_PING", 0.0)
    assert lease(sessions, open_) is not first
    assert len(open_.opened) == 2


def test_two_cells_never_talk_over_one_session_at_once(sessions: Pool) -> None:
    one = lease(sessions, Opener())
    inside, most = 0, 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        one.session.ping()
        with lock:
            inside -= 1

    threads = [threading.Thread(target=lambda: [one.call(work) for _ in range(20)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_gets_sessions_of_its_own(sessions: Pool) -> None:
    open_ = Opener()
    parents = lease(sessions, open_)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        try:
            mine = sessions.lease(KEY, "1", "duck", open_, deadline=5)
            os.write(write, b"own" if mine is not parents and mine.call(lambda: 7) == 7 else b"shared")
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    assert os.read(read, 10) == b"own"
    os.close(read)
    assert lease(sessions, open_) is parents
    parents.call(parents.session.ping)
