"""MySQL's types as Arrow's, read from the text the server sends.

A date that is none (0000-00-00) makes its column text: NULL would be another answer. TIME is a span of up to 838 hours,
so a duration. DATETIME and TIMESTAMP come in the session's time zone and without it. BOOLEAN is TINYINT.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from siege_nb.query.columns import Array, Build, decimals, parsed, typed

if TYPE_CHECKING:
    import pyarrow as pa

# Numbers of the protocol.
DECIMAL, TINY, SHORT, LONG, FLOAT, DOUBLE, TIMESTAMP, LONGLONG, INT24 = 0, 1, 2, 3, 4, 5, 7, 8, 9
NULL, DATE, TIME, DATETIME, YEAR, NEWDATE, BIT, NEWDECIMAL = 6, 10, 11, 12, 13, 14, 16, 246
TEXTS = {15, 249, 250, 251, 252, 253, 254}
VECTOR, GEOMETRY = 242, 255
UNSIGNED = 32
BINARY = 63  # the character set of bytes


@cache
def builder(kind: int, flags: int, charset: int) -> Build:
    """How a column of this type is built."""
    import pyarrow as pa

    if kind in (DECIMAL, NEWDECIMAL):
        return decimals
    if kind in _WIDTHS:
        return _read(getattr(pa, ("u" if flags & UNSIGNED else "") + _WIDTHS[kind])())
    if kind == TIME:
        return _spans
    if kind == BIT:
        return _bits
    if kind in (VECTOR, GEOMETRY) or (kind in TEXTS and charset == BINARY):
        return typed(pa.binary())
    if kind == NULL:
        return typed(pa.null())
    others: dict[int, pa.DataType] = {
        FLOAT: pa.float32(), DOUBLE: pa.float64(), DATE: pa.date32(), NEWDATE: pa.date32(), YEAR: pa.int16(),
        DATETIME: pa.timestamp("us"), TIMESTAMP: pa.timestamp("us"),
    }  # fmt: skip
    return _read(others[kind]) if kind in others else typed(pa.string())


def _read(declared: pa.DataType) -> Build:
    """A builder of values whose text is digits and marks only, so that nobody needs to look whether it is UTF-8."""
    import pyarrow as pa

    otherwise = parsed(declared)

    def build(values: Sequence[bytes | None]) -> Array:
        text: Array = pa.array(values, pa.binary())
        try:
            return text.view(pa.string()).cast(declared)
        except pa.ArrowInvalid:
            return otherwise(values)

    return build


_WIDTHS = {TINY: "int8", SHORT: "int16", INT24: "int32", LONG: "int32", LONGLONG: "int64"}
_SPAN = re.compile(rb"(-?)(\d+):(\d\d):(\d\d)(?:\.(\d+))?")


def _spans(values: Sequence[bytes | None]) -> Array:
    import pyarrow as pa

    spans = [None if value is None else _microseconds(value) for value in values]
    return pa.array(spans, pa.duration("us"))


def _microseconds(text: bytes) -> int:
    found = _SPAN.fullmatch(bytes(text))
    if found is None:
        raise ValueError(f"no TIME: {text!r}")
    sign, hours, minutes, seconds, fraction = found.groups(default=b"0")
    whole = ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 10**6 + int(fraction.ljust(6, b"0"))
    return -whole if sign == b"-" else whole


def _bits(values: Sequence[bytes | None]) -> Array:
    import pyarrow as pa

    return pa.array([None if value is None else int.from_bytes(bytes(value), "big") for value in values], pa.uint64())
