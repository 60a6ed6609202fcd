"""Dicts as users hold them, and models as we do."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from siege_nb.declare import Part, Reference, Secret, secrets_of, structure, suspect, with_secrets
from siege_nb.declare.secret import REFERENCE_KEY
from siege_nb.errors import InvalidError, Issue
from siege_nb.masking import MASK, is_mask
from siege_nb.store import Collection, UnknownParams
from siege_nb.store.rows import value
from siege_nb.store.shapes import Shape

T = TypeVar("T", bound=Part)


def created(shape: Shape[T], item: T, what: str) -> dict[str, Any]:
    """A new item as its file will have it; InvalidError for what looks like a secret where none is sealed."""
    suspect.refuse(item, None, what)
    return document(shape, item)


def document(shape: Shape[T], item: T) -> dict[str, Any]:
    """An item as its file has it: a secret is its reference, and one that an old file holds in the clear is stars."""
    masked: T = with_secrets(item, {p: cast(Secret, MASK) for p, s in secrets_of(item) if not isinstance(s, Reference)})
    return shape.write(masked, masked)


class Loaded(dict[str, Any]):
    """A dict that knows which version of its file it was read from: what others have changed since is not undone."""

    version: str | None = None


def loaded(found: dict[str, Any], version: str) -> Loaded:
    """The dict of a file of this version."""
    result = Loaded(found)
    result.version = version
    return result


def based_on(given: Mapping[str, Any], collection: Collection[Any], key: str) -> str | None:
    """The version that is to be there for a dict to be saved; None for one that was not loaded, and for a new file."""
    there = collection.directory.identity(collection.shape.file(key)) is not None
    return given.version if there and isinstance(given, Loaded) else None


def saved(given: Mapping[str, Any], version: str) -> None:
    """From now on the dict is based on what was made of it."""
    if isinstance(given, Loaded):
        given.version = version


def typed(model: type[T], given: Mapping[str, Any], stored: Part | None, what: str) -> T:
    """What a user hands us: text is a secret whatever it looks like, unless it is what stands there, or stars."""
    kept = dict(secrets_of(stored))
    data = copy.deepcopy(dict(given))
    for path, secret in kept.items():
        there = value(data, path)
        if there == _said(secret) or (isinstance(there, str) and is_mask(there)):
            place(data, path, secret)
    # As at rest, for keys of one's own are kept; a kind that is not installed keeps them anyway, and seals them.
    found = structure(model, data, what=what, at_rest=model is not UnknownParams)
    fresh = {
        path: Secret(secret.written)
        for path, secret in secrets_of(found)
        if isinstance(secret, Reference) and secret.source == "encrypted" and secret != kept.get(path)
    }
    result: T = with_secrets(found, fresh)
    return result


def merged(
    there: Mapping[str, Any], updates: Mapping[str, Any], *, depth: int = 32, tag: str = ""
) -> dict[str, Any]:
    """A copy with the updates in it, mapping by mapping.

    A reference to a secret is replaced as a whole, and so is a mapping whose `tag` says that it is of another kind.
    """
    if not isinstance(updates, Mapping):
        raise InvalidError("The updates", [Issue("", f"should be a mapping, not {type(updates).__name__}")])
    result = dict(there)
    for key, new in updates.items():
        old = result.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping) and depth > 0 and _alike(old, new, tag):
            result[key] = merged(old, new, depth=depth - 1, tag=tag)
        else:
            result[key] = copy.deepcopy(new)
    return result


def place(data: Any, path: str, new: Any) -> None:
    """Put a value where a dotted path leads."""
    *folders, last = path.split(".")
    for step in folders:
        data = data[int(step)] if isinstance(data, list) else data[step]
    data[int(last) if isinstance(data, list) else last] = new


def taken(part: type[Part], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Those keyword arguments that a part declares; they are no longer among the others."""
    return {name: kwargs.pop(name) for name in part.model_fields if name in kwargs}


def key(given: Mapping[str, Any], field: str, what: str) -> str:
    """The key that a document carries; InvalidError when it has none."""
    found = given.get(field)
    if not isinstance(found, str):
        raise InvalidError(what, [Issue(field, "is required" if found is None else "should be text")])
    return found


def _alike(old: Mapping[str, Any], new: Mapping[str, Any], tag: str) -> bool:
    return REFERENCE_KEY not in {*old, *new} and not (tag and tag in new and new[tag] != old.get(tag))


def _said(secret: Secret) -> str | dict[str, str]:
    return secret.at_rest() if isinstance(secret, Reference) else MASK
