"""Rows on their way into files: whole or not at all, lossless, and harmless in a spreadsheet."""

from __future__ import annotations

import csv
import datetime as dt
import errno
import io
import json
import os
import re
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from siege_nb.errors import InvalidError, MissingDriverError, SiegeError
from siege_nb.query import sheet
from siege_nb.query.export import csv_text, sink_for
from siege_nb.query.formats import WRITERS

TABLE = pa.table(
    {
        "id": pa.array([1, 2**60 + 1, None], pa.int64()),
        "text": ['a,"b"\nc', "", None],
        "price": pa.array([Decimal("1.10"), None, Decimal("-12345678901234567890.12")], pa.decimal128(38, 2)),
        "real": [1.5, float("nan"), float("-inf")],
        "day": [dt.date(2024, 2, 29), dt.date(1, 1, 1), None],
        "at": pa.array(["2024-02-29T12:30:00.000005", None, None]).cast(pa.timestamp("us")),
        "zoned": pa.array([dt.datetime(2024, 1, 1, tzinfo=dt.UTC), None, None], pa.timestamp("us", "Europe/Berlin")),
        "clock": [dt.time(1, 2, 3), None, None],
        "flag": [True, False, None],
        "bytes": [b"\x00\xff", b"", None],
        "list": [[1.5, float("nan")], [], None],
        "struct": [{"d": Decimal("1.1"), "t": dt.date(2024, 1, 1)}, None, None],
        "span": pa.array([(1, 2, 3_000_000_000), None, None], pa.month_day_nano_interval()),
        "word": pa.array(["x", None, "x"]).dictionary_encode(),
        "nothing": pa.nulls(3),
    }
)


def written(path: Path, *tables: pa.Table, **more: Any) -> Path:
    with sink_for(path, **more) as sink:
        for table in tables:
            sink.write(table)
    assert sink.rows == sum(table.num_rows for table in tables)
    return sink.path


def test_csv_has_every_value(tmp_path: Path) -> None:
    path = written(tmp_path / "out.csv", TABLE.slice(0, 1), TABLE.slice(1))
    with path.open(newline="") as file:
        head, first, second, third = csv.reader(file)
    assert head == TABLE.column_names
    assert first == [
        "1", 'a,"b"\nc', "1.10", "1.5", "2024-02-29", "2024-02-29 12:30:00.000005", "2024-01-01 01:00:00.000000+0100",
        "01:02:03.000000", "true", "0x00ff", "[1.5, null]", '{"d": "1.1", "t": "2024-01-01"}',
        "1 month 2 days 00:00:03", "x", "",
    ]  # fmt: skip
    assert second[:5] == [str(2**60 + 1), "", "", "nan", "0001-01-01"]
    assert third[2] == "-12345678901234567890.12"
    lines = path.read_text().splitlines()
    assert lines[3].startswith(f'{2**60 + 1},"",,nan'), "NULL is nothing, an empty text is a pair of quotes"


def test_tsv_is_csv_with_tabs(tmp_path: Path) -> None:
    path = written(tmp_path / "out.TSV", pa.table({"a": ["x\ty"], "b": [1]}))
    assert path.read_text() == '"a"\t"b"\n"x\ty"\t1\n'


def test_a_single_column_of_nulls_has_all_its_rows(tmp_path: Path) -> None:
    path = written(tmp_path / "out.csv", pa.table({"a": pa.array([1, None, 3])}))
    assert duckdb.sql(f"SELECT count(*), count(a) FROM read_csv('{path}', header=true)").fetchall() == [(3, 2)]


@pytest.mark.parametrize("suffix", ["json", "jsonl"])
def test_json_has_every_digit(suffix: str, tmp_path: Path) -> None:
    path = written(tmp_path / f"out.{suffix}", TABLE.slice(0, 1), TABLE.slice(1))
    text = path.read_text()
    rows = json.loads(text, parse_constant=pytest.fail) if suffix == "json" else [
        json.loads(line, parse_constant=pytest.fail) for line in text.splitlines()
    ]  # fmt: skip
    assert rows[0] == {
        "id": 1, "text": 'a,"b"\nc', "price": "1.10", "real": 1.5, "day": "2024-02-29",
        "at": "2024-02-29T12:30:00.000005", "zoned": "2024-01-01T00:00:00.000000Z", "clock": "01:02:03.000000",
        "flag": True, "bytes": "0x00ff", "list": [1.5, None], "struct": {"d": "1.1", "t": "2024-01-01"},
        "span": "1 month 2 days 00:00:03", "word": "x", "nothing": None,
    }  # fmt: skip
    assert (rows[1]["id"], rows[1]["real"], rows[1]["text"]) == (2**60 + 1, None, "")
    assert rows[2]["price"] == "-12345678901234567890.12"


