"""Connections of this kernel that nobody saved: nothing of them is written down, and closing one forgets it."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Container
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siege_nb import adapters
from siege_nb.adapters import urls
from siege_nb.adapters.base import Params, Step, TestResult
from siege_nb.adapters.files import FileParams
from siege_nb.declare import Secret
from siege_nb.errors import ConflictError, InvalidError, SiegeError
from siege_nb.facts import Facts, Known
from siege_nb.models.access import Visibility
from siege_nb.models.connection import ConnectionProfile
from siege_nb.pool import Key, Lease
from siege_nb.query.session import Session
from siege_nb.settings import Settings
from siege_nb.show import Shown, count, listing, plain
from siege_nb.workspace import CELLS, Named, Workspace

if TYPE_CHECKING:
    from siege_nb.magics.shell import Shell


class ObjectParams(FileParams):
    """An object has one session only: like a database in memory, it is looked at over the cells' own."""


@dataclass(frozen=True)
class Visit:
    """What an adapter may ask for while it opens a guest's connection."""

    deadline: float
    stop: threading.Event = field(default_factory=threading.Event)

    def resolve(self, reference: str) -> Secret:
        raise InvalidError(f"{reference} names the place of a secret, which only a saved connection can.")


@dataclass(frozen=True, eq=False)
class Guest:
    """A connection that nobody saved."""

    #: As the others have one; its secrets are in `opened` alone.
    profile: ConnectionProfile
    opened: Callable[[Visit], Session]
    #: What it connects to: the same again is the same guest.
    subject: Any

    def is_as(self, other: Guest) -> bool:
        """They connect to the same: one object, or addresses that say the same."""
        if self.subject is other.subject:
            return True
        return isinstance(self.subject, Params | tuple) and bool(self.subject == other.subject)


class KernelFacts(Facts):
    """The facts of a config directory; what is seen of a guest's database is kept in memory and not there."""

    def __init__(self, folder: Path, guests: Container[str]) -> None:
        super().__init__(folder)
        self._guests = guests
        self._seen: dict[str, dict[str, Known]] = {}

    def remember(self, ident: str, key: str, value: Any, at: datetime) -> None:
        if ident in self._guests:
            self._seen.setdefault(ident, {})[key] = Known(value, at)
        else:
            super().remember(ident, key, value, at)

    def recall(self, ident: str, key: str) -> Known | None:
        return self._seen.get(ident, {}).get(key) if ident in self._guests else super().recall(ident, key)

    def forget_metadata(self, ident: str) -> None:
        if ident in self._guests:
            self._seen.pop(ident, None)
        else:
            super().forget_metadata(ident)


