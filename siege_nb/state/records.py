"""The records of an audit log as they are written: keyed, one to a line, and without any value.

A line is JSON in its one canonical spelling, with `mac` last: HMAC-SHA256 over everything before it. A change is two
records, an `intent` before the files change and an outcome after it (`done` or `failed`); an intent without one is
`unknown`. What a file held is told by a keyed mark, and its sealed secrets by one mark each.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
import string
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from siege_nb.errors import DamagedError
from siege_nb.state import private

FOLDER = "audit"
HEAD = "head"
#: What the first record of all follows.
NOTHING = "0" * 64
# The act by which a log speaks of itself.
LOG = "log"
#: The outcome of a record that says what a file may be, whoever put it there.
ACCEPTED = "accepted"

_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
_MAC = b',"mac":"'
_MAC_AT = -(len(_MAC) + 64 + 2)
_TOKEN = re.compile(rb"encrypted:v2\.[^\"\s\\]+")
_REVISION = re.compile(rb'"_siege"\s*:\s*\{[^{}]*"rev"\s*:\s*(\d{1,16})\b')
_KEY = re.compile(rb"([A-Za-z0-9]{8}):([0-9a-f]{64})\s*")
_SEGMENT = re.compile(r"log-(\d{6,})\.jsonl")
# Overwritten in place and never shortened, in one sector: it needs no room on a full disk and is never half there.
_HEAD_WIDTH = 448


class Target(NamedTuple):
    """One file's part of a record: its revisions, where it has any, and marks of its contents and its secrets."""

    name: str
    before: int | None = None
    after: int | None = None
    #: Of what it was and of what it became: "" for no file, None where the record is not about contents.
    was: str | None = None
    mark: str | None = None
    #: Of the sealed secrets in what it was and in what it became.
    had: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()


class Record(NamedTuple):
    """What was done, by whom and when. A change read back carries its outcome: done, failed or unknown."""

    seq: int
    ts: str
    mono: float
    boot: str
    pid: int
    actor: str
    act: str
    outcome: str
    targets: tuple[Target, ...]
    #: The intent whose outcome this is.
    of: int | None = None


class Line(NamedTuple):
    """A line as it was read, believed or not."""

    record: Record
    prev: str
    mac: str
    #: The id of the key that this and the following lines are written with; only where a segment begins.
    key: str = ""


class Head(NamedTuple):
    """Where a log ends: the only thing that shows that its tail was cut off."""

    seq: int
    #: The mac of the last record.
    last: str
    boot: str
    segment: int
    size: int
    key: str


class Key:
    """The key of an audit log, which shows itself to nobody."""

    __slots__ = ("_keyed", "ident")

    def __init__(self, written: bytes, path: Path) -> None:
        found = _KEY.fullmatch(written)
        if found is None:
            written = b""  # a verbose traceback shows the locals
            raise DamagedError(f"{path} holds no audit key.", hint="Move it away: a new one is made, the log goes on.")
        self.ident = found[1].decode()
        self._keyed = hmac.new(bytes.fromhex(found[2].decode()), digestmod="sha256")

    def mac(self, data: bytes) -> str:
        """HMAC-SHA256, as 64 hex digits."""
        keyed = self._keyed.copy()
        keyed.update(data)
        return keyed.hexdigest()

    def tokens(self, data: bytes | None) -> tuple[str, ...]:
        """A mark of each sealed secret in these bytes."""
        return tuple(sorted({self.mac(b"token\0" + token)[:32] for token in _TOKEN.findall(data or b"")}))

    def target(self, name: str, before: bytes | None, after: bytes | None) -> Target:
        """What a record says of a file that had these bytes and will have those."""
        was, mark = self.mark(name, before), self.mark(name, after)
        return Target(name, revision(before), revision(after), was, mark, self.tokens(before), self.tokens(after))

    def mark(self, name: str, data: bytes | None) -> str:
        """What these bytes under this name are told by; it says nothing to whoever does not have the key."""
        return "" if data is None else self.mac(b"file\0" + name.encode() + b"\0" + data)[:32]

    def stands(self, target: Target, data: bytes | None) -> Literal["before", "after", "other"]:
        """Whether a file that holds these bytes now is as it was before the change, as it was after, or neither."""
        mark = self.mark(target.name, data)
        return "after" if mark == target.mark else "before" if mark == target.was else "other"

    def line(self, fields: Mapping[str, Any]) -> bytes:
        """The fields as a line, without its newline."""
        body = _canonical(fields).encode()[:-1]
        return body + _MAC + self.mac(body).encode() + b'"}'

    def wrote(self, line: bytes) -> bool:
        """Whether the line was written with this key and is as it was."""
        return line[_MAC_AT:] == _MAC + self.mac(line[:_MAC_AT]).encode() + b'"}'

    def head(self, raw: bytes) -> Head | None:
        """The head in these bytes if it was written with this key."""
        line = raw.rstrip(b" \n")
        return claimed(line) if self.wrote(line) and raw == _padded(line) else None

    def write_head(self, head: Head) -> bytes:
        """The bytes of a head, as long as every other."""
        return _padded(self.line(head._asdict()))


