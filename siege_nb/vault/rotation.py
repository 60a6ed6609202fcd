"""A new key for everything that is sealed, while others go on reading and saving; killed at any step, it goes on later.

The steps, each of them one atomic change: a new key becomes primary; each file's tokens are sealed anew; the old keys
become decrypt-only; one that nothing needs any more is destroyed. Two active keys in a ring say that a rotation was cut
short: the next one finishes it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from siege_nb.errors import SiegeError, TamperedError, VaultError
from siege_nb.vault import token
from siege_nb.vault.keys import Keys, Opened
from siege_nb.vault.places import CREDENTIAL, CREDENTIALS, LAYOUTS, Documents, Layout, holders
from siege_nb.vault.ring import FILE, Ring, State

if TYPE_CHECKING:
    from siege_nb.state import Change

log = logging.getLogger(__name__)

#: How long a key that nothing uses is kept for what others hold in their hands: sealed and not yet written, or read and
#: not yet opened.
SETTLING = timedelta(minutes=5)
#: How often a count is repeated that others' changes have made worthless.
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a rotation did."""

    #: The key that seals from now on.
    primary: str
    #: Tokens that were sealed anew.
    resealed: int
    #: Each key of the ring, and its state.
    keys: Mapping[str, State]
    #: The keys that are gone for good.
    destroyed: tuple[str, ...]
    #: The keys that only open, each with the files that still need it, or until when it is kept for what is under way.
    kept_for: Mapping[str, tuple[str, ...]]


def rotate(keys: Keys, documents: Documents, at: datetime, *, finish: bool) -> Rotation:
    """Seal everything with a new key; with `finish`, only bring to its end what earlier rotations began."""
    if keys.settings.vault == "memory":
        raise VaultError("A key in the memory of one process is not rotated: it ends with the process.")
    first = keys.directory.read(FILE) is None
    keys.ready()
    if not first and not finish:
        opened = keys.update(lambda o: o.ring if o.ring.unfinished() else o.ring.added(o.wrapping, at))
        log.info("The key %s seals from now on", opened.ring.primary)
    resealed = reseal_all(keys, documents)
    opened = keys.update(lambda o: o.ring.retired(at))
    destroyed, kept_for = [], {}
    for kid, entry in opened.ring.keys.items():
        if entry.state == "decrypt-only":
            if reasons := _destroy(keys, kid, at):
                kept_for[kid] = reasons
            else:
                destroyed.append(kid)
    ring = keys.for_opening().ring
    states = {kid: entry.state for kid, entry in ring.keys.items()}
    return Rotation(ring.primary, resealed, states, tuple(destroyed), kept_for)


def reseal_all(keys: Keys, documents: Documents) -> int:
    """Seal every token anew that was sealed with another key than the primary one; gives how many there were."""
    total = 0
    while True:
        # Until nothing is left: others may still save what they sealed with the key of before.
        resealed = sum(
            _reseal(keys, layout, file, CREDENTIALS if layout is CREDENTIAL else documents)
            for layout in LAYOUTS
            for file in keys.directory.names(layout.prefix, ".json")
        )
        if not resealed:
            return total
        total += resealed


def _reseal(keys: Keys, layout: Layout, file: str, documents: Documents) -> int:
    """Seal the tokens of one file anew; gives how many. What cannot be read or opened stays, and keeps its key."""
    try:
        while most := _old(keys.for_opening(), layout, documents.read(keys.directory.read(file) or b"{}", file)[0]):
            opened = keys.for_sealing(most)

            def work(change: Change, opened: Opened = opened, most: int = most) -> int | None:
                data, revision, _ = documents.read(change.read(file) or b"{}", file)
                primary = Ring.parse(change.read(FILE) or b"").primary
                if primary != opened.ring.primary or _old(opened, layout, data) > most:
                    return None  # another rotation began, or more was saved here: once more
                data, count = _anew(opened, layout, file, data)
                if count:
                    change.write(file, documents.write(data, revision + 1, file))
                return count

            done = keys.directory.change(work, act="rotate")
            if done is not None:
                return done
    except SiegeError as error:
        log.warning("%s was left as it is: %s", file, error.message)
    return 0


def _old(opened: Opened, layout: Layout, data: dict[str, Any]) -> int:
    """How many tokens there are of a key that is at hand and not the primary one."""
    old = opened.keys.keys() - {opened.ring.primary}
    return sum(token.kid_of(written) in old for _, written in layout.tokens(data))


def _anew(opened: Opened, layout: Layout, file: str, data: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """The document with its tokens sealed by the primary key, and how many were not yet."""
    ring, keys, count = opened.ring, opened.keys, 0

    def change(path: str, written: str) -> str:
        nonlocal count
        kid = token.kid_of(written)
        if kid == ring.primary or kid not in keys:
            return written
        place = ring.account, layout.kind, layout.ident(file), path
        try:
            written = token.reseal(written, keys[kid], keys[ring.primary], ring.primary, *place)
        except TamperedError:  # it belongs elsewhere: it did not open before either
            return written
        count += 1
        return written

    return layout.replace(data, change), count


def _destroy(keys: Keys, kid: str, at: datetime) -> tuple[str, ...]:
    """Destroy a key that nothing needs; or say what needs it."""
    for _ in range(_ATTEMPTS):
        generation = keys.directory.generation()
        found = holders(keys.directory.path)
        if needed := sorted({*found.get(kid, ()), *found.get("", ())}):
            return tuple(needed)
        ring = keys.for_opening().ring
        retired = ring.keys[kid].retired
        if retired and at - datetime.fromisoformat(retired) < SETTLING:
            return (f"what others are saving now, until {datetime.fromisoformat(retired) + SETTLING:%H:%M} UTC",)

        def work(change: Change, generation: int = generation) -> bool:
            ring = Ring.parse(change.read(FILE) or b"")
            if change.generation != generation or ring.keys[kid].state != "decrypt-only":
                return ring.keys[kid].state == "destroyed"
            change.write(FILE, ring.destroyed(kid).dump())
            return True

        if keys.directory.change(work, act="destroy key"):
            log.info("The key %s was destroyed", kid)
            return ()
    return ("others kept changing what is here",)
