"""PostgreSQL's types as Arrow's.

Numbers, dates and the like come as text and are read by Arrow, column by column: faster than through Python's objects,
and a date that Python has no object for (infinity, before Christ) makes its column text instead of failing the query.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from siege_nb.query.columns import Array, Build, as_text, decimals, parsed, typed

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa

BOOL, BYTEA, INT8, INT2, INT4, OID, FLOAT4, FLOAT8 = 16, 17, 20, 21, 23, 26, 700, 701
DATE, TIME, TIMESTAMP, TIMESTAMPTZ, INTERVAL, NUMERIC, TEXT = 1082, 1083, 1114, 1184, 1186, 1700, 25

#: The type of an array's elements by the array's own; char, varchar, json and uuid are text to us.
ELEMENTS = {
    1000: BOOL, 1001: BYTEA, 1016: INT8, 1005: INT2, 1007: INT4, 1028: OID, 1021: FLOAT4, 1022: FLOAT8,
    1182: DATE, 1183: TIME, 1115: TIMESTAMP, 1185: TIMESTAMPTZ, 1231: NUMERIC,
    1009: TEXT, 1015: TEXT, 1014: TEXT, 1002: TEXT, 1003: TEXT, 2951: TEXT, 199: TEXT, 3807: TEXT,
}  # fmt: skip

# What psycopg is to hand over as it came. "interval" besides: psycopg takes a month for thirty days.
_AS_TEXT = (
    "numeric", "date", "timestamp", "timestamptz", "timetz", "interval", "uuid", "json", "jsonb", "inet", "cidr",
    "record",
    "int4range", "int8range", "numrange", "daterange", "tsrange", "tstzrange",
    "int4multirange", "int8multirange", "nummultirange", "datemultirange", "tsmultirange", "tstzmultirange",
)  # fmt: skip


def load_as_text(connection: psycopg.Connection[Any]) -> None:
    """Have the connection hand over as text what `builder` reads, and what Arrow has no type of."""
    from psycopg.types.string import TextLoader

    for name in _AS_TEXT:
        connection.adapters.register_loader(name, TextLoader)


@cache
def builder(oid: int, precision: int | None, scale: int | None) -> Build:
    """How a column of this type is built; a type that is none of PostgreSQL's own is text."""
    import pyarrow as pa

    if oid == NUMERIC:
        if precision is None or scale is None or not 0 <= scale <= precision <= 38:
            return decimals
        return parsed(pa.decimal128(precision, scale))
    if oid == INTERVAL:
        return _intervals
    if oid in ELEMENTS:
        return _list(ELEMENTS[oid])
    declared = _declared().get(oid, pa.string())
    return parsed(declared) if oid in (DATE, TIMESTAMP, TIMESTAMPTZ) else typed(declared)


def arrow(oid: int) -> pa.DataType | None:
    """What Arrow itself reads a type's text as, where it does so as the driver does; None where a builder must."""
    return _declared()[oid] if oid in (BOOL, INT2, INT4, INT8, OID, FLOAT4, FLOAT8) else None


def _list(element: int) -> Build:
    import pyarrow as pa

    declared = pa.list_(_declared().get(element, pa.string()))
    if element == NUMERIC:
        return _lists_of_decimals
    if element in (DATE, TIMESTAMP, TIMESTAMPTZ):
        return parsed(declared, pa.list_(pa.string()))
    return typed(declared)


def _lists_of_decimals(values: Sequence[Any]) -> Array:
    import pyarrow as pa

    lists: Array = typed(pa.list_(pa.string()))(values)
    if lists.type != pa.list_(pa.string()):
        return lists  # lists of lists, or of both: as they came
    return pa.ListArray.from_arrays(lists.offsets, decimals(lists.values), mask=lists.is_null())


@cache
def _declared() -> dict[int, pa.DataType]:
    import pyarrow as pa

    return {
        BOOL: pa.bool_(), BYTEA: pa.binary(), INT8: pa.int64(), INT2: pa.int16(), INT4: pa.int32(), OID: pa.int64(),
        FLOAT4: pa.float32(), FLOAT8: pa.float64(), DATE: pa.date32(), TIME: pa.time64("us"),
        TIMESTAMP: pa.timestamp("us"), TIMESTAMPTZ: pa.timestamp("us", "UTC"),
    }  # fmt: skip


_SPAN = re.compile(
    r"(?:([+-]?\d+) years?)? ?(?:([+-]?\d+) mons?)? ?(?:([+-]?\d+) days?)? ?"
    r"(?:([+-])?(\d{1,6}):(\d\d):(\d\d)(?:\.(\d+))?)?"
)


def _intervals(values: Sequence[Any]) -> Array:
    """Durations, or months beside days beside time where there are months: no number of days is a month."""
    import pyarrow as pa

    spans = [None if value is None else _span(value) for value in values]
    if any(span is None and value is not None for span, value in zip(spans, values, strict=True)):
        return pa.array([as_text(value) for value in values], pa.string())  # infinity, or another IntervalStyle
    if any(span is not None and span[0] for span in spans):
        return pa.array(spans, pa.month_day_nano_interval())
    day = 86_400_000_000
    return pa.array([None if s is None else s[1] * day + s[2] // 1000 for s in spans], pa.duration("us"))


def _span(text: str) -> tuple[int, int, int] | None:
    """Months, days and nanoseconds of an interval."""
    found = _SPAN.fullmatch(text)
    if found is None:
        return None
    years, months, days, sign, hours, minutes, seconds, fraction = found.groups(default="0")
    clock = (int(hours) * 60 + int(minutes)) * 60 + int(seconds)
    nanoseconds = (clock * 10**6 + int(fraction[:6].ljust(6, "0"))) * 1000
    return int(years) * 12 + int(months), int(days), -nanoseconds if sign == "-" else nanoseconds
