"""Rows on their way into a file, which is there when it is whole and not before."""

from __future__ import annotations

import io
import logging
import os
import shutil
import threading
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType
from typing import TYPE_CHECKING, Any

from siege_nb.errors import InvalidError, SiegeError
from siege_nb.query import frames, sheet
from siege_nb.query.formats import WRITERS, Writer
from siege_nb.query.spelling import flat

if TYPE_CHECKING:
    import pyarrow as pa

logger = logging.getLogger(__name__)


def sink_for(path: str | Path, *, default: str = "parquet", safe: bool = True) -> FileSink:
    """Where rows go that shall be a file, in the format of its suffix; `default` is that of a name without one.

    What can be wrong with the place or the format is said here, before anything runs. `safe` keeps a spreadsheet
    from running a text of a .csv or .tsv as a formula.
    """
    target = _target(path)
    if not target.suffix:
        target = _target(target.with_name(f"{target.name}.{default}"))
    suffix = target.suffix[1:].lower()
    if suffix not in WRITERS:
        there = ", ".join(f".{name}" for name in WRITERS)
        raise InvalidError(f"No file of rows ends in {target.suffix!r}.", hint=f"There are: {there}")
    if suffix == "xlsx":
        sheet.library()
    return FileSink(target, suffix, safe)


def _target(path: str | Path) -> Path:
    target = Path(path).expanduser().resolve()  # through a link, lest the link be replaced
    if not str(path) or target.is_dir():
        raise InvalidError(f"{str(path)!r} is a folder and no file.", hint="Give the file a name in it.")
    if not target.parent.is_dir():
        raise InvalidError(f"There is no folder {str(target.parent)!r}.")
    return target


class FileSink:
    """A file for the rows of one statement: `with` it the file is put in its place, unless an error goes through.

    Until then all is written in a folder beside it; what was there before stays as long.
    """

    def __init__(self, path: Path, suffix: str, safe: bool) -> None:
        self.path = path
        #: How many have been written.
        self.rows = 0
        self._make, self._safe = WRITERS[suffix], safe
        self._folder: Path | None = None
        self._writer: Writer | None = None
        # Rows come in the session's thread, and may still come when the cell has been stopped and gives up.
        self._lock = threading.Lock()

    def __enter__(self) -> FileSink:
        try:
            self._folder = Path(mkdtemp(prefix=f".{self.path.name}.", dir=self.path.parent))
        except OSError as error:
            raise self._unwritten(error) from None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def write(self, table: pa.Table) -> None:
        """Take some more rows."""
        import pyarrow as pa

        with self._lock:
            if self._folder is None:
                raise InvalidError(f"{self.path} takes no rows any more.")
            try:
                self._writer = self._writer or self._make(self._folder / self.path.name, self._safe)
                self._writer.write(table)
            except (OSError, pa.ArrowException) as error:
                raise self._unwritten(error) from None
            self.rows += table.num_rows

    @property
    def is_begun(self) -> bool:
        """A statement that gives rows has come here, be it with none of them."""
        return self._writer is not None

    def close(self) -> None:
        """Put the file in its place."""
        import pyarrow as pa

        with self._lock:
            if self._folder is None:
                return
            try:
                if self._writer is None:
                    raise InvalidError(f"There were no rows to write; {self.path} is as it was.")
                self._writer.finish()
                made = self._folder / self.path.name
                if self.path.exists():
                    shutil.copymode(self.path, made)
                os.replace(made, self.path)
            except (OSError, pa.ArrowException) as error:
                raise self._unwritten(error) from None
            finally:
                self._forget()

    def abort(self) -> None:
        """Leave everything as it was."""
        with self._lock:
            if self._writer is not None:
                try:
                    self._writer.abandon()
                except Exception as error:  # of a full disk, perhaps: it is removed all the same
                    logger.debug("letting go of half of %s: %s", self.path, error)
            self._forget()

    def _forget(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)  # hidden, and of no use: nothing is lost if it stays
        self._folder = self._writer = None

    def _unwritten(self, error: Exception) -> SiegeError:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return SiegeError(f"{self.path} could not be written: {reason}.", hint="What was there before is still there.")


def csv_text(table: pa.Table, *, safe: bool, **format_params: Any) -> str:
    """The rows as CSV, as csv.writer with these parameters writes it."""
    text = io.StringIO()
    _write(text, table, safe, format_params)
    return text.getvalue()


def write_csv(table: pa.Table, path: str | Path, *, safe: bool, **format_params: Any) -> Path:
    """The same in a file; where it is."""
    target = _target(path)
    with target.open("w", encoding=format_params.pop("encoding", "utf-8"), newline="") as file:
        _write(file, table, safe, format_params)
    return target


def _write(file: Any, table: pa.Table, safe: bool, format_params: dict[str, Any]) -> None:
    import csv

    import pyarrow as pa

    writer = csv.writer(file, **format_params)
    writer.writerow(flat(table.slice(0, 0), safe=safe).column_names)
    for batch in table.to_batches(10_000):
        writer.writerows(frames.rows(flat(pa.Table.from_batches([batch]), safe=safe)))
