"""Where the parts are put together: the store, the vault and the pool of one config directory."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from siege_nb import adapters
from siege_nb.adapters.base import Adapter, Step, TestResult
from siege_nb.declare import Part, Secret
from siege_nb.errors import ConnectTimeoutError, InvalidError, NotFoundError, QueryTimeoutError
from siege_nb.models.connection import ConnectionProfile
from siege_nb.pool import MARGIN, Key, Lease, Pool
from siege_nb.query.result import Result
from siege_nb.query.run import Worker, ask, counts
from siege_nb.query.session import Answer, Session
from siege_nb.settings import Settings
from siege_nb.state import Directory
from siege_nb.store import Store
from siege_nb.vault import Vault

#: Who holds the session that cells talk over; browsers and tests hold others.
CELLS = "cells"


@dataclass
class _Host:
    """What an adapter may ask for while it opens a connection of this workspace."""

    workspace: Workspace
    profile: ConnectionProfile
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def deadline(self) -> float:
        return self.workspace.settings.deadline

    def resolve(self, reference: str) -> Secret:
        return self.workspace.vault.resolve(reference, kind="connection", ident=self.profile.connection_id, path="")

    def open(self) -> Session:
        """A session, with all that its first statement needs."""
        session = self._adapter().open(self)
        # Half a second that belongs to connecting; and only now, for after it MySQL's C extension no longer loads.
        import pyarrow  # noqa: F401

        return session

    def test(self) -> TestResult:
        """How the connection can be reached, step by step, under our own deadline."""
        name, steps = self.profile.name, list[Step]()
        worker = Worker(name)
        try:
            return worker.call(
                lambda: self._adapter().test(self, steps.append),
                timeout=self.deadline + MARGIN,
                doing=f"testing {name}",
            )
        except QueryTimeoutError:
            late = ConnectTimeoutError(f"{name} did not answer within {self.deadline:g} s.", problem="timeout")
            return TestResult(False, (*steps, Step("deadline", "fail", 0.0, "timeout", late.message)), late)
        finally:
            self.stop.set()
            worker.close()

    def _adapter(self) -> Adapter[Any]:
        """The adapter of the profile, with its secrets opened."""
        profile, vault = self.profile, self.workspace.vault
        params = vault.open(profile.connection_params, kind="connection", ident=profile.connection_id)
        return adapters.load(profile.connection_type)(params)


class Workspace:
    """One config directory with all that belongs to it. The kernel and the Jupyter server each make one."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings.from_environment()
        self.directory = Directory(self.settings.config_dir)
        self.store = Store(self.directory)
        self.vault = Vault(self.settings, self.directory)
        self.pool = Pool()

    def knows(self, name: str) -> bool:
        """There is a connection of this name."""
        try:
            self.store.connections.find_named(name)
        except NotFoundError:
            return False
        return True

    def lease(self, name: str, holder: str = CELLS) -> Lease:
        """The live session of a connection: the same one until it is closed or its parameters change."""
        profile = self.store.connections.find_named(name).item
        host, key = _Host(self, profile), Key(profile.connection_id, holder)
        # As they are at rest; what else a profile says, its name or a note, is no reason for another session.
        version = profile.connection_type, profile.connection_params
        try:
            return self.pool.lease(key, version, profile.name, host.open, deadline=host.deadline)
        except BaseException:  # a Ctrl-C too: the driver's thread is to know that nobody waits any more
            host.stop.set()
            raise

    def query(self, name: str, sql: str, namespace: Mapping[str, Any], *, timeout: float | None = None) -> Result:
        """Run the statements of a text on the cells' session; the last answer is the result."""
        lease = self.lease(name)
        session = lease.queryable
        if session is None:
            raise InvalidError(f"{name} cannot be queried with SQL.")
        answers, values, seconds = lease.call(lambda: ask(session, sql, namespace), timeout=timeout)
        *earlier, last = answers or [Answer()]
        return Result(last, sql, lease.name, seconds, values, counts(earlier), lease.in_transaction)

    def test(self, name: str) -> TestResult:
        """Try a saved connection, with a session of its own."""
        return self.check(self.store.connections.find_named(name).item)

    def check(self, profile: ConnectionProfile) -> TestResult:
        """Try a connection, saved or not, under our own deadline; nothing is written."""
        return _Host(self, profile).test()

    def save(self, profile: ConnectionProfile, *, expected: str | None = None) -> ConnectionProfile:
        """Seal the secrets of a profile and write it; `expected` is the version it was read at, "" for a new one."""
        sealed = profile.model_copy(update={"connection_params": self._seal(profile)})
        return self.store.connections.put(sealed, expected=expected).item

    def remove(self, name: str) -> None:
        """Forget a connection: its sessions, its profile, and with it its sealed secrets."""
        profile = self.store.connections.find_named(name).item
        self.pool.close(profile.connection_id)
        self.store.connections.remove(profile.connection_id)

    def disconnect(self, name: str) -> list[bool]:
        """Close the sessions of a connection; of each there was, whether what ran in it ended."""
        return self.pool.close(self.store.connections.find_named(name).item.connection_id)

    def state(self, ident: str) -> str:
        """How a connection's session for cells stands: open, in transaction, or nothing."""
        lease = self.pool.find(Key(ident, CELLS))
        if lease is None:
            return ""
        return "in transaction" if lease.in_transaction else "open"

    def close(self) -> list[bool]:
        """Close every session; of each there was, whether what ran in it ended. The next query opens a new one."""
        return self.pool.close_all()

    def _seal(self, profile: ConnectionProfile) -> Part:
        return self.vault.seal(profile.connection_params, kind="connection", ident=profile.connection_id)
