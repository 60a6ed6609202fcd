"""Secrets at rest: references or ciphertext, never plain text."""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from siege_nb import masking
from siege_nb.declare import Part, Reference, Secret, secrets_of, with_secrets
from siege_nb.declare.model import P
from siege_nb.errors import DamagedError, InvalidError, Issue, NotFoundError, SiegeError, TamperedError, VaultError
from siege_nb.models.stamps import now, safe_code
from siege_nb.settings import Settings
from siege_nb.vault import os_keyring, rotation, sources, token
from siege_nb.vault.keys import Keys
from siege_nb.vault.legacy import EncryptionService
from siege_nb.vault.passphrase import Ask
from siege_nb.vault.places import CREDENTIAL, LAYOUTS, Documents, holders
from siege_nb.vault.ring import Kept, SourceName, Wrapped
from siege_nb.vault.rotation import Rotation
from siege_nb.vault.sources import VaultWarning

if TYPE_CHECKING:
    from siege_nb.state import Change, Directory

__all__ = ["Ask", "EncryptionService", "KeyStatus", "Rotation", "Vault", "VaultWarning"]


_MARKS = os.urandom(32)


class NoSecretError(VaultError, NotFoundError):
    """A reference names a place that holds nothing."""


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """One key of the ring, and what it is needed for."""

    name: str
    primary: bool
    written: Wrapped
    #: The files with tokens of it, and how many.
    files: Mapping[str, int]

    @property
    def tokens(self) -> int:
        """How many sealed secrets there are of it."""
        return sum(self.files.values())


