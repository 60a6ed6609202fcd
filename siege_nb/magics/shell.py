"""What this kernel is at: its workspace, its client, its connection; and the magics that IPython sees."""

from __future__ import annotations

import atexit
from collections import ChainMap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class, needs_local_scope, no_var_expand

from siege_nb.errors import NotFoundError
from siege_nb.magics import grammar
from siege_nb.settings import Settings

if TYPE_CHECKING:
    from siege_nb.models.client import ClientProfile
    from siege_nb.store import Collection
    from siege_nb.workspace import Workspace


#: What one verb of a magic does with the words after it.
Verb = Callable[["Shell", list[str]], Any]


def damaged(collection: Collection[Any]) -> str:
    """What is to be said of the files that cannot be read, behind a list that leaves them out."""
    return "".join(f" · {file.error.message}" for file in collection.damaged())


class Shell:
    """One kernel's place in the house. The workspace is opened when something first needs it."""

    def __init__(self) -> None:
        self.client_code: str | None = None
        self.connection: str | None = None
        self._workspace: Workspace | None = None

    @property
    def workspace(self) -> Workspace:
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
        from siege_nb.workspace import Workspace

        self._workspace = Workspace(settings)

    @property
    def client(self) -> ClientProfile | None:
        """The client one is working for. One whose file is gone is told once, and then nobody is chosen."""
        if self.client_code is None:
            return None
        try:
            return self.workspace.store.clients.find(self.client_code).item
        except NotFoundError:
            lost, self.client_code = self.client_code, None
        raise NotFoundError(f"The client {lost} is no longer there.", hint="No client is chosen now; %client list")

    def colors(self) -> tuple[str, ...]:
        """The current client's brand colours."""
        client = self.client
        return () if client is None else tuple(client.design_artifacts.brand_colors)

    def known(self, word: str) -> bool:
        """There is a connection of this name."""
        return bool(word) and self.workspace.knows(word)

    def names(self) -> list[str]:
        """The names of all connections, the current client's first."""
        profiles = [kept.item for kept in self.workspace.store.connections.list()]
        return [p.name for p in sorted(profiles, key=lambda p: (p.client_code != self.client_code, p.name.casefold()))]

    def current(self) -> str:
        """The connection that SQL goes to when none is named."""
        if self.connection is None:
            there = self.names()
            hint = f"There are: {', '.join(there)}." if there else "%conn add NAME KIND key=value … makes one."
            raise NotFoundError("No connection is in use.", hint=f"%conn NAME uses one. {hint}")
        return self.connection

    def put_away(self, name: str) -> None:
        """This connection is not in use any more, if it was."""
        if self.connection is not None and self.connection.casefold() == name.casefold():
            self.connection = None

    def close(self) -> None:
        """Close every session; what was current is forgotten."""
        workspace, self._workspace = self._workspace, None
        self.client_code = self.connection = None
        if workspace is not None:
            workspace.close()


@magics_class
class SiegeMagics(Magics):
    """%client, %conn, %sql and %%sql."""

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self.siege = Shell()
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

    # SQL is full of {…} and $x: it must not be expanded. And it ends in ';' without wanting silence.
    @no_var_expand
    @needs_local_scope
    @line_cell_magic
    def sql(self, line: str, cell: str | None = None, local_ns: dict[str, Any] | None = None) -> Any:
        """Run SQL: %sql [options] [CONNECTION] [VAR [=] <<] SELECT …"""
        from siege_nb.magics import sql

        assert self.shell is not None
        names = self.shell.user_ns
        return sql.run(self.siege, line, cell, ChainMap(local_ns or {}, names), keep=names)


# %sql? shows the options as they are.
SiegeMagics.sql.__doc__ = f"Run SQL.\n\n{grammar.HELP}"
