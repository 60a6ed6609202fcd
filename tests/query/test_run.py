"""The worker that makes a session's calls: results, errors, timeouts, interrupts."""

from __future__ import annotations

import signal
import threading
import time
import weakref
from collections.abc import Iterator

import pytest

from siege_nb.errors import ConnectError, QueryTimeoutError
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


def test_a_result_is_not_kept_alive_by_the_worker(worker: Worker) -> None:
    class Big:
        pass

    big = worker.call(Big)
    alive = weakref.ref(big)
    worker.call(lambda: None)
    del big
    assert alive() is None
