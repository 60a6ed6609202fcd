"""A key in a file that only its owner can read."""

from __future__ import annotations

import secrets
from pathlib import Path

from siege_nb.errors import AccessError, VaultError
from siege_nb.state import private
from siege_nb.vault.token import KEY_BYTES, Key
from siege_nb.vault.written import key_from_bytes


def read(path: Path) -> Key | None:
    """The key in this file, None if there is no such file; refused if others could have read or written it."""
    try:
        return private.read(path, lambda data: key_from_bytes(data, f"the key file {path}"))
    except AccessError as error:
        raise VaultError(error.message, hint=error.hint) from None


def make(path: Path) -> bool:
    """Put a new random key there, unless another process just did. True if it is ours."""
    try:
        return private.make(path, lambda: secrets.token_bytes(KEY_BYTES).hex().encode() + b"\n")
    except OSError as error:
        raise VaultError(
            f"No key file could be made at {path}: {error.strerror}.",
            hint="Name another place in SIEGE_DATA_DIR, or give a key in SIEGE_VAULT_KEY.",
        ) from None
