"""%sql and %%sql: read what is asked, run it, show or keep the result."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import replace
from typing import Any

from siege_nb.errors import QueryError, SiegeError
from siege_nb.magics import conn, grammar
from siege_nb.magics.confirm import confirm
from siege_nb.magics.errors import SqlError
from siege_nb.magics.shell import Shell
from siege_nb.models.connection import ConnectionProfile
from siege_nb.query.result import Result


def run(
    shell: Shell, line: str, cell: str | None, namespace: Mapping[str, Any], *, keep: MutableMapping[str, Any]
) -> Any:
    """What one %sql line or %%sql cell gives: a result, or None when it is kept in a variable and not to be shown."""
    connection = ""
    try:
        request = grammar.parse(line, cell, known=shell.known, names=shell.names)
        if request.options.connections:
            return conn.overview(shell, [])
        if request.options.close:
            return conn.close(shell, [request.options.close])
        if not request.sql.strip():
            return _switch(shell, request)
        connection = request.target
        profile = shell.named(connection) if connection else shell.needed()
        connection = shell.spoken(profile.scope, profile.name)
        return _result(shell, profile, request, namespace, keep)
    except SiegeError as error:
        problem = SqlError.of(error, connection)
    raise problem


def _result(
    shell: Shell,
    profile: ConnectionProfile,
    request: grammar.Request,
    namespace: Mapping[str, Any],
    keep: MutableMapping[str, Any],
) -> Result | None:
    chart, name = request.options.chart, shell.spoken(profile.scope, profile.name)
    colors = shell.colors() if chart else ()  # before anything runs: a lost client must not cost a result
    if profile.environment == "prod" and not request.options.write:
        confirm(name, shell.workspace.lease(profile), request.sql)
    result = shell.workspace.query(profile, request.sql, namespace, timeout=request.options.timeout)
    result = replace(result, connection=name)
    if shell.connection is None:
        shell.use(profile)
    try:
        result = result.charted(chart, colors) if chart else result
    finally:  # a chart that cannot be drawn costs no result either
        if request.variable:
            keep[request.variable] = result
    return result if request.shown else None


def _switch(shell: Shell, request: grammar.Request) -> Any:
    if request.options != grammar.Options() or request.variable:
        raise QueryError("There is no SQL to run.", kind="usage")
    return conn.use(shell, [request.target]) if request.target else conn.overview(shell, [])
