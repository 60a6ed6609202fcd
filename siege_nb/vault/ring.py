"""The key ring of one config directory: the keys its secrets are sealed with, each wrapped by a key kept elsewhere."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, get_args

from siege_nb.errors import DamagedError, VaultError
from siege_nb.vault.token import KEY_BYTES, Key, new_kid, place

FILE = "ring.json"
_FORMAT = 1

SourceName = Literal["keyfile", "keyring", "env", "memory"]
State = Literal["active", "decrypt-only", "destroyed"]


@dataclass(frozen=True, slots=True)
class Kept:
    """Where the key is that wraps a ring: a file's path, a variable's name, a keyring's name."""

    source: SourceName
    place: str = ""

    def __str__(self) -> str:
        match self.source:
            case "keyfile":
                return f"the key file {self.place}"
            case "keyring":
                return f"the keyring of the operating system ({self.place})"
            case "env":
                return f"the variable {self.place}"
            case "memory":
                return "the memory of one process"


@dataclass(frozen=True, slots=True)
class Wrapped:
    """One key of a ring, as it is written."""

    wrapped: str
    created: str
    state: State = "active"


@dataclass(frozen=True, slots=True)
class Ring:
    """The keys of one config directory. `account` names the directory for good, wherever it is moved."""

    account: str
    primary: str
    kept: Kept
    keys: Mapping[str, Wrapped]

    @classmethod
    def new(cls, account: str, kept: Kept, wrapping: Key, at: datetime) -> Ring:
        """A ring with one fresh random key."""
        kid = new_kid()
        wrapped = wrapping.encrypt(os.urandom(KEY_BYTES), _place(account, kid)).hex()
        return cls(account, kid, kept, {kid: Wrapped(wrapped, at.isoformat(timespec="seconds"))})

    @classmethod
    def parse(cls, data: bytes) -> Ring:
        """The ring in a file; DamagedError if it is none, VaultError if it is newer than this program."""
        try:
            found = json.loads(data)
            known = found["format"]
            if known == _FORMAT:
                keys = {str(kid): Wrapped(**entry) for kid, entry in found["keys"].items()}
                ring = cls(str(uuid.UUID(found["account"])), found["primary"], Kept(**found["kept"]), keys)
                ring._check()
                return ring
        except (ValueError, KeyError, TypeError, AttributeError):
            raise DamagedError(
                f"{FILE} is no key ring.", hint="Put it back from a backup: without it no sealed secret here opens."
            ) from None
        raise VaultError(f"{FILE} has the format {known!r}; this version knows {_FORMAT}.", hint="Update siege-nb.")

    def dump(self) -> bytes:
        """The ring as it stands in its file."""
        keys = {kid: {"wrapped": k.wrapped, "created": k.created, "state": k.state} for kid, k in self.keys.items()}
        kept = {"source": self.kept.source, "place": self.kept.place}
        document = {"format": _FORMAT, "account": self.account, "primary": self.primary, "kept": kept, "keys": keys}
        return json.dumps(document, indent=2).encode() + b"\n"

    def unwrap(self, wrapping: Key) -> dict[str, Key]:
        """The keys by name, for sealing and opening; TamperedError with the wrong wrapping key."""
        return {
            kid: Key(wrapping.decrypt(bytes.fromhex(entry.wrapped), _place(self.account, kid)))
            for kid, entry in self.keys.items()
            if entry.state != "destroyed"
        }

    def rewrap(self, old: Key, new: Key, kept: Kept) -> Ring:
        """The same keys, wrapped by another one that is kept elsewhere. What they sealed stays as it is."""
        keys = {}
        for kid, entry in self.keys.items():
            if entry.state != "destroyed":
                at = _place(self.account, kid)
                wrapped = new.encrypt(old.decrypt(bytes.fromhex(entry.wrapped), at), at).hex()
                entry = replace(entry, wrapped=wrapped)
            keys[kid] = entry
        return replace(self, kept=kept, keys=keys)

    def _check(self) -> None:
        sound = self.keys[self.primary].state == "active" and self.kept.source in get_args(SourceName)
        for entry in self.keys.values():
            bytes.fromhex(entry.wrapped)
            sound = sound and entry.state in get_args(State)
        if not sound:
            raise ValueError


def _place(account: str, kid: str) -> bytes:
    return place("ring", account, kid)
