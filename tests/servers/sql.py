"""What the SQL servers share: a data directory copied from a template, and an administrator's view."""

import fcntl
import hashlib
import inspect
import os
import re
import shutil
import subprocess
import tempfile
from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

from tests.servers.process import Server, ServerError


class SQLServer(Server):
    """A server that `sql` can ask what it is doing."""

    drop: ClassVar[str] = "DROP DATABASE IF EXISTS {}"

    @abstractmethod
    def build(self) -> None:
        """Fill the data directory from nothing, which is slow."""

    @abstractmethod
    def connect(self, **changes: Any) -> Any:
        """A driver's own connection, in autocommit; `changes` go to the driver over our address."""

    @abstractmethod
    def sql(self, text: str) -> list[tuple[Any, ...]]:
        """The rows of one statement, run by the administrator on a connection of its own."""

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.base / "data"

    def database_for(self, name: str) -> str:
        words = re.sub("[^a-z0-9]+", "_", name.lower()).strip("_")[:40]
        database = f"db_{words}_{_digest(name)}"  # the digest keeps apart what the words no longer do
        self.sql(self.drop.format(database))
        self.sql(f"CREATE DATABASE {database}")
        return database

    def prepare(self) -> None:
        """Copy the data directory from the template of this version; whoever comes first builds it."""
        shelf = Path(tempfile.gettempdir()) / f"siege-servers-{os.geteuid()}"
        shelf.mkdir(mode=0o700, exist_ok=True)
        if shelf.lstat().st_uid != os.geteuid():
            raise ServerError(f"{shelf} belongs to somebody else")
        version = re.search(r"\d+\.[\w.-]+", self.run(self.command()[0], "--version"))
        owner = self.account.pw_uid if self.account else os.geteuid()
        recipe = _digest(inspect.getsource(type(self)) + self.password)
        template = shelf / f"{self.program}-{version and version[0]}-{owner}-{recipe}"
        with Path(f"{template}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if template.exists():
                _copy(template, self.data)
                return
            self.build()
            half = Path(f"{template}.half")
            shutil.rmtree(half, ignore_errors=True)
            _copy(self.data, half)
            half.rename(template)  # whole or not at all


def _copy(source: Path, target: Path) -> None:
    subprocess.run(["cp", "-a", source, target], check=True)  # keeps the owner, which shutil.copytree does not


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
