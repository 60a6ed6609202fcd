"""Where sealed secrets stand in a config directory, and which of its files hold which key's."""

from __future__ import annotations

import json
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from siege_nb.errors import DamagedError
from siege_nb.vault.token import FORM

_KID = re.compile(rb"encrypted:v2\.([A-Za-z0-9]{8})\.")
_LONGEST_KID = 22
_CHUNK = 1 << 20
_DEEPEST = 64


class Documents(Protocol):
    """How a file of profiles is read and written: the store's module `document` is one."""

    def read(self, raw: bytes, where: str) -> tuple[dict[str, Any], int, str]:
        """What it says, its revision, its checksum; a SiegeError when it cannot be read."""

    def write(self, data: Mapping[str, Any], revision: int, what: str) -> bytes:
        """The bytes of it."""


class _Credentials:
    """How a shared credential is read and written; it counts no revisions."""

    def read(self, raw: bytes, where: str) -> tuple[dict[str, Any], int, str]:
        try:
            found = json.loads(raw)
            if isinstance(found, dict):
                return found, 0, ""
        except ValueError:  # the error quotes the text
            pass
        raise DamagedError(f"{where} holds no sealed secret.", hint="Save it again.")

    def write(self, data: Mapping[str, Any], revision: int, what: str) -> bytes:
        return json.dumps(data, indent=2).encode() + b"\n"


CREDENTIALS = _Credentials()


@dataclass(frozen=True, slots=True)
class Layout:
    """Files whose secrets are bound alike: to their kind, to the name in the file's, and to the path within."""

    kind: str
    prefix: str
    #: The key under which the paths begin; "" is the document itself.
    below: str = ""

    def ident(self, file: str) -> str:
        """What a file's secrets are bound to."""
        return file[len(self.prefix) : -len(".json")]

    def replace(self, data: dict[str, Any], change: Callable[[str, str], str]) -> dict[str, Any]:
        """The document in which each token is what `change` makes of its path and itself."""
        if not self.below:
            return dict(_replaced(data, change))
        return data | {self.below: _replaced(data[self.below], change)} if self.below in data else data

    def tokens(self, data: dict[str, Any]) -> list[tuple[str, str]]:
        """The tokens in a document, each with its path."""
        found: list[tuple[str, str]] = []

        def seen(path: str, written: str) -> str:
            found.append((path, written))
            return written

        self.replace(data, seen)
        return found


CREDENTIAL = Layout("credential", "credentials/")
#: As the models are sealed that lie there; read without them, so that kinds which are not installed are seen too.
LAYOUTS = (
    Layout("connection", "connections/connection_", "connection_params"), Layout("database", "database_"), CREDENTIAL,
)  # fmt: skip


def _replaced(value: Any, change: Callable[[str, str], str], at: str = "", depth: int = 0) -> Any:
    """The value with its tokens replaced; the paths are spelt as `secrets_of` spells them."""
    below = f"{at}." if at else ""
    if depth > _DEEPEST:
        return value
    if isinstance(value, dict):
        return {key: _replaced(inner, change, f"{below}{key}", depth + 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [_replaced(inner, change, f"{below}{n}", depth + 1) for n, inner in enumerate(value)]
    if isinstance(value, str) and FORM.fullmatch(value):
        return change(at, value)
    return value


def holders(directory: Path) -> dict[str, Counter[str]]:
    """Each key's files with how many of its tokens stand in them, whatever the files are: copies set aside, journals.

    A file that cannot be read may hold any key's: it is there for the key "".
    """
    found: dict[str, Counter[str]] = {}
    for path in _files(directory):
        name = path.relative_to(directory).as_posix()
        try:
            for kid in _kids(path):
                found.setdefault(kid, Counter())[name] += 1
        except FileNotFoundError:  # a change came to its end meanwhile
            continue
        except OSError:
            found.setdefault("", Counter())[name] += 1
    return found


def _files(directory: Path) -> Iterator[Path]:
    closed: list[OSError] = []
    for folder, _, names in os.walk(directory, onerror=closed.append):
        yield from (Path(folder, name) for name in names)
    # A folder that cannot be looked into is given as a file that cannot be read.
    yield from (Path(error.filename) for error in closed)


def _kids(path: Path) -> Iterator[str]:
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return
        tail = b""
        while chunk := file.read(_CHUNK):
            data = tail + chunk
            yield from (match[1].decode() for match in _KID.finditer(data))
            # One byte too short for a whole one: none is counted twice.
            tail = data[-(_LONGEST_KID - 1) :]
