"""The worker that makes a session's calls: results, errors, timeouts, interrupts."""

from __future__ import annotations

import signal
import threading
import time
import weakref
from collections.abc import Iterator
from itertools import pairwise

import pytest

from siege_nb.errors import ConnectError, QueryError, QueryTimeoutError
from siege_nb.query import run
from siege_nb.query.run import StoppedError, Worker


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker("test")
    yield worker
    worker.close()


class Engine:
    """Something that runs until it is told to stop, as a driver does."""

    def __init__(self, obeys: bool = True) -> None:
        self.started, self.told = threading.Event(), threading.Event()
        self.obeys, self.asked = obeys, 0

    def work(self) -> None:
        self.started.set()
        self.told.wait(30)
        raise RuntimeError("cancelled by the driver")

    def cancel(self) -> None:
        self.asked += 1
        if self.obeys:
            self.told.set()


def test_what_the_work_returns_or_raises_comes_back(worker: Worker) -> None:
    assert worker.call(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        worker.call(lambda: 1 // 0)
    assert worker.call(lambda: 8) == 8


def test_all_calls_come_from_one_thread(worker: Worker) -> None:
    assert len({worker.call(threading.get_ident) for _ in range(20)}) == 1


def test_a_timeout_cancels_the_work_and_the_next_call_works(worker: Worker) -> None:
    engine = Engine()
    with pytest.raises(QueryTimeoutError, match=r"Timed out after 0\.1 s; the statement no longer runs"):
        worker.call(engine.work, cancel=engine.cancel, timeout=0.1)
    assert engine.asked >= 1
    assert not worker.lost
    assert worker.call(lambda: 1) == 1


def test_an_engine_that_does_not_obey_costs_its_session(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "GRACE", 0.5)
    engine = Engine(obeys=False)
    with pytest.raises(QueryTimeoutError, match="did not stop"):
        worker.call(engine.work, cancel=engine.cancel, timeout=0.05)
    assert worker.lost
    with pytest.raises(ConnectError, match="given up"):
        worker.call(lambda: 1)
    engine.told.set()


def test_an_interrupt_cancels_the_work_and_is_a_keyboard_interrupt(worker: Worker) -> None:
    engine = Engine()

    def press_stop() -> None:
        engine.started.wait()
        signal.raise_signal(signal.SIGINT)

    threading.Thread(target=press_stop).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt) as caught:
        worker.call(engine.work, cancel=engine.cancel)
    assert time.monotonic() - began < 2
    assert isinstance(caught.value, StoppedError)
    assert not isinstance(caught.value, Exception)
    assert caught.value._render_traceback_()[0].startswith("Stopped: ")
    assert worker.call(lambda: 1) == 1


def test_who_waits_is_told_for_how_long_in_its_own_thread(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "TICK", 0.2)
    engine, ticks = Engine(), []

    def ticking(seconds: float) -> None:
        ticks.append((threading.get_ident(), seconds))
        if len(ticks) == 2:
            engine.told.set()

    with pytest.raises(RuntimeError):
        worker.call(engine.work, ticking=ticking)
    assert {thread for thread, _ in ticks} == {threading.get_ident()}
    assert len(ticks) == 2
    assert all(later - earlier >= 0.2 for (_, earlier), (_, later) in pairwise([(0, 0.0), *ticks]))
    assert worker.call(lambda: 1, ticking=ticking) == 1
    assert len(ticks) == 2, "what is done at once is not told of"


def test_what_goes_wrong_in_telling_hurts_nobody(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "TICK", 0.0)
    engine, told = Engine(), []

    def ticking(seconds: float) -> None:
        told.append(seconds)
        threading.Timer(0.5, engine.told.set).start()
        raise ValueError("the display is gone")

    with pytest.raises(RuntimeError, match="cancelled by the driver"):
        worker.call(engine.work, ticking=ticking)
    assert len(told) == 1


def test_a_stop_that_comes_while_telling_stops_the_work(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "TICK", 0.0)
    engine = Engine()
    with pytest.raises(StoppedError):
        worker.call(engine.work, cancel=engine.cancel, ticking=lambda _: signal.raise_signal(signal.SIGINT))
    assert worker.call(lambda: 1) == 1


def test_a_timeout_knows_what_the_statement_knew_that_it_ended(worker: Worker) -> None:
    engine = Engine()

    def work() -> None:
        try:
            engine.work()
        except RuntimeError:
            error = QueryError("cancelled", kind="cancelled", hint="All was rolled back.")
            error.statement = (2, 3)
        raise error

    with pytest.raises(QueryTimeoutError) as caught:
        worker.call(work, cancel=engine.cancel, timeout=0.1)
    assert (caught.value.statement, caught.value.hint) == ((2, 3), "All was rolled back.")


def test_a_cancel_that_comes_too_early_is_tried_again(worker: Worker) -> None:
    engine = Engine()
    deaf = iter([True, True, False])

    def cancel() -> None:
        engine.asked += 1
        if not next(deaf):
            engine.told.set()

    with pytest.raises(QueryTimeoutError):
        worker.call(engine.work, cancel=cancel, timeout=0.05)
    assert engine.asked == 3


def test_a_late_cancel_does_not_hit_the_next_call(worker: Worker) -> None:
    engine, running, hit = Engine(), threading.Event(), []

    def cancel() -> None:  # as a KILL that travels to a distant server
        engine.told.set()
        time.sleep(0.6)
        hit.append(running.is_set())

    with pytest.raises(QueryTimeoutError):
        worker.call(engine.work, cancel=cancel, timeout=0.05)
    worker.call(running.set)
    time.sleep(0.7)
    assert hit == [False], "one cancel, and back before the next call came in"


def test_a_cancel_that_hangs_costs_the_session(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "GRACE", 0.3)
    engine, never = Engine(), threading.Event()

    def cancel() -> None:
        engine.told.set()
        never.wait(30)

    with pytest.raises(QueryTimeoutError, match="given up"):
        worker.call(engine.work, cancel=cancel, timeout=0.05)
    assert worker.lost
    never.set()


def test_what_came_to_its_end_in_spite_of_a_timeout_is_returned(worker: Worker) -> None:
    def work() -> int:
        time.sleep(0.3)
        return 42

    assert worker.call(work, cancel=lambda: None, timeout=0.1) == 42


def test_what_came_to_its_end_in_spite_of_an_interrupt_is_told(worker: Worker) -> None:
    def work() -> int:
        signal.raise_signal(signal.SIGINT)
        time.sleep(0.3)
        return 42

    with pytest.raises(StoppedError, match="had already finished"):
        worker.call(work, cancel=lambda: None)
    assert worker.call(lambda: 1) == 1


def test_what_cannot_be_cancelled_is_left_at_once_and_says_what_it_was(worker: Worker) -> None:
    never = threading.Event()

    def work() -> None:
        signal.raise_signal(signal.SIGINT)
        never.wait(30)

    with pytest.raises(StoppedError, match=r"^after \d\.\d s while connecting to test\.$"):
        worker.call(work, doing="connecting to test")
    never.set()


def test_a_session_that_cannot_cancel_is_given_up_at_once(worker: Worker) -> None:
    never = threading.Event()
    with pytest.raises(QueryTimeoutError, match="test cannot be stopped, so its session was given up"):
        worker.call(lambda: never.wait(30), timeout=0.05)
    assert worker.lost
    never.set()


def test_what_runs_is_stopped_from_another_thread(worker: Worker) -> None:
    engine, told = Engine(), []

    def wait() -> None:
        try:
            worker.call(engine.work)
        except RuntimeError as error:
            told.append(str(error))

    waiting = threading.Thread(target=wait)
    waiting.start()
    engine.started.wait()
    worker.stop(engine.cancel)
    waiting.join()
    assert told == ["cancelled by the driver"]
    assert not worker.lost
    worker.stop(engine.cancel)
    assert engine.asked == 1, "nothing ran any more"


def test_a_result_is_not_kept_alive_by_the_worker(worker: Worker) -> None:
    class Big:
        pass

    big = worker.call(Big)
    alive = weakref.ref(big)
    worker.call(lambda: None)
    del big
    assert alive() is None
