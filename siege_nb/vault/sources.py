"""Where the key comes from that wraps a ring, and what the policy allows.

"auto" tries, in order: the key file that settings name, the keyring of the operating system, a variable of the
environment, a key file of our own in the data directory. Any other policy allows that one source and no other.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from siege_nb.errors import TamperedError, VaultError
from siege_nb.settings import Settings
from siege_nb.vault import keyfile, os_keyring, passphrase
from siege_nb.vault.passphrase import Ask
from siege_nb.vault.ring import Kept, Ring, SourceName
from siege_nb.vault.token import Key
from siege_nb.vault.written import key_from_text

log = logging.getLogger(__name__)

#: Variables that may hold a key.
VARIABLES = ("SIEGE_VAULT_KEY", "ENCRYPTION_KEY")
#: What a reference never reads.
OWN = (*VARIABLES, passphrase.VARIABLE)
KEY_FILE = "vault.key"
_WAYS_OUT = (
    "Unlock or install a keyring (SIEGE_VAULT=keyring), choose a passphrase (SIEGE_VAULT=passphrase), give a key in "
    "SIEGE_VAULT_KEY (SIEGE_VAULT=env), or name a key file in SIEGE_VAULT_KEY_FILE (SIEGE_VAULT=keyfile)."
)
_warned: set[str] = set()


class VaultWarning(UserWarning):
    """Secrets are kept, but the key could be kept better."""


def wished(settings: Settings) -> SourceName | None:
    """The source that settings insist on, if they do."""
    if settings.vault != "auto":
        return settings.vault
    return "keyfile" if settings.vault_key_file else None


def allowed(settings: Settings, kept: Kept) -> bool:
    """Whether what settings insist on is where the key is kept already."""
    wish, named = wished(settings), _named(settings)
    if wish == "keyfile" and named:
        return kept == Kept("keyfile", str(named))
    return wish in (None, kept.source)


def obtain(settings: Settings, account: str, ask: Ask | None) -> tuple[Kept, Key]:
    """The key to wrap a new ring with, made where need be; VaultError where none can be had. Never less than a key."""
    wish = wished(settings)
    if wish == "memory":
        return Kept("memory"), Key(os.urandom(32))
    if wish == "passphrase":
        scrypt, key = passphrase.make(ask)
        return Kept("passphrase", scrypt=scrypt), key
    takers: dict[str, Callable[[Settings, str], tuple[Kept, Key]]]
    takers = {"keyring": _keyring, "env": _variable, "keyfile": _key_file}
    if wish:
        try:
            return takers[wish](settings, account)
        except VaultError as error:
            raise VaultError(f"No secret can be sealed. {error.message}", hint=error.hint or _WAYS_OUT) from None
    if (usable := os_keyring.usable()).name:
        return _keyring(settings, account)
    log.info("Keys are not kept in a keyring: %s", usable.reason)
    in_environment = any(os.environ.get(name) for name in VARIABLES)
    return _variable(settings, account) if in_environment else _key_file(settings, account)


def unwrap(settings: Settings, ring: Ring, ask: Ask | None) -> tuple[Kept, Key, dict[str, Key]]:
    """The ring's keys, and what opened it: the source written in it first, then whatever else may hold its key."""
    first: VaultError | None = None
    for kept in dict.fromkeys([ring.kept, *_elsewhere(settings)]):
        try:
            wrapping = _fetch(kept, ring.account, ask)
            keys = ring.unwrap(wrapping)
        except TamperedError:
            first = first or _wrong(kept)
        except VaultError as error:
            first = first or VaultError(
                f"Sealed secrets cannot be opened or saved. {error.message}",
                hint=error.hint or f"Their key was kept in {ring.kept}. Make that available again.",
            )
        else:
            if kept.source == "env" and wished(settings) is None:
                _warn_of_variable(kept.place)
            if kept.scrypt:
                passphrase.keep(kept.scrypt, wrapping)
            return kept, wrapping, keys
    assert first is not None
    raise first from None