@pytest.mark.parametrize(("suffix", "empty"), [("json", "[]\n"), ("jsonl", ""), ("csv", '"a"\n'), ("tsv", '"a"\n')])
def test_no_rows_are_a_file_of_no_rows(suffix: str, empty: str, tmp_path: Path) -> None:
    assert written(tmp_path / f"out.{suffix}", pa.table({"a": pa.array([], pa.int64())})).read_text() == empty


def read(path: Path) -> pa.Table:
    return parquet.read_table(path) if path.suffix == ".parquet" else feather.read_table(path, memory_map=False)


@pytest.mark.parametrize("suffix", ["arrow", "feather"])
def test_arrow_comes_back_as_it_was(suffix: str, tmp_path: Path) -> None:
    back = read(written(tmp_path / f"out.{suffix}", TABLE.slice(0, 1), TABLE.slice(1)))
    assert back.schema.types == TABLE.schema.types
    assert str(back.to_pylist()) == str(TABLE.to_pylist())  # as text: a NaN is not itself


def test_parquet_comes_back_as_it_was_but_for_what_it_lacks(tmp_path: Path) -> None:
    back = read(written(tmp_path / "out.parquet", TABLE.slice(0, 1), TABLE.slice(1)))
    known = [name for name in TABLE.column_names if name != "span"]
    assert str(back.select(known).to_pylist()) == str(TABLE.select(known).to_pylist())
    assert back["span"].to_pylist() == ["1 month 2 days 00:00:03", None, None]


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_types_may_widen_on_the_way(suffix: str, tmp_path: Path) -> None:
    pieces: list[list[Any]] = [[None], [1], [None], [2.5], [None, 3]]
    names = ["x" * 5, "id"]
    at, tables = 0, []
    for piece in pieces:
        tables.append(pa.table([pa.array(piece), pa.array(range(at, at + len(piece)))], names=names))
        at += len(piece)
    path = written(tmp_path / f"out.{suffix}", *tables)
    assert read(path).to_pydict() == {"xxxxx": [None, 1.0, None, 2.5, None, 3.0], "id": list(range(6))}
    assert read(path).schema.types == [pa.float64(), pa.int64()]
    mixed = written(path, pa.table({"x": [1]}), pa.table({"x": ["a"]}), pa.table({"x": [Decimal("1.5")]}))
    assert read(mixed)["x"].to_pylist() == ["1", "a", "1.5"]
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name], "nothing is left lying about"


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_seconds_stay_seconds_when_another_column_widens(suffix: str, tmp_path: Path) -> None:
    seconds = pa.array([5], pa.int64()).cast(pa.timestamp("s"))
    tables = [pa.table({"at": seconds, "x": pa.array([value])}) for value in (1, 2.5)]
    back = read(written(tmp_path / f"out.{suffix}", *tables))
    assert [str(at) for at in back["at"].to_pylist()] == ["1970-01-01 00:00:05"] * 2


def test_pieces_make_few_groups(tmp_path: Path) -> None:
    path = written(tmp_path / "out.parquet", *[pa.table({"n": range(10_000)})] * 30)
    assert parquet.ParquetFile(path).metadata.num_row_groups == 3


@pytest.mark.parametrize("suffix", [name for name in WRITERS if name != "xlsx"])
def test_what_fails_leaves_everything_as_it_was(suffix: str, tmp_path: Path) -> None:
    def stopped() -> None:
        with sink:
            sink.write(TABLE)
            sink.write(TABLE)
            raise KeyboardInterrupt

    path = tmp_path / f"out.{suffix}"
    path.write_text("old")
    sink = sink_for(path)
    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == [path.name]
    with pytest.raises(InvalidError, match="takes no rows any more"):
        sink.write(TABLE)
    with pytest.raises(InvalidError, match="no rows to write"), sink_for(path):
        pass
    assert path.read_text() == "old"


