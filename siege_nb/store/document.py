"""A document on disk: strict JSON, and under its last key who counts its changes."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic_core import to_json

from siege_nb.errors import AccessError, DamagedError, InvalidError, Issue

FORMAT = 1
OURS = "_siege"
LARGEST = 1 << 20
DEEPEST = 32
# What every reader of JSON can hold exactly.
_MOST_REVISIONS = 1 << 53

_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


class Document(NamedTuple):
    """What a file says, how often it was saved, and the checksum of what it says now."""

    data: dict[str, Any]
    revision: int
    sum: str


def read(raw: bytes, where: str) -> Document:
    """The document in these bytes; DamagedError, naming `where`, says what is wrong with them.

    A checksum that does not fit means that somebody edited the file by hand, which is welcome.
    """
    data, problem = _parsed(raw)
    total = ""
    if not problem:
        ours = data.pop(OURS, {})
        number, revision = (ours.get("format", FORMAT), ours.get("rev", 0)) if isinstance(ours, dict) else (0, 0)
        if _is_count(number) and number > FORMAT:
            raise AccessError(
                f"{where} was written by a newer siege_nb (format {number}; this one knows {FORMAT}).",
                hint="It is left alone. Run: %pip install --upgrade siege-nb",
            )
        if not (_is_count(number) and number == FORMAT and _is_count(revision)):
            problem = f"{OURS} makes no sense (without it, the rest would be read)"
        else:
            total, problem = _sum(data)
    if problem:
        raise _damaged(where, problem)
    return Document(data, revision, total)


def too_large(size: int, where: str) -> DamagedError:
    """That a file is refused for its size, so that it need not be read to know it."""
    return _damaged(where, _oversize(size))


def write(data: Mapping[str, Any], revision: int, what: str) -> bytes:
    """The bytes of a document; InvalidError when there is something in it that JSON does not know."""
    raw = b""
    try:
        total, problem = _sum(data)  # which refuses what JSON does not know; the writer, six times as fast, does not
        ours = {"format": FORMAT, "rev": revision, "sum": total}
        raw = b"" if problem else to_json({**data, OURS: ours}, indent=2) + b"\n"
    except (TypeError, ValueError, RecursionError) as error:
        problem = f"it cannot be written as JSON ({error})"
    if problem:
        raise InvalidError(what, [Issue("", problem)])
    return raw


def _parsed(raw: bytes) -> tuple[dict[str, Any], str]:
    """The data, or what is wrong. Nothing is raised: json's own errors carry the whole text, passwords and all."""
    if len(raw) > LARGEST:
        return {}, _oversize(len(raw))
    try:
        # A byte order mark is what some editors on Windows leave.
        text = raw.removeprefix(b"\xef\xbb\xbf").decode()
        data = json.loads(text, object_pairs_hook=_unique, parse_constant=_refused, parse_float=_finite)
    except json.JSONDecodeError as error:
        return {}, f"line {error.lineno} column {error.colno}: {error.msg}" if raw.strip() else "it is empty"
    except UnicodeDecodeError as error:
        return {}, f"byte {error.start} is not UTF-8"
    except RecursionError:
        return {}, f"it is nested more than {DEEPEST} deep"
    except _RefusedError as error:
        return {}, str(error)
    except ValueError:
        return {}, "a number in it is too long"
    if not isinstance(data, dict):
        return {}, "it should be a mapping"
    if _deeper(data, DEEPEST):
        return {}, f"it is nested more than {DEEPEST} deep"
    return data, ""


def _damaged(where: str, problem: str) -> DamagedError:
    return DamagedError(f"{where} cannot be read: {problem}.", hint="Mend it in an editor, or put back a copy.")


def _oversize(size: int) -> str:
    return f"it is too large ({size:,} bytes; {LARGEST:,} at most)"


class _RefusedError(ValueError):
    """Something that json would let pass."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _RefusedError(f"the key {twice[:60]!r} is there twice")
    return found


def _refused(constant: str) -> None:
    raise _RefusedError(f"{constant} is not a number in JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _RefusedError(f"{text[:20]} is too large a number")
    return number


def _deeper(data: Any, most: int) -> bool:
    level = [data]
    for _ in range(most):
        level = [
            item
            for value in level
            for item in (value.values() if isinstance(value, dict) else value)
            if isinstance(item, dict | list)
        ]
        if not level:
            return False
    return True


def _sum(data: Mapping[str, Any]) -> tuple[str, str]:
    """A checksum that is the same for the same content, however it is laid out; or why there is none."""
    text = _canonical(data)
    try:
        return hashlib.sha256(text.encode()).hexdigest(), ""
    except UnicodeEncodeError:
        return "", "a character in it is half of a pair"


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < _MOST_REVISIONS
