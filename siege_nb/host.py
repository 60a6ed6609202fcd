"""What opens a connection of a workspace: what its adapter may ask for, and what a session was opened with."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from siege_nb import adapters
from siege_nb.adapters.base import Adapter, Step, TestResult
from siege_nb.declare import Part, Secret, secrets_of
from siege_nb.errors import ConnectTimeoutError, QueryTimeoutError, UnknownKindError, VaultError
from siege_nb.facts import Facts
from siege_nb.models.connection import ConnectionProfile
from siege_nb.models.stamps import now
from siege_nb.pool import MARGIN
from siege_nb.query.run import Worker
from siege_nb.query.session import Session
from siege_nb.vault import Vault


@dataclass
class Host:
    """What an adapter may ask for while it opens a connection."""

    profile: ConnectionProfile
    vault: Vault
    facts: Facts
    #: Puts on record what the secrets of a connection were used for.
    witness: Callable[[str, ConnectionProfile], None]
    deadline: float
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def patience(self) -> float:
        """Seconds after which it is given up: the deadline, but what its kind needs to start."""
        try:
            slow = adapters.load(self.profile.connection_type).patience
        except UnknownKindError:  # whoever opens it is told
            slow = 0.0
        return max(self.deadline, slow)

    def resolve(self, reference: str) -> Secret:
        return self.vault.resolve(reference, kind="connection", ident=self.profile.connection_id, path="")

    def open(self) -> Session:
        """A session, with all that its first statement needs."""
        session = self._adapter("open").open(self)
        # Half a second that belongs to connecting; and only now, for after it MySQL's C extension no longer loads.
        import pyarrow  # noqa: F401

        self.facts.connected(self.profile.connection_id, now())
        return session

    def test(self) -> TestResult:
        """How the connection can be reached, step by step, under our own deadline."""
        name, steps = self.profile.name, list[Step]()
        worker = Worker(name)

        def walk() -> TestResult:
            try:
                adapter = self._adapter("test")
            except VaultError as error:  # a secret that is not to be had is found out by a test like any other fault
                return TestResult(False, (Step("secrets", "fail", 0.0, "auth", error.message),), error)
            return adapter.test(self, steps.append)

        try:
            return worker.call(walk, timeout=self.patience + MARGIN, doing=f"testing {name}")
        except QueryTimeoutError:
            late = ConnectTimeoutError(f"{name} did not answer within {self.patience:g} s.", problem="timeout")
            return TestResult(False, (*steps, Step("deadline", "fail", 0.0, "timeout", late.message)), late)
        finally:
            self.stop.set()
            worker.close()

    def _adapter(self, act: str) -> Adapter[Any]:
        """The adapter of the profile, with its secrets opened."""
        profile = self.profile
        if any(True for _ in secrets_of(profile.connection_params)):
            self.witness(act, profile)
        params = self.vault.open(profile.connection_params, kind="connection", ident=profile.connection_id)
        return adapters.load(profile.connection_type)(params)


class Version:
    """What a session is opened with: the parameters as they are at rest, whatever key they are sealed with.

    Neither a rotation nor another name or note of the profile is a reason for another session. Secrets are looked into
    only where what is written differs, and those of the session while their key is still there.
    """

    def __init__(self, vault: Vault, profile: ConnectionProfile) -> None:
        self._vault = vault
        self._ident, self._kind = profile.connection_id, profile.connection_type
        self._params = profile.connection_params
        self._marked: Part | None = None

    def mark(self) -> Part:
        """The parameters with marks of what is in their secrets."""
        if self._marked is None:
            self._marked = self._vault.marked(self._params, kind="connection", ident=self._ident)
        return self._marked

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Version) or self._kind != other._kind:
            return False
        return self._params == other._params or self.mark() == other.mark()

    __hash__ = None  # type: ignore[assignment]
