"""What there is to query on a connection: schemas, tables and columns, remembered for a while; samples and profiles.

Looking never disturbs who works: it is done on a session of its own. Only a database in memory is looked at over the
cells' own session, since any other would see an empty one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, Generic, TypeVar

from siege_nb.adapters.files import MEMORY, FileParams
from siege_nb.declare import suggest, unstructure
from siege_nb.errors import ConflictError, InvalidError, NotFoundError
from siege_nb.models.connection import ConnectionProfile
from siege_nb.models.stamps import now
from siege_nb.pool import Lease
from siege_nb.query.ask import ask
from siege_nb.query.result import Result
from siege_nb.query.session import Browsable, Column, Schema, Table
from siege_nb.query.statements import Grammar
from siege_nb.workspace import Workspace

#: Who holds the session that is browsed over.
BROWSER = "browser"
#: How long what was seen counts as true.
KEEPS = timedelta(minutes=5)
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


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """One column in figures; None where its type has no such thing."""

    name: str
    native_type: str
    nulls: int
    distinct: int | None
    least: Any
    greatest: Any


@dataclass(frozen=True, slots=True)
class Profile:
    """A table in figures."""

    table: Table
    rows: int
    columns: list[ColumnProfile]
    seconds: float


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
    return query(workspace, name, lambda quote: f"SELECT * FROM {_path(table, quote)} LIMIT {rows:d}")


def profile(workspace: Workspace, name: str, table: Table) -> Profile:
    """The columns of a table in figures, by one statement that reads it once."""
    known = columns(workspace, name, table, refresh=True).items
    if not known:
        raise InvalidError(f"{table.name} has no columns that could be counted.")
    result = query(workspace, name, lambda quote: _figures(table, known, quote))
    ((count, *figures),) = result
    each = [figures[4 * n : 4 * n + 4] for n in range(len(known))]
    found = [
        ColumnProfile(column.name, column.native_type, count - filled, distinct, least, greatest)
        for column, (filled, distinct, least, greatest) in zip(known, each, strict=True)
    ]
    return Profile(table, count, found, result.elapsed)


def query(workspace: Workspace, name: str, written: Callable[[Callable[[str], str]], str]) -> Result:
    """The answer to a statement, written with a function that quotes names as this engine does."""
    with _session(workspace, name) as lease:
        session = lease.queryable
        if session is None:
            raise InvalidError(f"{lease.name} cannot be queried with SQL.")
        sql = written(quoting(session.grammar))
        answers, values, seconds = lease.call(lambda: ask(session, sql, {}))
    return Result(answers[-1], sql, lease.name, seconds, values)


def quoting(grammar: Grammar) -> Callable[[str], str]:
    """How an engine of this grammar quotes a name, whatever is in it."""
    mark = "`" if grammar.backticks else '"'
    return lambda name: mark + name.replace(mark, mark * 2) + mark


# An engine compares and counts what has an order; of the rest some types cannot even be told apart.
_ORDERED = re.compile(
    r"\b(?:u?(?:tiny|small|medium|big|huge)?int(?:eger)?\d*|serial|decimal|numeric|number|real|float\d*|double|money"
    r"|date|time|timetz|datetime\d*|timestamp\w*|interval|year|\w*char\d*|character|\w*text|string|enum|clob)\b",
    re.IGNORECASE,
)
_ALIKE = re.compile(
    r"\b(?:json|xml|point|box|path|polygon|line|lseg|circle|geometry|map|variant|object)\b|[\[<{]", re.IGNORECASE
)


def _figures(table: Table, known: Sequence[Column], quote: Callable[[str], str]) -> str:
    wanted = ["count(*) AS n"]
    for number, column in enumerate(known):
        of, kind = quote(column.name), column.native_type
        distinct = f"count(DISTINCT {of})" if not _ALIKE.search(kind) else "NULL"
        # SQLite's columns need have no type: there everything has an order.
        ordered = not kind or (_ORDERED.search(kind) and not _ALIKE.search(kind))
        least, greatest = (f"min({of})", f"max({of})") if ordered else ("NULL", "NULL")
        wanted += [f"count({of}) AS c{number}", f"{distinct} AS d{number}"]
        wanted += [f"{least} AS l{number}", f"{greatest} AS g{number}"]
    return f"SELECT {', '.join(wanted)} FROM {_path(table, quote)}"


def _path(table: Table, quote: Callable[[str], str]) -> str:
    return f"{quote(table.schema)}.{quote(table.name)}" if table.schema else quote(table.name)


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
    key, of = json.dumps(about), _database(conn)
    known = None if refresh or _in_memory(conn) else workspace.facts.recall(conn.connection_id, key)
    same = known and isinstance(known.value, dict) and known.value.get("of") == of
    if known and same and timedelta() <= now() - known.as_of < KEEPS:
        return Seen([type_(**item) for item in known.value["items"]], known.as_of)
    with _session(workspace, name) as lease:
        session = lease.session
        if not isinstance(session, Browsable):
            raise InvalidError(f"{lease.name} cannot say what is in it: a {conn.connection_type} has no tables.")
        items = lease.call(lambda: look(session))
    at = now()
    if not _in_memory(conn):  # what is in a memory ends with it
        workspace.facts.remember(conn.connection_id, key, {"of": of, "items": [asdict(i) for i in items]}, at)
    return Seen(items, at)


@contextmanager
def _session(workspace: Workspace, name: str) -> Iterator[Lease]:
    """A lease to look over; the cells' own where no other sees the same database."""
    conn = workspace.find(name)
    ident, params = conn.connection_id, conn.connection_params
    if not _in_memory(conn):
        try:
            yield workspace.lease(conn, BROWSER)
        finally:
            if isinstance(params, FileParams):  # an open file keeps others out
                workspace.pool.close(ident, BROWSER)
        return
    lease = workspace.lease(conn)
    if not lease.turn.acquire(blocking=False):
        why = "a database in memory can be seen by its own session only"
        raise InvalidError(f"{conn.name} is busy with a cell, and {why}.", hint="Wait for the cell, or stop it.")
    try:
        yield lease
    finally:
        lease.turn.release()


def _in_memory(conn: ConnectionProfile) -> bool:
    return isinstance(conn.connection_params, FileParams) and conn.connection_params.database == MEMORY


def _database(conn: ConnectionProfile) -> str:
    """A mark of what a profile connects to, secrets as they are at rest."""
    said = json.dumps([conn.connection_type, unstructure(conn.connection_params)], sort_keys=True, default=str)
    return hashlib.sha256(said.encode()).hexdigest()[:16]
