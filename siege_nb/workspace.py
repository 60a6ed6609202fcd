"""Where the parts are put together: the store, the vault, the facts and the pool of one config directory."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from siege_nb.adapters.base import TestResult
from siege_nb.declare import Part, Reference, secrets_of
from siege_nb.errors import (
    ConflictError,
    InvalidError,
    NotFoundError,
)
from siege_nb.facts import Facts, Tried
from siege_nb.host import Host, Version
from siege_nb.masking import mask
from siege_nb.models.access import Visibility
from siege_nb.models.client import ClientProfile
from siege_nb.models.connection import ConnectionProfile
from siege_nb.models.stamps import now
from siege_nb.pool import Key, Lease, Pool
from siege_nb.query.ask import PLAIN, How, Watch, ask, counts
from siege_nb.query.explain import explains
from siege_nb.query.result import Result
from siege_nb.query.session import Answer, Session
from siege_nb.settings import Settings
from siege_nb.state import Audit, Directory, Record
from siege_nb.store import Store, account, document
from siege_nb.store.edits import refuse_edit, refuse_removal, used
from siege_nb.vault import Rotation, Vault

#: A name as it is typed, or a connection that was found by one: an id is no name, for it may be another one's.
Named = str | ConnectionProfile
#: Who holds the session that cells talk over; browsers and tests hold others.
CELLS = "cells"


class Workspace:
    """One config directory with all that belongs to it. The kernel and the Jupyter server each make one."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings.from_environment()
        self.audit = Audit(self.settings.config_dir, self.settings.data_dir / "audit.key", actor())
        self.directory = Directory(self.settings.config_dir, audit=self.audit)
        self.store = Store(self.directory)
        self.vault = Vault(self.settings, self.directory)
        self.facts = Facts(self.directory.path)
        self.pool = Pool()
        #: The client whose connections are meant when several have one name.
        self.client = ""

    def find(self, name: Named) -> ConnectionProfile:
        """A connection, with what the facts know of its use; the current client's own come first."""
        ident = self._named(name).connection_id
        return used(self.store.connections.find(ident).item, self.facts.use(ident))

    def knows(self, name: str) -> bool:
        """There is a connection of this name, or several."""
        try:
            self._named(name)
        except NotFoundError:
            return False
        except ConflictError:  # whoever asks for it is told which there are
            return True
        return True

    def lease(self, name: Named, holder: str = CELLS) -> Lease:
        """The live session of a connection: the same one until it is closed or its parameters change."""
        profile = self._named(name)
        host, key = self._host(profile), Key(profile.connection_id, holder)
        version, there = Version(self.vault, profile), self.pool.find(key)
        if there is None or there.version != version:
            self.vault.unlock()  # here and not in the driver's thread, which can ask nobody for a passphrase

        def opened() -> Session:
            version.mark()
            return host.open()

        try:
            return self.pool.lease(key, version, profile.name, opened, deadline=host.patience)
        except BaseException:  # a Ctrl-C too: the driver's thread is to know that nobody waits any more
            host.stop.set()
            raise

    def query(
        self, name: Named, sql: str, namespace: Mapping[str, Any], how: How = PLAIN, *, timeout: float | None = None
    ) -> Result:
        """Run the statements of a text on the cells' session; the last answer is the result."""
        profile = self._named(name)
        result = asked(self.lease(profile), sql, namespace, how, timeout=timeout)
        return replace(result, environment=profile.environment)

    def test(self, name: Named) -> TestResult:
        """Try a saved connection, with a session of its own, and keep how it went."""
        profile = self._named(name)
        result = self.check(profile)
        message, took = mask(result.error.message) if result.error else "", result.response_time_ms
        self.facts.tested(profile.connection_id, Tried(now(), result.ok, took, result.problem, message))
        return result

    def tests(self, name: Named) -> list[Tried]:
        """How the tests of a connection went, the newest first."""
        return self.facts.tests(self._named(name).connection_id)

    def check(self, profile: ConnectionProfile) -> TestResult:
        """Try a connection, saved or not, under our own deadline; nothing is written."""
        self.vault.unlock()
        return self._host(profile).test()

    def save(
        self, profile: ConnectionProfile, *, expected: str | None = None, entered: Collection[str] = ()
    ) -> ConnectionProfile:
        """Seal the secrets of a profile and write it; `expected` is the version it was read at, "" for a new one.

        AccessError when it is locked; InvalidError when a stored secret would go where it was not meant for, unless its
        path is among the `entered` ones.
        """
        def check(current: ConnectionProfile | None) -> None:
            refuse_edit(current, profile, entered)

        if any(not isinstance(secret, Reference) for _, secret in secrets_of(profile.connection_params)):
            self.store.connections.check(profile.connection_id, check)  # before a key is asked for in vain
        sealed = profile.model_copy(update={"connection_params": self._seal(profile)})
        return self.store.connections.put(sealed, expected=expected, check=check).item

    def remove(self, name: Named) -> None:
        """Forget a connection: its sessions, its profile, and with it its sealed secrets."""
        ident = self._named(name).connection_id
        self.store.connections.remove(ident, check=refuse_removal)
        self.pool.close(ident)
        self.facts.forget(ident)

    def share(self, name: Named, visibility: Visibility) -> ConnectionProfile:
        """Say who may see a connection, or lock and unlock it."""
        profile = self._named(name)
        sealed = self._seal(profile)  # an older file may hold an open secret, which cannot be written back

        def shared(current: ConnectionProfile) -> ConnectionProfile:
            kept = sealed if current.connection_params == profile.connection_params else current.connection_params
            return current.model_copy(update={"visibility": visibility, "connection_params": kept})

        return self.store.connections.update(profile.connection_id, shared).item

    def opened(
        self, profile: ConnectionProfile, *, act: str = "hand out", sealed_only: bool = False
    ) -> ConnectionProfile:
        """A copy of a profile with its secrets in it, for those who must have them; the audit log knows.

        With `sealed_only` what is referred to stays where it is.
        """
        self.witness(act, profile, sealed_only=sealed_only)
        ident, params = profile.connection_id, profile.connection_params
        opened = self.vault.open(params, kind="connection", ident=ident, sealed_only=sealed_only)
        return profile.model_copy(update={"connection_params": opened})

    def witness(self, act: str, profile: ConnectionProfile, *, sealed_only: bool = False) -> None:
        """Put it on record that the secrets of a connection were used; where that cannot be, they are not."""
        file = self.store.connections.shape.file(profile.connection_id)
        shared = [] if sealed_only else self.vault.credentials(profile.connection_params)
        self.directory.witness(act, file, *shared)

    def history(self, name: Named) -> list[Record]:
        """What was done to a connection, the newest last."""
        return list(self.audit.records(self.store.connections.shape.file(self._named(name).connection_id)))

    def rename_client(self, code: str, new: str) -> ClientProfile:
        """Give a client another code; its connections follow, all in one change."""
        return account.rename_client(self.store, code, new)

    def remove_client(self, code: str) -> None:
        """Forget a client to whom nothing belongs; ConflictError says what still does."""
        account.remove_client(self.store, code)

    def associate(self, code: str, project_code: str) -> ClientProfile:
        """A client has this project from now on, which must be there."""
        return account.associate(self.store, code, project_code)

    def dissociate(self, code: str, project_code: str) -> ClientProfile:
        """A client has this project no longer."""
        return account.dissociate(self.store, code, project_code)

    def remove_project(self, code: str) -> None:
        """Forget a project; no client has it any more."""
        account.remove_project(self.store, code)

    def rotate(self, *, finish: bool = False) -> Rotation:
        """Seal every secret with a new key while others go on; `finish` destroys what earlier rotations left over."""
        return self.vault.rotate(document, finish=finish)

    def disconnect(self, name: Named) -> list[bool]:
        """Close the sessions of a connection; of each there was, whether what ran in it ended."""
        return self.pool.close(self._named(name).connection_id)

    def state(self, ident: str) -> str:
        """How a connection's session for cells stands: open, in transaction, or nothing."""
        lease = self.pool.find(Key(ident, CELLS))
        if lease is None:
            return ""
        return "in transaction" if lease.in_transaction else "open"

    def close(self) -> list[bool]:
        """Close every session; of each there was, whether what ran in it ended. The next query opens a new one."""
        return self.pool.close_all()

    def _named(self, name: Named) -> ConnectionProfile:
        if isinstance(name, ConnectionProfile):
            return name
        return self.store.connections.find_named(name, self.client).item

    def _host(self, profile: ConnectionProfile) -> Host:
        return Host(profile, self.vault, self.facts, self.witness, self.settings.deadline)

    def _seal(self, profile: ConnectionProfile) -> Part:
        return self.vault.seal(profile.connection_params, kind="connection", ident=profile.connection_id)


