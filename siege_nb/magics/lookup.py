"""What is known of a connection while somebody types: from memory at once, looked at anew in the background.

Nothing here asks the cells' session, opens a database that no cell has opened, or raises; an answer that is not there
in a moment is there at the next key.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

from siege_nb import browse
from siege_nb.magics.shell import Shell
from siege_nb.models.connection import ConnectionProfile
from siege_nb.pool import Key
from siege_nb.query.session import Column, Schema, Table
from siege_nb.query.statements import STANDARD, Grammar
from siege_nb.workspace import CELLS, Workspace

logger = logging.getLogger(__name__)

#: How long a key waits for what is not remembered at all.
MOMENT = 0.06
#: After a look that failed, seconds until the next.
PAUSE = 30.0


@dataclass(frozen=True, slots=True)
class View:
    """What is remembered of one database."""

    schemas: Sequence[str]
    #: The schema whose tables need not be named with it.
    home: str
    tables: Sequence[Table]
    recall: Callable[[Table], browse.Seen[Column] | None]
    #: The tables of every schema are remembered.
    is_whole: bool = False
    #: And all of it counts as true still.
    is_fresh: bool = False

    def find(self, path: Sequence[str]) -> Table | None:
        """The table of a path such as SQL names it; letter case aside."""
        *outer, name = map(str.casefold, path)
        for table in self.tables:
            if table.name.casefold() == name and table.schema.casefold() == (outer[-1] if outer else self.home):
                return table
        return None

    def lacks(self, path: Sequence[str]) -> bool:
        """There is such a table, and its columns are not remembered."""
        table = self.find(path)
        return table is not None and self.recall(table) is None

    def columns(self, path: Sequence[str]) -> list[Column]:
        """The columns of a table, if they are remembered."""
        table = self.find(path)
        seen = self.recall(table) if table else None
        return seen.items if seen else []


NOTHING = View((), "", (), lambda table: None)


class Lookup:
    """The views of one shell's connections, and the looks under way for them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._looks: dict[str, threading.Thread] = {}
        self._failed: dict[str, float] = {}
        #: The connections that somebody asked about.
        self._asked: set[str] = set()

    def view(
        self,
        workspace: Workspace,
        conn: ConnectionProfile,
        mentioned: Collection[Sequence[str]] = (),
        *,
        patience: float = MOMENT,
    ) -> View:
        """What is known now; where that is nothing, or not the columns of a `mentioned` table, a moment is waited."""
        self._asked.add(conn.connection_id)
        view = _remembered(workspace, conn)
        missing = {path[-1].casefold() for path in mentioned if view.lacks(path)}
        if view.is_fresh and not missing:
            return view
        look = self.look(workspace, conn, missing)
        if look is None or (view.is_whole and not missing):
            return view
        look.join(patience)
        return _remembered(workspace, conn)

    def look(
        self, workspace: Workspace, conn: ConnectionProfile, wanted: Collection[str] = ()
    ) -> threading.Thread | None:
        """A look that is under way for this connection, begun now if there may be one."""
        ident = conn.connection_id
        lease = workspace.pool.find(Key(ident, CELLS))
        # What no cell has opened stays closed: it could ask for a passphrase, make a file, or lock others out of it.
        # And where a statement runs there is no look beside it.
        if lease is None or lease.lost or browse.in_memory(conn) or not lease.turn.acquire(blocking=False):
            return None
        lease.turn.release()
        with self._lock:
            thread = self._looks.get(ident)
            if thread is None and time.monotonic() - self._failed.get(ident, -PAUSE) >= PAUSE:
                thread = threading.Thread(target=self._look, args=(workspace, conn, set(wanted)), daemon=True)
                self._looks[ident] = thread
                thread.start()
            return thread

    def noticed(self, workspace: Workspace, conn: ConnectionProfile, sql: str) -> None:
        """Learn from what a cell ran: what was known may be true no longer.

        A database in memory is looked at here and now, over the session that has just come to rest. Another one only
        where somebody asks about it: a notebook that runs by itself opens no second session.
        """
        try:
            if not browse.changed(workspace, conn, sql):
                return
            if browse.in_memory(conn):
                browse.survey(workspace, conn)
            elif conn.connection_id in self._asked:
                self.look(workspace, conn)
        except Exception as error:  # a cell that ran well does not fail for this
            logger.debug("%s: not looked at after a change: %s", conn.name, type(error).__name__)

    def close(self) -> None:
        """Wait for the looks under way, so that none opens a session after all were closed."""
        for thread in list(self._looks.values()):
            thread.join(2.0)

    def _look(self, workspace: Workspace, conn: ConnectionProfile, wanted: set[str]) -> None:
        try:
            browse.survey(workspace, conn, wanted)
            self._failed.pop(conn.connection_id, None)
        except Exception as error:  # nobody waits for it; whoever runs a cell there is told
            self._failed[conn.connection_id] = time.monotonic()
            logger.debug("%s: not looked at: %s", conn.name, type(error).__name__)
        finally:
            with self._lock:
                self._looks.pop(conn.connection_id, None)


def _remembered(workspace: Workspace, conn: ConnectionProfile) -> View:
    places = browse.recall(workspace, conn, Schema)
    if places is None:
        return NOTHING
    found = [browse.recall(workspace, conn, Table, place.name) for place in places.items]
    there = [seen for seen in found if seen is not None]
    is_whole = len(there) == len(found)

    def recall(table: Table) -> browse.Seen[Column] | None:
        return browse.recall(workspace, conn, Column, table.schema, table.name)

    names, tables = [place.name for place in places.items], [table for seen in there for table in seen.items]
    is_fresh = is_whole and places.is_fresh and all(seen.is_fresh for seen in there)
    return View(names, _home(conn, names), tables, recall, is_whole, is_fresh)


def _home(conn: ConnectionProfile, schemas: Sequence[str]) -> str:
    """Where a bare name is looked for, in small letters: MySQL's databases are its schemas."""
    there = [name.casefold() for name in schemas]
    likely = [str(getattr(conn.connection_params, "database", "")).casefold(), "main", "public", "dbo", "default"]
    return next((name for name in likely if name in there), there[0] if len(there) == 1 else "")


_lookups: WeakKeyDictionary[Shell, Lookup] = WeakKeyDictionary()


def of(shell: Shell) -> Lookup:
    """The lookup of a shell."""
    return _lookups.setdefault(shell, Lookup())


def noticed(shell: Shell, conn: ConnectionProfile, sql: str) -> None:
    """To be told of every text that ran on a connection, well or not."""
    of(shell).noticed(shell.workspace, conn, sql)


def grammar(workspace: Workspace, conn: ConnectionProfile) -> Grammar:
    """How names are quoted there: as the open session says, else as the kind has it."""
    lease = workspace.pool.find(Key(conn.connection_id, CELLS))
    if lease is not None and lease.queryable is not None:
        return lease.queryable.grammar
    return replace(STANDARD, backticks=conn.connection_type in ("mysql", "spark", "databricks"))
