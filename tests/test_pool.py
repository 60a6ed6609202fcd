"""Sessions lent and taken back: one per connection and holder, another after an edit, none shared with a fork."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from siege_nb import adapters, pool
from siege_nb.adapters.duckdb import DuckDBAdapter, DuckDBParams
from siege_nb.declare import structure
from siege_nb.errors import ConflictError, ConnectError, ConnectTimeoutError, QueryError, QueryTimeoutError
from siege_nb.pool import Key, Lease, Pool
from siege_nb.query.ask import ask
from siege_nb.query.run import StoppedError
from siege_nb.query.session import Answer, Queryable, Session
from siege_nb.testing import BareHost
from tests.servers import MariaDB

KEY = Key("id-1", "cells")


def open_memory() -> Session:
    return DuckDBAdapter(DuckDBParams()).open(BareHost())


class Opener:
    """Opens real DuckDB sessions and counts them."""

    def __init__(self) -> None:
        self.opened: list[Session] = []

    def __call__(self) -> Session:
        self.opened.append(open_memory())
        return self.opened[-1]


@pytest.fixture
def sessions() -> Iterator[Pool]:
    made = Pool()
    yield made
    made.close_all()


def lease(sessions: Pool, open_: Callable[[], Session], version: str = "1", key: Key = KEY) -> Lease:
    return sessions.lease(key, version, "duck", open_, deadline=5)


def say(lease: Lease, sql: str, timeout: float | None = None) -> list[Answer]:
    session = lease.session
    assert isinstance(session, Queryable)
    return lease.call(lambda: ask(session, sql, {})[0], timeout=timeout)


def told_lost() -> None:
    raise ConnectError("The connection was lost.", problem="lost")


def test_a_holder_keeps_the_same_session_until_it_is_closed(sessions: Pool) -> None:
    open_ = Opener()
    assert lease(sessions, open_) is lease(sessions, open_)
    assert lease(sessions, open_, key=Key("id-1", "browser")) is not lease(sessions, open_)
    assert len(open_.opened) == 2
    assert sessions.close("id-1", "browser") == [True]
    assert sessions.close("id-1") == [True]
    assert sessions.close("id-1") == []
    lease(sessions, open_)
    assert len(open_.opened) == 3


def test_an_edited_profile_gets_a_new_session_and_the_old_one_is_closed(sessions: Pool) -> None:
    open_ = Opener()
    lease(sessions, open_, "1")
    lease(sessions, open_, "2")
    old, _ = open_.opened
    with pytest.raises(ConnectError, match="was lost"):
        old.ping()


def test_an_edit_does_not_take_an_open_transaction_away(sessions: Pool) -> None:
    open_ = Opener()
    first = lease(sessions, open_, "1")
    say(first, "CREATE TABLE t(a int); BEGIN; INSERT INTO t VALUES (1)")
    with pytest.raises(ConflictError, match="duck was edited") as caught:
        lease(sessions, open_, "2")
    assert "%conn close duck" in caught.value.hint
    say(lease(sessions, open_, "1"), "COMMIT")
    assert lease(sessions, open_, "2") is not first


def test_a_session_goes_by_the_name_it_has_now(sessions: Pool) -> None:
    open_ = Opener()
    first = lease(sessions, open_)
    assert sessions.lease(KEY, "1", "drake", open_, deadline=5) is first
    assert first.name == "drake"


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


def test_a_session_known_to_be_lost_is_replaced_at_once(sessions: Pool) -> None:
    open_ = Opener()
    first = lease(sessions, open_)
    with pytest.raises(ConnectError):
        first.call(told_lost)
    assert lease(sessions, open_) is not first
    assert len(open_.opened) == 2


@pytest.mark.parametrize("known", [True, False])
def test_a_transaction_lost_with_its_session_is_told_once(
    sessions: Pool, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    open_ = Opener()
    first = lease(sessions, open_)
    say(first, "BEGIN")
    if known:
        with pytest.raises(ConnectError):
            first.call(told_lost)
    else:
        first.call(first.session.close)
        monkeypatch.setattr(pool, "IDLE_BEFORE_PING", 0.0)
    with pytest.raises(ConnectError, match="session of duck was lost in an open transaction; it was rolled back") as e:
        lease(sessions, open_)
    assert e.value.problem == "lost"
    assert not lease(sessions, open_).in_transaction
    assert len(open_.opened) == 2


LONG = "SELECT count(*) FROM range(100000000) a, range(100000) b WHERE (a.range * b.range) % 7 = 3"


def test_the_timeout_counts_the_wait_for_another_cell(sessions: Pool) -> None:
    one, begun, over = lease(sessions, Opener()), threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        over.wait(30)

    busy = threading.Thread(target=lambda: one.call(hold))
    busy.start()
    begun.wait()
    began = time.monotonic()
    with pytest.raises(QueryTimeoutError, match="duck is busy with another cell"):
        say(one, "SELECT 1", timeout=0.3)
    assert time.monotonic() - began < 1
    threading.Timer(0.4, over.set).start()
    with pytest.raises(QueryTimeoutError, match=r"Timed out after 0\.8 s"):
        say(one, LONG, timeout=0.8)
    assert time.monotonic() - began < 2
    busy.join()


def test_closing_stops_what_runs(sessions: Pool) -> None:
    one, told = lease(sessions, Opener()), []

    def cell() -> None:
        try:
            say(one, LONG)
        except QueryError as error:
            told.append(error.kind)

    running = threading.Thread(target=cell)
    running.start()
    time.sleep(0.3)
    assert sessions.close("id-1") == [True]
    running.join(2)
    assert told == ["cancelled"]


class Stuck:
    """A session whose close hangs."""

    def __init__(self, interrupt: bool = False) -> None:
        self.interrupt, self.over = interrupt, threading.Event()

    def ping(self) -> None:
        pass

    def close(self) -> None:
        if self.interrupt:
            signal.raise_signal(signal.SIGINT)
        self.over.wait(30)


def test_closing_what_hangs_says_so(sessions: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "PING_DEADLINE", 0.1)
    stuck = Stuck()
    lease(sessions, lambda: stuck)
    assert sessions.close("id-1") == [False]
    stuck.over.set()


def test_an_interrupt_while_closing_leaves_nothing_open(sessions: Pool) -> None:
    stuck, open_, before = Stuck(interrupt=True), Opener(), threading.active_count()
    lease(sessions, lambda: stuck)
    lease(sessions, open_, key=Key("id-2", "cells"))
    with pytest.raises(StoppedError, match="while closing duck"):
        sessions.close_all()
    with pytest.raises(ConnectError):
        open_.opened[0].ping()
    stuck.over.set()
    until = time.monotonic() + 5
    while threading.active_count() > before:
        assert time.monotonic() < until, "its thread ends"


def test_an_interrupt_while_connecting_says_so(sessions: Pool) -> None:
    never = threading.Event()

    def hang() -> Session:
        signal.raise_signal(signal.SIGINT)
        never.wait(30)
        raise AssertionError

    with pytest.raises(StoppedError, match=r"^after \d\.\d s while connecting to duck\.$"):
        lease(sessions, hang)
    never.set()


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


def forked(child: Callable[[], object]) -> int:
    """How a forked child ended: 0 when it came to the end of what it had to do."""
    pid = os.fork()
    if pid == 0:  # pragma: no cover - another process
        code = 1
        try:
            child()
            gc.collect()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_gets_sessions_of_its_own_and_frees_none_of_its_parents(sessions: Pool) -> None:
    # Nobody but the pool holds the session: to free DuckDB's in a child is a segmentation fault.
    say(lease(sessions, open_memory), "CREATE TABLE t(a int)")

    def child() -> None:
        mine = lease(sessions, open_memory)
        assert mine.call(lambda: 7) == 7
        with pytest.raises(QueryError):
            say(mine, "FROM t")

    assert forked(child) == 0
    say(lease(sessions, open_memory), "FROM t")


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_does_not_close_its_parents_sockets(sessions: Pool, mariadb: MariaDB) -> None:
    def open_() -> Session:
        params = structure(adapters.load("mysql").params_type, {
            "host": mariadb.host, "port": mariadb.port, "database": mariadb.database, "username": mariadb.username,
            "password": mariadb.password,
        })  # fmt: skip
        return adapters.load("mysql")(params).open(BareHost())

    say(lease(sessions, open_), "CREATE TEMPORARY TABLE t(a int)")
    assert forked(lambda: say(lease(sessions, open_), "SELECT 1")) == 0
    say(lease(sessions, open_), "SELECT * FROM t")


ENDING = """
import os, sys
from tests.test_pool import Pool, lease, open_memory
pool = Pool()
lease(pool, open_memory)
if child := os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_child_that_ends_by_itself_ends_well() -> None:
    ended = subprocess.run([sys.executable, "-W", "ignore", "-c", ENDING], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
