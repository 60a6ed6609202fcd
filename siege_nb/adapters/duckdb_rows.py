"""DuckDB's rows as Arrow, batch by batch. What Arrow would carry wrongly is text rather than wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any

from siege_nb.query import statements
from siege_nb.query.columns import Array, spelled

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

# Ten of DuckDB's vectors: larger batches are no faster, and a guard would stop later.
_BATCH = 20_480

# Arrow has none of these: DuckDB hands it -1, another hour, its own bytes. In STRUCT(BIT DATE) BIT is a name.
_UNLIKE = r"\b(?:UHUGEINT|TIME WITH TIME ZONE|BIT|BIGNUM|VARINT|VARIANT)(?=[\[\](),]|\Z)"


def pieces(relation: duckdb.DuckDBPyRelation) -> Iterator[list[Array]]:
    """The columns of each batch; raises DuckDB's errors. The connection is free again once this is closed."""
    import duckdb
    import pyarrow as pa

    natives = [str(native) for native in relation.types]
    unlike = [_is_unlike(native) for native in natives]
    if any(unlike):
        columns = (f"#{n}::VARCHAR" if cast else f"#{n}" for n, cast in enumerate(unlike, start=1))
        relation = relation.project(", ".join(columns))
    try:
        with closing(_reader(relation)) as reader:
            batches = (batch.columns for batch in reader)
            first = next(batches, [pa.array([], kind) for kind in reader.schema.types])
            for batch in chain((first,), batches):
                yield list(map(_plain, batch, natives))
        return
    except duckdb.Error as error:
        # It is our text that would be drawn, not the user's.
        failed: Exception = type(error)(str(error).partition("\n\nLINE ")[0]) if any(unlike) else error
    except OSError as error:  # so says the reader, once it has begun
        failed = _named(str(error))
    raise failed


@lru_cache
def _is_unlike(native: str) -> bool:
    return any(statements.outside(native, _UNLIKE))


def _reader(relation: duckdb.DuckDBPyRelation) -> pa.RecordBatchReader:
    reader: pa.RecordBatchReader = relation.to_arrow_reader(_BATCH)
    return reader


def _named(message: str) -> duckdb.Error:
    """DuckDB's own error again, which Arrow's reader has made one of the system's."""
    import duckdb

    kind = message.partition(" Error: ")[0].title().replace(" ", "") + "Exception"
    made: duckdb.Error = getattr(duckdb, kind, duckdb.Error)(message)
    return made


def _plain(column: Array, native: str) -> Array:
    if native == "HUGEINT":
        return _whole(column)
    return _finite(column) if native.startswith(("DATE", "TIMESTAMP")) else column


def _whole(column: Array) -> Array:
    """Every sum of whole numbers is a HUGEINT, which Arrow has only as a decimal; nearly all of them fit an int64."""
    import pyarrow as pa

    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:
        return column


def _finite(column: Array) -> Array:
    """A column of dates; as text if an infinity is among them, which Arrow would take for the last day it can count."""
    import pyarrow as pa
    from pyarrow import compute

    pc: Any = compute  # its stubs have no arrays of any type
    if not (pa.types.is_date(column.type) or pa.types.is_timestamp(column.type)):
        return column  # DATE[]
    ticks: Any = column.cast(pa.int32() if pa.types.is_date32(column.type) else pa.int64())
    last = 2 ** (ticks.type.bit_width - 1) - 1
    ends = pc.min_max(ticks).as_py()
    if last not in (ends["max"], -(ends["min"] or 0)):
        return column
    text = pc.if_else(pc.equal(ticks, last), "infinity", spelled(column))
    return pc.if_else(pc.equal(ticks, -last), "-infinity", text)
