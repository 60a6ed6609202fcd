"""A key out of a passphrase, by scrypt: half a second and 64 MiB for each guess."""

from __future__ import annotations

import hashlib
import os
import secrets
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from siege_nb import masking
from siege_nb.errors import VaultError
from siege_nb.vault.token import KEY_BYTES, Key

VARIABLE = "SIEGE_VAULT_PASSPHRASE"
SHORTEST = 8
_SALT_BYTES = 16

#: Asks whoever sits there; NotImplementedError or EOFError when nobody does.
Ask = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Scrypt:
    """What the key is derived with besides the passphrase; the defaults are the least we accept."""

    salt: str
    n: int = 1 << 16
    r: int = 8
    p: int = 1

    def refuse_cheap(self) -> None:
        """Raise unless a guess costs what it should: who can write the ring must make it neither cheap nor endless."""
        strong = self.n >= 1 << 16 and self.r >= 8 and self.p >= 1 and len(self.salt) >= 2 * _SALT_BYTES
        if not strong or self.n & (self.n - 1) or self.n * self.r * self.p > 1 << 22:
            raise VaultError(
                f"The passphrase's key is derived with n={self.n}, r={self.r}, p={self.p} and a salt of "
                f"{len(self.salt) // 2} bytes, which is not what we write.",
                hint="Put ring.json back from a backup.",
            )


#: The keys that have been derived here, so that nobody is asked twice. They show themselves to no one.
_derived: dict[Scrypt, Key] = {}


def make(ask: Ask | None) -> tuple[Scrypt, Key]:
    """A new salt, and the key of a passphrase that has been given twice, or stands in the environment."""
    passphrase = _given(ask, "New passphrase of the vault: ")
    if len(passphrase) < SHORTEST:
        raise VaultError(f"A passphrase has at least {SHORTEST} characters.", hint="Five random words make a good one.")
    if not os.environ.get(VARIABLE) and _given(ask, "Once more: ") != passphrase:
        raise VaultError("The two passphrases are not the same.", hint="Nothing was changed. Try again.")
    scrypt = Scrypt(secrets.token_hex(_SALT_BYTES))
    _derived[scrypt] = key = _derive(passphrase, scrypt)
    return scrypt, key


def key(scrypt: Scrypt, ask: Ask | None) -> Key:
    """The key of the passphrase; asked for once per process, if `keep` is told that it was right."""
    scrypt.refuse_cheap()
    return _derived.get(scrypt) or _derive(_given(ask, "Passphrase of the vault: "), scrypt)


def keep(scrypt: Scrypt, key: Key) -> None:
    """The key is the right one."""
    _derived[scrypt] = key


def _given(ask: Ask | None, prompt: str) -> str:
    typed = os.environ.get(VARIABLE, "")
    if not typed and ask:
        try:
            typed = ask(prompt)
        except (NotImplementedError, EOFError):  # a notebook that is run by a program, a shell without a terminal
            typed = ""
    if not typed:
        raise VaultError("The vault's passphrase is needed, and nobody is here to give it.", hint=f"Set {VARIABLE}.")
    masking.know(typed)
    return typed


def _derive(passphrase: str, scrypt: Scrypt) -> Key:
    # One spelling: a Mac may hand over é as two characters.
    raw = unicodedata.normalize("NFC", passphrase).encode(errors="surrogatepass")
    n, r, p = scrypt.n, scrypt.r, scrypt.p
    most = 129 * r * (n + p) + (1 << 20)
    return Key(hashlib.scrypt(raw, salt=bytes.fromhex(scrypt.salt), n=n, r=r, p=p, maxmem=most, dklen=KEY_BYTES))
