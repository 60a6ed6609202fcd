"""The keys of one config directory in the hand: read out of its ring, made, wrapped anew, and counted."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from siege_nb.errors import TamperedError, VaultError
from siege_nb.models.stamps import now
from siege_nb.settings import Settings
from siege_nb.vault import sources, uses
from siege_nb.vault.passphrase import Ask
from siege_nb.vault.ring import FILE, Kept, Ring, SourceName
from siege_nb.vault.token import Key

if TYPE_CHECKING:
    from siege_nb.state import Change, Directory

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, repr=False)
class Opened:
    """A ring with its keys in the hand, and the bytes it was read from: other bytes, another ring."""

    data: bytes
    ring: Ring
    kept: Kept
    wrapping: Key
    keys: dict[str, Key]


#: The rings of the policy "memory", by directory: every Vault of this process over one directory shares one.
_never_written: dict[Path, tuple[int, Opened]] = {}


class Keys:
    """The ring of one config directory, as it is on disk whenever it is asked for."""

    def __init__(self, settings: Settings, directory: Directory) -> None:
        self.settings = settings
        self.directory = directory
        self.ask: Ask | None = None
        self._opened: Opened | None = None

    def describe(self) -> str:
        """What seals here, and where its key is kept. It makes nothing; raises what opening would raise."""
        if self.settings.vault == "memory":
            return "AES-256-GCM; the key is in the memory of this process, and what it seals opens nowhere else"
        data = self.directory.read(FILE)
        if data is None:
            return f"nothing is sealed yet; the first secret saved makes a key (policy {self.settings.vault})"
        opened = self._open(data)
        return f"AES-256-GCM with key {opened.ring.primary}, which is wrapped by {opened.kept.key}"

    def on_disk(self) -> Ring | None:
        """The ring as it is written, its keys still wrapped; None with the policy "memory", which writes none."""
        data = None if self.settings.vault == "memory" else self.directory.read(FILE)
        if data is None or self._opened is None or self._opened.data != data:
            return None if data is None else Ring.parse(data)
        return self._opened.ring

    def waits(self) -> bool:
        """A passphrase is needed before anything here opens, and has not been given."""
        ring = None if self._opened else self.on_disk()
        return ring is not None and ring.kept.source == "passphrase"

    def remembered(self, kid: str) -> Opened | None:
        """The ring as it was last read, if it had this key: a key is never replaced by another of its name."""
        opened = self._opened
        return opened if opened and kid in opened.keys else None

    def for_opening(self) -> Opened:
        """The ring as it is on disk now; opening makes no key."""
        if self.settings.vault == "memory":
            return self._in_memory()
        data = self.directory.read(FILE)
        if data is None:
            raise VaultError(
                f"This config directory has sealed secrets but no {FILE}, which holds the key to them.",
                hint="Put it back from a backup, or enter the secrets again.",
            )
        return self._open(data)

    def for_sealing(self, count: int = 1) -> Opened:
        """The ring, made on first need, wrapped by what the policy allows, and with so many uses of its primary key."""
        opened = self.ready()
        if self.settings.vault == "memory":
            if not uses.take(opened.ring.account, opened.ring.primary, count):
                opened.ring.spent(uses.MOST + 1)
            return opened
        while not uses.take(opened.ring.account, opened.ring.primary, count):
            size = uses.block(opened.ring.account, opened.ring.primary, count)
            opened = self.update(lambda opened, size=size: opened.ring.spent(size))  # type: ignore[misc]
            uses.reserve(opened.ring.account, opened.ring.primary, size)
        return opened

    def update(self, change: Callable[[Opened], Ring]) -> Opened:
        """Change the ring on disk; of two who do so at once, the later one starts from what the first one wrote."""
        while True:
            opened = self.for_opening()
            ring = change(opened)
            if ring == opened.ring:
                return opened
            if self._write(opened.data, ring):
                return self.for_opening()

    def move(self, to: SourceName) -> Kept:
        """Have the ring wrapped by a key from this source and no other; what is sealed stays as it is."""
        if "memory" in (to, self.settings.vault):
            raise VaultError("A key that is in the memory of one process cannot be moved, nor one into it.")
        settings = replace(self.settings, vault=to)
        if self.directory.read(FILE) is None:
            self._make(settings)
            return self.for_opening().kept
        kept, wrapping = sources.obtain(settings, self.for_opening().ring.account, self.ask)
        self.update(lambda opened: opened.ring.rewrap(opened.wrapping, wrapping, kept))
        log.info("The key of the ring was moved to %s", kept)
        return kept

    def ready(self) -> Opened:
        """The ring, made on first need, and wrapped by what the policy allows."""
        if self.settings.vault == "memory":
            return self._in_memory()
        data = self.directory.read(FILE)
        if data is None:
            self._make(self.settings)
            return self.for_opening()
        opened = self._open(data)
        if not sources.allowed(self.settings, opened.kept):
            kept, wrapping = sources.obtain(self.settings, opened.ring.account, self.ask)
            opened = self.update(lambda opened: opened.ring.rewrap(opened.wrapping, wrapping, kept))
            log.info("The key of the ring was moved to %s", kept)
        return opened

    def _open(self, data: bytes) -> Opened:
        before = self._opened
        if before is None or before.data != data:
            ring = Ring.parse(data)
            self._opened = self._as_before(before, data, ring) or Opened(
                data, ring, *sources.unwrap(self.settings, ring, self.ask)
            )
            return self._opened
        return before

    def _as_before(self, before: Opened | None, data: bytes, ring: Ring) -> Opened | None:
        """With the wrapping key that opened it before: asking a keyring for it again takes seconds."""
        if before and before.ring.kept == ring.kept:
            try:
                return Opened(data, ring, before.kept, before.wrapping, ring.unwrap(before.wrapping))
            except TamperedError:  # another key in the same place: that one is asked for now
                pass
        return None

    def _in_memory(self) -> Opened:
        found = _never_written.get(self.directory.path)
        if found is None:
            account = str(uuid.uuid4())
            kept, wrapping = sources.obtain(self.settings, account, None)
            ring = Ring.new(account, kept, wrapping, now())
            uses.reserve(account, ring.primary, uses.MOST)
            made = Opened(b"", ring, kept, wrapping, ring.unwrap(wrapping))
            # setdefault: of two threads that come here at once, both take the first one's ring.
            found = _never_written.setdefault(self.directory.path, (os.getpid(), made))
        pid, opened = found
        if pid != os.getpid():
            # A forked child seals with a key of its own, for nobody counts the uses of two.
            ring = opened.ring.added(opened.wrapping, now())
            uses.reserve(ring.account, ring.primary, uses.MOST)
            opened = replace(opened, ring=ring, keys=ring.unwrap(opened.wrapping))
            _never_written[self.directory.path] = os.getpid(), opened
        return opened

    def _make(self, settings: Settings) -> None:
        # The key is had before the lock is: a keyring may take seconds. Whoever writes first, his ring stands.
        account = str(uuid.uuid4())
        kept, wrapping = sources.obtain(settings, account, self.ask)
        ring = Ring.new(account, kept, wrapping, now())
        size = uses.block(account, ring.primary, 1)
        ring = ring.spent(size)
        if self._write(None, ring):
            uses.reserve(account, ring.primary, size)
            # A keyring need not be asked again for what it has just kept.
            self._opened = Opened(ring.dump(), ring, kept, wrapping, ring.unwrap(wrapping))
            log.info("A key ring was made, its key is kept in %s", kept)

    def _write(self, expected: bytes | None, ring: Ring) -> bool:
        """Write the ring unless another process changed it meanwhile: then theirs stands."""

        def work(change: Change) -> bool:
            if change.read(FILE) != expected:
                return False
            change.write(FILE, ring.dump())
            return True

        return self.directory.change(work, act="keys")
