"""A result: Arrow inside, immutable, with the methods jupysql's users know."""

from __future__ import annotations

import csv
import io
import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from siege_nb.errors import InvalidError, MissingDriverError, NotFoundError
from siege_nb.query.result import Result
from siege_nb.query.session import Answer

TABLE = pa.table(
    {
        "id": pa.array([1, 2, 2**53 + 1, None], pa.int64()),
        "name": ["a", None, 'c,"d"', "é"],
        "price": pa.array([Decimal("1.10"), Decimal("2.20"), None, Decimal("3.30")], pa.decimal128(38, 10)),
        "whole": pa.array([1, 2, 3, 4], pa.int64()),
    }
)


def result(table: pa.Table | None = TABLE, rowcount: int | None = None, **more: Any) -> Result:
    return Result(Answer(table, rowcount), "SELECT", "wh", 0.0123, {}, **more)


def test_it_reads_as_jupysql_users_expect() -> None:
    r = result()
    assert len(r) == 4
    assert r.keys == ["id", "name", "price", "whole"]
    assert r[0] == (1, "a", Decimal("1.1000000000"), 1)
    assert r[-1][1] == "é"
    assert [row[0] for row in r[1:3]] == [2, 2**53 + 1]
    assert r[1][0] == 2
    assert r.dict()["name"] == ("a", None, 'c,"d"', "é")
    assert r.dicts()[1]["name"] is None
    assert r == list(r)
    assert list(r) == list(r), "reading it twice gives the same rows"
    assert r.rowcount == 4


def test_a_row_is_found_by_its_first_column() -> None:
    r = result(pa.table({"k": ["x", "y", "y"], "v": [1, 2, 3]}))
    assert r["x"] == ("x", 1)
    for key in ("y", "nope"):
        with pytest.raises(NotFoundError, match="rows have"):
            r[key]


def test_a_frame_loses_no_digit() -> None:
    frame = result().DataFrame()
    assert frame["id"].dtype == "Int64"
    assert frame["id"][2] == 2**53 + 1
    assert frame["id"][3] is pd.NA
    assert frame["price"][0] == Decimal("1.1")
    assert isinstance(frame["price"][0], Decimal)


def test_a_polars_frame_is_one_call_away(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = result().PolarsDataFrame()
    assert frame["id"].to_list() == [1, 2, 2**53 + 1, None]
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(MissingDriverError, match="pip install polars"):
        result().PolarsDataFrame()


def test_arrow_is_handed_over_without_a_copy() -> None:
    r = result()
    assert r.arrow() is TABLE
    assert pa.table(r).equals(TABLE)
    assert duckdb.connect().execute("SELECT sum(whole) FROM r").fetchall() == [(10,)]


def test_csv_comes_back_as_it_was(tmp_path: Path) -> None:
    r = result()
    text = r.csv()
    assert text is not None
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0] == r.keys
    assert rows[3][1] == 'c,"d"'
    assert r.csv(str(tmp_path / "out.csv")) is None
    assert (tmp_path / "out.csv").read_bytes().decode() == text


def test_what_gave_no_rows_says_so() -> None:
    changed = result(None, 3)
    assert len(changed) == 0
    assert list(changed) == []
    assert repr(changed) == "3 rows affected · wh · 12 ms"
    for use in (changed.DataFrame, changed.arrow, changed.dicts):
        with pytest.raises(InvalidError, match="gave no rows"):
            use()
    assert repr(result(None)) == "done · wh · 12 ms"
    assert repr(result(None, 1, earlier=(None, 5), in_transaction=True)) == (
        "1 row affected · wh · 12 ms · before it: done, 5 · in transaction"
    )


def test_what_is_shown_is_escaped_and_says_what_is_cut() -> None:
    long = result(pa.table({"<b>": [f"<script>{n}" for n in range(50)]}))
    bundle = long._repr_mimebundle_()
    assert "<script" not in bundle["text/html"]
    assert "&lt;b&gt;" in bundle["text/html"]
    assert bundle["text/html"].count("<tr>") == 11
    assert "first 10 of 50 rows" in bundle["text/html"]
    assert "first 10 of 50 rows" in bundle["text/plain"]


