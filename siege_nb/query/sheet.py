"""Excel files, written row by row."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siege_nb.errors import InvalidError, MissingDriverError
from siege_nb.query.frames import values
from siege_nb.query.spelling import json_values, worded

if TYPE_CHECKING:
    import pyarrow as pa

#: What a sheet holds, its line of names included, and one cell of it.
ROWS, COLUMNS, _CELL = 1_048_576, 16_384, 32_767


class Sheet:
    """Excel. Numbers that it would round and moments that it does not know are text."""

    def __init__(self, path: Path, safe: bool) -> None:
        # Rows go to the disk as they come; a text goes by write_string, which makes no formula or link of it.
        options = {"constant_memory": True, "tmpdir": str(path.parent), "default_date_format": "yyyy-mm-dd hh:mm:ss"}
        self._book = library().Workbook(str(path), options)
        self._book.use_zip64()
        self._sheet = self._book.add_worksheet()
        self._day, self._bold = self._book.add_format({"num_format": "yyyy-mm-dd"}), self._book.add_format({"bold": 1})
        self._row = 0

    def write(self, table: pa.Table) -> None:
        if self._row == 0:
            if table.num_columns > COLUMNS:
                raise InvalidError(f"A sheet of Excel holds {COLUMNS:,} columns, and there are more.", hint=_ELSE)
            for n, name in enumerate(table.column_names):
                self._sheet.write_string(0, n, name[:_CELL], self._bold)
            self._sheet.freeze_panes(1, 0)
            self._row = 1
        if self._row + table.num_rows > ROWS:
            raise InvalidError(f"A sheet of Excel holds {ROWS:,} rows, and there are more.", hint=_ELSE)
        for row in zip(*map(_sheet_values, table.columns), strict=True):
            for n, value in enumerate(row):
                self._put(n, value)
            self._row += 1

    def _put(self, n: int, value: Any) -> None:
        if value is None:
            return
        if isinstance(value, str):
            if len(value) > _CELL:
                raise InvalidError(
                    f"A cell of Excel holds {_CELL:,} characters; row {self._row:,} has more.", hint=_ELSE
                )
            self._sheet.write_string(self._row, n, value)
        elif isinstance(value, bool):
            self._sheet.write_boolean(self._row, n, value)
        elif isinstance(value, date):
            self._sheet.write_datetime(self._row, n, value, None if isinstance(value, datetime) else self._day)
        else:
            self._sheet.write_number(self._row, n, value)

    def finish(self) -> None:
        self._book.close()

    def abandon(self) -> None:
        self._sheet._opt_close()  # its rows are in a file of their own, which only this closes
        self._book.fileclosed = True


_ELSE = "A .csv or .parquet file holds them."
# Days before that are none to Excel, and the first weeks of 1900 are one off.
_FIRST = date(1900, 3, 1)


def _sheet_values(column: pa.ChunkedArray[Any]) -> list[Any]:
    """A column as a sheet has it: what it would round or not know is text."""
    import pyarrow as pa

    kind, is_ = column.type, pa.types
    if is_.is_dictionary(kind):
        return _sheet_values(column.cast(kind.value_type))
    if is_.is_boolean(kind):
        return column.to_pylist()
    if is_.is_integer(kind):
        return [value if value is None or abs(value) <= 2**53 else str(value) for value in column.to_pylist()]
    if is_.is_decimal(kind):
        return [float(text) if text and Decimal(repr(float(text))) == Decimal(text) else text
                for text in column.cast(pa.string()).to_pylist()]  # fmt: skip
    if is_.is_date(kind) or (is_.is_timestamp(kind) and not kind.tz):
        days = zip(values(column), column.cast(pa.string()).to_pylist(), strict=True)
        return [value if isinstance(value, date) and _day(value) >= _FIRST else text for value, text in days]
    return worded(column).to_pylist() if is_.is_nested(kind) else json_values(column)


def _day(value: date) -> date:
    return value.date() if isinstance(value, datetime) else value


def library() -> Any:
    """XlsxWriter, or the error that says how to get it."""
    try:
        return import_module("xlsxwriter")
    except ImportError:
        missing = MissingDriverError("An Excel file needs XlsxWriter.", install="%pip install xlsxwriter")
    raise missing
