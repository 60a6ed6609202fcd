"""Which file a word means: a name, SCOPE/name or a key."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from siege_nb.declare import suggest
from siege_nb.errors import ConflictError, NotFoundError
from siege_nb.store.listing import Known
from siege_nb.store.shapes import Shape, qualified

# How many names an error lists; among how many words the nearest is looked for.
SHOWN, COMPARED = 12, 2000


def meant(known: Known, shape: Shape[Any], word: str, scope: str = "") -> str:
    """The file of the item that a word means, or nothing; ConflictError when it may mean several.

    SCOPE/name comes before a whole name, for an old one may have a / in it, and both come before a key. Within a scope
    a name means that scope's own, or that of none, and never another's; without one, the only one there is.
    """
    files: Sequence[str] = ()
    for at in [n for n, letter in enumerate(word) if letter == "/"]:
        if not files:
            above, below = word[:at].casefold(), known.named(word[at + 1 :])
            files = [file for file in below if known.entries[file].scope.casefold() == above]
    if not files:
        named = known.named(word)
        own = [file for file in named if known.entries[file].scope.casefold() == scope.casefold()]
        common = [file for file in named if not known.entries[file].scope]
        files = own or common or ([] if scope else named)
    if files:
        return _only(known, shape, word, files)
    file = f"{shape.prefix}{word}{shape.suffix}"
    return file if file in known.entries else ""


def _only(known: Known, shape: Shape[Any], word: str, files: Sequence[str]) -> str:
    if len(files) == 1:
        return files[0]
    keys = sorted(shape.key_in(file) for file in files)
    names = sorted(qualified(known.entries[file].scope, known.entries[file].name) for file in files)
    twins = len({name.casefold() for name in names}) < len(names)
    raise ConflictError(
        f"There are {len(files)} {shape.noun}s named {word!r}: {', '.join(keys if twins else names)}.",
        hint=f"Use the {shape.key_field}, or rename all but one." if twins else f"Say which one: {names[0]}",
    )


def missing(shape: Shape[Any], known: Known, wanted: str) -> NotFoundError:
    """That there is no such item, what may have been meant, and what there is."""
    noun, rows = shape.noun, known.rows
    words = sorted({word for row in rows for word in (row.name, row.key)} - {wanted})
    if len(words) > COMPARED:
        words = [word for word in words if word[:1].casefold() == wanted[:1].casefold()][:COMPARED]
    names = sorted(row.name if shape.unique_names else row.key for row in rows)
    there = f"There are: {_listed(names)}." if names else f"There are no {noun}s yet."
    damaged = sorted(Path(file).name for file, entry in [*known.entries.items()] if entry.problem)
    if damaged:
        there = f"{there} Cannot be read: {_listed(damaged)}."
    named = known.named(wanted) if shape.unique_names else []
    elsewhere = [qualified(known.entries[file].scope, known.entries[file].name) for file in named]
    near = f" Did you mean {' or '.join(sorted(elsewhere)[:SHOWN])}?" if elsewhere else suggest(wanted, words)
    return NotFoundError(f"There is no {noun} {wanted!r}.{near}", hint=there)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"
