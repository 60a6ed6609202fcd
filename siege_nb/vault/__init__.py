"""Secrets at rest: references or ciphertext, never plain text."""

from __future__ import annotations

import json
import logging
import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from siege_nb import masking
from siege_nb.declare import Reference, Secret, secrets_of, with_secrets
from siege_nb.declare.model import P
from siege_nb.errors import DamagedError, InvalidError, Issue, NotFoundError, TamperedError, VaultError
from siege_nb.models.stamps import now, safe_code
from siege_nb.settings import Settings
from siege_nb.vault import os_keyring, sources, token
from siege_nb.vault.ring import FILE, Kept, Ring
from siege_nb.vault.sources import VaultWarning
from siege_nb.vault.token import Key

if TYPE_CHECKING:
    from siege_nb.state import Change, Directory

__all__ = ["Vault", "VaultWarning"]

log = logging.getLogger(__name__)


class NoSecretError(VaultError, NotFoundError):
    """A reference names a place that holds nothing."""


@dataclass(frozen=True, slots=True, repr=False)
class _Opened:
    """A ring with its keys in the hand, and the bytes it was read from: other bytes, another ring."""

    data: bytes
    ring: Ring
    kept: Kept
    wrapping: Key
    keys: dict[str, Key]


#: The rings of the policy "memory", by directory: every Vault of this process over one directory shares one.
_never_written: dict[Path, _Opened] = {}


