"""Work that no interrupt of the caller can cut in two."""

from __future__ import annotations

import _thread
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

E = TypeVar("E")
T = TypeVar("T")

# Where waiting for a bare lock cannot be interrupted (Windows), a Ctrl-C is noticed this late.
GLANCE = 0.25


def shielded(
    enter: Callable[[], AbstractContextManager[E]],
    work: Callable[[E], T],
    *,
    patience: float,
    overdue: Callable[[], Exception],
) -> T:
    """What `work` gives within `enter()`, run in a thread of its own, which interrupts never reach.

    An interrupt while `enter` still waits gives the wait up; a later one is raised once the outcome is known. If
    `enter` takes longer than `patience`, the caller gets `overdue()` and the work will not run.

    Why a bare thread: `with lock:` in the caller's own thread leaves the lock held when the interrupt comes between
    taking it and entering the block, and the waits of concurrent.futures and threading are not safe either.
    """
    done = _thread.allocate_lock()
    done.acquire()
    outcome: list[tuple[bool, Any]] = []
    # Whoever comes first decides: the worker that there will be work, or the caller that there will be none.
    decided: dict[str, str] = {}

    def run() -> None:
        result: Any = None
        try:
            with enter() as entered:
                if decided.setdefault("by", "worker") == "worker":
                    result = work(entered)
            outcome.append((True, result))
        except BaseException as error:
            outcome.append((False, error))
        finally:
            done.release()

    def given_up() -> bool:
        return decided.setdefault("by", "caller") == "caller"

    interrupt: KeyboardInterrupt | None = None
    result: Any = None
    started = False
    deadline = time.monotonic() + patience
    while not outcome:
        try:
            if not started:
                _start(run)
                started = True
            while not outcome:
                if time.monotonic() >= deadline and given_up():
                    raise overdue()
                done.acquire(timeout=GLANCE)
        except KeyboardInterrupt as error:
            if given_up():
                raise
            # The worker has decided, so it was started, whether or not we came to note that.
            interrupt, started = error, True
    try:
        succeeded, result = outcome[0]
        if interrupt is not None:
            raise interrupt from (None if succeeded else result)
        if not succeeded:
            raise result
        return result  # type: ignore[no-any-return]
    finally:
        # An error that knows this frame, in a frame that knows the error, would keep all its locals alive.
        del result, interrupt
        outcome.clear()


def _start(run: Callable[[], None]) -> None:
    try:
        _thread.start_new_thread(run, ())
    except RuntimeError:
        # No thread can be had, as when the interpreter is ending; then nobody interrupts either.
        run()
