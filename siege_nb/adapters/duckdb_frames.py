"""The notebook's own tables in DuckDB's SQL: frames, Arrow and results, by the names of their variables.

Nothing is registered: DuckDB looks at the variables of the Python frame that calls it, and only for a name that its
catalogue and the statement's own CTEs do not know. So it is called from a frame that has these variables and no others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from siege_nb.errors import SiegeError
from siege_nb.query.columns import distinct

if TYPE_CHECKING:
    import duckdb

T = TypeVar("T")

_SELF = "__siege__"
_CALL = compile(f"{_SELF}()", "<sql>", "eval")
# Not after a dot: the table of a schema is no variable.
_NAMES = re.compile(r"(?<![\w.])[^\W\d]\w*")
#: Tables that are no stream of Arrow's, by the names of their classes: nobody needs to have imported their libraries.
_TABLES = re.compile(r"polars\.\S*LazyFrame|pyarrow\.\S*(?:Dataset|Scanner)|_?duckdb\.\S*DuckDBPyRelation")


def offered(connection: duckdb.DuckDBPyConnection, statement: str, namespace: Mapping[str, Any]) -> dict[str, Any]:
    """The tables among a namespace's values that the statement may mean, as DuckDB can read them."""
    names = set(_NAMES.findall(statement)) if namespace else ()
    found = ((name, namespace[name]) for name in names if name in namespace)
    return {name: _readable(connection, value) for name, value in found if _is_table(value)}


def called(work: Callable[[], T], frames: Mapping[str, Any]) -> T:
    """What a call into DuckDB returns that sees these frames. It must be DuckDB's own function, not one around it."""
    result: T = eval(_CALL, {**frames, _SELF: work})
    return result


def blamed(message: str, frames: Mapping[str, Any]) -> str:
    """Which column of which frame has the type that DuckDB says it cannot read; "" when it says something else."""
    said = re.search("Data type '(.+)' not recognized", message)
    for name, frame in frames.items() if said else ():
        for column, kind in dict(getattr(frame, "dtypes", ())).items():
            if said and str(kind) == said[1]:
                return f"DuckDB has no type for {name}[{column!r}], which is {kind}."
    return ""


def refused(frames: Mapping[str, Any]) -> SiegeError | None:
    """What a result said that would not be read, as one of which only a part is held."""
    return next((frame.error for frame in frames.values() if isinstance(frame, _Stream) and frame.error), None)


class _Stream:
    """Somebody's stream of Arrow. What it raises DuckDB would tell in words of its own."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self.error: SiegeError | None = None

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        try:
            stream: object = self._source.__arrow_c_stream__(requested_schema)
        except SiegeError as error:
            self.error = error.with_traceback(None)
            raise
        return stream


def _is_table(value: object) -> bool:
    kind = type(value)
    return hasattr(kind, "__arrow_c_stream__") or _TABLES.fullmatch(f"{kind.__module__}.{kind.__name__}") is not None


def _readable(connection: duckdb.DuckDBPyConnection, value: Any) -> Any:
    import duckdb
    import pyarrow as pa

    match value:
        case pa.Table():
            return value.rename_columns(distinct(value.column_names))
        case duckdb.DuckDBPyRelation():
            return _reachable(connection, value)
    known = type(value).__module__.partition(".")[0] in ("pandas", "polars", "pyarrow")
    return value if known else _Stream(value)


def _reachable(connection: duckdb.DuckDBPyConnection, relation: duckdb.DuckDBPyRelation) -> Any:
    """The relation, or its rows when it is another connection's."""
    import duckdb

    try:
        called(partial(connection.sql, f"FROM {_SELF}0"), {f"{_SELF}0": relation})
    except duckdb.InvalidInputException:
        return relation.to_arrow_table()
    return relation
