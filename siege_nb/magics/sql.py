"""%sql and %%sql: read what is asked, run it, show or keep the result."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

from siege_nb import show
from siege_nb.errors import QueryError
from siege_nb.magics import conn, grammar
from siege_nb.magics.errors import SqlError
from siege_nb.magics.shell import Shell
from siege_nb.query.result import Result


def run(
    shell: Shell, line: str, cell: str | None, namespace: Mapping[str, Any], *, keep: MutableMapping[str, Any]
) -> Any:
    """The result of one %sql line or %%sql cell; None when it is kept in a variable and not to be shown."""
    connection = ""
    try:
        request = grammar.parse(line, cell, known=shell.known, names=shell.names)
        if request.options.get("connections"):
            return conn.overview(shell)
        if "close" in request.options:
            return conn.close(shell, [request.options["close"]])
        if not request.sql.strip():
            return _switch(shell, request)
        connection = request.target or shell.current()
        if shell.connection is None:
            shell.connection = connection
        result = _result(shell, connection, request, namespace)
    except QueryError as error:
        problem = SqlError.of(error, connection)
    else:
        if request.variable:
            keep[request.variable] = result
        return result if request.shown else None
    raise problem


def _result(shell: Shell, connection: str, request: grammar.Request, namespace: Mapping[str, Any]) -> Result:
    chart = request.options.get("chart")
    if chart is not None and chart[0] not in show.CHARTS:
        raise QueryError(f"--chart draws {', '.join(show.CHARTS)}, not {chart[0]!r}.", kind="usage")
    result = shell.workspace.query(connection, request.sql, namespace, timeout=request.options.get("timeout"))
    return result if chart is None else result.charted(chart, shell.colors())


def _switch(shell: Shell, request: grammar.Request) -> Any:
    if request.target:
        return conn.use(shell, [request.target])
    if request.variable or request.options:
        raise QueryError("There is no SQL to run.", kind="usage")
    return conn.overview(shell)
