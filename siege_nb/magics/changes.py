"""key=value pairs put into a client or a project, and its fields as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from siege_nb.declare import Part, fields, structure, unstructure
from siege_nb.errors import InvalidError
from siege_nb.magics.about import leaves, tree
from siege_nb.magics.words import document, pairs

P = TypeVar("P", bound=Part)


def plain_pairs(rest: list[str], usage: str) -> tuple[list[str], dict[str, str]]:
    """Bare words and key=value pairs, where nothing is a secret."""
    bare, values, references = pairs(rest)
    if references:
        raise InvalidError(f"Nothing here is a secret: write {next(iter(references))}=…", hint=usage)
    return bare, values


def changed(declared: type[P], item: P | None, values: Mapping[str, str], what: str) -> P:
    """The item, or a new one, with what was typed; an empty value gives a field its default back.

    A key of one's own within a mapping stands behind its name: notification_preferences.email=yes.
    """
    held = {name: field.path for field in fields(declared) if field.type == "mapping" for name in _names(field.path)}
    inner = {key: text for key, text in values.items() if key.rpartition(".")[0] in held}
    typed = document(declared, {key: text for key, text in values.items() if key not in inner}, what)
    tree: dict[str, Any] = unstructure(item) if item else {}
    _put(tree, typed)
    for key, text in inner.items():
        above, _, last = key.rpartition(".")
        spot = tree
        for folder in held[above].split("."):
            spot = spot.setdefault(folder, {})
        _put(spot, {last: _TRUTHS.get(text.casefold(), text)})
    # What stands in the file already is let be, keys of the user's own with it.
    return structure(declared, tree, what=what, at_rest=item is not None)


_TRUTHS: Mapping[str, Any] = {"true": True, "yes": True, "false": False, "no": False}


def _names(path: str) -> set[str]:
    return {path, path.rpartition(".")[2]}


def _put(tree: dict[str, Any], typed: Mapping[str, Any]) -> None:
    for key, value in typed.items():
        if isinstance(value, dict):
            _put(tree.setdefault(key, {}), value)
        elif value in ("", []):
            tree.pop(key, None)
        else:
            tree[key] = value


def known(item: Part, *leave_out: str) -> dict[str, str]:
    """What is known of an item, under the titles of its fields; what is empty is left out."""
    titles = {field.path: field.title for field in fields(type(item))}
    found = {titles.get(path, path): text for path, text in spelled(item).items() if path not in leave_out}
    return {title: text for title, text in found.items() if text}


def spelled(item: Part) -> dict[str, str]:
    """Every value of an item by its dotted path, as people write it."""
    return {path: _spelled(value) for path, value in leaves(tree(item)) if value is not None}


def _spelled(value: Any) -> str:
    match value:
        case list():
            return ", ".join(map(str, value))
        case bool():
            return "yes" if value else "no"
        case datetime():
            return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return str(value)
