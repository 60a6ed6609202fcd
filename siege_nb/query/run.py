"""Run a session's calls in a worker, wait interruptibly, cancel, time out."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar

from siege_nb.errors import ConnectError, QueryError, QueryTimeoutError

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: How long a cancelled statement may take to end before its session is given up.
GRACE = 5.0
# A wait without end cannot be interrupted on Windows, so the waiter wakes a few times a second.
_WAKE = 0.2
_BETWEEN_CANCELS = 0.25
#: How often who waits is told for how long.
TICK = 0.5


class StoppedError(KeyboardInterrupt):
    """The user pressed Stop, and the statement was stopped where it ran.

    A KeyboardInterrupt and no SiegeError: `except Exception` in a loop over cells must not swallow a Stop.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def _render_traceback_(self) -> list[str]:
        return [f"Stopped: {self.message}"]


class _Task(Generic[T]):
    __slots__ = ("done", "error", "value", "work")

    def __init__(self, work: Callable[[], T]) -> None:
        self.work = work
        self.done = threading.Event()
        self.value: Any = None
        self.error: BaseException | None = None

    @property
    def succeeded(self) -> bool:
        return self.done.is_set() and self.error is None

    def run(self) -> None:
        try:
            self.value = self.work()
        except BaseException as error:  # handed to the waiter, who raises it
            self.error = error
        finally:
            self.done.set()


class _Ticker:
    """Tells somebody now and then for how long one has waited; what goes wrong in it is no business of who waits."""

    def __init__(self, told: Callable[[float], None], began: float) -> None:
        self._told: Callable[[float], None] | None = told
        self._began = self._last = began

    def tick(self) -> None:
        now = time.monotonic()
        if self._told is None or now - self._last < TICK:
            return
        self._last = now
        try:
            self._told(now - self._began)
        except Exception as error:  # a display that is gone: nothing is shown any more
            logger.debug("Showing the progress failed: %s", type(error).__name__)
            self._told = None


def _late(told: str, ended: BaseException | None) -> QueryTimeoutError:
    """A timeout, with what the statement that it ended knew of itself."""
    late = QueryTimeoutError(told, kind="timeout", hint=" ".join(_advice(ended)))
    if isinstance(ended, QueryError):
        late.statement = ended.statement
    return late


def _advice(ended: BaseException | None) -> list[str]:
    """What is left behind by a statement that was cancelled: an open transaction, or one that was rolled back."""
    return [ended.hint] if isinstance(ended, QueryError) and ended.hint else []


class Worker:
    """The one thread that makes all calls of one session, so that whoever waits can be interrupted.

    A driver call in the main thread holds back Ctrl-C until it returns; here the main thread waits on an Event
    (not on Thread.join, which after an interrupt takes a live thread for dead) and tells the engine to cancel.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        #: A call did not end when told to; nothing may be called here any more.
        self.lost = False
        self._tasks: queue.SimpleQueue[_Task[Any] | None] = queue.SimpleQueue()
        self._running: _Task[Any] | None = None
        threading.Thread(target=self._work, name=f"siege-{name}", daemon=True).start()

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            self._running = task
            task.run()
            self._running = task = None  # or the last result lives as long as the worker waits

    def call(
        self,
        work: Callable[[], T],
        *,
        cancel: Callable[[], None] | None = None,
        timeout: float | None = None,
        since: float | None = None,
        doing: str = "",
        ticking: Callable[[float], None] | None = None,
    ) -> T:
        """What `work` returns or raises. On an interrupt or past the timeout `cancel` is called until it ends.

        `since` is when the time began to run, by default now; `doing` says what it is, where it is no statement.
        `ticking` is called about twice a second while it runs, in the thread that waits, with the seconds so far.
        """
        if self.lost:
            raise ConnectError(f"The session of {self.name} was given up; it did not stop when told to.")
        began = time.monotonic() if since is None else since
        ticker = None if ticking is None else _Ticker(ticking, began)
        task = _Task(work)
        self._tasks.put(task)
        try:
            left = None if timeout is None else began + timeout - time.monotonic()
            while not task.done.wait(_WAKE if left is None else max(0.0, min(_WAKE, left))):
                if ticker is not None:
                    ticker.tick()
                left = None if timeout is None else began + timeout - time.monotonic()
                if left is not None and left <= 0:
                    self._stop(task, cancel)
                    if task.succeeded:
                        break  # what it did is done: to call it timed out would have it done twice
                    told = self._told(f"Timed out after {timeout:g} s", task, cancel, doing)
                    raise _late(told, task.error)
        except KeyboardInterrupt:
            self._stop(task, cancel)
            told = self._told(f"after {time.monotonic() - began:.1f} s", task, cancel, doing)
            raise StoppedError(" ".join([told, *_advice(task.error)])) from None
        if task.error is not None:
            try:
                raise task.error
            finally:
                del task  # the error's traceback holds this frame: no cycle through it
        value: T = task.value
        return value

    def stop(self, cancel: Callable[[], None]) -> None:
        """End what runs for another thread, which waits for it; past the grace the session is given up."""
        task = self._running
        if task is not None:
            self._stop(task, cancel)

    def close(self) -> None:
        """Let the thread end once its last call has."""
        self._tasks.put(None)

    def _stop(self, task: _Task[Any], cancel: Callable[[], None] | None) -> None:
        """Cancel until the task has ended or the grace is over; a second Ctrl-C does not shorten it."""
        if cancel is None:  # nothing to wait for: the thread is left to end by itself
            self.lost = not task.done.is_set()
            return
        until = time.monotonic() + GRACE
        # In a thread of its own: a KILL over the network may itself hang. And waited for: it would else hit the next
        # statement.
        stopping = _Task(lambda: self._cancel(task, cancel, until))
        with suppress(KeyboardInterrupt):
            threading.Thread(target=stopping.run, name=f"siege-stop-{self.name}", daemon=True).start()
        while not stopping.done.is_set() and (left := until - time.monotonic()) > 0:
            with suppress(KeyboardInterrupt):
                stopping.done.wait(min(_WAKE, left))
        self.lost = not (stopping.done.is_set() and task.done.is_set())

    def _cancel(self, task: _Task[Any], cancel: Callable[[], None], until: float) -> None:
        # Again and again: the first one may come before the statement has reached the engine. Never two at once.
        while not task.done.is_set() and (left := until - time.monotonic()) > 0:
            try:
                cancel()
            except Exception as error:  # whether it helped shows in whether the statement ends
                logger.warning("Cancelling on %s failed: %s", self.name, type(error).__name__)
            task.done.wait(min(_BETWEEN_CANCELS, left))

    def _told(self, what: str, task: _Task[Any], cancel: Callable[[], None] | None, doing: str) -> str:
        if doing:
            return f"{what} while {doing}."
        if not self.lost:
            return f"{what}; the statement {'had already finished' if task.succeeded else 'no longer runs'}."
        if cancel is None:
            return f"{what}; {self.name} cannot be stopped, so its session was given up."
        return f"{what}, but {self.name} did not stop within {GRACE:g} s; its session was given up."
