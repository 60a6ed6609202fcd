"""What this kernel is at: its workspace, its client, its connection; and the magics that IPython sees."""

from __future__ import annotations

import atexit
import getpass
import os
from collections import ChainMap
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class, needs_local_scope, no_var_expand

from siege_nb.errors import NotFoundError
from siege_nb.magics import grammar
from siege_nb.magics.config import SqlMagic
from siege_nb.settings import Settings
from siege_nb.show import plain, some

if TYPE_CHECKING:
    from siege_nb.magics.guests import KernelWorkspace
    from siege_nb.models.client import ClientProfile
    from siege_nb.models.connection import ConnectionProfile
    from siege_nb.query.saved import Saved
    from siege_nb.store import Collection


#: What one verb of a magic does with the words after it.
Verb = Callable[["Shell", list[str]], Any]


#: A connection of this name is used where none is: the current client's, or nobody's.
DEFAULT = "default"


def damaged(collection: Collection[Any]) -> str:
    """What is to be said of the files that cannot be read, behind a list that leaves them out."""
    return "".join(f" · {file.error.message}" for file in collection.problems())


class Shell:
    """One kernel's place in the house. The workspace is opened when something first needs it."""

    def __init__(self, config: SqlMagic | None = None) -> None:
        self.config = config or SqlMagic()
        self.client_code: str | None = None
        #: The id of the connection that SQL goes to when none is named: its name may change.
        self.connection: str | None = None
        self._called = ""
        self._workspace: KernelWorkspace | None = None

    @cached_property
    def saved(self) -> Saved:
        """The queries that cells kept under a name."""
        from siege_nb.query.saved import Saved

        return Saved()

    @property
    def workspace(self) -> KernelWorkspace:
        """The workspace of this kernel's config directory."""
        if self._workspace is None:
            self._open(Settings.from_environment())
        assert self._workspace is not None
        return self._workspace

    def move(self, config_dir: Path) -> None:
        """Point this kernel at another config directory; sessions of the old one are closed."""
        settings = Settings.from_environment(config_dir=config_dir)
        self.close()
        self._open(settings)

    def _open(self, settings: Settings) -> None:
        from siege_nb.magics.guests import KernelWorkspace

        self._workspace = KernelWorkspace(settings)
        self._workspace.vault.ask_with(getpass.getpass)
        self._workspace.client = self.client_code or ""

    def work_for(self, code: str | None) -> None:
        """From now on this client's connections are meant by their short names; None is nobody."""
        self.client_code = code
        self.workspace.client = code or ""

    @property
    def client(self) -> ClientProfile | None:
        """The client one is working for. One whose file is gone is told once, and then nobody is chosen."""
        if self.client_code is None:
            return None
        try:
            return self.workspace.store.clients.find(self.client_code).item
        except NotFoundError:
            lost = self.client_code
            self.work_for(None)
        raise NotFoundError(f"The client {lost} is no longer there.", hint="No client is chosen now; %client list")

    def chosen(self) -> ClientProfile:
        """The client one is working for; NotFoundError says how to choose one when there is none."""
        client = self.client
        if client is None:
            there = [row.key for row in self.workspace.store.clients.rows()]
            hint = f"There are: {some(there)}." if there else "%client new CODE NAME key=value … makes one."
            raise NotFoundError("No client is chosen.", hint=f"%client use CODE chooses one. {hint}")
        return client

    def colors(self) -> tuple[str, ...]:
        """The current client's brand colours."""
        client = self.client
        return () if client is None else tuple(client.design_artifacts.brand_colors)

    def known(self, word: str) -> bool:
        """There is a connection of this name."""
        return bool(word) and self.workspace.knows(word)

    def named(self, word: str) -> ConnectionProfile:
        """The connection that a name means here: the current client's own or nobody's; CODE/name is another's."""
        if (guest := self.workspace.guest(word)) is not None:
            return guest.profile
        return self.workspace.store.connections.find_named(word, self.client_code or "").item

    def names(self) -> list[str]:
        """The names of all connections as they are typed here, the current client's own first."""
        rows = self.workspace.store.connections.rows()
        mine = (self.client_code or "").casefold()
        spoken = [(row.scope.casefold() != mine, self.spoken(row.scope, row.name)) for row in rows]
        saved = [name for _, name in sorted(spoken, key=lambda each: (each[0], each[1].casefold()))]
        return [*saved, *(plain(guest.name) for guest in self.workspace.guests())]

    def spoken(self, scope: str, name: str) -> str:
        """A connection's name as it is typed here: short for the client's own and for those that are nobody's."""
        return plain(name if scope.casefold() in ("", (self.client_code or "").casefold()) else f"{scope}/{name}")

    def use(self, profile: ConnectionProfile) -> None:
        """SQL goes to this connection from now on, when none is named."""
        self.connection, self._called = profile.connection_id, profile.qualified

    def in_use(self) -> ConnectionProfile | None:
        """The connection that SQL goes to. One whose file is gone is told once, and then none is in use."""
        if self.connection is None:
            return None
        if (guest := self.workspace.guest(self.connection)) is not None:
            return guest.profile
        try:
            profile = self.workspace.store.connections.find(self.connection).item
        except NotFoundError:
            lost, self.connection = self._called or self.connection, None
        else:
            self._called = profile.qualified
            return profile
        raise NotFoundError(f"The connection {lost} is no longer there.", hint="None is in use now; %conn lists them.")

    def needed(self) -> ConnectionProfile:
        """The connection that SQL goes to; NotFoundError says how to use one when none is, nor is called `default`."""
        profile = self.in_use()
        if profile is None and self.known(DEFAULT):
            profile = self.named(DEFAULT)
        if profile is None:
            there = self.names()
            hint = f"There are: {some(there)}." if there else "%conn add NAME KIND key=value … makes one."
            url = " %sql $DATABASE_URL uses that of the environment." if "DATABASE_URL" in os.environ else ""
            raise NotFoundError("No connection is in use.", hint=f"%conn NAME uses one. {hint}{url}")
        return profile

    def current(self) -> str:
        """The name of the connection that SQL goes to, by which it is found from everywhere."""
        return self.needed().qualified

    def put_away(self, ident: str) -> None:
        """The connection of this id is not in use any more, if it was."""
        if self.connection == ident:
            self.connection = None

    def close(self) -> None:
        """Close every session; what was current is forgotten."""
        workspace, self._workspace = self._workspace, None
        self.client_code = self.connection = None
        if workspace is not None:
            workspace.close()


