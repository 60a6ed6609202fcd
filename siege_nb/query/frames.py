"""Arrow's rows as Python, pandas and polars have them, without losing a digit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from siege_nb.errors import MissingDriverError
from siege_nb.show import plain

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# What Python says of a date outside of the years 1 to 9999, and of nanoseconds where there is no pandas.
_UNCOUNTABLE = (OverflowError, ValueError)


def rows(table: pa.Table) -> Sequence[tuple[Any, ...]]:
    """The rows as tuples of Python's own values."""
    return list(zip(*map(values, table.columns), strict=True))


def values(column: pa.ChunkedArray[Any]) -> list[Any]:
    """A column as Python's own values; as text, whole, if one of its dates is outside of the years Python counts."""
    try:
        return column.to_pylist()
    except _UNCOUNTABLE:
        return column.cast(_spelled(column.type)).to_pylist()


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """A pandas frame: decimals stay decimals, whole numbers with NULLs stay whole."""
    try:
        return table.to_pandas(types_mapper=_nullable_integers(table))
    except _UNCOUNTABLE:
        for n, column in enumerate(table.columns):
            table = table.set_column(n, table.column_names[n], _countable(column))
        return table.to_pandas(types_mapper=_nullable_integers(table))


def to_polars(table: pa.Table, **more: Any) -> Any:
    """A polars frame; what else polars.DataFrame takes is handed on."""
    try:
        import polars
    except ImportError:
        missing = MissingDriverError("polars is not installed.", install="%pip install polars")
    else:
        for n, column in enumerate(table.columns):
            table = table.set_column(n, table.column_names[n], _polar(column))
        return polars.DataFrame(table, **more)
    raise missing


def is_number(kind: pa.DataType) -> bool:
    """Whether values of this type are counted or measured."""
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _nullable_integers(table: pa.Table) -> Callable[[pa.DataType], Any] | None:
    """pandas' Int64 and its like for those integer types that have a NULL: as floats they would lose digits."""
    import pyarrow as pa

    holed = {column.type for column in table.columns if column.null_count and pa.types.is_integer(column.type)}
    if not holed:
        return None
    import pandas as pd

    name = {pa.int8(): "Int8", pa.int16(): "Int16", pa.int32(): "Int32", pa.int64(): "Int64",
            pa.uint8(): "UInt8", pa.uint16(): "UInt16", pa.uint32(): "UInt32", pa.uint64(): "UInt64"}  # fmt: skip
    return lambda kind: pd.api.types.pandas_dtype(name[kind]) if kind in holed else None


def _countable(column: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    """A column that pandas can take: itself, or its text."""
    try:
        column.to_pandas()
    except _UNCOUNTABLE:
        return column.cast(_spelled(column.type))
    return column


def _polar(column: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    """A column that polars can take, which has no intervals and no decimals of more than 38 digits: else its text."""
    import pyarrow as pa

    if pa.types.is_decimal256(column.type):
        try:
            return column.cast(pa.decimal128(38, column.type.scale))
        except pa.ArrowInvalid:
            return column.cast(pa.string())
    if pa.types.is_interval(column.type):
        spelled = [None if value is None else plain(value) for value in column.to_pylist()]
        return pa.chunked_array([spelled], pa.string())
    return column


def _spelled(kind: Any) -> Any:
    """A type with text in place of its dates and times."""
    import pyarrow as pa

    if pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        return pa.string()
    if pa.types.is_map(kind):
        return pa.map_(_spelled(kind.key_type), _spelled(kind.item_type))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_spelled(field.type)) for field in kind])
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(_spelled(kind.value_type), kind.list_size)
    return pa.list_(_spelled(kind.value_type)) if pa.types.is_list(kind) else kind