def test_a_chart_carries_the_numbers_and_the_text() -> None:
    r = result(pa.table({"region": ["n", "s"], "revenue": pa.array([Decimal("1.5"), None], pa.decimal128(5, 2))}))
    bundle = r.charted(("bar", "region", "revenue"), ("#0066CC",))._repr_mimebundle_()
    values = bundle["application/vnd.vegalite.v5+json"]["data"]["values"]
    assert values == [{"region": "n", "revenue": 1.5}, {"region": "s", "revenue": None}]
    assert "text/plain" in bundle
    with pytest.raises(NotFoundError, match="no column 'nope'"):
        r.charted(("bar", "region", "nope"), ())


def test_a_chart_has_no_number_that_json_lacks() -> None:
    r = result(pa.table({"x": ["a", "b", "c"], "y": [float("nan"), float("-inf"), 1.0]}))
    spec = r.charted(("bar", "x", "y"), ())._repr_mimebundle_()["application/vnd.vegalite.v5+json"]
    assert [point["y"] for point in json.loads(json.dumps(spec, allow_nan=False))["data"]["values"]] == [None, None, 1]


def test_a_chart_of_many_rows_says_what_it_leaves_out() -> None:
    r = result(pa.table({"x": range(6_000), "y": range(6_000)})).charted(("line", "x", "y"), ())
    bundle = r._repr_mimebundle_()
    spec = bundle["application/vnd.vegalite.v5+json"]
    assert len(spec["data"]["values"]) == 5_000
    assert bundle["text/plain"].endswith("The chart shows the first 5,000 of 6,000 rows.")
    assert spec["title"]["text"] in bundle["text/plain"]


def test_a_chart_is_of_numbers() -> None:
    r = result(pa.table({"x": ["a"], "y": ["b"], "gone": pa.nulls(1)}))
    with pytest.raises(InvalidError, match="drawn of numbers, and 'y' is string"):
        r.charted(("bar", "x", "y"), ())
    assert r.charted(("bar", "x", "gone"), ())._repr_mimebundle_()


@pytest.mark.parametrize(
    ("column", "text"),
    [
        (pa.array([4_000_000, None, 0], pa.int32()).cast(pa.date32()), ["12921-08-18", None, "1970-01-01"]),
        (pa.array([-800_000], pa.int32()).cast(pa.date32()), ["-0221-09-04"]),
        (pa.array([400_000_000_000], pa.int64()).cast(pa.timestamp("s")), ["14645-06-30 15:06:40"]),
        (pa.array([400_000_000_000], pa.int64()).cast(pa.timestamp("s", "UTC")), ["14645-06-30 15:06:40Z"]),
    ],
)
def test_a_day_that_python_cannot_count_is_text(column: pa.Array[Any], text: list[str | None]) -> None:
    r = result(pa.table({"day": column}))
    assert [row[0] for row in r] == text
    assert r.dict() == {"day": tuple(text)}
    assert r.dicts()[0] == {"day": text[0]}
    assert str(text[0]) in str(r.csv())
    assert r.DataFrame()["day"].isna().tolist() == [one is None for one in text]
    assert str(text[0]) in repr(r)
    assert r[0] == (text[0],)


def test_a_far_day_in_a_list_is_text_as_well() -> None:
    far = pa.array([4_000_000], pa.int32()).cast(pa.date32())
    lists = pa.ListArray.from_arrays([0, 1], far)
    structs = pa.StructArray.from_arrays([far, pa.array([1])], ["day", "n"])
    maps = pa.MapArray.from_arrays([0, 1], pa.array(["k"]), far)  # type: ignore[call-overload]  # its stubs know no lists
    r = result(pa.table({"l": lists, "s": structs, "m": maps, "n": pa.array([None], pa.int64())}))
    assert list(r) == [(["12921-08-18"], {"day": "12921-08-18", "n": 1}, [("k", "12921-08-18")], None)]
    assert r.DataFrame().dtypes["n"] == "Int64"


def test_it_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        result().sql = "DROP"  # type: ignore[misc]
