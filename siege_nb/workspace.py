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
from siege_nb.query.session import Answer, Queryable
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
        """The live session of a connection: the same one until it is closed or its profile changes."""
        kept = self.store.connections.find_named(name)
        profile = kept.item

        def open_() -> Any:
            import pyarrow  # noqa: F401 - half a second that belongs to connecting, not to the first statement

            return self._adapter(profile).open(_Host(self, profile))

        key = Key(profile.connection_id, holder)
        return self.pool.lease(key, kept.version, profile.name, open_, deadline=self.settings.deadline)

    def query(self, name: str, sql: str, namespace: Mapping[str, Any], *, timeout: float | None = None) -> Result:
        """Run the statements of a text on the cells' session; the last answer is the result."""
        lease = self.lease(name)
        session = lease.session
        if not isinstance(session, Queryable):
            raise InvalidError(f"{name} cannot be queried with SQL.")
        answers, values, seconds = lease.call(lambda: ask(session, sql, namespace), timeout=timeout)
        *earlier, last = answers or [Answer()]
        return Result(last, sql, lease.name, seconds, values, counts(earlier), session.in_transaction)

    def test(self, name: str) -> TestResult:
        """Try a saved connection, with a session of its own."""
        return self.check(self.store.connections.find_named(name).item)

    def check(self, profile: ConnectionProfile) -> TestResult:
        """Try a connection, saved or not, under our own deadline; nothing is written."""
        steps: list[Step] = []
        host = _Host(self, profile)
        worker = Worker(profile.name)
        try:
            return worker.call(lambda: self._adapter(profile).test(host, steps.append), timeout=host.deadline + MARGIN)
        except QueryTimeoutError:
            late = ConnectTimeoutError(f"{profile.name} did not answer within {host.deadline:g} s.", problem="timeout")
            return TestResult(False, (*steps, Step("deadline", "fail", 0.0, "timeout", late.message)), late)
        finally:
            host.stop.set()
            worker.close()

    def save(self, profile: ConnectionProfile, *, expected: str | None = None) -> ConnectionProfile:
        """Seal the secrets of a profile and write it; `expected` is the version it was read at, "" for a new one."""
        sealed = profile.model_copy(update={"connection_params": self._seal(profile)})
        return self.store.connections.put(sealed, expected=expected).item

    def remove(self, name: str) -> None:
        """Forget a connection: its sessions, its profile, and with it its sealed secrets."""
        profile = self.store.connections.find_named(name).item
        self.pool.close(profile.connection_id)
        self.store.connections.remove(profile.connection_id)

    def disconnect(self, name: str) -> bool:
        """Close the sessions of a connection; whether there were any."""
        return self.pool.close(self.store.connections.find_named(name).item.connection_id) > 0

    def state(self, ident: str) -> str:
        """How a connection's session for cells stands: open, in transaction, or nothing."""
        lease = self.pool.find(Key(ident, CELLS))
        if lease is None:
            return ""
        return "in transaction" if getattr(lease.session, "in_transaction", False) else "open"

    def close(self) -> None:
        """Close every session."""
        self.pool.close_all()

    def _adapter(self, profile: ConnectionProfile) -> Adapter[Any]:
        """The adapter of a profile, with its secrets opened."""
        params = self.vault.open(profile.connection_params, kind="connection", ident=profile.connection_id)
        return adapters.load(profile.connection_type)(params)

    def _seal(self, profile: ConnectionProfile) -> Part:
        return self.vault.seal(profile.connection_params, kind="connection", ident=profile.connection_id)
