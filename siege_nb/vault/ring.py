"""The key ring of one config directory: the keys its secrets are sealed with, each wrapped by a key kept elsewhere."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Literal, get_args

from siege_nb.errors import DamagedError, VaultError
from siege_nb.vault import uses
from siege_nb.vault.passphrase import Scrypt
from siege_nb.vault.token import KEY_BYTES, Key, new_kid, place

FILE = "ring.json"
_FORMAT = 1

SourceName = Literal["keyfile", "keyring", "env", "passphrase", "memory"]
State = Literal["active", "decrypt-only", "destroyed"]


@dataclass(frozen=True, slots=True)
class Kept:
    """Where the key is that wraps a ring: a file's path, a variable's name, a keyring's name."""

    source: SourceName
    place: str = ""
    #: How a passphrase becomes the key.
    scrypt: Scrypt | None = None

    @property
    def key(self) -> str:
        """What wraps the ring, in words."""
        return "a passphrase" if self.source == "passphrase" else f"the key in {self}"

    def __str__(self) -> str:
        match self.source:
            case "keyfile":
                return f"the key file {self.place}"
            case "keyring":
                return f"the keyring of the operating system ({self.place})"
            case "env":
                return f"the variable {self.place}"
            case "passphrase":
                return "a passphrase"
            case "memory":
                return "the memory of one process"


@dataclass(frozen=True, slots=True)
class Wrapped:
    """One key of a ring, as it is written."""

    wrapped: str
    created: str
    state: State = "active"
    #: When it became decrypt-only.
    retired: str = ""
    #: How often it may have sealed; see uses.
    used: int = 0


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
        return cls(account, "", kept, {}).added(wrapping, at)

    @classmethod
    def parse(cls, data: bytes) -> Ring:
        """The ring in a file; DamagedError if it is none, VaultError if it is newer than this program."""
        try:
            found = json.loads(data)
            known = found["format"]
            if known == _FORMAT:
                keys = {str(kid): Wrapped(**entry) for kid, entry in found["keys"].items()}
                ring = cls(str(uuid.UUID(found["account"])), found["primary"], _kept(**found["kept"]), keys)
                ring._check()
                return ring
        except (ValueError, KeyError, TypeError, AttributeError):
            raise DamagedError(
                f"{FILE} is no key ring.", hint="Put it back from a backup: without it no sealed secret here opens."
            ) from None
        raise VaultError(f"{FILE} has the format {known!r}; this version knows {_FORMAT}.", hint="Update siege-nb.")

    def dump(self) -> bytes:
        """The ring as it stands in its file."""
        keys = {kid: _said(entry) for kid, entry in self.keys.items()}
        kept = {"source": self.kept.source, "place": self.kept.place} | _said(self.kept)
        document = {"format": _FORMAT, "account": self.account, "primary": self.primary, "kept": kept, "keys": keys}
        return json.dumps(document, indent=2).encode() + b"\n"

    def unwrap(self, wrapping: Key) -> dict[str, Key]:
        """The keys by name, for sealing and opening; TamperedError with the wrong wrapping key."""
        return {
            kid: Key(wrapping.decrypt(bytes.fromhex(entry.wrapped), _place(self.account, kid)))
            for kid, entry in self.keys.items()
            if entry.state != "destroyed"
        }

    def added(self, wrapping: Key, at: datetime) -> Ring:
        """With one more fresh random key, which seals from now on; the others still open."""
        kid = new_kid()
        wrapped = wrapping.encrypt(os.urandom(KEY_BYTES), _place(self.account, kid)).hex()
        return replace(self, primary=kid, keys={**self.keys, kid: Wrapped(wrapped, _stamp(at))})

    def spent(self, count: int) -> Ring:
        """With so many more uses of the key that seals; VaultError when they are more than one key may have."""
        entry = self.keys[self.primary]
        if entry.used + count > uses.MOST:
            raise VaultError(
                f"The key {self.primary} has sealed as many secrets as one key may ({uses.MOST:,}).",
                hint="Run: siege vault rotate",
            )
        return replace(self, keys={**self.keys, self.primary: replace(entry, used=entry.used + count)})

    def unfinished(self) -> list[str]:
        """The keys that are to seal no more, and of which it is not known whether something still needs them."""
        return [kid for kid, entry in self.keys.items() if entry.state == "active" and kid != self.primary]

    def retired(self, at: datetime) -> Ring:
        """With one active key, the primary one; the others only open."""
        old = {kid: replace(self.keys[kid], state="decrypt-only", retired=_stamp(at)) for kid in self.unfinished()}
        return replace(self, keys={**self.keys, **old})

    def destroyed(self, kid: str) -> Ring:
        """Without this key, for good; that there was one stays known."""
        return replace(self, keys={**self.keys, kid: replace(self.keys[kid], wrapped="", state="destroyed")})

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
        sound = sound and (self.kept.source == "passphrase") == (self.kept.scrypt is not None)
        for entry in self.keys.values():
            bytes.fromhex(entry.wrapped)
            sound = sound and entry.state in get_args(State) and type(entry.used) is int and entry.used >= 0
            if entry.retired:
                sound = sound and datetime.fromisoformat(entry.retired).tzinfo is not None
        if not sound:
            raise ValueError


def _place(account: str, kid: str) -> bytes:
    return place("ring", account, kid)


def _stamp(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


def _said(value: Wrapped | Kept) -> dict[str, Any]:
    """What there is to say of it; what is not so is left out."""
    return {name: inner for name, inner in asdict(value).items() if inner or name in ("wrapped", "created", "state")}


def _kept(source: SourceName, place: str = "", scrypt: dict[str, Any] | None = None) -> Kept:
    if scrypt is None:
        return Kept(source, place)
    found = Scrypt(**scrypt)
    bytes.fromhex(found.salt)
    if any(type(number) is not int for number in (found.n, found.r, found.p)):
        raise ValueError
    return Kept(source, place, found)
