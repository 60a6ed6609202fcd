"""Talks to the operating system's keyring, as a program of its own: it may hang, ask, or fall back to plain text.

Run by os_keyring with standard input closed and a time limit; answers one JSON object in its last line. It imports
nothing of ours.
    probe                   set, get and delete a random canary in the first keyring that works
    get SERVICE NAME        what is kept there, or null
    make SERVICE NAME IN    what is kept in the keyring IN, after making a random key if there was none
"""

from __future__ import annotations

import configparser
import importlib
import json
import os
import secrets
import sys
from collections.abc import Callable
from typing import Any

# By exact name: a chainer or a fallback writes plain text, a null backend loses without a word.
ALLOWED = {
    "keyring.backends.SecretService.Keyring": "Secret Service",
    "keyring.backends.kwallet.DBusKeyring": "KWallet",
    "keyring.backends.macOS.Keyring": "macOS Keychain",
    "keyring.backends.Windows.WinVaultKeyring": "Windows Credential Manager",
}
#: The one store of these systems; all others may have the first two.
NATIVE = {"darwin": "keyring.backends.macOS.Keyring", "win32": "keyring.backends.Windows.WinVaultKeyring"}
SERVICE = "siege_nb probe"


class UnusableError(Exception):
    """Why no keyring of the operating system can be used here."""


def chosen() -> list[str]:
    """The back ends to try: those of this system, or the allowed one the user chose; another choice ends it."""
    named, where = os.environ.get("PYTHON_KEYRING_BACKEND", ""), "PYTHON_KEYRING_BACKEND"
    if not named:
        from keyring.util import platform_

        # Read, not loaded: keyring itself would import whatever class the file names.
        where = os.path.join(platform_.config_root(), "keyringrc.cfg")
        config = configparser.RawConfigParser()
        config.read(where, encoding="utf-8")
        named = config.get("backend", "default-keyring", fallback="").strip()
    if named and named not in ALLOWED:
        raise UnusableError(f"{where} names {named}, which is no keyring of the operating system")
    if named:
        return [named]
    native = NATIVE.get(sys.platform)
    return [native] if native else [name for name in ALLOWED if name not in NATIVE.values()]


def viable() -> list[tuple[float, str, Any]]:
    """The chosen back ends that can work on this machine, the best first, and never one outside the list."""
    found, reasons = [], []
    for name in chosen():
        module, _, attribute = name.rpartition(".")
        try:
            backend = getattr(importlib.import_module(module), attribute)
            found.append((float(backend.priority), name, backend()))
        except Exception as error:  # each back end says in its own way that this is not its platform
            reasons.append(f"{ALLOWED[name]}: {str(error) or type(error).__name__}")
    if not found:
        raise UnusableError("; ".join(reasons))
    return sorted(found, key=lambda each: -each[0])


def probe() -> dict[str, Any]:
    reasons = []
    for _, name, backend in viable():
        canary, user = secrets.token_hex(16), secrets.token_hex(8)
        try:
            backend.set_password(SERVICE, user, canary)
            kept = backend.get_password(SERVICE, user)
            backend.delete_password(SERVICE, user)
        except Exception as error:  # locked, dismissed, not allowed to ask: all of them mean, not here
            reasons.append(f"{ALLOWED[name]}: {str(error) or type(error).__name__}")
            continue
        if kept == canary:
            return {"keyring": ALLOWED[name]}
        reasons.append(f"{ALLOWED[name]} does not give back what it was given")
    raise UnusableError("; ".join(reasons))


def get(service: str, user: str) -> dict[str, Any]:
    found = viable()
    for _, name, backend in found:
        value = backend.get_password(service, user)
        if value is not None:
            return {"keyring": ALLOWED[name], "value": value}
    return {"keyring": ALLOWED[found[0][1]], "value": None}


def make(service: str, user: str, keyring: str) -> dict[str, Any]:
    name, backend = next((name, backend) for _, name, backend in viable() if ALLOWED[name] == keyring)
    if backend.get_password(service, user) is None:
        backend.set_password(service, user, secrets.token_hex(32))
    return {"keyring": ALLOWED[name], "value": backend.get_password(service, user)}


OPERATIONS: dict[str, Callable[..., dict[str, Any]]] = {"probe": probe, "get": get, "make": make}

if __name__ == "__main__":
    try:
        result = OPERATIONS[sys.argv[1]](*sys.argv[2:])
    except Exception as error:  # EOFError and the like from back ends that ask: an answer, not a crash
        result = {"reason": str(error) or type(error).__name__}
    sys.stdout.write("\n" + json.dumps(result))
