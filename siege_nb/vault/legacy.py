"""Ciphertext as the connection service of old wrote it: `encrypted:<iv 32 hex>:<ciphertext hex>:<tag 32 hex>`.

AES-256-GCM with a 16-byte nonce; the key is the text of ENCRYPTION_KEY itself. It is bound to no place, so it opens
wherever it is put: profiles are never stored like this, and `siege migrate` alone reads it out of them.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from siege_nb import masking
from siege_nb.declare import Secret
from siege_nb.errors import VaultError
from siege_nb.vault.token import KEY_BYTES

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VARIABLE = "ENCRYPTION_KEY"
_FORM = re.compile(r"encrypted:([0-9a-f]{32}):((?:[0-9a-f]{2})*):([0-9a-f]{32})")
_NONCE = 16
_TAG = 16


class EncryptionService:
    """Encrypts and decrypts text with the key in ENCRYPTION_KEY, as its namesake in the connection service does."""

    @staticmethod
    def encrypt(plaintext: str) -> str:
        """The text as encrypted:<iv>:<ciphertext>:<tag>; VaultError without a key of exactly 32 bytes."""
        aead, nonce = _aead(), os.urandom(_NONCE)
        masking.know(plaintext)
        # What UTF-8 has no bytes for becomes what Node writes for it.
        plain = re.sub("[\ud800-\udfff]", "\ufffd", plaintext).encode()
        sealed = aead.encrypt(nonce, plain, None).hex()
        return f"encrypted:{nonce.hex()}:{sealed[: -2 * _TAG]}:{sealed[-2 * _TAG :]}"

    @staticmethod
    def decrypt(ciphertext: str) -> str:
        """The text that was encrypted; VaultError for another key, changed bytes, and what is no ciphertext."""
        found = _FORM.fullmatch(ciphertext)
        if found is None:
            raise VaultError(
                "This is no encrypted value: that is encrypted:<32 hex digits>:<hex digits>:<32 hex digits>.",
                hint="Enter the secret again.",
            )
        text = _decrypted(_aead(), bytes.fromhex(found[1]), bytes.fromhex(found[2] + found[3]))
        masking.know(text)
        return text


def written_so(text: str) -> bool:
    """The text has the form of the old ciphertext."""
    return _FORM.fullmatch(text) is not None


def opened(written: str) -> Secret:
    """The secret in an old ciphertext, to be sealed anew at once."""
    return Secret(EncryptionService.decrypt(written))


def _decrypted(aead: AESGCM, nonce: bytes, sealed: bytes) -> str:
    from cryptography.exceptions import InvalidTag

    try:
        return aead.decrypt(nonce, sealed, None).decode()
    except (InvalidTag, UnicodeDecodeError):  # the second one quotes what it could not decode
        pass
    raise VaultError(f"It was encrypted with another key than the one in {VARIABLE}, or changed.")


def _aead() -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    key = os.environ.get(VARIABLE, "")
    if not key:
        raise VaultError(f"{VARIABLE} is not set.", hint=f"It holds the key: {KEY_BYTES} characters of ASCII.")
    masking.know(key)
    length = len(key.encode(errors="surrogateescape"))
    if length != KEY_BYTES:
        raise VaultError(f"{VARIABLE} has {length} bytes; a key has exactly {KEY_BYTES}.")
    return AESGCM(key.encode(errors="surrogateescape"))
