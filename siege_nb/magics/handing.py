"""How a cell's answer is handed over: as it is, as a frame, in variables, drawn, into a file, or as widgets move."""

from __future__ import annotations

import keyword
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from siege_nb.errors import InvalidError, MissingDriverError, QueryError, SiegeError
from siege_nb.magics.config import SqlMagic
from siege_nb.magics.grammar import Options
from siege_nb.magics.shell import Shell
from siege_nb.pool import Lease
from siege_nb.query import binds
from siege_nb.query.result import Result
from siege_nb.query.session import Queryable
from siege_nb.show import note

if TYPE_CHECKING:
    from siege_nb.magics.sql import Cell
    from siege_nb.query.export import FileSink


def sink(path: str, shell: Shell) -> FileSink:
    """Where --to writes; a name without a suffix is of the format that the current client prefers."""
    from siege_nb.query.export import sink_for

    client = shell.client
    return sink_for(path, default=client.preferences.data_format if client else "parquet")


def handed(result: Result, colors: Sequence[str], cell: Cell) -> Any:
    """The answer as the cell wants it, or None where it is kept and not to be shown."""
    request, config = cell.request, cell.shell.config
    wanted = request.options.type or config.type
    if config.column_local_vars and not (request.variable or request.options.type or result.answer.table is None):
        return _in_variables(result, cell)
    value: Any = result
    try:
        if request.options.chart:
            value = result.charted(request.options.chart, colors)
        elif result.answer.table is not None and not result.plan:
            value = _as(wanted, result, config)
    finally:  # what cannot be drawn or converted costs no result
        if request.variable:
            cell.keep[request.variable] = value
    return value if request.shown and wanted != "none" else None


def _as(wanted: str, result: Result, config: SqlMagic) -> Any:
    match wanted:
        case "pandas":
            return result.DataFrame()
        case "polars":
            return result.PolarsDataFrame(**config.polars_dataframe_kwargs)
        case "arrow":
            return result.arrow()
        case "dicts":
            return result.dicts()
        case "relation":
            import duckdb

            return duckdb.from_arrow(result.arrow())
        case "spark":
            return _spark().createDataFrame(result.arrow())
    return result


def _spark() -> Any:
    try:
        from pyspark.sql import SparkSession
    except Exception:  # pyspark fails to import in ways of its own
        missing = MissingDriverError("pyspark is not installed.", install="%pip install 'siege-nb[spark]'")
    else:
        if (session := SparkSession.getActiveSession()) is not None:
            return session
        raise QueryError("There is no active Spark session to make a frame in.", kind="usage",
                         hint="SparkSession.builder.getOrCreate() makes one.")  # fmt: skip
    raise missing


def _in_variables(result: Result, cell: Cell) -> Any:
    """A variable for each column; a name that would be none leaves all as they are."""
    columns = result.dict()
    bad = [n for n in columns if not n.isidentifier() or keyword.iskeyword(n) or n == "get_ipython"]
    if bad:
        raise QueryError(f"No variable can be named {bad[0]!r}; none was made.", kind="usage",
                         hint="Name the column with AS, or: %config SqlMagic.column_local_vars = False")  # fmt: skip
    cell.keep.update(columns)
    return note(f"in variables: {', '.join(columns)}") if cell.shell.config.feedback else None


def is_lazy(session: Queryable, options: Options, config: SqlMagic) -> bool:
    """Whether Spark's own frame is wanted, of which nothing has been computed yet."""
    from siege_nb.adapters.spark_session import SparkSQLSession

    wanted = options.type == "spark" or (config.lazy_execution and not options.type)
    needs_rows = options.to or options.explain or options.chart or options.params
    return wanted and isinstance(session, SparkSQLSession) and not needs_rows


def lazily(lease: Lease, text: str, namespace: Mapping[str, Any], cell: Cell) -> Any:
    """Spark's frame of the one statement of a text."""
    from siege_nb.adapters.spark import SparkAdapter, SparkParams

    session: Any = lease.session
    statements = session.split(text)
    if len(statements) != 1:
        raise QueryError(f"A Spark frame is of one statement, and here are {len(statements)}.", kind="usage")
    config, limit = cell.shell.config, cell.options.limit
    values = {} if config.binds == "disabled" else binds.take(statements[0], namespace, session.grammar)
    sent, given = binds.render(statements[0], values, "named", session.grammar)
    try:
        frame = lease.call(lambda: session.spark.sql(sent, args=given or None), timeout=cell.options.timeout)
    except SiegeError:
        raise
    except Exception as error:  # the border: no exception of Spark's passes
        failure = SparkAdapter(SparkParams()).translate(error, statement=True)
    else:
        if rows := config.take(limit).rows:
            frame = frame.limit(rows)
        if cell.request.variable:
            cell.keep[cell.request.variable] = frame
        return frame if cell.request.shown else None
    raise failure


def interacting(names: Sequence[str], namespace: Mapping[str, Any], again: Callable[[Mapping[str, Any]], Any]) -> None:
    """Widgets for some variables, under which the cell's answer is shown anew whenever one is moved."""
    if missing := [name for name in names if name not in namespace]:
        raise QueryError(f"There is no variable {missing[0]!r} to interact with.", kind="usage",
                         hint="Assign it a widget, a number, a text, a list or a (least, most) pair.")  # fmt: skip
    from ipywidgets import interact  # type: ignore[import-untyped]

    try:
        interact(lambda **values: again(values), **{name: namespace[name] for name in names})
        return
    except ValueError as error:
        said = str(error)
    raise InvalidError(f"ipywidgets cannot make a widget of it: {said}")
