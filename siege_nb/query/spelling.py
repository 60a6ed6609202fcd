"""Values as files without types have them: as text and as JSON, and safe from spreadsheets."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import date, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from siege_nb.show import plain

if TYPE_CHECKING:
    import pyarrow as pa

# What a spreadsheet takes for the beginning of a formula, in all the widths it knows, past what it skips before it;
# and a tab or a line's end, behind which a formula may begin. With a ' before them the same once more: a text that
# had its own must not look like one that was given it.
_FORMULA = (
    r"^'*(?:[\t\r\n]|[\s\x00-\x20\x{a0}\x{200b}-\x{200f}\x{2060}\x{3000}\x{feff}]*"
    r"[=+\-@\x{ff1d}\x{ff0b}\x{ff0d}\x{ff20}\x{fe62}\x{fe63}\x{fe66}\x{fe6b}])"
)
_NUMBER = r"^[+\-]?(?:\d+(?:[.,]\d+)*|\.\d+)(?:[eE][+\-]?\d+)?%?$"


def flat(table: pa.Table, *, safe: bool) -> pa.Table:
    """The table with text in place of what CSV has no type for.

    With `safe`, texts and names that a spreadsheet would run get a ' before them; numbers stay as they are. Who takes
    one ' away from each text that matches has the texts back.
    """
    import pyarrow as pa

    arrays = [worded(column) for column in table.columns]
    names = table.column_names
    if safe:
        arrays = [_armed(array) if array.type in (pa.string(), pa.large_string()) else array for array in arrays]
        names = _armed(pa.array(names, pa.string())).to_pylist()
    return pa.table(arrays, names=names)


def _armed(texts: Any) -> Any:
    from pyarrow import compute

    pc: Any = compute  # its stubs have no arrays of any type
    runs = pc.and_(pc.match_substring_regex(texts, _FORMULA), pc.invert(pc.match_substring_regex(texts, _NUMBER)))
    return pc.if_else(runs, pc.binary_join_element_wise("'", texts, ""), texts) if pc.any(runs).as_py() else texts


def worded(column: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    """A column of a type that CSV can tell: itself, or its text."""
    import pyarrow as pa

    kind, is_ = column.type, pa.types
    if is_.is_dictionary(kind):
        return worded(column.cast(kind.value_type))
    if is_.is_string_view(kind):
        return column.cast(pa.string())
    if is_.is_nested(kind):
        return _each(column, lambda value: _ENCODE(_finite(value)))
    if is_.is_interval(kind) or is_.is_duration(kind):
        return _each(column, lambda value: plain(value, 0))
    return _each(column, _hex) if is_binary(kind) else column


def intervals(table: pa.Table) -> pa.Table:
    """The table with text for its intervals, for which Parquet has no type."""
    import pyarrow as pa

    for n, column in enumerate(table.columns):
        if pa.types.is_interval(column.type):
            table = table.set_column(n, table.column_names[n], worded(column))
    return table


def is_binary(kind: pa.DataType) -> bool:
    """Whether values of this type are bytes."""
    import pyarrow as pa

    is_ = pa.types
    return bool(
        is_.is_binary(kind) or is_.is_large_binary(kind) or is_.is_fixed_size_binary(kind) or is_.is_binary_view(kind)
    )


def json_values(column: pa.ChunkedArray[Any]) -> list[Any]:
    """A column as JSON has it: ISO moments, decimals as text lest they be rounded, no NaN; bytes as 0x and digits."""
    import pyarrow as pa

    kind, is_ = column.type, pa.types
    if is_.is_dictionary(kind):
        return json_values(column.cast(kind.value_type))
    if is_.is_timestamp(kind):
        moments = column.cast(pa.timestamp(kind.unit, "UTC")) if kind.tz else column
        return [value and value.replace(" ", "T", 1) for value in moments.cast(pa.string()).to_pylist()]
    if is_.is_decimal(kind) or is_.is_date(kind) or is_.is_time(kind):
        return column.cast(pa.string()).to_pylist()
    if is_.is_floating(kind):
        return [value if value is not None and math.isfinite(value) else None for value in column.to_pylist()]
    if is_.is_nested(kind):
        return [_finite(value) for value in column.to_pylist()]
    return worded(column).to_pylist()


def _finite(value: Any) -> Any:
    """A nested value as JSON has it."""
    if isinstance(value, dict):
        return {str(key): _finite(inner) for key, inner in value.items()}
    if type(value) in (list, tuple):
        return [_finite(inner) for inner in value]
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        return _hex(value)
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else plain(value, 0)


def _hex(value: bytes) -> str:
    return "0x" + value.hex()


def _each(column: pa.ChunkedArray[Any], spell: Callable[[Any], str]) -> pa.ChunkedArray[Any]:
    import pyarrow as pa

    return pa.chunked_array([[None if value is None else spell(value) for value in column.to_pylist()]], pa.string())


_ENCODE = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
