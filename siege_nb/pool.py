"""Live sessions, lent and taken back; knows no vendor."""

from __future__ import annotations

import ctypes
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, TypeVar

from siege_nb.errors import ConflictError, ConnectError, ConnectTimeoutError, QueryTimeoutError, SiegeError
from siege_nb.query.run import Worker
from siege_nb.query.session import Cancellable, Progressing, Queryable, Session

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: A session unused for longer is asked for a sign of life before it is lent again.
IDLE_BEFORE_PING = 30.0
PING_DEADLINE = 2.0
#: An adapter keeps the deadline itself, and knows which field was wrong; this much later it is given up.
MARGIN = 1.0


class Key(NamedTuple):
    """Whose session it is: one physical session per connection and holder."""

    ident: str
    holder: str


@dataclass(eq=False)
class Lease:
    """A session in somebody's hands, with the one thread that may call it."""

    name: str
    #: What it was opened with.
    version: object
    session: Session
    worker: Worker
    used: float = field(default_factory=time.monotonic)
    #: The other side is gone; nothing will come of another call.
    lost: bool = False
    #: As the last call left it: a session that is gone cannot be asked.
    in_transaction: bool = False
    #: Which call is under way; two cells never talk over one session at once.
    turn: threading.RLock = field(default_factory=threading.RLock)

    # Asked once each: to look through a protocol costs as much as a small statement.

    @cached_property
    def queryable(self) -> Queryable | None:
        """The session, if it runs statements."""
        return self.session if isinstance(self.session, Queryable) else None

    @cached_property
    def cancel(self) -> Callable[[], None] | None:
        """What stops its running statement, if something does."""
        return self.session.cancel if isinstance(self.session, Cancellable) else None

    @cached_property
    def progress(self) -> Callable[[], float | None] | None:
        """What says how far its running statement is, if something does."""
        return self.session.progress if isinstance(self.session, Progressing) else None

    def call(
        self,
        work: Callable[[], T],
        *,
        timeout: float | None = None,
        ticking: Callable[[float], None] | None = None,
    ) -> T:
        """Run work in the session's thread; an interrupt or a timeout cancels it there. Waiting for its turn counts.

        `ticking` is called now and then while it runs, in this thread, with the seconds so far.
        """
        began = time.monotonic()
        if not self.turn.acquire(timeout=-1 if timeout is None else max(0.0, min(timeout, threading.TIMEOUT_MAX))):
            raise QueryTimeoutError(f"{self.name} is busy with another cell.", kind="timeout")
        try:
            return self.worker.call(work, cancel=self.cancel, timeout=timeout, since=began, ticking=ticking)
        except ConnectError as error:
            self.lost = self.lost or error.problem == "lost"
            raise
        finally:
            try:
                self._note()
            finally:
                self.turn.release()

    def _note(self) -> None:
        self.used = time.monotonic()
        if self.queryable is not None and not self.lost and not self.worker.lost:
            self.in_transaction = self.queryable.in_transaction


