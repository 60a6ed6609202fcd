"""Columns of Arrow's on their way into an engine, and what kinds of values SQL has for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from siege_nb.errors import QueryError
from siege_nb.query.columns import Array

if TYPE_CHECKING:
    import sqlalchemy as sa

# Arrow's DataType; its stubs do not know what only some of them have.
Kind: TypeAlias = Any
Family = Literal[
    "bool", "integer", "float", "decimal", "text", "binary", "date", "timestamp", "time", "duration", "interval",
    "nested",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Filling:
    """One column to be written: its name, what kind of values it has, their type here and there, and the values."""

    name: str
    family: Family
    kind: Kind
    declared: sa.types.TypeEngine[Any]
    values: Array


def plain(column: Array) -> Array:
    """The values without what is only Arrow's: dictionaries, runs, extensions, views; NULLs without a type are text."""
    import pyarrow as pa
    from pyarrow import compute

    pc: Any = compute
    kind: Kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        if kind.extension_name == "arrow.uuid":
            return each(column, str)
        storage: Kind = kind.storage_type
        return plain(pa.chunked_array([chunk.storage for chunk in column.chunks], storage))
    if pa.types.is_dictionary(kind):
        return plain(column.cast(kind.value_type))
    if pa.types.is_run_end_encoded(kind):
        return plain(pc.run_end_decode(column))
    if pa.types.is_null(kind) or pa.types.is_string_view(kind) or pa.types.is_large_string(kind):
        return column.cast(pa.string())
    if pa.types.is_binary_view(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return column.cast(pa.binary())
    if pa.types.is_float16(kind):
        return column.cast(pa.float32())
    return column.cast(pa.date32()) if pa.types.is_date64(kind) else column


def integer(kind: Kind) -> sa.types.TypeEngine[Any]:
    """The narrowest whole number that holds all of the type's."""
    import pyarrow as pa
    import sqlalchemy as sa

    bits = kind.bit_width + pa.types.is_unsigned_integer(kind)
    return sa.SmallInteger() if bits <= 16 else sa.Integer() if bits <= 32 else sa.BigInteger()


def digits(kind: Kind) -> tuple[int, int]:
    """Of a decimal, in all and after the point, the way SQL counts them: 0.001 has three of three."""
    scale = max(kind.scale, 0)
    return max(kind.precision - min(kind.scale, 0), scale), scale


def family_of(kind: Kind) -> Family:
    """Which kind of values a type is of."""
    import pyarrow as pa

    is_ = pa.types
    known: list[tuple[Callable[[Any], bool], Family]] = [
        (is_.is_boolean, "bool"), (is_.is_integer, "integer"), (is_.is_floating, "float"), (is_.is_decimal, "decimal"),
        (is_.is_string, "text"), (is_.is_binary, "binary"), (is_.is_date, "date"), (is_.is_timestamp, "timestamp"),
        (is_.is_time, "time"), (is_.is_duration, "duration"), (is_.is_interval, "interval"), (is_.is_nested, "nested"),
    ]  # fmt: skip
    for holds, family in known:
        if holds(kind):
            return family
    raise QueryError(f"A column of Arrow's type {kind} cannot be written.", kind="usage")


def each(values: Array, text: Callable[[Any], str | None]) -> Array:
    """Values as text, one by one."""
    import pyarrow as pa

    return pa.array([None if value is None else text(value) for value in values.to_pylist()], pa.string())


def interval(value: Any) -> str:
    """Months, days and time as PostgreSQL reads them."""
    return f"{value.months} months {value.days} days {value.nanoseconds // 1000} microseconds"