class Vault:
    """The secrets of one config directory: sealed before they are written, opened before they are used.

    With the policy "memory" the ring is never written: what is sealed opens in this process only.
    """

    def __init__(self, settings: Settings, directory: Directory) -> None:
        self._settings = settings
        self._directory = directory
        self._opened: _Opened | None = None

    def seal(self, model: P, *, kind: str, ident: str) -> P:
        """A copy in which every open secret is a token for this profile and field; references stay as they are."""
        tokens: dict[str, Secret] = {}
        for path, secret in secrets_of(model):
            if path in tokens:
                raise VaultError(f"Two secrets have the same path {path}.", hint="Rename a key that has a dot in it.")
            tokens[path] = secret if isinstance(secret, Reference) else self._seal(secret, kind, ident, path)
        sealed: P = with_secrets(model, tokens)
        return sealed

    def open(self, model: P, *, kind: str, ident: str) -> P:
        """A copy in which every reference is the secret it stands for."""
        secrets = {
            path: self.resolve(secret, kind=kind, ident=ident, path=path)
            for path, secret in secrets_of(model)
            if isinstance(secret, Reference)
        }
        opened: P = with_secrets(model, secrets)
        return opened

    def resolve(self, reference: Reference | str, *, kind: str, ident: str, path: str) -> Secret:
        """The secret behind one reference; a sealed one opens only in the place it was sealed for."""
        if isinstance(reference, str):
            try:
                reference = Reference.parse(reference)
            except ValueError as error:
                raise VaultError(f"What stands for {path or 'a secret'} {error}.") from None
        match reference.source:
            case "encrypted":
                return self._unseal(reference.written, kind, ident, path)
            case "env":
                return _from_environment(reference.name)
            case "keyring":
                found = os_keyring.secret(reference.name)
                if found is None:
                    raise NoSecretError(
                        f"The keyring of the operating system holds nothing named {reference.name!r}.",
                        hint=f"Put it there: keyring set {os_keyring.SERVICE} {reference.name}",
                    )
                return found
            case "vault":
                return self._shared(reference.name)
        raise VaultError(f"There are no secrets in {reference.source!r}.")

    def share(self, name: str, secret: Secret) -> Reference:
        """Keep a secret under a name that several profiles refer to; gives that reference, vault:NAME."""
        sealed = self._seal(secret, "credential", _credential(name), "secret")
        data = json.dumps({"format": 1, "secret": sealed.at_rest()}, indent=2).encode() + b"\n"
        self._directory.change(lambda change: change.write(f"credentials/{name}.json", data))
        return Reference.parse(f"vault:{name}")

    def describe(self) -> str:
        """What seals the secrets here and where its key is kept. It makes nothing; raises what opening would raise."""
        if self._settings.vault == "memory":
            return "AES-256-GCM; the key is in the memory of this process, and what it seals opens nowhere else"
        data = self._directory.read(FILE)
        if data is None:
            return f"nothing is sealed yet; the first secret saved makes a key (policy {self._settings.vault})"
        opened = self._open(data)
        return f"AES-256-GCM with key {opened.ring.primary}, which is wrapped by the key in {opened.kept}"

    def _seal(self, secret: Secret, kind: str, ident: str, path: str) -> Reference:
        if masking.is_mask(secret.reveal()):
            raise VaultError(f"What stands in {path} is a mask, not a secret.", hint="Enter the secret itself.")
        opened = self._for_sealing()
        kid = opened.ring.primary
        return Reference(token.seal(secret, opened.keys[kid], kid, opened.ring.account, kind, ident, path))

    def _unseal(self, written: str, kind: str, ident: str, path: str) -> Secret:
        try:
            kid = token.kid_of(written)
            opened = self._opened
            if opened is None or kid not in opened.keys:
                opened = self._for_opening()
            if kid not in opened.keys:
                raise TamperedError("It was sealed with a key that this config directory does not have.")
            return token.unseal(written, opened.keys[kid], opened.ring.account, kind, ident, path)
        except TamperedError as error:
            said, hint = error.message, error.hint
        raise TamperedError(f"The secret in {path} does not open. {said}", hint=hint or "Enter it again.")

    def _for_opening(self) -> _Opened:
        """The ring as it is on disk now; opening makes no key."""
        if self._settings.vault == "memory":
            return self._in_memory()
        data = self._directory.read(FILE)
        if data is None:
            raise VaultError(
                f"This config directory has sealed secrets but no {FILE}, which holds the key to them.",
                hint="Put it back from a backup, or enter the secrets again.",
            )
        return self._open(data)

    def _for_sealing(self) -> _Opened:
        """The ring, made on first need, and wrapped by what the policy allows."""
        if self._settings.vault == "memory":
            return self._in_memory()
        data = self._directory.read(FILE)
        if data is None:
            self._make()
            return self._for_opening()
        opened = self._open(data)
        if sources.allowed(self._settings, opened.kept):
            return opened
        self._move(opened)
        return self._for_opening()

    def _open(self, data: bytes) -> _Opened:
        if self._opened is None or self._opened.data != data:
            ring = Ring.parse(data)
            self._opened = _Opened(data, ring, *sources.unwrap(self._settings, ring))
        return self._opened

    def _in_memory(self) -> _Opened:
        if self._directory.path not in _never_written:
            account = str(uuid.uuid4())
            kept, wrapping = sources.obtain(self._settings, account)
            ring = Ring.new(account, kept, wrapping, now())
            # setdefault: of two threads that come here at once, both take the first one's ring.
            _never_written.setdefault(self._directory.path, _Opened(b"", ring, kept, wrapping, ring.unwrap(wrapping)))
        return _never_written[self._directory.path]

    def _make(self) -> None:
        # The key is had before the lock is: a keyring may take seconds. Whoever writes first, his ring stands.
        account = str(uuid.uuid4())
        kept, wrapping = sources.obtain(self._settings, account)
        self._write(None, Ring.new(account, kept, wrapping, now()))
        log.info("A key ring was made, its key is kept in %s", kept)

    def _move(self, opened: _Opened) -> None:
        kept, wrapping = sources.obtain(self._settings, opened.ring.account)
        self._write(opened.data, opened.ring.rewrap(opened.wrapping, wrapping, kept))
        log.info("The key of the ring was moved from %s to %s", opened.kept, kept)

    def _write(self, expected: bytes | None, ring: Ring) -> None:
        """Write the ring unless another process changed it meanwhile: then theirs stands."""

        def work(change: Change) -> None:
            if change.read(FILE) == expected:
                change.write(FILE, ring.dump())

        self._directory.change(work)

    def _shared(self, name: str) -> Secret:
        data = self._directory.read(f"credentials/{_credential(name)}.json")
        if data is None:
            raise NoSecretError(f"There is no shared credential named {name!r}.", hint="Save it first.")
        try:
            written = json.loads(data)["secret"]
            if not isinstance(written, str):
                raise TypeError
        except (ValueError, KeyError, TypeError):
            raise DamagedError(f"credentials/{name}.json holds no sealed secret.", hint="Save it again.") from None
        return self._unseal(written, "credential", name, "secret")


def _from_environment(name: str) -> Secret:
    if name in sources.VARIABLES:
        raise VaultError(f"The variable {name} holds the vault's own key; no profile may refer to it.")
    value = os.environ.get(name)
    if value is None:
        raise NoSecretError(f"The variable {name} is not set; a secret is to be read from it.", hint=f"Set {name}.")
    return Secret(value)


def _credential(name: str) -> str:
    try:
        return safe_code(name)
    except ValueError as error:
        reason = str(error)
    raise InvalidError("The name of a shared credential", [Issue(name, reason)])