@magics_class
class SiegeMagics(Magics):
    """%client, %conn, %sqlcmd, and %sql and %%sql under two names: another extension may have the first."""

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self.settings = SqlMagic(parent=shell)
        self.siege = Shell(self.settings)
        #: The magics of others that stood under our names, by kind and name.
        self.replaced: dict[str, dict[str, Any]] = {}
        atexit.register(self.siege.close)

    def close(self) -> None:
        """Let go of everything, as if never loaded."""
        atexit.unregister(self.siege.close)
        self.siege.close()

    @line_magic
    def client(self, line: str) -> Any:
        """Whom you work for: %client use CODE. `%client help` lists what there is."""
        from siege_nb.magics import client

        return client.run(self.siege, line)

    @line_magic
    def conn(self, line: str) -> Any:
        """Where you work: %conn NAME. `%conn help` lists what there is."""
        from siege_nb.magics import conn

        return conn.run(self.siege, line)

    @no_var_expand
    @line_magic
    def sqlcmd(self, line: str) -> Any:
        """jupysql's words for %conn: tables, columns, profile, snippets, connect."""
        from siege_nb.magics import sqlcmd

        return sqlcmd.run(self.siege, line)

    # SQL is full of {…} and $x: it must not be expanded. And it ends in ';' without wanting silence.
    @no_var_expand
    @needs_local_scope
    @line_cell_magic
    def sql(self, line: str, cell: str | None = None, local_ns: dict[str, Any] | None = None) -> Any:
        """Run SQL: %sql [options] [TARGET] [VAR [=] <<] SELECT …"""
        return self._run(line, cell, local_ns)

    @no_var_expand
    @needs_local_scope
    @line_cell_magic
    def siege_sql(self, line: str, cell: str | None = None, local_ns: dict[str, Any] | None = None) -> Any:
        """Run SQL, also where %sql belongs to somebody else."""
        return self._run(line, cell, local_ns)

    def _run(self, line: str, cell: str | None, local_ns: dict[str, Any] | None) -> Any:
        from siege_nb.magics import sql

        assert self.shell is not None
        names = self.shell.user_ns
        return sql.run(self.siege, line, cell, ChainMap(local_ns or {}, names), keep=names)


# %sql? shows the options as they are.
SiegeMagics.sql.__doc__ = SiegeMagics.siege_sql.__doc__ = f"Run SQL.\n\n{grammar.HELP}"
