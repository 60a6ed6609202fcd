"""The one lock of a directory: between processes by the system, between threads by our own."""

from __future__ import annotations

import _thread
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from siege_nb.errors import ConflictError
from siege_nb.state.files import Folder, read_whole

logger = logging.getLogger(__name__)

LOCK = ".lock"
# Overwritten in place and never shortened: letting go must not need room on a full disk.
_WIDTH = 48

# Several threads of one process must exclude each other also where the system's locks belong to the process (NFS).
_threads: dict[str, _thread.LockType] = {}
_holders: dict[str, int] = {}
_descriptors: set[int] = set()
_opening = threading.Lock()


@contextmanager
def exclusive(folder: Folder, patience: float) -> Iterator[bool]:
    """Hold the folder's lock; gives True when its last holder died or failed holding it.

    It waits in the system's own queue, not by asking again and again: that starves writers (p99 of 1.8 s against
    0.2 s). So the wait itself has no deadline; shielded() is who gives up. The lock is never on a file that is
    replaced, and never a POSIX record lock: those are lost when any descriptor of the file is closed.
    """
    here = folder.path
    mine = _threads.setdefault(here, _thread.allocate_lock())
    if not mine.acquire(timeout=patience):
        raise busy(here)
    try:
        fd = _locked(folder)
        try:
            died = os.read(fd, 1).isdigit()
            _sign(fd, f"{os.getpid()} {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC")
            _holders[here] = _thread.get_ident()
            yield died
            # After an error the signature stays: whoever is next tidies up as after a death.
            _sign_off(fd)
        finally:
            _holders.pop(here, None)
            _let_go(fd)
    finally:
        if _threads.get(here) is mine:
            mine.release()


def held_by_me(path: str) -> bool:
    """Whether this very thread holds the lock: waiting for it would never end."""
    return _holders.get(path) == _thread.get_ident()


def busy(path: str) -> ConflictError:
    """That someone else holds the lock: who, and since when."""
    holder, _, since = (read_whole(os.path.join(path, LOCK)) or b"").decode(errors="replace").strip().partition(" ")
    who = f"held by pid {holder} since {since}" if since else "held by another process"
    return ConflictError(f"{path} cannot be changed now: its lock is {who}.", hint="Nothing was changed. Try again.")


def _sign(fd: int, holder: str) -> None:
    os.lseek(fd, 0, os.SEEK_SET)
    os.write(fd, f"{holder:<{_WIDTH - 1}}\n".encode())


def _sign_off(fd: int) -> None:
    try:
        if fd in _descriptors:
            _sign(fd, "")
    except OSError as error:  # what was done is done; the next holder only takes us for dead and sweeps
        logger.warning("signing off the lock: %s", error)


def _locked(folder: Folder) -> int:
    while True:
        with _opening:
            fd = folder.open(LOCK, os.O_RDWR | os.O_CREAT)
            _descriptors.add(fd)
        try:
            _lock(fd)
            now = folder.status(LOCK)
            if now is not None and os.path.samestat(os.fstat(fd), now):
                return fd
        except BaseException:
            _let_go(fd)
            raise
        _let_go(fd)  # the file was deleted while we waited: what we hold excludes nobody


def _let_go(fd: int) -> None:
    with _opening:
        if fd in _descriptors:  # a forked child has closed its copies, and the number may be another file's by now
            _descriptors.discard(fd)
            for release in (_unlock, os.close):  # a child's copy, not yet closed, would keep it after our close alone
                try:
                    release(fd)
                except OSError as error:
                    logger.warning("letting go of the lock: %s", error)


if sys.platform == "win32":
    import errno
    import msvcrt

    # A locked byte cannot be read by others; far behind the end it hides nothing.
    _FAR = 1 << 30

    def _lock(fd: int) -> None:
        while True:
            os.lseek(fd, _FAR, os.SEEK_SET)
            try:
                msvcrt.locking(fd, msvcrt.LK_LOCK, 1)
                break
            except OSError as error:
                if error.errno != errno.EDEADLK:  # it asked ten times, a second apart, and gave up
                    raise
        os.lseek(fd, 0, os.SEEK_SET)

    def _unlock(fd: int) -> None:
        os.lseek(fd, _FAR, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _lock(fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_EX)

    def _unlock(fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_UN)

    def _in_child() -> None:
        for fd in _descriptors:
            os.close(fd)
        _descriptors.clear()
        _threads.clear()
        _holders.clear()
        _opening.release()

    os.register_at_fork(before=_opening.acquire, after_in_parent=_opening.release, after_in_child=_in_child)
