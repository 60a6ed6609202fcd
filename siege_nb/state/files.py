"""One folder, opened once, and what may be done to the files in it."""

from __future__ import annotations

import errno
import logging
import os
import re
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from siege_nb.errors import AccessError, InvalidError, Issue, SiegeError

logger = logging.getLogger(__name__)

TEMPORARY = ".tmp-"

# Some of these exist on POSIX only, O_BINARY only on Windows.
CLOEXEC = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
# A pipe put in a file's place must not make us wait for its writer.
READ = os.O_RDONLY | CLOEXEC | NOFOLLOW | getattr(os, "O_NONBLOCK", 0)
_BY_HANDLE = os.open in os.supports_dir_fd

_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')


@lru_cache(maxsize=4096)
def split(name: str) -> tuple[str, str]:
    """The folder and the file of a name such as connections/connection_1.json; no other depth is a name of ours."""
    folder, _, file = name.rpartition("/")
    for part in (file, folder) if "/" in name else (file,):
        if not part or part.startswith(".") or part[-1] in ". " or _FORBIDDEN.search(part) or not _fits(part):
            raise InvalidError("The file name", [Issue("", f"{name[:80]!r} cannot be the name of a file here")])
    return folder, file


def _fits(part: str) -> bool:
    try:
        return len(part.encode()) <= 255
    except UnicodeEncodeError:
        return False


