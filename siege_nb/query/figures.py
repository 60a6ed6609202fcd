"""What of a table a chart shows: pairs of values, or how often values come."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from siege_nb.charts import chart, histogram
from siege_nb.query.frames import is_number, values
from siege_nb.show import count

if TYPE_CHECKING:
    import pyarrow as pa

#: Points drawn: more are slower to draw than they say anything, and would all be saved in the notebook.
MOST_POINTS = 5_000
#: Bars of a histogram, at least and unless there are fewer values; and the most of one that counts words.
_BINS, _WORDS = 12, 30
_MICROSECONDS = 1_000_000
# Where bins of time begin well: the second, the minute, the hour, the day, the week.
_CLOCK = [_MICROSECONDS * seconds for seconds in (1, 5, 15, 60, 300, 900, 3600, 10_800, 43_200, 86_400, 604_800)]

Bins = list[tuple[Any, Any, int]]


def figure(
    table: pa.Table, kind: str, x: str, y: str, colors: Sequence[str], title: Sequence[str]
) -> tuple[dict[str, Any], str]:
    """A chart of a table as a bundle, and what of the table is not in it."""
    if kind == "hist":
        # Counted here, over all rows however many there are: a histogram of the first few would lie.
        column = table.column(x)
        if is_number(column.type) or _is_moment(column.type):
            bins, cut = _histogram(column), ""
            return histogram(x, bins, colors, title=_joined(title, cut)), cut
        words, cut = _words(column)
        return chart("bar", x, "rows", words, colors, title=_joined(title, cut)), cut
    few = table.slice(0, MOST_POINTS)
    cut = f"The chart shows the first {len(few):,} of {count(len(table), 'row')}." if len(few) < len(table) else ""
    pairs = zip(values(few.column(x)), values(few.column(y)), strict=True)
    return chart(kind, x, y, [(_plain(a), _plain(b)) for a, b in pairs], colors, title=_joined(title, cut)), cut


def _joined(title: Sequence[str], cut: str) -> str:
    return " · ".join(part for part in [*title, cut] if part)


def _is_moment(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_date(kind) or pa.types.is_timestamp(kind))


def _histogram(column: pa.ChunkedArray[Any]) -> Bins:
    """How many numbers or moments lie from … to; what is no number is not counted."""
    import pyarrow as pa

    kind = column.type
    if is_number(kind):
        numbers = column.cast(pa.float64(), safe=False).drop_null().to_numpy()
        return _binned(numbers, 1.0 if pa.types.is_integer(kind) else 0.0)
    clock = pa.timestamp("us", kind.tz if pa.types.is_timestamp(kind) else None)
    moments = column.cast(clock, safe=False).cast(pa.int64()).drop_null().to_numpy()

    def moment(edge: float) -> Any:
        return _plain(values(pa.chunked_array([pa.array([int(edge)], pa.int64()).cast(clock)]))[0])

    return [(moment(low), moment(high), rows) for low, high, rows in _binned(moments.astype(float), _CLOCK[0], _CLOCK)]


def _binned(numbers: Any, least: float, steps: Sequence[int] = ()) -> Bins:
    import numpy as np

    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return []
    low, high = float(numbers.min()), float(numbers.max())
    # Divided before it is subtracted, lest it be infinite; and no finer than what floats can tell apart.
    spread = high / _BINS - low / _BINS or abs(low) / _BINS
    wanted = max(spread, least, max(abs(low), abs(high)) * 1e-9, 1e-300)
    step = max([step for step in steps if step <= wanted], default=0) or _round(wanted)
    first = math.floor(low / step)
    bounds = [float(f"{(first + n) * step:.12g}") for n in range(math.floor(high / step) - first + 2)]
    bounds[0], bounds[-1] = min(bounds[0], low), max(bounds[-1], high)  # whatever was lost in rounding them
    rows, edges = np.histogram(numbers, bounds)
    return [(float(a), float(b), int(n)) for a, b, n in zip(edges, edges[1:], rows, strict=False)]


def _round(wanted: float) -> float:
    """The round number below: 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(wanted))
    return max(factor * power for factor in (1, 2, 5) if factor * power <= wanted * (1 + 1e-9))


def _words(column: pa.ChunkedArray[Any]) -> tuple[list[tuple[Any, int]], str]:
    """How many rows have each value, the most frequent first."""
    from collections import Counter

    found = Counter(None if value is None else str(value) for value in values(column))
    often = found.most_common(_WORDS)
    cut = f"The chart shows the {len(often)} most frequent of {len(found):,} values." if len(often) < len(found) else ""
    return [(_plain(value), rows) for value, rows in often], cut


def _plain(value: Any) -> Any:
    """A value as JSON has it, for a chart: dates as ISO text, decimals as floats (a pixel is coarser), no NaN."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if hasattr(value, "isoformat"):
        return value.isoformat()
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value)
    return number if math.isfinite(number) else None