def test_it_is_there_when_it_is_whole_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("old")
    path.chmod(0o640)
    with sink_for(path) as sink:
        sink.write(TABLE)
        assert path.read_text() == "old"
    assert path.read_text().startswith('"id"')
    assert path.stat().st_mode & 0o777 == 0o640


def test_rows_may_still_come_from_another_thread_when_all_is_given_up(tmp_path: Path) -> None:
    seen: list[Exception] = []
    go_on = threading.Event()
    sink = sink_for(tmp_path / "out.parquet")

    def session() -> None:
        try:
            while True:
                sink.write(TABLE)
                go_on.set()
        except Exception as error:
            seen.append(error)

    def cell() -> None:
        with sink:
            thread.start()
            assert go_on.wait(10)
            raise KeyboardInterrupt

    thread = threading.Thread(target=session)
    with pytest.raises(KeyboardInterrupt):
        cell()
    thread.join(10)
    assert isinstance(seen[0], InvalidError)
    assert os.listdir(tmp_path) == []


def test_a_place_that_cannot_be_is_told_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder.parquet").mkdir()
    for path, told in (
        (tmp_path / "folder", "is a folder and no file"),
        (tmp_path / "folder.parquet", "is a folder and no file"),
        (tmp_path / "nowhere" / "x.csv", "There is no folder"),
        (tmp_path / "x.doc", "No file of rows ends in '.doc'"),
        ("", "is a folder and no file"),
    ):
        with pytest.raises(InvalidError, match=re.escape(told)) as caught:
            sink_for(path)
        if "doc" in str(path):
            assert caught.value.hint == "There are: .csv, .tsv, .json, .jsonl, .parquet, .arrow, .feather, .xlsx"
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    with pytest.raises(MissingDriverError, match="pip install xlsxwriter"):
        sink_for(tmp_path / "x.xlsx")


def test_a_place_may_be_named_as_one_likes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert sink_for("~/x.csv").path == tmp_path / "x.csv"
    assert sink_for("x").path == tmp_path / "x.parquet"
    assert sink_for("x", default="csv").path == tmp_path / "x.csv"
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    written(Path("link.csv"), TABLE)
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").exists()


def test_a_disk_that_fails_is_told_and_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*names: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "out.csv"
    path.write_text("old")
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(SiegeError, match=r"could not be written: No space left on device.\n.*still there"):
        written(path, TABLE)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == [path.name]


FORMULAS = [
    "=1+1", "+1+1", "-1+1", "@SUM(A1)", "=cmd|' /C calc'!A0", "＝1+1", "＋1", "－1", "＠A1", "\t=1+1", "\r=1+1",
    "\n=1+1", " =1+1", "\ufeff=1+1", "\x00=1+1", "\u200b=1+1", "\u00a0=1+1", "\u3000＝1", "﹦1", "-", "+49 30 1",
    '=HYPERLINK("//x")', "\tplain", "'=1+1", "''=1+1",
]  # fmt: skip
HARMLESS = ["-5", "+15550123", "-1.5", "1e5", "-1e5", "-1,234.5", "-5%", "a=b", "", "'", "'a", "x@y", "−5", "(=1)"]
BEGINS = re.compile(r"'*(?:[\s\x00-\x20\ufeff\u200b\xa0\u3000]*[=+\-@＝＋－＠﹢﹣﹦﹫]|[\t\r\n])")


def by_sink(table: pa.Table, folder: Path, safe: bool) -> str:
    return written(folder / "out.csv", table, safe=safe).read_bytes().decode()


def by_writer(table: pa.Table, folder: Path, safe: bool) -> str:
    return csv_text(table, safe=safe)


