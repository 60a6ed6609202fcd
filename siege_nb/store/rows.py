"""What a file says without being validated: enough to list it, to find it by name and to narrow a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic_core import from_json

from siege_nb.errors import SiegeError
from siege_nb.store import document

if TYPE_CHECKING:
    from siege_nb.store.shapes import Shape

_NOTHING = object()


class Row(NamedTuple):
    """An item as a list shows it."""

    key: str
    name: str
    scope: str
    file: str
    #: The summary, or its JSON: of many that are listed, few are looked at.
    said: Mapping[str, Any] | str

    @property
    def summary(self) -> Mapping[str, Any]:
        """What the item's kind shows besides; a copy each time where it comes from the index."""
        found: Mapping[str, Any] = from_json(self.said) if isinstance(self.said, str) else self.said
        return found


class Entry(NamedTuple):
    """What is known of one file."""

    #: Which file it was read from; None while that cannot tell every later change.
    identity: tuple[int, ...] | None
    #: Of a file that cannot be read any more, the last ones known.
    name: str
    scope: str
    row: Row | None
    #: What a search by default looks at, letter case aside.
    text: str = ""
    problem: SiegeError | None = None


def entry(shape: Shape[Any], file: str, data: Mapping[str, Any], identity: tuple[int, ...] | None) -> Entry | None:
    """What a document tells of itself; None when only a whole look can say what is wrong with it."""
    key = shape.key_in(file)
    name = data.get(shape.name_field, key if shape.name_field == shape.key_field else shape.unnamed)
    ours = data.get(document.OURS)
    known = ours is None or (isinstance(ours, dict) and ours.get("format", document.FORMAT) == document.FORMAT)
    named = isinstance(name, str) and (name != "" or shape.unnamed == "")
    if not (known and named and data.get(shape.key_field, key) == key and shape.is_key(key)):
        return None
    scope = shape.scope_in(data)
    return Entry(identity, name, scope, Row(key, name, scope, file, shape.summary(data)), text(shape, data))


def parsed(raw: bytes) -> Mapping[str, Any] | None:
    """The mapping in these bytes by the fastest parser there is; None when a stricter one should look."""
    if len(raw) > document.LARGEST:
        return None
    try:
        data = from_json(raw, allow_inf_nan=False)
    except ValueError:  # what exactly is wrong, the strict parser says better; and it reads a byte order mark
        return None
    return data if isinstance(data, dict) else None


def text(shape: Shape[Any], data: Mapping[str, Any]) -> str:
    """The values that a search by default looks at. A word found in one of them is found in this text."""
    return "\n".join([str(found) for path in shape.searched for found in at(data, path)]).casefold()


def at(data: Any, path: str) -> Sequence[Any]:
    """The value at a dotted path in a sequence of its own, or nothing; elements of lists go by their number."""
    for step in _steps(path):
        if isinstance(data, dict):
            data = data.get(step, _NOTHING)
            if data is _NOTHING:
                return ()
        elif isinstance(data, list) and step.isdecimal() and int(step) < len(data):
            data = data[int(step)]
        else:
            return ()
    return (data,)


@lru_cache
def _steps(path: str) -> tuple[str, ...]:
    return tuple(path.split("."))


def value(data: Mapping[str, Any], path: str, default: Any = None) -> Any:
    """The value at a dotted path, or the default."""
    found = at(data, path)
    return found[0] if found else default