class Vault:
    """The secrets of one config directory: sealed before they are written, opened before they are used.

    With the policy "memory" the ring is never written: what is sealed opens in this process only.
    """

    def __init__(self, settings: Settings, directory: Directory) -> None:
        self._directory = directory
        self._keys = Keys(settings, directory)

    def ask_with(self, ask: Ask) -> None:
        """Ask whoever sits there for a passphrase, in this way; until this is called, nobody is asked."""
        self._keys.ask = ask

    def seal(self, model: P, *, kind: str, ident: str) -> P:
        """A copy in which every open secret is a token for this profile and field; references stay as they are.

        Not within a change of the directory: it may have to write the ring.
        """
        seen, changed = set[str](), dict[str, Secret]()
        for path, secret in secrets_of(model):
            if path in seen:
                raise VaultError(f"Two secrets have the same path {path}.", hint="Rename a key that has a dot in it.")
            seen.add(path)
            lasting = (self._lasting if isinstance(secret, Reference) else self._seal)(secret, kind, ident, path)
            if lasting is not secret:
                changed[path] = lasting
        sealed: P = with_secrets(model, changed)
        return sealed

    def open(self, model: P, *, kind: str, ident: str, sealed_only: bool = False) -> P:
        """A copy in which every reference, or every one that lies in the model itself, is the secret it stands for."""
        secrets = {
            path: self.resolve(secret, kind=kind, ident=ident, path=path)
            for path, secret in secrets_of(model)
            if isinstance(secret, Reference) and (secret.source == "encrypted" or not sealed_only)
        }
        opened: P = with_secrets(model, secrets)
        return opened

    def marked(self, model: P, *, kind: str, ident: str) -> P:
        """A copy that equals another's if their secrets are the same, whichever keys sealed them; for comparing only.

        A rotation seals every secret anew, and is no reason to take somebody's session away.
        """
        marks: dict[str, Secret] = {}
        for path, secret in secrets_of(model):
            if isinstance(secret, Reference) and secret.source == "encrypted":
                try:
                    mark = _mark(self._unseal(secret.written, kind, ident, path))
                except SiegeError:  # then it is what is written that tells them apart
                    continue
                marks[path] = Reference(f"marked:{mark}")
        found: P = with_secrets(model, marks)
        return found

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
            case "missing":
                raise NoSecretError(
                    f"The secret {reference.name} was not part of what was imported.",
                    hint=f"%conn edit NAME {reference.name}=?",
                )
        raise VaultError(f"There are no secrets in {reference.source!r}.")

    def share(self, name: str, secret: Secret) -> Reference:
        """Keep a secret under a name that several profiles refer to; gives that reference, vault:NAME."""
        file, before = _credential(name), self._shared_before(name)
        sealed = self._seal(secret, CREDENTIAL.kind, name, "secret")
        data = json.dumps({"format": 1, "secret": sealed.at_rest()}, indent=2).encode() + b"\n"
        self._directory.change(lambda change: change.write(file, data), act="share")
        if before is not None and before != secret:
            masking.forget(before.reveal())
        return Reference.parse(f"vault:{name}")

    def shared(self) -> list[str]:
        """The names of the shared credentials."""
        return [CREDENTIAL.ident(file) for file in self._directory.names(CREDENTIAL.prefix, ".json")]

    def unshare(self, name: str) -> None:
        """Remove a shared credential; whether a profile still refers to it is for the caller to know."""
        file = _credential(name)

        def work(change: Change) -> None:
            if change.read(file) is None:
                raise _none_shared(name)
            change.remove(file)

        if self._directory.identity(file) is None:  # without a lock: a mere mistake should not make a directory
            raise _none_shared(name)
        self._directory.change(work, act="unshare")

    def credentials(self, model: Part) -> list[str]:
        """The files of the shared credentials that a model refers to: whoever opens it opens them, and says so."""
        named = {s.name for _, s in secrets_of(model) if isinstance(s, Reference) and s.source == "vault"}
        return [_credential(name) for name in sorted(named)]

    def unlock(self) -> None:
        """Ask for the passphrase, if the ring waits for one: now, in this thread, where somebody can be asked."""
        if self._keys.ask and self._keys.waits():
            self._keys.for_opening()

    def rotate(self, documents: Documents, *, finish: bool = False) -> Rotation:
        """Seal everything with a new key; others may go on meanwhile, and a rotation that was killed is finished.

        `documents` reads and writes files of profiles. With `finish` no key is made; what is left over is tidied up.
        """
        return rotation.rotate(self._keys, documents, now(), finish=finish)

    def move(self, to: SourceName) -> Kept:
        """Have the keys kept by this source, whatever settings say; gives where that is. No secret is sealed anew."""
        return self._keys.move(to)

    def describe(self) -> str:
        """What seals the secrets here and where its key is kept. It makes nothing; raises what opening would raise."""
        return self._keys.describe()

    def status(self) -> list[KeyStatus]:
        """The keys of the ring, each with the files that need it; no key is opened for it. Costs reading every file."""
        ring = self._keys.on_disk()
        if ring is None:
            return []
        found = holders(self._directory.path)
        return [KeyStatus(kid, kid == ring.primary, entry, found.get(kid, {})) for kid, entry in ring.keys.items()]

    def _seal(self, secret: Secret, kind: str, ident: str, path: str) -> Reference:
        if masking.is_mask(secret.reveal()):
            raise VaultError(f"What stands in {path} is a mask, not a secret.", hint="Enter the secret itself.")
        opened = self._keys.for_sealing()
        kid = opened.ring.primary
        return Reference(token.seal(secret, opened.keys[kid], kid, opened.ring.account, kind, ident, path))

    def _lasting(self, reference: Secret, kind: str, ident: str, path: str) -> Secret:
        """The reference; what was sealed with a key that a rotation has replaced is sealed anew, if it opens."""
        written = str(reference.at_rest())
        if token.FORM.fullmatch(written) is None or (ring := self._keys.on_disk()) is None:
            return reference
        kid = token.kid_of(written)
        if kid == ring.primary or kid not in ring.keys:
            return reference
        if ring.keys[kid].state == "destroyed":
            if self._stands(written, kind, ident):  # a copy put back: it opens no more, and nothing better is lost
                return reference
            # Who held it in his hand over a rotation: writing it now would lose what has been sealed anew since.
            raise VaultError(
                f"The secret in {path} has been sealed anew since it was read.", hint="Read it again, or enter it anew."
            )
        opened = self._keys.for_sealing()
        try:
            fresh = token.reseal(
                written, opened.keys[kid], opened.keys[opened.ring.primary], opened.ring.primary,
                opened.ring.account, kind, ident, path,
            )  # fmt: skip
        except TamperedError:  # it belongs elsewhere, and opens here neither way
            return reference
        return Reference(fresh)

    def _stands(self, written: str, kind: str, ident: str) -> bool:
        """Whether the file of these secrets holds this token now."""
        files = [f"{layout.prefix}{ident}.json" for layout in LAYOUTS if layout.kind == kind]
        return any(written.encode() in (self._directory.read(file) or b"") for file in files)

    def _unseal(self, written: str, kind: str, ident: str, path: str) -> Secret:
        try:
            kid = token.kid_of(written)
            opened = self._keys.remembered(kid) or self._keys.for_opening()
            if kid not in opened.keys:
                raise TamperedError("It was sealed with a key that this config directory does not have.")
            return token.unseal(written, opened.keys[kid], opened.ring.account, kind, ident, path)
        except TamperedError as error:
            said, hint = error.message, error.hint
        raise TamperedError(f"The secret in {path} does not open. {said}", hint=hint or "Enter it again.")

    def _shared(self, name: str) -> Secret:
        data = self._directory.read(_credential(name))
        if data is None:
            raise _none_shared(name)
        try:
            written = json.loads(data)["secret"]
            if not isinstance(written, str):
                raise TypeError
        except (ValueError, KeyError, TypeError):
            raise DamagedError(f"credentials/{name}.json holds no sealed secret.", hint="Save it again.") from None
        return self._unseal(written, CREDENTIAL.kind, name, "secret")

    def _shared_before(self, name: str) -> Secret | None:
        """What a shared credential is now, if it is anything: it is about to be replaced, whatever is wrong with it."""
        try:
            return self._shared(name)
        except SiegeError:
            return None


def _mark(secret: Secret) -> str:
    return hmac.digest(_MARKS, secret.reveal().encode(errors="surrogatepass"), "sha256").hex()


def _from_environment(name: str) -> Secret:
    if name in sources.OWN:
        raise VaultError(f"The variable {name} holds the vault's own key; no profile may refer to it.")
    value = os.environ.get(name)
    if value is None:
        raise NoSecretError(f"The variable {name} is not set; a secret is to be read from it.", hint=f"Set {name}.")
    return Secret(value)


def _credential(name: str) -> str:
    """The file of a shared credential."""
    try:
        return f"{CREDENTIAL.prefix}{safe_code(name)}.json"
    except ValueError as error:
        reason = str(error)
    raise InvalidError("The name of a shared credential", [Issue(name, reason)])


def _none_shared(name: str) -> NoSecretError:
    return NoSecretError(f"There is no shared credential named {name!r}.", hint="Save it first.")