def asked(
    lease: Lease, sql: str, namespace: Mapping[str, Any], how: How = PLAIN, *, timeout: float | None = None
) -> Result:
    """Run the statements of a text on a session, whoever it belongs to; the last answer is the result."""
    session = lease.queryable
    if session is None:
        raise InvalidError(f"{lease.name} cannot be queried with SQL.")
    ticking = None if how.watch is None else partial(_tick, lease, how.watch)
    answers, values, seconds = lease.call(lambda: ask(session, sql, namespace, how), timeout=timeout, ticking=ticking)
    *earlier, last = answers or [Answer()]
    plan = bool(how.explain) or explains(sql, session.grammar)
    return Result(last, sql, lease.name, seconds, values, counts(earlier), lease.in_transaction, plan=plan)


def _tick(lease: Lease, watch: Watch, seconds: float) -> None:
    watch.tick(seconds, lease.progress() if lease.progress is not None else None)


def actor() -> str:
    """Who acts, as the audit log says it: the user, and the program they sit at."""
    program = "kernel" if "ipykernel" in sys.modules else Path(sys.argv[0] or "python").stem
    try:
        return f"{getpass.getuser()}@{program}"
    except (KeyError, OSError, ImportError):  # a container's user without a name
        return f"uid {os.getuid() if hasattr(os, 'getuid') else '?'}@{program}"