class KernelWorkspace(Workspace):
    """A workspace that also knows the guests of its kernel."""

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__(settings)
        self._guests: dict[str, Guest] = {}
        self.facts = KernelFacts(self.directory.path, self._guests)

    def guests(self) -> list[ConnectionProfile]:
        """The connections that nobody saved, in the order they came."""
        return [guest.profile for guest in self._guests.values()]

    def guest(self, name: str) -> Guest | None:
        """The guest of this name or id."""
        if not self._guests or name in self._guests:
            return self._guests.get(name)
        wanted = (spoken_url(name) if "://" in name else name).casefold()
        return next((guest for guest in self._guests.values() if guest.profile.name.casefold() == wanted), None)

    def welcome(self, guest: Guest) -> Guest:
        """Take a guest in, in place of one of its name; ConflictError where a saved connection has it."""
        name = guest.profile.name
        known = self.guest(name)
        if known is not None and known.is_as(guest):
            return known
        if known is not None:
            self.disconnect(known.profile)
        elif super().knows(name):
            raise ConflictError(f"There is a saved connection {name!r} already.", hint="--alias gives another name.")
        self._guests[guest.profile.connection_id] = guest
        return guest

    def find(self, name: Named) -> ConnectionProfile:
        profile = self._named(name)
        return profile if profile.connection_id in self._guests else super().find(profile)

    def lease(self, name: Named, holder: str = CELLS) -> Lease:
        profile = self._named(name)
        guest = self._guests.get(profile.connection_id)
        if guest is None:
            return super().lease(profile, holder)
        visit = Visit(self.settings.deadline)

        def opened() -> Session:
            session = guest.opened(visit)
            import pyarrow  # noqa: F401 - as in Host.open: it belongs to connecting, and comes after MySQL's driver

            return session

        key = Key(profile.connection_id, holder)
        try:
            return self.pool.lease(key, guest, profile.name, opened, deadline=self._patience(profile))
        except BaseException:  # a Ctrl-C too: the driver's thread is to know that nobody waits any more
            visit.stop.set()
            raise

    def test(self, name: Named) -> TestResult:
        """Try a connection; of a guest only that its session answers, for nothing is kept of it."""
        profile = self._named(name)
        if profile.connection_id not in self._guests:
            return super().test(profile)
        try:
            lease = self.lease(profile)
            lease.call(lease.session.ping, timeout=self.settings.deadline)
        except SiegeError as error:
            return TestResult(False, (Step("session", "fail", detail=error.message),), error)
        return TestResult(True, (Step("session", "ok"),))

    def save(
        self, profile: ConnectionProfile, *, expected: str | None = None, entered: Collection[str] = ()
    ) -> ConnectionProfile:
        self._refuse(profile)
        if isinstance(profile.connection_params, ObjectParams):
            raise InvalidError("An object of the notebook's cannot be saved as a connection.")
        return super().save(profile, expected=expected, entered=entered)

    def remove(self, name: Named) -> None:
        self._refuse(self._named(name))
        super().remove(name)

    def share(self, name: Named, visibility: Visibility) -> ConnectionProfile:
        self._refuse(self._named(name))
        return super().share(name, visibility)

    def _refuse(self, profile: ConnectionProfile) -> None:
        if profile.connection_id in self._guests:
            hint = f"%conn close {profile.name} closes it, and %conn add saves one."
            raise InvalidError(f"{profile.name} is of this kernel only: nothing of it is saved.", hint=hint)

    def disconnect(self, name: Named) -> list[bool]:
        profile = self._named(name)
        try:
            return super().disconnect(profile)
        finally:
            self._forget(profile)

    def close(self) -> list[bool]:
        try:
            return super().close()
        finally:
            for profile in self.guests():
                self._forget(profile)

    def _forget(self, profile: ConnectionProfile) -> None:
        if profile.connection_id in self._guests:
            self.facts.forget_metadata(profile.connection_id)
            del self._guests[profile.connection_id]

    def _named(self, name: Named) -> ConnectionProfile:
        guest = self.guest(name) if isinstance(name, str) else None
        return guest.profile if guest is not None else super()._named(name)

    def _patience(self, profile: ConnectionProfile) -> float:
        slow = adapters.load(profile.connection_type).patience if profile.connection_type in adapters.kinds() else 0.0
        return max(self.settings.deadline, slow)


def unsaved(name: str, kind: str, params: Any) -> ConnectionProfile:
    """A profile for a guest; its name is not checked: a URL is none that could be saved, and need not be."""
    return ConnectionProfile.model_construct(name=name, connection_type=kind, connection_params=params)


def spoken_url(url: str) -> str:
    """A URL as the name of its connection: without its password, and what stands behind the address."""
    scheme, name, _, rest = urls.split_user(url)
    place = re.split("[?;]", rest)[0]
    return f"{scheme}://{name + '@' if name else ''}{place}"


def listed(shell: Shell) -> Shown:
    """The connections that nobody saved, as a list; nothing where there are none."""
    workspace = shell.workspace
    rows = [
        ("●" if profile.connection_id == shell.connection else "", plain(profile.name), profile.connection_type,
         workspace.state(profile.connection_id))
        for profile in workspace.guests()
    ]  # fmt: skip
    summary = f"{count(len(rows), 'connection')} of this kernel only"
    return listing(("", "name", "kind", "session"), rows, summary) if rows else Shown("", "")
