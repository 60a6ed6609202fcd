"""A small file that only its owner can read: made once, whoever comes first, and refused if others could touch it."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from siege_nb.errors import AccessError

T = TypeVar("T")

_LONGEST = 4096


def read(path: Path, take: Callable[[bytes], T]) -> T | None:
    """What `take` makes of the bytes, None if there is no such file; refused if others could have read or written it.

    The bytes go straight to `take`: a verbose traceback shows the locals.
    """
    try:
        # Not blocking: a pipe in the file's place must not hang us.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise AccessError(f"The key file {path} cannot be read: {error.strerror}.") from None
    try:
        _refuse_strangers(path, os.fstat(handle))
        return take(os.read(handle, _LONGEST))
    finally:
        os.close(handle)


def make(path: Path, content: Callable[[], bytes]) -> bool:
    """Put a new file there, unless another process just did. True if it is ours; OSError as the system says it."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        try:
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content())
                file.flush()
                os.fsync(file.fileno())
            _put(fresh, path)
        finally:
            fresh.unlink(missing_ok=True)
        _sync(path.parent)
    except FileExistsError:
        return False
    return True


def _put(fresh: Path, path: Path) -> None:
    # Linking, unlike renaming, never replaces a file that others already use, and never shows half of one.
    if sys.platform == "win32":
        os.rename(fresh, path)  # which on Windows refuses to replace
    else:
        os.link(fresh, path)


def _sync(directory: Path) -> None:
    if sys.platform != "win32":
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _refuse_strangers(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise AccessError(f"The key file {path} is no regular file.")
    if sys.platform == "win32":
        return  # the user's profile folder is guarded by its access list, not by modes
    if status.st_uid != os.geteuid():
        raise AccessError(
            f"The key file {path} belongs to another user, who could read what is sealed with it.",
            hint="Use a key file of your own.",
        )
    if status.st_mode & 0o077:
        raise AccessError(
            f"The key file {path} can be read or written by others (mode {stat.S_IMODE(status.st_mode):04o}).",
            hint=f"If nobody did: chmod 600 {path}",
        )