class Pool:
    """Sessions by connection and holder. Each keeps its temp tables, settings and transaction until it is closed."""

    def __init__(self) -> None:
        self._begin()
        _pools.add(self)

    def _begin(self) -> None:
        self._leases: dict[Key, Lease] = {}
        self._locks: dict[Key, threading.Lock] = {}
        self._lock = threading.Lock()

    def lease(self, key: Key, version: object, name: str, open_: Callable[[], Session], *, deadline: float) -> Lease:
        """The live session of this key, or a new one; another version of the profile means another session.

        A transaction never goes unsaid: an edit waits for its end, and one that was lost with its session is told.
        """
        with self._lock:
            turn = self._locks.setdefault(key, threading.Lock())
        with turn:
            lease = self._leases.get(key)
            if lease is not None:
                lease.name = lease.worker.name = name
                if not _ended(lease, version):
                    return lease
                self._close([key])
                if lease.in_transaction:
                    raise ConnectError(
                        f"The session of {name} was lost in an open transaction; it was rolled back.", problem="lost"
                    )
                logger.info("Opening another session of %s", name)
            lease = _open(name, version, open_, deadline)
            with self._lock:
                self._leases[key] = lease
            return lease

    def find(self, key: Key) -> Lease | None:
        """The session of this key if there is one."""
        return self._leases.get(key)

    def close(self, ident: str, holder: str | None = None) -> list[bool]:
        """Close a connection's sessions, of one holder or of all; of each there was, whether what ran in it ended."""
        return self._close(key for key in list(self._leases) if key.ident == ident and holder in (None, key.holder))

    def close_all(self) -> list[bool]:
        """Close every session of this process; of each there was, whether what ran in it ended."""
        return self._close(list(self._leases))

    def leave(self) -> None:
        """Begin anew in a forked child, which must neither use its parent's sessions nor free them.

        A driver takes leave over the parent's socket even when it is only freed; DuckDB waits for threads that are
        not here, and crashes. So they get a reference that nobody gives back, not even the end of the interpreter.
        """
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._leases))
        self._begin()

    def _close(self, keys: Iterable[Key]) -> list[bool]:
        ended, failure = [], None
        for key in keys:
            with self._lock:
                lease = self._leases.pop(key, None)
            try:
                ended += [] if lease is None else [dismiss(lease)]
            except BaseException as error:  # a Ctrl-C, which is to leave none of the others open
                failure = error
        if failure is not None:
            raise failure
        return ended


_pools: weakref.WeakSet[Pool] = weakref.WeakSet()

if hasattr(os, "register_at_fork"):

    def _in_child() -> None:
        for pool in list(_pools):
            pool.leave()

    os.register_at_fork(after_in_child=_in_child)


def _ended(lease: Lease, version: object) -> bool:
    """The session is no more, or no longer the one that is wanted; a ConflictError if that would end a transaction."""
    if not _alive(lease):
        return True
    if lease.version == version:
        return False
    if lease.in_transaction:
        raise ConflictError(
            f"The profile of {lease.name} was edited, and its session is in an open transaction.",
            hint=f"`%conn close {lease.name}` gives the transaction up.",
        )
    return True


def _alive(lease: Lease) -> bool:
    if lease.lost or lease.worker.lost:
        return False
    if time.monotonic() - lease.used < IDLE_BEFORE_PING or not lease.turn.acquire(blocking=False):
        return True
    try:
        lease.call(lease.session.ping, timeout=PING_DEADLINE)
    except SiegeError as error:
        logger.debug("The idle session of %s gave no sign of life: %s", lease.name, type(error).__name__)
        return False
    finally:
        lease.turn.release()
    return True


def _open(name: str, version: object, open_: Callable[[], Session], deadline: float) -> Lease:
    worker = Worker(name)
    try:
        session = worker.call(open_, timeout=deadline + MARGIN, doing=f"connecting to {name}")
    except QueryTimeoutError:
        late = ConnectTimeoutError(
            f"{name} did not answer within {deadline:g} s.",
            problem="timeout",
            hint="Raise SIEGE_DEADLINE if it is slow.",
        )
    except BaseException:
        worker.close()
        raise
    else:
        return Lease(name, version, session, worker)
    worker.close()
    raise late


def dismiss(lease: Lease) -> bool:
    """Stop what runs in a session, close it from its own thread, let the thread end; False for one left behind."""
    worker = lease.worker
    try:
        if not worker.lost and lease.cancel is not None:
            worker.stop(lease.cancel)
        if not worker.lost:
            worker.call(lease.session.close, timeout=PING_DEADLINE, doing=f"closing {lease.name}")
    except SiegeError as error:
        logger.warning("Closing %s failed: %s", lease.name, type(error).__name__)
    finally:
        worker.close()
    return not worker.lost
