"""What there is to query on a connection: schemas, tables and columns, remembered for a while; samples and profiles.

Looking never disturbs who works: it is done on a session of its own. Only a database in memory is looked at over the
cells' own session, since any other would see an empty one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from functools import partial
from operator import methodcaller
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from siege_nb.adapters.files import MEMORY, FileParams
from siege_nb.declare import suggest, unstructure
from siege_nb.errors import ConflictError, InvalidError, NotFoundError
from siege_nb.models.connection import ConnectionProfile
from siege_nb.models.stamps import now
from siege_nb.pool import Key, Lease
from siege_nb.query import profile as figures
from siege_nb.query.ask import ask
from siege_nb.query.result import Result
from siege_nb.query.session import Browsable, Column, Schema, Table
from siege_nb.query.statements import Grammar
from siege_nb.workspace import CELLS, Named, Workspace

#: Who holds the session that is browsed over, and the one of a survey, which nobody waits for.
BROWSER, SURVEYOR = "browser", "surveyor"
#: How long what was seen counts as true.
KEEPS = timedelta(minutes=5)
#: Seconds that each look of a survey may take: its session may be closed under it.
LONGEST = 10.0
#: A survey asks for the columns of all tables where there are no more of them.
FEW = 200
#: Rows that a sample has when nobody says how many.
SAMPLE = 10
#: More is no sample.
MOST = 100_000

T = TypeVar("T", Schema, Table, Column)


@dataclass(frozen=True, slots=True)
class Seen(Generic[T]):
    """What was found in a database, and when."""

    items: list[T]
    as_of: datetime

    @property
    def is_fresh(self) -> bool:
        """It counts as true still."""
        return timedelta() <= now() - self.as_of < KEEPS


def schemas(workspace: Workspace, name: str, *, refresh: bool = False) -> Seen[Schema]:
    """The schemas of a connection."""
    return _seen(workspace, name, Schema, ["schemas"], lambda session: session.schemas(), refresh)


def tables(workspace: Workspace, name: str, schema: str, *, refresh: bool = False) -> Seen[Table]:
    """The tables and views of one schema."""
    return _seen(workspace, name, Table, ["tables", schema], lambda session: session.tables(schema), refresh)


def columns(workspace: Workspace, name: str, table: Table, *, refresh: bool = False) -> Seen[Column]:
    """The columns of one table, in order."""
    about = ["columns", table.schema, table.name]
    return _seen(workspace, name, Column, about, lambda session: session.columns(table.schema, table.name), refresh)


def recall(workspace: Workspace, conn: ConnectionProfile, type_: type[T], *of: str) -> Seen[T] | None:
    """What is remembered of the schemas, the tables of a schema or the columns of a table, however old; never looks."""
    return _recall(workspace, conn, type_, [_ABOUT[type_], *of])


def survey(workspace: Workspace, conn: ConnectionProfile, wanted: Collection[str] = ()) -> None:
    """Look at whatever is not remembered or no longer true, for who asks later and cannot wait.

    Of the tables those that are `wanted`, by their names in small letters, have their columns looked at, or all.
    """
    with _session(workspace, conn, SURVEYOR) as lease:
        session = lease.session
        if not isinstance(session, Browsable):
            return

        def seen(type_: type[T], about: list[str], look: Callable[[Browsable], list[T]]) -> list[T]:
            known = _recall(workspace, conn, type_, about)
            fresh = known if known and known.is_fresh else None
            return (fresh or _look(workspace, conn, lease, type_, about, look, timeout=LONGEST)).items

        found: list[Table] = []
        for place in seen(Schema, ["schemas"], methodcaller("schemas")):
            found += seen(Table, ["tables", place.name], methodcaller("tables", place.name))
        for table in found:
            if len(found) <= FEW or table.name.casefold() in wanted:
                where = table.schema, table.name
                seen(Column, ["columns", *where], methodcaller("columns", *where))


# More often than not what it finds is true; what it finds too often costs a look.
_RESHAPES = re.compile(r"\b(?:create|alter|drop|rename|attach|detach|into|import|use|undrop|comment)\b", re.IGNORECASE)


def changed(workspace: Workspace, conn: ConnectionProfile, sql: str) -> bool:
    """Forget what was seen of a connection if the SQL that ran there may have made it untrue; tells whether it did."""
    if not _RESHAPES.search(sql):
        return False
    workspace.facts.forget_metadata(conn.connection_id)
    if lease := workspace.pool.find(Key(conn.connection_id, CELLS)):
        _memories.pop(lease, None)
    return True


def exists(lease: Lease, word: str) -> bool:
    """There is a table of this bare name for the session, be it a temporary one."""
    finds: Callable[[str], bool] | None = getattr(lease.session, "finds", None)
    return True if finds is None else lease.call(lambda: finds(word))


def search(
    workspace: Workspace, name: str, pattern: str = "", *, schema: str = "", refresh: bool = False
) -> Seen[Table]:
    """The tables of one schema or of all whose name has the pattern in it, or is like it where it has a * or ?."""
    places = [Schema(schema)] if schema else schemas(workspace, name, refresh=refresh).items
    found = [tables(workspace, name, place.name, refresh=refresh) for place in places]
    wanted = pattern.casefold()
    like = wanted if re.search(r"[*?\[]", wanted) else f"*{wanted}*"
    items = [table for seen in found for table in seen.items if fnmatchcase(table.name.casefold(), like)]
    return Seen(items, min((seen.as_of for seen in found), default=now()))


def find(workspace: Workspace, name: str, word: str, *, schema: str = "", refresh: bool = False) -> Table:
    """The table that a word means: TABLE or SCHEMA.TABLE, letter case aside where that leaves no doubt."""
    there = search(workspace, name, schema=schema, refresh=refresh).items
    for means in (lambda text: text, str.casefold):
        meant = means(word)
        found = [t for t in there if meant in (means(t.name), means(f"{t.schema}.{t.name}"))]
        if len(found) > 1:
            spelled = ", ".join(f"{table.schema}.{table.name}" for table in found)
            raise ConflictError(f"There are {len(found)} tables {word!r}: {spelled}.", hint="Name one with its schema.")
        if found:
            return found[0]
    if not refresh:  # it may have been made since we looked
        return find(workspace, name, word, schema=schema, refresh=True)
    near = suggest(word, [t.name for t in there])
    known = workspace.find(name).qualified
    where = f"the schema {schema!r} of {known}" if schema else known
    raise NotFoundError(f"There is no table {word!r} in {where}.{near}", hint="%conn tables lists them.")


def sample(workspace: Workspace, name: str, table: Table, rows: int = SAMPLE) -> Result:
    """Some rows of a table, whichever come first."""
    return query(workspace, name, lambda grammar: f"SELECT * FROM {figures.path(table, grammar)} LIMIT {rows:d}")


def profile(workspace: Workspace, name: str, table: Table) -> figures.Profile:
    """The columns of a table in figures, by one statement that reads it once."""
    known = columns(workspace, name, table, refresh=True).items
    if not known:
        raise InvalidError(f"{table.name} has no columns that could be counted.")
    result = query(workspace, name, partial(figures.asking, table, known))
    return figures.told(table, known, result[0], result.elapsed)


def query(workspace: Workspace, name: str, written: Callable[[Grammar], str]) -> Result:
    """The answer to a statement, written for the grammar of the engine."""
    with _session(workspace, name) as lease:
        session = lease.queryable
        if session is None:
            raise InvalidError(f"{lease.name} cannot be queried with SQL.")
        sql = written(session.grammar)
        answers, values, seconds = lease.call(lambda: ask(session, sql, {}))
    return Result(answers[-1], sql, lease.name, seconds, values)


def _seen(
    workspace: Workspace,
    name: str,
    type_: type[T],
    about: list[str],
    look: Callable[[Browsable], list[T]],
    refresh: bool,
) -> Seen[T]:
    """What is remembered about a connection, if it is fresh and about the same database; else what a look finds."""
    conn = workspace.find(name)
    known = None if refresh or in_memory(conn) else _recall(workspace, conn, type_, about)
    if known and known.is_fresh:
        return known
    with _session(workspace, conn) as lease:
        return _look(workspace, conn, lease, type_, about, look)


#: What was seen of databases in memory: it ends with their sessions.
_memories: WeakKeyDictionary[Lease, dict[str, Seen[Any]]] = WeakKeyDictionary()
_ABOUT: dict[type, str] = {Schema: "schemas", Table: "tables", Column: "columns"}


def _recall(workspace: Workspace, conn: ConnectionProfile, type_: type[T], about: list[str]) -> Seen[T] | None:
    key = json.dumps(about)
    if in_memory(conn):
        lease = workspace.pool.find(Key(conn.connection_id, CELLS))
        return None if lease is None else _memories.get(lease, {}).get(key)
    known = workspace.facts.recall(conn.connection_id, key)
    if known is None or not isinstance(known.value, dict) or known.value.get("of") != _database(conn):
        return None
    return Seen([type_(**item) for item in known.value["items"]], known.as_of)


def _look(
    workspace: Workspace,
    conn: ConnectionProfile,
    lease: Lease,
    type_: type[T],
    about: list[str],
    look: Callable[[Browsable], list[T]],
    *,
    timeout: float | None = None,
) -> Seen[T]:
    """What there is now; it is remembered."""
    session = lease.session
    if not isinstance(session, Browsable):
        raise InvalidError(f"{lease.name} cannot say what is in it: a {conn.connection_type} has no tables.")
    seen, key = Seen(lease.call(lambda: look(session), timeout=timeout), now()), json.dumps(about)
    if in_memory(conn):
        _memories.setdefault(lease, {})[key] = seen
    else:
        of = {"of": _database(conn), "items": [asdict(item) for item in seen.items]}
        workspace.facts.remember(conn.connection_id, key, of, seen.as_of)
    return seen


@contextmanager
def _session(workspace: Workspace, name: Named, holder: str = BROWSER) -> Iterator[Lease]:
    """A lease to look over; the cells' own where no other sees the same database."""
    conn = workspace.find(name)
    ident, params = conn.connection_id, conn.connection_params
    if not in_memory(conn):
        try:
            yield workspace.lease(conn, holder)
        finally:
            if isinstance(params, FileParams) or holder == SURVEYOR:  # an open file keeps others out
                workspace.pool.close(ident, holder)
        return
    lease = workspace.lease(conn)
    if not lease.turn.acquire(blocking=False):
        why = "a database in memory can be seen by its own session only"
        raise InvalidError(f"{conn.name} is busy with a cell, and {why}.", hint="Wait for the cell, or stop it.")
    try:
        yield lease
    finally:
        lease.turn.release()


def in_memory(conn: ConnectionProfile) -> bool:
    """Its database is in its own session's memory."""
    return isinstance(conn.connection_params, FileParams) and conn.connection_params.database == MEMORY


def _database(conn: ConnectionProfile) -> str:
    """A mark of what a profile connects to, secrets as they are at rest."""
    said = json.dumps([conn.connection_type, unstructure(conn.connection_params)], sort_keys=True, default=str)
    return hashlib.sha256(said.encode()).hexdigest()[:16]