def explain(error: OSError, path: Path | str, done: str) -> SiegeError:
    """What the system refused, with the path, in words: 'PATH was not written: …'."""
    path = str(path)
    reason = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SiegeError(
            f"{path} was not {done}: {reason} ({_free(path)}).", hint="What was there before is untouched."
        )
    if error.errno == errno.ELOOP:
        return AccessError(f"{path} was not {done}: it is a symbolic link.", hint="Put the file itself in its place.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return AccessError(f"{path} was not {done}: {reason}.")
    return SiegeError(f"{path} was not {done}: {reason}.")


def _free(path: str) -> str:
    import shutil  # with its compressors, for the one figure that only a full disk needs

    while not os.path.isdir(path):
        path = os.path.dirname(path)
    try:
        return f"{shutil.disk_usage(path).free:,} bytes free"
    except OSError:  # the first error is the one to tell
        return "free space unknown"


@contextmanager
def told(path: Path | str, done: str) -> Iterator[None]:
    """What the system refuses within, in our words."""
    try:
        yield
    except OSError as error:
        if isinstance(error, SiegeError):
            raise
        raise explain(error, path, done) from error


def read_whole(path: str, dir_fd: int | None = None) -> bytes | None:
    """Everything in a regular file, or None when there is no such file."""
    try:
        fd = os.open(path, READ, dir_fd=dir_fd)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise AccessError(f"{path} was not read: it is not a regular file.")
        data = os.read(fd, status.st_size + 1)
        if len(data) == status.st_size > 0:  # asked for one byte more, so this was the end
            return data
        parts = [data]
        while parts[-1]:
            parts.append(os.read(fd, 1 << 16))
        return b"".join(parts)
    finally:
        os.close(fd)


def read_start(path: str) -> bytes | None:
    """The first bytes of a small file that is written in place, or None when there is no such file."""
    try:
        fd = os.open(path, READ)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return os.read(fd, 32)
    finally:
        os.close(fd)


def make(path: Path, *, fsync: bool) -> None:
    """A directory for its owner alone, unless there is one already."""
    try:
        os.mkdir(path, 0o700)
    except FileNotFoundError:
        os.makedirs(path.parent, exist_ok=True)
        os.mkdir(path, 0o700)
    except FileExistsError:
        return
    if fsync and _BY_HANDLE:
        fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def trust(path: Path | str, status: os.stat_result) -> None:
    """Refuse a directory whose contents another user decides."""
    if stat.S_ISLNK(status.st_mode):
        raise AccessError(f"{path} is a symbolic link; it should be the directory itself.")
    if not stat.S_ISDIR(status.st_mode):
        raise AccessError(f"{path} is not a directory.")
    if hasattr(os, "geteuid") and status.st_uid != os.geteuid():
        raise AccessError(f"{path} belongs to another user (uid {status.st_uid}), who could change what is read there.")
    if hasattr(os, "geteuid") and stat.S_IMODE(status.st_mode) & 0o022:
        # Who puts a profile with another host there is sent the password that was sealed for the old one.
        raise AccessError(
            f"{path} may be written by others, who could change what is read there.", hint=f"Run: chmod 700 {path}"
        )


class Folder:
    """A directory held by its handle: nobody can put another in its place while we write."""

    def __init__(self, path: str, *, fsync: bool, above: Folder | None = None) -> None:
        self.path = path
        self._fsync = fsync
        self._fd: int | None = None
        if not _BY_HANDLE:
            trust(path, os.lstat(path))
            return
        name, above_fd = (path, None) if above is None else (os.path.basename(path), above._fd)
        try:
            self._fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | NOFOLLOW | CLOEXEC, dir_fd=above_fd)
        except NotADirectoryError:
            trust(path, os.lstat(path))  # which says what stands there instead
            raise
        try:
            trust(path, os.fstat(self._fd))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the handle."""
        fd, self._fd = self._fd, None
        if fd is not None:
            try:
                os.close(fd)
            except OSError as error:  # nothing was written through it, so nothing can be lost
                logger.warning("closing %s: %s", self.path, error)

    def open(self, name: str, flags: int) -> int:
        """A file in this folder as a descriptor; never through a link, and private if it is new."""
        return os.open(self._at(name), flags | NOFOLLOW | CLOEXEC, 0o600, dir_fd=self._fd)

    def read(self, name: str) -> bytes | None:
        """Everything in a file, or None when there is no such file."""
        return read_whole(self._at(name), self._fd)

    def status(self, name: str) -> os.stat_result | None:
        """What stands under a name, a link as itself, or None."""
        try:
            return os.stat(self._at(name), dir_fd=self._fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def stage(self, data: bytes) -> str:
        """The name of a new file with these bytes, on the disk for good but not yet in anybody's place."""
        name = f"{TEMPORARY}{os.urandom(8).hex()}"
        fd = self.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            try:
                left = memoryview(data)
                while left:
                    left = left[os.write(fd, left) :]
                if self._fsync:
                    os.fsync(fd)
            finally:
                os.close(fd)
        except BaseException:
            self.drop(name)
            raise
        return name

    def drop(self, name: str) -> None:
        """Remove a staged file after an error, which is the one to tell; what stays is swept by the next change."""
        try:
            self.remove(name)
        except OSError as error:
            logger.warning("%s: %s is left behind: %s", self.path, name, error)

    def overwrite(self, name: str, data: bytes) -> None:
        """Put bytes over a small file where it stands; for what need not survive a power cut."""
        fd = self.open(name, os.O_WRONLY | os.O_CREAT)
        try:
            os.write(fd, data)
            if os.fstat(fd).st_size > len(data):
                os.ftruncate(fd, len(data))
        finally:
            os.close(fd)

    def replace(self, name: str, target: str) -> None:
        """Put one file in another's place, in one step."""
        _patiently(lambda: os.replace(self._at(name), self._at(target), src_dir_fd=self._fd, dst_dir_fd=self._fd))

    def remove(self, name: str) -> None:
        """Remove a file; one that is gone already is fine."""
        try:
            _patiently(lambda: os.unlink(self._at(name), dir_fd=self._fd))
        except FileNotFoundError:
            pass

    def sync(self) -> None:
        """Make the names in this folder survive a power cut."""
        if self._fsync and self._fd is not None:
            try:
                os.fsync(self._fd)
            except OSError as error:
                # Some network file systems cannot sync a directory; there is nothing more one could do.
                if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                    raise

    def sweep(self) -> None:
        """Remove what a killed writer left half done. Only under the lock: a living writer's looks the same."""
        for name in self.names():
            if name.startswith(TEMPORARY):
                self.remove(name)

    def names(self) -> list[str]:
        """What stands in this folder, by name."""
        return os.listdir(self.path if self._fd is None else self._fd)

    def folders(self) -> list[str]:
        """The folders directly in this one; none of ours begins with a dot."""
        with os.scandir(self.path if self._fd is None else self._fd) as entries:
            return [e.name for e in entries if e.is_dir(follow_symlinks=False) and not e.name.startswith(".")]

    def below(self, name: str, *, create: bool) -> Folder | None:
        """A folder in this one, made if need be; None when it is not there."""
        try:
            return Folder(os.path.join(self.path, name), fsync=self._fsync, above=self)
        except FileNotFoundError:
            if not create:
                return None
        os.mkdir(self._at(name), 0o700, dir_fd=self._fd)
        self.sync()
        return Folder(os.path.join(self.path, name), fsync=self._fsync, above=self)

    def _at(self, name: str) -> str:
        return name if self._fd is not None else os.path.join(self.path, name)


if sys.platform == "win32":

    def _patiently(act: Callable[[], None], limit: float = 2.5) -> None:
        # Another process has the file open for a moment: sharing violations pass, everything else is final.
        deadline = time.monotonic() + limit
        while True:
            try:
                return act()
            except OSError as error:
                if error.winerror not in (5, 32, 33) or time.monotonic() > deadline:
                    raise
            time.sleep(0.01)
else:

    def _patiently(act: Callable[[], None]) -> None:
        act()