def _wrong(kept: Kept) -> TamperedError:
    if kept.source == "passphrase":
        return TamperedError("This passphrase does not open this config directory's ring.", hint="Try again.")
    return TamperedError(
        f"The key in {kept} does not open this config directory's ring.",
        hint="Put back the key it was made with, or enter the secrets again in a new directory.",
    )


def _fetch(kept: Kept, account: str, ask: Ask | None = None) -> Key:
    """The key that is kept there; VaultError if it is not."""
    match kept.source:
        case "passphrase":
            assert kept.scrypt is not None
            return passphrase.key(kept.scrypt, ask)
        case "keyfile":
            if found := keyfile.read(Path(kept.place)):
                return found
            raise VaultError(f"There is no key file {kept.place}.")
        case "env":
            if text := os.environ.get(kept.place):
                return key_from_text(text, f"the variable {kept.place}")
            raise VaultError(f"The variable {kept.place}, which holds their key, is not set.")
        case "keyring":
            if text := os_keyring.key(account):
                return key_from_text(text, str(kept))
            raise VaultError(f"There is no key for this config directory in {kept}.")
        case "memory":
            raise VaultError("Their key was kept in the memory of a process that has ended.")


def _elsewhere(settings: Settings) -> Iterator[Kept]:
    if named := _named(settings):
        yield Kept("keyfile", str(named))
    yield from (Kept("env", name) for name in VARIABLES if os.environ.get(name))
    yield Kept("keyfile", str(settings.data_dir / KEY_FILE))


def _named(settings: Settings) -> Path | None:
    # Absolute: it is written into the ring, and the next process runs in another directory.
    return settings.vault_key_file.expanduser().absolute() if settings.vault_key_file else None


def _keyring(settings: Settings, account: str) -> tuple[Kept, Key]:
    if not (usable := os_keyring.usable()).name:
        raise VaultError(usable.reason)
    kept = Kept("keyring", usable.name)
    if text := os_keyring.make_key(account, usable.name):
        return kept, key_from_text(text, str(kept))
    raise VaultError(f"The key was not kept in {kept}.")


def _variable(settings: Settings, account: str) -> tuple[Kept, Key]:
    name = next((name for name in VARIABLES if os.environ.get(name)), None)
    if name is None:
        raise VaultError(f"Neither {' nor '.join(VARIABLES)} is set.")
    kept = Kept("env", name)
    key = _fetch(kept, account)
    if wished(settings) is None:
        _warn_of_variable(name)
    return kept, key


def _key_file(settings: Settings, account: str) -> tuple[Kept, Key]:
    named = _named(settings)
    path = named or settings.data_dir / KEY_FILE
    key = keyfile.read(path)
    if key is None and named:
        # Not made: a name that settings give is more likely misspelt, or not mounted, than new.
        raise VaultError(
            f"There is no key file {path}.", hint=f"To make one: (umask 077; openssl rand -hex 32 > '{path}')"
        )
    if key is None:
        if keyfile.make(path) and wished(settings) is None:
            _warn(
                f"Secrets are sealed with a key in {path}: whoever reads that file and your profiles reads them. "
                "To keep it in the operating system's keyring (SIEGE_VAULT=keyring): siege vault move --to keyring. "
                "Or behind a passphrase: siege vault move --to passphrase. Or name a key file of your own in "
                "SIEGE_VAULT_KEY_FILE."
            )
        key = keyfile.read(path)
    if key is None:
        raise VaultError(f"The key file {path} vanished after it was made.")
    return Kept("keyfile", str(path)), key


def _warn_of_variable(name: str) -> None:
    _warn(
        f"Secrets are sealed with the key in the variable {name}, which %env and every child process show. "
        "To keep it in the operating system's keyring instead: siege vault move --to keyring"
    )


def _warn(message: str) -> None:
    """Once per process: a degradation that is repeated is no longer read."""
    if message not in _warned:
        _warned.add(message)
        log.warning("%s", message)
        warnings.warn(message, VaultWarning, stacklevel=2)
