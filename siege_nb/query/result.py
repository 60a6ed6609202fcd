"""What a cell gives: immutable, Arrow inside; pandas, polars, dicts, CSV outside."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from siege_nb import show
from siege_nb.errors import InvalidError, MissingDriverError, NotFoundError
from siege_nb.query.session import Answer

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# Result.dict, a name that jupysql's users know, hides the type in the class below it.
Named = dict[str, Any]
#: Rows shown; all of them are held.
DISPLAY_LIMIT = 10
#: Points drawn: more are slower to draw than they say anything, and would all be saved in the notebook.
CHART_LIMIT = 5_000


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """The last answer of a cell. It was fetched whole and is never fetched again."""

    answer: Answer
    sql: str
    connection: str
    elapsed: float
    params: Mapping[str, Any]
    #: What the statements before the last one gave: rows returned or changed, or None.
    earlier: tuple[int | None, ...] = ()
    in_transaction: bool = False
    #: (kind, x, y) and colours: shown as a chart instead of a table.
    chart: tuple[tuple[str, str, str], tuple[str, ...]] | None = None
    #: Of the connection: prod and test are said wherever the result is shown.
    environment: str | None = None

    @property
    def keys(self) -> list[str]:
        """The names of the columns."""
        return list(self._table.column_names)

    @property
    def rowcount(self) -> int | None:
        """Rows returned, or changed; None where the engine does not tell."""
        return self.answer.rowcount if self.answer.table is None else int(self.answer.table.num_rows)

    @property
    def _table(self) -> pa.Table:
        if self.answer.table is None:
            raise InvalidError("This statement gave no rows.", hint="Only SELECT and its like do.")
        return self.answer.table

    def arrow(self) -> pa.Table:
        """The rows as an Arrow table; nothing is copied."""
        return self._table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """So that DuckDB, polars and pandas read a Result as it is."""
        stream: object = self._table.__arrow_c_stream__(requested_schema)  # type: ignore[no-untyped-call]
        return stream

    def DataFrame(self) -> pd.DataFrame:  # noqa: N802 - the name jupysql's users know
        """The rows as a pandas frame. Decimals stay decimals; whole numbers with NULLs stay whole."""
        table = self._table
        try:
            return table.to_pandas(types_mapper=_nullable_integers(table))
        except _UNCOUNTABLE:
            for n, column in enumerate(table.columns):
                table = table.set_column(n, table.column_names[n], _countable(column))
            return table.to_pandas(types_mapper=_nullable_integers(table))

    def PolarsDataFrame(self) -> Any:  # noqa: N802 - the name jupysql's users know
        """The rows as a polars frame."""
        try:
            import polars
        except ImportError:
            missing = MissingDriverError("polars is not installed.", install="%pip install polars")
        else:
            return polars.from_arrow(self._table)
        raise missing

    def dict(self) -> dict[str, tuple[Any, ...]]:
        """Columns by name."""
        return {name: tuple(_values(self._table.column(name))) for name in self.keys}

    def dicts(self) -> list[Named]:
        """Rows by column name."""
        columns = map(_values, self._table.columns)
        return [dict(zip(self.keys, row, strict=True)) for row in zip(*columns, strict=True)]

    def csv(self, path: str | None = None) -> str | None:
        """The rows as CSV text, or written to a file."""
        import csv
        import io

        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(self.keys)
        writer.writerows(self)
        if path is None:
            return text.getvalue()
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(text.getvalue())
        return None

    def charted(self, chart: tuple[str, str, str], colors: Sequence[str]) -> Result:
        """The same rows, shown as a chart of two of their columns."""
        for name in chart[1:]:
            if name not in self.keys:
                raise NotFoundError(f"There is no column {name!r} to chart; there are: {', '.join(self.keys)}.")
        height = self._table.schema.field(chart[2])
        if not _is_number(height.type) and height.type != "null":
            hint = "Cast it in the SQL, or choose another column."
            raise InvalidError(f"A chart is drawn of numbers, and {height.name!r} is {height.type}.", hint=hint)
        return replace(self, chart=(chart, tuple(colors)))

    def __len__(self) -> int:
        return 0 if self.answer.table is None else int(self.answer.table.num_rows)

    def __bool__(self) -> bool:
        return len(self) > 0

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        if self.answer.table is None:
            return iter(())
        return zip(*map(_values, self._table.columns), strict=True)

    def __getitem__(self, key: int | slice | str) -> Any:
        """A row by its number, rows by a slice, or the row whose first column has this value."""
        if isinstance(key, slice):
            return self._rows[key]
        if isinstance(key, int):
            return self._rows[key]
        found = [row for row in self._rows if row[0] == key]
        if len(found) == 1:
            return found[0]
        raise NotFoundError(f"{len(found)} rows have {key!r} in their first column.")

    @cached_property
    def _rows(self) -> Sequence[tuple[Any, ...]]:
        return list(self)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Result):
            return self.answer == other.answer
        return list(self) == other if isinstance(other, list) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    @property
    def _badge(self) -> show.Shown:
        return show.badge(self.environment if self.environment != "dev" else None)

    def _summary(self) -> show.Shown:
        rows = self.rowcount
        what = (
            "done" if rows is None else show.count(rows, "row") + ("" if self.answer.table is not None else " affected")
        )
        parts: list[str | show.Shown] = [self._badge, what, self.connection, f"{self.elapsed * 1000:,.0f} ms"]
        if self.earlier:
            counts = ", ".join("done" if rows is None else f"{rows:,}" for rows in self.earlier)
            parts.append(f"before it: {counts}")
        if self.in_transaction:
            parts.append("in transaction")
        return show.inline(*parts)

    def __repr__(self) -> str:
        if self.answer.table is None:
            return self._summary().text
        return show.table_text(self.keys, self._head, self._summary(), total=len(self))

    @cached_property
    def _head(self) -> Sequence[tuple[Any, ...]]:
        return list(zip(*map(_values, self._table.slice(0, DISPLAY_LIMIT).columns), strict=True))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Named:
        if self.answer.table is None:
            said = show.note(self._summary())
            return {"text/plain": said.text, "text/html": said.html}
        if self.chart is not None:
            return self._drawn(*self.chart)
        numeric = [_is_number(field.type) for field in self._table.schema]
        html = show.table_html(self.keys, self._head, self._summary(), numeric=numeric, total=len(self))
        return {"text/plain": repr(self), "text/html": html}

    def _drawn(self, chart: tuple[str, str, str], colors: Sequence[str]) -> Named:
        kind, x, y = chart
        few = self._table.slice(0, CHART_LIMIT)
        spots = zip(_values(few.column(x)), _values(few.column(y)), strict=True)
        cut = f"The chart shows the first {len(few):,} of {len(self):,} rows." if len(few) < len(self) else ""
        title = show.inline(self._badge, self.connection if self._badge.text else "", cut).text
        drawn = show.chart(kind, x, y, [{x: _plain(a), y: _plain(b)} for a, b in spots], colors, title=title)
        return drawn | {"text/plain": "\n".join(part for part in (repr(self), cut) if part)}


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


# What Python says of a date outside of the years 1 to 9999, and of nanoseconds where there is no pandas.
_UNCOUNTABLE = (OverflowError, ValueError)


def _values(column: pa.ChunkedArray[Any]) -> list[Any]:
    """A column as Python's own values; as text, whole, if one of its dates is outside of the years Python counts."""
    try:
        return column.to_pylist()
    except _UNCOUNTABLE:
        return column.cast(_spelled(column.type)).to_pylist()


def _countable(column: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    """A column that pandas can take: itself, or its text."""
    try:
        column.to_pandas()
    except _UNCOUNTABLE:
        return column.cast(_spelled(column.type))
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


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


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
