"""One server process: found, started, frozen, killed and cleared away."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Self

import psutil

from tests.servers.ports import HOST, free_port

START_SECONDS, STOP_SECONDS, LOG_CHARACTERS = 60.0, 15.0, 3000


class ServerError(RuntimeError):
    """A server that did not do as told, with the end of what it printed."""


class Server(ABC):
    """A server on a free loopback port, in a directory of its own; `with` starts and stops it."""

    program: ClassVar[str]  # the executable that serves
    package: ClassVar[str]  # the Debian package that brings it
    accounts: ClassVar[tuple[str, ...]]  # whom it runs as when we are root: the first that exists
    farewell: ClassVar[signal.Signals] = signal.SIGTERM

    host = HOST
    username = "siege"
    password = "tr0ub4dor@3:/%26#"  # breaks every URL that is put together without quoting
    database = "siege"

    def __init__(self, *options: str) -> None:
        self.options = options  # the end of the command line, where the last word wins
        self.port = free_port()
        self.account = _account(self.accounts) if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def find(cls, program: str) -> str:
        """Where a program is, also where an ordinary user's PATH does not lead."""
        path = os.pathsep.join([*cls.homes(), os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin"])
        if found := shutil.which(program, path=path):
            return found
        raise ServerError(f"{program} not found: apt-get install -y {cls.package}")

    @classmethod
    def homes(cls) -> list[str]:
        """Where its programs are looked for first."""
        return []

    @classmethod
    def missing(cls) -> str | None:
        """What to install before this server can start, or None."""
        try:
            cls.find(cls.program)
        except ServerError as lack:
            return str(lack)
        return None

    @abstractmethod
    def command(self) -> list[str]:
        """The command line that serves, without `options`."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether the server takes our password and answers in its own protocol."""

    @abstractmethod
    def database_for(self, name: str) -> str:
        """The name of a fresh and empty database for the test called `name`."""

    @abstractmethod
    def prepare(self) -> None:
        """Make what must be in the directory before the first start."""

    @property
    def process(self) -> psutil.Process:
        """The process that serves, to look at."""
        return psutil.Process(self._running.pid)

    def __enter__(self) -> Self:
        # Not TMPDIR: a socket's path may have 107 bytes, and the server's own user must get in.
        self.base = Path(tempfile.mkdtemp(prefix="siege-", dir="/tmp"))
        try:
            if self.account:
                os.chown(self.base, self.account.pw_uid, self.account.pw_gid)
            self.prepare()
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Serve; after a `kill`, again on the same port and the same data."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self.command(), *self.options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._as_account(),
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if self._process.poll() is not None:
                raise ServerError(f"{self.program} ended with {self._process.returncode}:\n{self.log()}")
            if time.monotonic() > deadline:
                raise ServerError(f"{self.program} gave no answer in {START_SECONDS:.0f} s:\n{self.log()}")
            time.sleep(0.01)

    def stop(self) -> None:
        """End the server in good order and remove its directory; a second call does nothing."""
        if self._process and self._process.poll() is None:
            self.resume()
            self._process.send_signal(self.farewell)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
        if self.base.exists():
            shutil.rmtree(self.base)

    def kill(self) -> None:
        """End the server and all it forked without a warning; port and data stay for the next `start`."""
        family = self._freeze()
        _tell(family, psutil.Process.kill)
        self._running.wait()
        _wait(lambda: not any(_state(member) for member in family))

    def pause(self) -> None:
        """Freeze the server and all it forked: its sockets stay open, and nothing answers."""
        self._freeze()

    def resume(self) -> None:
        """Let a frozen server go on."""
        _tell([*self.process.children(recursive=True), self.process], psutil.Process.resume)

    def log(self) -> str:
        """The end of what the server printed."""
        return self._log.read_text(errors="replace")[-LOG_CHARACTERS:] if self._log.exists() else ""

    def run(self, *command: str, text: str = "") -> str:
        """What one command of the server's own says, run as its user with `text` for input."""
        done: subprocess.CompletedProcess[str] = subprocess.run(
            command, input=text, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **self._as_account()
        )
        if done.returncode:
            raise ServerError(f"{command[0]} ended with {done.returncode}:\n{done.stdout[-LOG_CHARACTERS:]}")
        return done.stdout

    @property
    def _log(self) -> Path:
        return self.base / "log"

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise ServerError(f"{self.program} was never started")
        return self._process

    def _freeze(self) -> list[psutil.Process]:
        head = self.process
        head.suspend()  # it first: then it forks nobody while we look for its children
        os.waitid(os.P_PID, head.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)  # back when all its threads stand still
        # One by one, not by the group: every child of PostgreSQL leads a session of its own.
        children = head.children(recursive=True)
        _tell(children, psutil.Process.suspend)
        _wait(lambda: all(_state(child) in (None, psutil.STATUS_STOPPED) for child in children))
        return [head, *children]

    def _as_account(self) -> dict[str, Any]:
        # Nothing of our own environment: it may hold PGDATA, a TZ or somebody's password.
        env = {"PATH": os.defpath, "HOME": str(self.base), "LC_ALL": "C", "TZ": "UTC"}
        if self.account is None:
            return {"cwd": "/", "env": env}
        return {"cwd": "/", "env": env, "user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}


def _account(names: Iterable[str]) -> pwd.struct_passwd:
    for name in names:
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise ServerError(f"root starts no server, and there is no user called {' or '.join(names)}")


def _tell(members: Iterable[psutil.Process], act: Callable[[psutil.Process], None]) -> None:
    for member in members:
        with suppress(psutil.NoSuchProcess):
            act(member)


def _state(member: psutil.Process) -> str | None:
    """What a process is at, or None when it is over (an orphan's zombie is not ours to reap)."""
    with suppress(psutil.NoSuchProcess):
        state: str | None = member.status()
        return None if state == psutil.STATUS_ZOMBIE else state
    return None


def _wait(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + STOP_SECONDS
    while not done():
        if time.monotonic() > deadline:
            raise ServerError("a server's process does not do as told")
        time.sleep(0.001)
