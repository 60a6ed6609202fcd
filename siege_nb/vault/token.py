"""A sealed secret as text: AES-256-GCM, bound to the one place it was sealed for.

`encrypted:v2.<kid>.<iv 24 hex>:<ciphertext hex>:<tag 32 hex>`: lower case only, so one ciphertext has one spelling.
"""

from __future__ import annotations

import os
import re
import secrets
import string

from siege_nb.declare import Secret
from siege_nb.errors import TamperedError

FORM = re.compile(r"encrypted:v2\.([A-Za-z0-9]{8})\.([0-9a-f]{24}):((?:[0-9a-f]{2})*):([0-9a-f]{32})")
_NONCE = 12
_TAG = 16
KEY_BYTES = 32


class Key:
    """An AES-256 key that encrypts and decrypts, and shows itself to nobody."""

    __slots__ = ("_aead",)

    def __init__(self, raw: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if len(raw) != KEY_BYTES:
            raise TamperedError(f"A key has {KEY_BYTES} bytes, not {len(raw)}.")
        self._aead = AESGCM(raw)

    def encrypt(self, plain: bytes, place: bytes) -> bytes:
        """Nonce, ciphertext and tag. The nonce is random, not counted: a counter is not safe after fork."""
        nonce = os.urandom(_NONCE)
        return nonce + self._aead.encrypt(nonce, plain, place)

    def decrypt(self, sealed: bytes, place: bytes) -> bytes:
        """What was encrypted for this very place with this very key; everything else is a TamperedError."""
        from cryptography.exceptions import InvalidTag

        if len(sealed) < _NONCE + _TAG:
            raise TamperedError("A sealed secret is too short to be one.")
        try:
            return self._aead.decrypt(sealed[:_NONCE], sealed[_NONCE:], place)
        except InvalidTag:
            pass
        raise TamperedError("It was sealed with another key, moved here from elsewhere, or changed.")


def new_kid() -> str:
    """A name for a new key. Random: a hash of the key would say something about it."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(8))


def place(*parts: str) -> bytes:
    """Where a secret belongs, as bytes that no other place has: every part carries its length."""
    encoded = [b"siege-vault\0v2", *(part.encode(errors="surrogatepass") for part in parts)]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)


def seal(secret: Secret, key: Key, kid: str, *where: str) -> str:
    """The secret as a token that opens only with this key and in this place."""
    # No local of ours holds the plaintext: a verbose traceback prints locals.
    return _written(key.encrypt(secret.reveal().encode(errors="surrogatepass"), place(kid, *where)).hex(), kid)


def reseal(token: str, old: Key, new: Key, kid: str, *where: str) -> str:
    """The token of the same secret in the same place with another key. Nobody sees the secret, not even the masks."""
    return _written(new.encrypt(_decrypted(token, old, where), place(kid, *where)).hex(), kid)


def _written(sealed: str, kid: str) -> str:
    return f"encrypted:v2.{kid}.{sealed[: 2 * _NONCE]}:{sealed[2 * _NONCE : -2 * _TAG]}:{sealed[-2 * _TAG :]}"


def kid_of(token: str) -> str:
    """The name of the key a token was sealed with, or a TamperedError for what is no token."""
    return _match(token)[1]


def unseal(token: str, key: Key, *where: str) -> Secret:
    """The secret in a token, or a TamperedError: never the token as if it were the secret."""
    return Secret(_decrypted(token, key, where).decode(errors="surrogatepass"))


def _decrypted(token: str, key: Key, where: tuple[str, ...]) -> bytes:
    found = _match(token)
    return key.decrypt(bytes.fromhex(found[2] + found[3] + found[4]), place(found[1], *where))


def _match(token: str) -> re.Match[str]:
    found = FORM.fullmatch(token)
    if found is None:
        raise TamperedError("This is no sealed secret in the format v2.")
    return found
