"""Which file a word means: a name, SCOPE/name or a key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from siege_nb.errors import ConflictError
from siege_nb.store.listing import Known
from siege_nb.store.shapes import Shape, qualified


def meant(known: Known, shape: Shape[Any], word: str, scope: str = "") -> str:
    """The file of the item that a word means, or nothing; ConflictError when it may mean several.

    A whole name comes before SCOPE/name, for a name may have a / in it, and both come before a key. Of several of one
    name the one of the given scope is meant, then the one of no scope, then the only one there is.
    """
    files = known.named(word)
    if len(files) > 1:
        own = [file for file in files if known.entries[file].scope.casefold() == scope.casefold()]
        common = [file for file in files if not known.entries[file].scope]
        files = own or common or files
    for at in [n for n, letter in enumerate(word) if letter == "/"]:
        if not files:
            above, below = word[:at].casefold(), known.named(word[at + 1 :])
            files = [file for file in below if known.entries[file].scope.casefold() == above]
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
