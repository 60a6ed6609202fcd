"""Files of rows, written piece by piece: what each format has no type for is told as text, and nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from siege_nb.query import columns
from siege_nb.query.sheet import Sheet
from siege_nb.query.spelling import flat, intervals, json_values

if TYPE_CHECKING:
    import pyarrow as pa

#: Rows of a row group of Parquet, and the bytes at which one is written although it has fewer.
_GROUP, _GROUP_BYTES = 122_880, 64 * 2**20


class Writer(Protocol):
    """A file in the making."""

    def write(self, table: pa.Table) -> None:
        """Add rows; types may widen from one piece to the next."""

    def finish(self) -> None:
        """Make the file whole, and let go of it."""

    def abandon(self) -> None:
        """Let go of it as it is; it will be removed."""


class _Separated:
    """CSV and TSV. NULL is nothing, an empty text is a pair of quotes."""

    def __init__(self, path: Path, safe: bool, *, delimiter: str) -> None:
        self._file, self._safe, self._delimiter = path.open("wb"), safe, delimiter
        self._is_begun = False

    def write(self, table: pa.Table) -> None:
        import pyarrow as pa
        from pyarrow import csv

        table = flat(table, safe=self._safe)
        if table.num_columns == 1:  # where a line of nothing would be no row at all
            told: Any = table.column(0).cast(pa.string())
            table = table.set_column(0, table.column_names[0], told.fill_null(""))
        options = csv.WriteOptions(include_header=not self._is_begun, delimiter=self._delimiter)
        csv.write_csv(table, self._file, options)
        self._is_begun = True

    def finish(self) -> None:
        self._file.close()

    abandon = finish


class _Json:
    """An array of objects, or an object in each line. Decimals are text, for most who read would round them."""

    def __init__(self, path: Path, safe: bool, *, lines: bool) -> None:
        self._file = path.open("w", encoding="utf-8", newline="\n")
        self._opening, self._between, self._end = ("", "\n", "\n") if lines else ("[\n", ",\n", "\n]\n")
        self._nothing = "" if lines else "[]\n"
        self._rows = 0

    def write(self, table: pa.Table) -> None:
        names, encode = table.column_names, json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
        rows = zip(*map(json_values, table.columns), strict=True)
        text = self._between.join(encode(dict(zip(names, row, strict=True))) for row in rows)
        if text:
            self._file.write((self._between if self._rows else self._opening) + text)
        self._rows += table.num_rows

    def finish(self) -> None:
        self._file.write(self._end if self._rows else self._nothing)
        self._file.close()

    def abandon(self) -> None:
        self._file.close()


class _Columnar:
    """Parquet and Arrow have one type for a column: once it widens, rows are set aside, and cast at the end."""

    def __init__(
        self,
        path: Path,
        safe: bool,
        *,
        opened: Callable[[Path, pa.Schema], Any],
        read: Callable[[Path], Iterator[pa.RecordBatch]],
        fitted: Callable[[pa.Table], pa.Table] = lambda table: table,
    ) -> None:
        self._path, self._opened, self._read, self._fitted = path, opened, read, fitted
        self._writer: Any = None
        self._aside: Any = None
        self._schema: Any = None
        self._held: list[pa.Table] = []

    def write(self, table: pa.Table) -> None:
        table = self._fitted(table)
        if self._schema is None:
            self._schema = table.schema
            self._writer = self._opened(self._path, self._schema)
        same = _as(table, self._schema)
        if same is None:
            self._set_aside(table.schema)
            same = table
        self._held.append(same)
        if sum(held.num_rows for held in self._held) >= _GROUP or sum(h.nbytes for h in self._held) >= _GROUP_BYTES:
            self._flush()

    def finish(self) -> None:
        import pyarrow as pa

        self._flush()
        self._writer.close()
        if self._aside is None:
            return
        self._aside.close()
        with pa.memory_map(str(self._aside_path)) as mapped:
            parts = []
            while mapped.tell() < mapped.size():
                parts.append(pa.ipc.open_stream(mapped).read_all())
            joined = [columns.join([chunk for part in parts for chunk in part.column(n).chunks])
                      for n in range(parts[0].num_columns)]  # fmt: skip
            whole = pa.table(joined, names=parts[0].column_names)
            with self._opened(self._path, whole.schema) as writer:
                writer.write_table(whole)

    def abandon(self) -> None:
        for opened in (self._writer, self._aside):
            if opened is not None:
                opened.close()

    @property
    def _aside_path(self) -> Path:
        return self._path.with_name("aside")

    def _flush(self) -> None:
        import pyarrow as pa

        if self._held:
            self._writer.write_table(pa.concat_tables(self._held))
            self._held = []

    def _set_aside(self, schema: pa.Schema) -> None:
        """Go on in Arrow's streams, one after the other in one file; each tells its own types."""
        import pyarrow as pa

        self._flush()
        self._writer.close()
        if self._aside is None:
            self._aside = self._aside_path.open("wb")
            with pa.ipc.new_stream(self._aside, self._schema) as stream:
                for batch in self._read(self._path):
                    stream.write_table(pa.Table.from_batches([batch]).cast(self._schema))
        self._schema = schema
        self._writer = pa.ipc.new_stream(self._aside, schema)


def _as(table: pa.Table, schema: pa.Schema) -> pa.Table | None:
    """The table in a schema that it has but for columns of nothing but NULL; None if it has another."""
    import pyarrow as pa

    if table.schema.types == schema.types:
        return table
    for n, field in enumerate(schema):
        if table.schema.types[n] == pa.null():
            table = table.set_column(n, field.name, pa.nulls(table.num_rows, field.type))
    return table if table.schema.types == schema.types else None


def _open_parquet(path: Path, schema: pa.Schema) -> Any:
    from pyarrow import parquet

    return parquet.ParquetWriter(path, schema, compression="zstd")


def _read_parquet(path: Path) -> Iterator[pa.RecordBatch]:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        yield from file.iter_batches(columns.BATCH)


def _open_arrow(path: Path, schema: pa.Schema) -> Any:
    import pyarrow as pa

    return pa.ipc.new_file(str(path), schema)


def _read_arrow(path: Path) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    with pa.memory_map(str(path)) as mapped:
        file = pa.ipc.open_file(mapped)
        for n in range(file.num_record_batches):
            yield file.get_batch(n)


WRITERS: dict[str, Callable[[Path, bool], Writer]] = {
    "csv": partial(_Separated, delimiter=","),
    "tsv": partial(_Separated, delimiter="\t"),
    "json": partial(_Json, lines=False),
    "jsonl": partial(_Json, lines=True),
    "parquet": partial(_Columnar, opened=_open_parquet, read=_read_parquet, fitted=intervals),
    "arrow": partial(_Columnar, opened=_open_arrow, read=_read_arrow),
    "feather": partial(_Columnar, opened=_open_arrow, read=_read_arrow),
    "xlsx": Sheet,
}