def key_at(path: Path) -> Key:
    """The key in this file, which is made on first need; several processes that come at once make one."""
    key = known_key(path)
    if key is None:
        private.make(path, _new_key)
        key = known_key(path)
    if key is None:
        raise FileNotFoundError(2, "it vanished as soon as it was made", str(path))
    return key


def known_key(path: Path) -> Key | None:
    """The key in this file, None where there is none yet."""
    return private.read(path, lambda written: Key(written, path))


def parse(line: bytes) -> Line | None:
    """What a line says, whoever wrote it; None when it is no record."""
    try:
        found = json.loads(line)
        targets = tuple(map(_target, found["targets"]))
        record = Record(
            found["seq"], found["ts"], found["mono"], found["boot"], found["pid"], found["actor"], found["act"],
            found["outcome"], targets, found.get("of"),
        )  # fmt: skip
        whole = type(record.seq) is int and isinstance(found["prev"], str) and isinstance(found["mac"], str)
        return Line(record, found["prev"], found["mac"], str(found.get("key", ""))) if whole else None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def claimed(raw: bytes) -> Head | None:
    """The head in these bytes, whoever wrote it; None when they are none."""
    try:
        found = json.loads(raw)
        head = Head(*(found[field] for field in Head._fields))
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    types = int, str, str, int, int, str
    whole = all(type(value) is kind for value, kind in zip(head, types, strict=True))
    return head if whole and min(head.seq, head.size, head.segment - 1) >= 0 else None


def fields(record: Record, prev: str, key: str = "") -> dict[str, Any]:
    """What is written of a record."""
    targets = [t._asdict() if t.mark is not None else {"name": t.name} for t in record.targets]
    found = {**record._asdict(), "targets": targets, "prev": prev}
    if record.of is None:
        del found["of"]
    return found | {"key": key} if key else found


def revision(data: bytes | None) -> int | None:
    """How often a document of ours was saved; None for every other file, and for none."""
    at = -1 if data is None else data.rfind(b'"_siege"')
    found = _REVISION.match(data, at) if data is not None and at >= 0 else None
    return int(found[1]) if found else None


def segment_name(number: int) -> str:
    """The file of a log's n-th part."""
    return f"log-{number:06d}.jsonl"


def segments(names: Iterable[str]) -> dict[int, str]:
    """The parts of a log among these files, by number."""
    found = {int(match[1]): name for name in names if (match := _SEGMENT.fullmatch(name))}
    return dict(sorted(found.items()))


def stamp(now: datetime) -> str:
    """A time as records write it."""
    return now.astimezone(UTC).isoformat(timespec="milliseconds")


@lru_cache(maxsize=1)
def boot_id() -> str:
    """Another text after every start of the machine, "" where there is none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:  # not Linux: then a missing outcome is never taken for a power cut's
        return ""


def _target(found: dict[str, Any]) -> Target:
    if "mark" not in found:
        return Target(found["name"])
    return Target(**found | {"had": tuple(found["had"]), "tokens": tuple(found["tokens"])})


def _padded(line: bytes) -> bytes:
    return line.ljust(_HEAD_WIDTH - 1) + b"\n"


def _new_key() -> bytes:
    ident = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(8))
    return f"{ident}:{secrets.token_bytes(32).hex()}\n".encode()
