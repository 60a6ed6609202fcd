"""%conn tables, columns, sample and profile: what there is to query, looked at beside the cells' session."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from siege_nb import browse
from siege_nb.errors import InvalidError
from siege_nb.magics.shell import Shell
from siege_nb.magics.showing import moment
from siege_nb.magics.words import one, options
from siege_nb.models.connection import ConnectionProfile
from siege_nb.query.result import Result
from siege_nb.query.session import Table
from siege_nb.show import Shown, count, listing

_OPTIONS = {"--conn": "conn=NAME", "-s": "schema=NAME", "--schema": "schema=NAME", "--refresh": "refresh"}


def tables(shell: Shell, rest: list[str]) -> Shown:
    """The tables and views whose name has a text in it, or is like it: %conn tables 'ord*' -s sales."""
    usage = "%conn tables [PATTERN] [-s SCHEMA] [--conn NAME] [--refresh]"
    words, said = options(rest, _OPTIONS, usage)
    pattern, conn = one(words, usage) if words else "", _connection(shell, said)
    seen = browse.search(
        shell.workspace, conn.connection_id, pattern, schema=said.get("schema", ""), refresh="refresh" in said
    )
    rows = [(t.schema, t.name, t.kind, "" if t.row_estimate is None else f"≈ {t.row_estimate:,}", t.comment)
            for t in seen.items]  # fmt: skip
    summary = f"{count(len(rows), 'table')} · {_as_of(seen.as_of)}"
    return listing(("schema", "name", "kind", "rows", "comment"), rows, summary)


def columns(shell: Shell, rest: list[str]) -> Shown:
    """The columns of a table, in order."""
    conn, table, said = _table(shell, rest, "%conn columns TABLE [-s SCHEMA] [--conn NAME] [--refresh]")
    seen = browse.columns(shell.workspace, conn.connection_id, table, refresh="refresh" in said)
    may_be = {True: "yes", False: "no", None: ""}
    rows = [(c.name, c.native_type, may_be[c.nullable], c.default or "", c.comment) for c in seen.items]
    summary = f"{_spelled(table)} · {count(len(rows), 'column')} · {_as_of(seen.as_of)}"
    return listing(("column", "type", "nullable", "default", "comment"), rows, summary)


def sample(shell: Shell, rest: list[str]) -> Result:
    """Some rows of a table: %conn sample orders 20."""
    usage = "%conn sample TABLE [N] [-s SCHEMA] [--conn NAME]"
    words, _ = options(rest, _OPTIONS, usage)
    rows = browse.SAMPLE
    if len(words) == 2:
        if not words[1].isdecimal() or not 0 < int(words[1]) <= browse.MOST:
            raise InvalidError(f"{words[1]!r} is no number of rows up to {browse.MOST:,}.", hint=usage)
        rows = int(words[1])
        rest = [word for word in rest if word is not words[1]]
    conn, table, _ = _table(shell, rest, usage)
    result = browse.sample(shell.workspace, conn.connection_id, table, rows)
    return replace(result, connection=shell.spoken(conn.scope, conn.name))


def profile(shell: Shell, rest: list[str]) -> Shown:
    """Each column of a table in figures, counted by one statement that reads all of it."""
    conn, table, _ = _table(shell, rest, "%conn profile TABLE [-s SCHEMA] [--conn NAME]")
    found = browse.profile(shell.workspace, conn.connection_id, table)
    rows = [
        (c.name, c.native_type, f"{c.nulls:,}", "" if c.distinct is None else f"{c.distinct:,}",
         *("" if value is None else value for value in (c.least, c.greatest)))
        for c in found.columns
    ]  # fmt: skip
    summary = f"{_spelled(table)} · {count(found.rows, 'row')} · {found.seconds * 1000:,.0f} ms"
    return listing(("column", "type", "nulls", "distinct", "min", "max"), rows, summary)


def _table(shell: Shell, rest: list[str], usage: str) -> tuple[ConnectionProfile, Table, dict[str, str]]:
    """The connection and the table that a line is about, and its options."""
    words, said = options(rest, _OPTIONS, usage)
    word, conn = one(words, usage), _connection(shell, said)
    schema, refresh = said.get("schema", ""), "refresh" in said
    return conn, browse.find(shell.workspace, conn.connection_id, word, schema=schema, refresh=refresh), said


def _connection(shell: Shell, said: dict[str, str]) -> ConnectionProfile:
    return shell.named(said["conn"]) if "conn" in said else shell.needed()


def _spelled(table: Table) -> str:
    return f"{table.schema}.{table.name}" if table.schema else table.name


def _as_of(at: datetime) -> str:
    return f"as of {moment(at)} · --refresh looks again"