@pytest.mark.parametrize("write", [by_sink, by_writer])
def test_no_text_is_a_formula_and_each_can_be_had_back(
    write: Callable[[pa.Table, Path, bool], str], tmp_path: Path
) -> None:
    def texts(safe: bool) -> list[str]:
        (name, _), *rows = csv.reader(io.StringIO(write(table, tmp_path, safe), newline=""))
        assert {number for _, number in rows} == {"-5"}, "a number is a number"
        return [name, *(text for text, _ in rows)]

    table = pa.table({"=name": [*FORMULAS, *HARMLESS], "n": [-5] * len(FORMULAS + HARMLESS)})
    assert texts(safe=False) == ["=name", *FORMULAS, *HARMLESS]
    name, *armed = texts(safe=True)
    assert name == "'=name"
    for text, given in zip(armed, [*FORMULAS, *HARMLESS], strict=True):
        assert text == (f"'{given}" if given in FORMULAS else given)
        assert text[:1] == "'" or not BEGINS.match(text) or given in HARMLESS
    # One ' less for each that begins so: nothing is lost.
    assert [text[1:] if text[:1] == "'" and BEGINS.match(text) else text for text in armed] == [*FORMULAS, *HARMLESS]


def test_excel_has_every_value(tmp_path: Path) -> None:
    pytest.importorskip("xlsxwriter")
    openpyxl = pytest.importorskip("openpyxl")
    more = pa.table({"f": ["=1+1", "http://x"], "n": [Decimal("1.1"), Decimal("12345678901234567.12")]})
    page = openpyxl.load_workbook(written(tmp_path / "more.xlsx", more)).active
    assert list(page.values) == [("f", "n"), ("=1+1", 1.1), ("http://x", "12345678901234567.12")]
    assert [page[cell].data_type for cell in ("A2", "B2", "B3")] == ["s", "n", "s"]
    assert page["A3"].hyperlink is None
    rows = openpyxl.load_workbook(written(tmp_path / "out.xlsx", TABLE.slice(0, 1), TABLE.slice(1))).active.values
    head, first, second, third = rows
    assert list(head) == TABLE.column_names
    assert first == (
        1, 'a,"b"\nc', 1.1, 1.5, dt.datetime(2024, 2, 29), dt.datetime(2024, 2, 29, 12, 30),  # noqa: DTZ001 - Excel's
        "2024-01-01T00:00:00.000000Z", "01:02:03.000000", True, "0x00ff", "[1.5, null]",
        '{"d": "1.1", "t": "2024-01-01"}', "1 month 2 days 00:00:03", "x", None,
    )  # fmt: skip
    assert second[0] == str(2**60 + 1)
    assert (second[3], second[4]) == (None, "0001-01-01")
    assert third[2] == "-12345678901234567890.12"


def test_excel_says_what_it_does_not_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("xlsxwriter")
    assert (sheet.ROWS, sheet.COLUMNS) == (1_048_576, 16_384)
    monkeypatch.setattr(sheet, "ROWS", 10)
    written(tmp_path / "fits.xlsx", pa.table({"n": range(9)}))
    for table, told in (
        (pa.table({"n": range(10)}), "holds 10 rows"),
        (pa.table([[1]] * 16_385, names=[str(n) for n in range(16_385)]), "holds 16,384 columns"),
        (pa.table({"t": ["x" * 32_768]}), "holds 32,767 characters; row 1 has more"),
    ):
        with pytest.raises(InvalidError, match=told), sink_for(tmp_path / "out.xlsx") as sink:
            sink.write(table)
    assert os.listdir(tmp_path) == ["fits.xlsx"]


@pytest.mark.fault
@pytest.mark.parametrize("suffix", ["parquet", "arrow", "csv", "widening.parquet"])
def test_two_million_rows_need_no_more_memory_than_a_few(suffix: str, tmp_path: Path) -> None:
    script = textwrap.dedent(
        """
        import decimal, resource, sys
        import pyarrow as pa, pyarrow.csv, pyarrow.parquet
        from siege_nb.query.export import sink_for

        def piece(n):
            numbers = range(n, n + 10_000)
            text = pa.array([f"some text of the row {i}" for i in numbers])
            widening = n if "widening" in sys.argv[1] and n < 1_000_000 else n + 0.5
            columns = {f"t{i}": text for i in range(4)} | {"n": pa.array(numbers), "w": pa.array([widening] * 10_000)}
            return pa.table(columns)

        piece(0)
        base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with sink_for(sys.argv[1]) as sink:
            for n in range(0, 2_000_000, 10_000):
                sink.write(piece(n))
        print(sink.rows, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base) // 1024)
        """
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / f"out.{suffix}")], capture_output=True, text=True, check=True
    )
    rows, megabytes = map(int, ran.stdout.split())
    assert rows == 2_000_000
    assert megabytes < 300
