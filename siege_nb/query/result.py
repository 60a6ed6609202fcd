"""What a cell gives: immutable, Arrow inside; pandas, polars, dicts, CSV outside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, overload

from siege_nb import show
from siege_nb.errors import InvalidError, NotFoundError, QueryError
from siege_nb.query import frames
from siege_nb.query.explain import drawn
from siege_nb.query.session import Answer
from siege_nb.show import LOOK, Look, Shown

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# Result.dict, a name that jupysql's users know, hides the type in the class below it.
Named = dict[str, Any]


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """The last answer of a cell. It was fetched whole, or says that it was not, and is never fetched again.

    What memory would not hold is looked at but not worked with: whatever hands on all rows raises QueryError, unless
    it is told `truncated=True`. A --limit is known to who gave it.
    """

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
    #: It is the engine's plan of a statement, whose lines are shown as they are.
    plan: bool = False
    #: The file that the rows were written to instead of being held.
    written: str = ""
    look: Look = LOOK

    @property
    def keys(self) -> list[str]:
        """The names of the columns."""
        return list(self._table.column_names)

    @property
    def rowcount(self) -> int | None:
        """Rows returned, or changed; None where the engine does not tell."""
        return self.answer.rowcount if self.answer.table is None else int(self.answer.table.num_rows)

    @property
    def truncated(self) -> bool:
        """There are more rows than these."""
        return bool(self.answer.cut)

    @property
    def _table(self) -> pa.Table:
        if self.answer.table is None:
            raise InvalidError("This statement gave no rows.", hint="Only SELECT and its like do.")
        return self.answer.table

    def _whole(self, truncated: bool, told: str) -> pa.Table:
        """All rows, to work with."""
        if self.answer.cut == "memory" and not truncated:
            raise QueryError(
                f"These are the first {show.count(len(self), 'row')} only: memory would not have held them all.",
                kind="truncated",
                hint=f"{told} takes these; --to PATH writes all to a file, and an aggregate or a --limit needs fewer",
            )
        return self._table

    def arrow(self, *, truncated: bool = False) -> pa.Table:
        """The rows as an Arrow table; nothing is copied."""
        return self._whole(truncated, ".arrow(truncated=True)")

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """So that DuckDB, polars and pandas read a Result as it is."""
        table = self._whole(False, ".arrow(truncated=True)")
        stream: object = table.__arrow_c_stream__(requested_schema)  # type: ignore[no-untyped-call]
        return stream

    def DataFrame(self, *, truncated: bool = False) -> pd.DataFrame:  # noqa: N802 - the name jupysql's users know
        """The rows as a pandas frame. Decimals stay decimals; whole numbers with NULLs stay whole."""
        return frames.to_pandas(self._whole(truncated, ".DataFrame(truncated=True)"))

    def PolarsDataFrame(self, *, truncated: bool = False, **more: Any) -> Any:  # noqa: N802
        """The rows as a polars frame; what else polars.DataFrame takes is handed on."""
        return frames.to_polars(self._whole(truncated, ".PolarsDataFrame(truncated=True)"), **more)

    def dict(self, *, truncated: bool = False) -> dict[str, tuple[Any, ...]]:
        """Columns by name."""
        table = self._whole(truncated, ".dict(truncated=True)")
        return {name: tuple(frames.values(table.column(name))) for name in self.keys}

    def dicts(self, *, truncated: bool = False) -> list[Named]:
        """Rows by column name."""
        rows = frames.rows(self._whole(truncated, ".dicts(truncated=True)"))
        return [dict(zip(self.keys, row, strict=True)) for row in rows]

    @overload
    def csv(self, filename: None = None, *, truncated: bool = ..., safe: bool = ..., **format_params: Any) -> str: ...

    @overload
    def csv(self, filename: str, *, truncated: bool = ..., safe: bool = ..., **format_params: Any) -> Shown: ...

    def csv(
        self, filename: str | None = None, *, truncated: bool = False, safe: bool = True, **format_params: Any
    ) -> str | Shown:
        """The rows as CSV text, or written to a file; what else csv.writer takes is handed on.

        A text that a spreadsheet would run as a formula gets a ' before it, unless `safe` is switched off.
        """
        from siege_nb.query import export

        table = self._whole(truncated, ".csv(truncated=True)")
        if filename is None:
            return export.csv_text(table, safe=safe, **format_params)
        path = export.write_csv(table, filename, safe=safe, **format_params)
        return show.note(f"{show.count(len(self), 'row')} written to {path}")

    def charted(self, chart: tuple[str, str, str], colors: Sequence[str]) -> Result:
        """The same rows, shown as a chart of two of their columns, or of one that is counted."""
        kind, x, y = chart
        wanted = (x,) if kind == "hist" else (x, y)
        for name in wanted:
            if name not in self.keys:
                raise NotFoundError(f"There is no column {name!r} to chart; there are: {', '.join(self.keys)}.")
        height = self._table.schema.field(wanted[-1])
        if kind != "hist" and not frames.is_number(height.type) and height.type != "null":
            hint = "Cast it in the SQL, or choose another column."
            raise InvalidError(f"A chart is drawn of numbers, and {height.name!r} is {height.type}.", hint=hint)
        return replace(self, chart=(chart, tuple(colors)))

    def __getattr__(self, name: str) -> NoReturn:
        if name in ("bar", "pie", "plot"):
            raise AttributeError(
                f"Result.{name}() of jupysql is not here: %sql --chart bar|line|area|point X Y and --chart hist X draw "
                "a result, and .DataFrame().plot is pandas' own."
            )
        raise AttributeError(f"A Result has no {name!r}; .DataFrame(), .PolarsDataFrame() and .arrow() have more.")

    def __len__(self) -> int:
        return 0 if self.answer.table is None else int(self.answer.table.num_rows)

    def __bool__(self) -> bool:
        return len(self) > 0

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        if self.answer.table is None:
            return iter(())
        return iter(frames.rows(self._whole(False, "[:]")))

    def __getitem__(self, key: Any) -> Any:
        """A row by its number, rows by a slice, or the row whose first column has this value."""
        if isinstance(key, slice):
            numbers = range(len(self))[key]
            first, last = (min(numbers), max(numbers)) if numbers else (0, -1)
            return frames.rows(self._table.slice(first, last - first + 1))[:: numbers.step]
        if isinstance(key, int):
            return frames.rows(self._table.slice(range(len(self))[key], 1))[0]
        found = [number for number, value in enumerate(frames.values(self._table.column(0))) if value == key]
        if len(found) == 1:
            return self[found[0]]
        raise NotFoundError(f"{len(found)} rows have {key!r} in their first column.")

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Result):
            return self.answer == other.answer
        if not isinstance(other, list):
            return NotImplemented
        return len(self) == len(other) and (self[:] if self else []) == other

    __hash__ = None  # type: ignore[assignment]

    @property
    def _badge(self) -> Shown:
        return show.badge(self.environment if self.environment != "dev" else None)

    def _summary(self, shown: int) -> Shown:
        """The line under so many rows. What is cut, what a mistake would cost and what is still open is always said."""
        look = self.look
        parts: list[str | Shown] = [self._badge]
        if look.feedback or self.truncated or shown < len(self):
            parts.append(self._extent(shown))
        if look.feedback and look.displaycon:
            parts.append(self.connection)
        if look.feedback:
            parts.append(f"{self.elapsed * 1000:,.0f} ms")
        if self.earlier and look.feedback:
            parts.append("before it: " + ", ".join("done" if rows is None else f"{rows:,}" for rows in self.earlier))
        if self.in_transaction:
            parts.append("in transaction")
        if look.feedback > 1 and self.answer.table is not None:
            parts.append(".DataFrame() and .PolarsDataFrame() make frames of it")
        return show.inline(*parts)

    def _extent(self, shown: int) -> str:
        """How many rows there are, and how many of them are shown or held."""
        if self.rowcount is None:
            return "done"
        rows = show.count(self.rowcount, "row")
        if self.written:
            rows = f"{rows} written to {self.written}"
        elif self.answer.table is None:
            rows = f"{rows} affected"
        match self.answer.cut:
            case "limit":
                rows = f"first {rows} (limit)"
            case "memory":
                rows = f"first {rows} (memory guard); --limit N for fewer, --to PATH for all"
        return f"first {shown:,} of {'the ' * self.truncated}{rows}" if shown < len(self) else rows

    @cached_property
    def _head(self) -> Sequence[tuple[Any, ...]]:
        if self.answer.table is None:
            return []
        return frames.rows(self.answer.table.slice(0, None if self.plan else self.look.displaylimit or None))

    @cached_property
    def _shown(self) -> Shown:
        """The table, the plan or the line, as text and as HTML."""
        summary = self._summary(len(self._head))
        if self.answer.table is None:
            return show.note(summary) if summary.text else summary
        if self.plan:
            return show.stacked(show.preformatted(drawn(self._table)), show.note(summary))
        numeric = [frames.is_number(field.type) for field in self._table.schema]
        return show.table(self.keys, self._head, summary, numeric=numeric, look=self.look)

    def __repr__(self) -> str:
        return self._shown.text

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Named:
        if self.chart is not None:
            return self._drawn(*self.chart)
        bundle: Named = self._shown._repr_mimebundle_()
        if self.look.grid and self.answer.table is not None and not self.plan:
            bundle["text/html"] = self._gridded(bundle["text/html"])
        return bundle

    def _gridded(self, otherwise: str) -> str:
        """The rows as a grid, or else the table, and under it what would have to be installed."""
        from siege_nb.query import grid

        if not grid.available():
            return otherwise + show.note("The grid needs itables: %pip install -U itables").html
        return grid.html(self._table, self.look) + show.note(self._summary(min(len(self), grid.MOST_ROWS))).html

    def _drawn(self, chart: tuple[str, str, str], colors: Sequence[str]) -> Named:
        from siege_nb.query.figures import figure

        title = [self._badge.text, self.connection if self._badge.text else ""]
        if self.truncated:
            title.append(f"of the first {show.count(len(self), 'row')} only")
        drawn, cut = figure(self._table, *chart, colors, title)
        return drawn | {"text/plain": "\n".join(part for part in (repr(self), cut) if part)}

