"""What a cell gives: immutable, Arrow inside; pandas, polars, dicts, CSV outside."""

from __future__ import annotations

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
        return {name: tuple(self._table.column(name).to_pylist()) for name in self.keys}

    def dicts(self) -> list[Named]:
        """Rows by column name."""
        rows: list[Named] = self._table.to_pylist()
        return rows

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
        return replace(self, chart=(chart, tuple(colors)))

    def __len__(self) -> int:
        return 0 if self.answer.table is None else int(self.answer.table.num_rows)

    def __bool__(self) -> bool:
        return len(self) > 0

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        if self.answer.table is None:
            return iter(())
        return zip(*(column.to_pylist() for column in self._table.columns), strict=True)

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

    def _summary(self) -> str:
        rows = self.rowcount
        what = (
            "done" if rows is None else show.count(rows, "row") + ("" if self.answer.table is not None else " affected")
        )
        parts = [what, self.connection, f"{self.elapsed * 1000:,.0f} ms"]
        if self.earlier:
            counts = ", ".join("done" if rows is None else f"{rows:,}" for rows in self.earlier)
            parts.append(f"before it: {counts}")
        if self.in_transaction:
            parts.append("in transaction")
        return " · ".join(parts)

    def __repr__(self) -> str:
        if self.answer.table is None:
            return self._summary()
        return show.table_text(self.keys, self._head, self._summary(), total=len(self))

    @cached_property
    def _head(self) -> Sequence[tuple[Any, ...]]:
        columns = self._table.slice(0, DISPLAY_LIMIT).columns
        return list(zip(*(column.to_pylist() for column in columns), strict=True))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Named:
        if self.answer.table is None:
            return {"text/plain": self._summary(), "text/html": show.note_html(self._summary())}
        if self.chart is not None:
            (kind, x, y), colors = self.chart
            spots = zip(*(self._table.column(name).to_pylist() for name in (x, y)), strict=True)
            points = [{x: _plain(a), y: _plain(b)} for a, b in spots]
            return show.chart(kind, x, y, points, colors) | {"text/plain": repr(self)}
        numeric = [_is_number(field.type) for field in self._table.schema]
        html = show.table_html(self.keys, self._head, self._summary(), numeric=numeric, total=len(self))
        return {"text/plain": repr(self), "text/html": html}


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


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _plain(value: Any) -> Any:
    """A value as JSON has it, for a chart: dates as ISO text, decimals as numbers (a pixel is coarser than a float)."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if hasattr(value, "isoformat"):
        return value.isoformat()
    try:
        return float(value)
    except (TypeError, ValueError):
        return str(value)
