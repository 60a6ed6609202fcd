"""Live sessions, lent and taken back; knows no vendor."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from siege_nb.errors import ConnectTimeoutError, QueryTimeoutError, SiegeError
from siege_nb.query.run import Worker
from siege_nb.query.session import Cancellable, Session

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
    #: Of the profile it was opened with.
    version: str
    session: Session
    worker: Worker
    used: float = field(default_factory=time.monotonic)
    #: Which call is under way; two cells never talk over one session at once.
    turn: threading.RLock = field(default_factory=threading.RLock)

    def call(self, work: Callable[[], T], *, timeout: float | None = None) -> T:
        """Run work in the session's thread; an interrupt or a timeout cancels it there."""
        with self.turn:
            cancel = self.session.cancel if isinstance(self.session, Cancellable) else None
            try:
                return self.worker.call(work, cancel=cancel, timeout=timeout)
            finally:
                self.used = time.monotonic()


class Pool:
    """Sessions by connection and holder. Each keeps its temp tables, settings and transaction until it is closed."""

    def __init__(self) -> None:
        self._leases: dict[Key, Lease] = {}
        self._locks: dict[Key, threading.Lock] = {}
        self._lock = threading.Lock()
        self._pid = os.getpid()

    def lease(self, key: Key, version: str, name: str, open_: Callable[[], Session], *, deadline: float) -> Lease:
        """The live session of this key, or a new one; another version of the profile means another session."""
        with self._lock:
            if self._pid != os.getpid():
                # A forked child must not talk over its parent's sockets, nor close them.
                self._leases, self._locks, self._pid = {}, {}, os.getpid()
            turn = self._locks.setdefault(key, threading.Lock())
        with turn:
            lease = self._leases.get(key)
            if lease is not None and lease.version == version and self._alive(lease):
                return lease
            if lease is not None:
                self._close(key)
            lease = _open(name, version, open_, deadline)
            with self._lock:
                self._leases[key] = lease
            return lease

    def find(self, key: Key) -> Lease | None:
        """The session of this key if there is one."""
        return self._leases.get(key)

    def close(self, ident: str, holder: str | None = None) -> int:
        """Close a connection's sessions, of one holder or of all; how many there were."""
        keys = [key for key in list(self._leases) if key.ident == ident and holder in (None, key.holder)]
        for key in keys:
            self._close(key)
        return len(keys)

    def close_all(self) -> None:
        """Close every session of this process."""
        if self._pid == os.getpid():
            for key in list(self._leases):
                self._close(key)

    def _alive(self, lease: Lease) -> bool:
        if lease.worker.lost:
            return False
        if time.monotonic() - lease.used < IDLE_BEFORE_PING or not lease.turn.acquire(blocking=False):
            return True
        try:
            lease.call(lease.session.ping, timeout=PING_DEADLINE)
        except SiegeError as error:
            logger.info("The idle session of %s is gone (%s); opening another", lease.name, type(error).__name__)
            return False
        finally:
            lease.turn.release()
        return True

    def _close(self, key: Key) -> None:
        with self._lock:
            lease = self._leases.pop(key, None)
        if lease is not None:
            dismiss(lease)


def _open(name: str, version: str, open_: Callable[[], Session], deadline: float) -> Lease:
    worker = Worker(name)
    try:
        session = worker.call(open_, timeout=deadline + MARGIN)
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


def dismiss(lease: Lease) -> None:
    """Close a session from its own thread, and let the thread end; a session that hangs is left behind."""
    if not lease.worker.lost:
        try:
            lease.worker.call(lease.session.close, timeout=PING_DEADLINE)
        except SiegeError as error:
            logger.warning("Closing %s failed: %s", lease.name, type(error).__name__)
    lease.worker.close()
