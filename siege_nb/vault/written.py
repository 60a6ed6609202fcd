"""Keys as people write them: 32 characters, 64 hex digits, or 32 bytes in base64."""

from __future__ import annotations

import base64
import re

from siege_nb import masking
from siege_nb.errors import VaultError
from siege_nb.vault.token import KEY_BYTES, Key


def key_from_text(text: str, where: str) -> Key:
    """The key written in this text; the error of a wrong one does not quote it."""
    masking.know(text)
    return key_from_bytes(text.encode(errors="surrogateescape"), where)


def key_from_bytes(data: bytes, where: str) -> Key:
    """The key in these bytes. Exactly 32 of them are taken as they are, before any newline is cut off."""
    data = data if len(data) == KEY_BYTES else data.strip(b"\r\n")
    if len(data) == KEY_BYTES:
        return Key(data)
    if re.fullmatch(rb"[0-9A-Fa-f]{64}", data):
        return Key(bytes.fromhex(data.decode()))
    if re.fullmatch(rb"[A-Za-z0-9+/_-]{43}=?", data):
        return Key(base64.urlsafe_b64decode(data.rstrip(b"=").translate(_URLSAFE) + b"="))
    length, data = len(data), b""  # a verbose traceback shows the locals
    raise VaultError(
        f"There is no usable key in {where}: it has {length} bytes.",
        hint="A key is 32 characters, 64 hex digits, or 32 bytes in base64. To make one: openssl rand -hex 32",
    )


_URLSAFE = bytes.maketrans(b"+/", b"-_")
