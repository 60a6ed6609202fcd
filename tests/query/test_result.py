"""A result: Arrow inside, immutable, with the methods jupysql's users know."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars
import pyarrow as pa
import pytest

from siege_nb.errors import InvalidError, MissingDriverError, NotFoundError, QueryError
from siege_nb.query.result import Result
from siege_nb.query.session import Answer, Cut
from siege_nb.show import Look

TABLE = pa.table(
    {
        "id": pa.array([1, 2, 2**53 + 1, None], pa.int64()),
        "name": ["a", None, 'c,"d"', "é"],
        "price": pa.array([Decimal("1.10"), Decimal("2.20"), None, Decimal("3.30")], pa.decimal128(38, 10)),
        "whole": pa.array([1, 2, 3, 4], pa.int64()),
    }
)


def result(table: pa.Table | None = TABLE, rowcount: int | None = None, cut: Cut = "", **more: Any) -> Result:
    return Result(Answer(table, rowcount, cut), "SELECT", "wh", 0.0123, {}, **more)


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
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0] == r.keys
    assert rows[3][1] == 'c,"d"'
    assert repr(r.csv(str(tmp_path / "out.csv"))) == f"4 rows written to {tmp_path / 'out.csv'}"
    assert (tmp_path / "out.csv").read_bytes().decode() == text
    assert r.csv(delimiter=";", lineterminator="\n").splitlines()[1] == "1;a;1.1000000000;1"
    r.csv(str(tmp_path / "latin.csv"), encoding="latin-1")
    assert "é" in (tmp_path / "latin.csv").read_text("latin-1")


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
    assert values == [{"x": "n", "y": 1.5}, {"x": "s", "y": None}]
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


SLICES = (slice(1, 3), slice(None, None, -1), slice(3, 0, -2), slice(5, 9), slice(None, None, 3), slice(-2, None))


def test_a_slice_is_what_a_list_would_give() -> None:
    r = result()
    for part in SLICES:
        assert r[part] == list(r)[part]
    with pytest.raises(IndexError):
        r[4]
    assert result(TABLE.slice(0, 0))[:] == []


@pytest.mark.parametrize("name", ["bar", "pie", "plot"])
def test_what_jupysql_draws_is_drawn_by_the_flag(name: str) -> None:
    with pytest.raises(AttributeError, match="%sql --chart"):
        getattr(result(), name)
    with pytest.raises(AttributeError, match=r"no 'nosuch'; \.DataFrame\(\)"):
        result().nosuch  # noqa: B018 - it is the looking that raises


WAYS = {
    "arrow": lambda r: r.arrow(),
    "frame": lambda r: r.DataFrame(),
    "polars": lambda r: r.PolarsDataFrame(),
    "dict": lambda r: r.dict(),
    "dicts": lambda r: r.dicts(),
    "csv": lambda r: r.csv(),
    "loop": lambda r: list(r),
    "stream": lambda r: pa.table(r),
    "pandas": lambda r: pd.DataFrame.from_arrow(r),
}


@pytest.mark.parametrize("way", WAYS)
def test_what_memory_cut_is_not_worked_with_by_mistake(way: str) -> None:
    with pytest.raises(QueryError, match="first 4 rows only") as caught:
        WAYS[way](result(cut="memory"))
    assert caught.value.kind == "truncated"
    WAYS[way](result(cut="limit"))
    WAYS[way](result())


def test_duckdb_reads_no_part_for_the_whole() -> None:
    r = result(cut="memory")
    with pytest.raises(duckdb.Error, match="first 4 rows only"):
        duckdb.connect().execute("SELECT * FROM r")
    assert len(r) == 4


def test_what_memory_cut_can_be_had_by_who_asks_for_it() -> None:
    r = result(cut="memory")
    assert r.truncated
    assert len(r.DataFrame(truncated=True)) == len(r.PolarsDataFrame(truncated=True)) == len(r) == 4
    assert r.arrow(truncated=True) is TABLE
    assert r.dicts(truncated=True)[0]["id"] == r.dict(truncated=True)["id"][0] == 1
    assert r.csv(truncated=True).startswith("id,")
    assert r[0] == r[:][0] == r[-4]
    assert r == result()[:]
    assert repr(r).endswith("first 4 rows (memory guard); --limit N for fewer, --to PATH for all · wh · 12 ms")


def test_a_limit_is_said() -> None:
    r = result(cut="limit")
    assert r.truncated
    assert not result().truncated
    assert repr(r).endswith("first 4 rows (limit) · wh · 12 ms")
    few = result(cut="limit", look=Look(displaylimit=2))
    assert repr(few).endswith("first 2 of the first 4 rows (limit) · wh · 12 ms")


@pytest.mark.parametrize(
    ("look", "line"),
    [
        (Look(), "▲ prod · 4 rows · wh · 12 ms · before it: 3"),
        (Look(displaycon=False), "▲ prod · 4 rows · 12 ms · before it: 3"),
        (Look(feedback=0), "▲ prod"),
        (Look(feedback=0, displaylimit=3), "▲ prod · first 3 of 4 rows"),
        (
            Look(feedback=2),
            "▲ prod · 4 rows · wh · 12 ms · before it: 3 · .DataFrame() and .PolarsDataFrame() make frames of it",
        ),
    ],
)
def test_the_line_under_the_rows_says_what_is_wanted_and_what_must_be(look: Look, line: str) -> None:
    r = result(look=look, environment="prod", earlier=(3,))
    assert repr(r).splitlines()[-1] == line
    html = r._repr_mimebundle_()["text/html"]
    assert re.sub("<[^>]+>", "", html.partition("<caption")[2].partition("</caption>")[0].partition(">")[2]) == line


def test_a_quiet_change_says_nothing_at_all() -> None:
    assert result(None, 3, look=Look(feedback=0))._repr_mimebundle_() == {"text/plain": "", "text/html": ""}
    assert "in transaction" in repr(result(None, 3, look=Look(feedback=0), in_transaction=True))


@pytest.mark.parametrize("all_of_them", [0, None])
def test_all_rows_are_shown_to_who_wants_all(all_of_them: int | None) -> None:
    r = result(pa.table({"n": range(50)}), look=Look(displaylimit=all_of_them))
    assert len(repr(r).splitlines()) == 53
    assert r._repr_mimebundle_()["text/html"].count("<tr>") == 51
    assert "first" not in repr(r)


def test_looks_reach_the_table() -> None:
    r = result(pa.table({"a": ["x" * 40]}), look=Look(style="MARKDOWN", max_cell_width=5))
    assert repr(r).splitlines()[2] == "| xxxx… |"


def test_rows_that_went_to_a_file_are_not_rows_affected() -> None:
    assert repr(result(None, 1_000, written="/data/x.csv")) == "1,000 rows written to /data/x.csv · wh · 12 ms"
    assert "first 5 rows written to x.csv (limit)" in repr(result(None, 5, "limit", written="x.csv"))


def test_a_plan_keeps_its_lines() -> None:
    lines = [f"  -> step {n} <b>" for n in range(30)]
    for table in (pa.table({"plan": lines}), pa.table({"key": ["physical"], "value": ["\n".join(lines)]})):
        bundle = result(table, plan=True)._repr_mimebundle_()
        assert "\n".join(lines) in bundle["text/plain"]
        assert "  -&gt; step 29 &lt;b&gt;</pre>" in bundle["text/html"]
        assert "wh · 12 ms" in bundle["text/html"]
    wide = result(pa.table({"a": ["1"], "b": ["2"], "c": ["3"]}), plan=True)
    assert "a  b  c" in wide._repr_mimebundle_()["text/html"], "of several columns, side by side"


def test_a_histogram_counts_all_rows() -> None:
    table = pa.table({
        "n": pa.array([*range(100_000), None]),
        "word": [f"w{n % 40}" for n in range(100_000)] + [None],
        "day": pa.array([*range(100_000), None], pa.int64()).cast(pa.timestamp("s")),
    })  # fmt: skip
    for column, counted in (("n", 100_000), ("day", 100_000), ("word", 30 * 2_500)):
        bundle = result(table).charted(("hist", column, ""), ())._repr_mimebundle_()
        values = bundle["application/vnd.vegalite.v5+json"]["data"]["values"]
        assert sum(value["y"] for value in values) == counted
        assert 10 <= len(values) <= 40
    assert bundle["text/plain"].endswith("The chart shows the 30 most frequent of 41 values.")


@pytest.mark.parametrize(
    ("numbers", "bins"),
    [
        ([], []),
        ([float("nan"), None], []),
        ([7.0], [(7.0, 1)]),
        ([1, 1, 2, 3], [(1.0, 2), (2.0, 1), (3.0, 1)]),
        ([Decimal("0.5"), Decimal("0.5")], [(0.5, 2)]),
        ([-1e308, 1e308], None),
        ([2**62, 2**62 + 1], None),
    ],
)
def test_bins_are_round_and_hold_everything(numbers: list[Any], bins: list[tuple[float, int]] | None) -> None:
    kind = None if numbers else pa.float64()
    r = result(pa.table({"n": pa.array(numbers, kind)})).charted(("hist", "n", ""), ())
    values = r._repr_mimebundle_()["application/vnd.vegalite.v5+json"]["data"]["values"]
    if bins is None:
        assert sum(value["y"] for value in values) == len(numbers)
    else:
        assert [(value["x"], value["y"]) for value in values] == bins


def test_a_chart_of_a_part_says_so() -> None:
    r = result(pa.table({"x": ["a"], "y": [1]}), cut="limit").charted(("bar", "x", "y"), ())
    title = r._repr_mimebundle_()["application/vnd.vegalite.v5+json"]["title"]["text"]
    assert title == "of the first 1 row only"


def test_what_polars_has_no_type_for_is_text() -> None:
    table = pa.table({
        "wide": pa.array([Decimal("1.50")], pa.decimal256(76, 2)),
        "wider": pa.array([Decimal(10**60)], pa.decimal256(76, 0)),
        "span": pa.array([(1, 2, 0)], pa.month_day_nano_interval()),
    })  # fmt: skip
    assert result(table).PolarsDataFrame().rows() == [(Decimal("1.50"), str(10**60), "1 month 2 days")]
    assert result().PolarsDataFrame(schema_overrides={"whole": polars.Int8})["whole"].dtype == polars.Int8


def test_a_grid_that_is_not_installed_leaves_the_table_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "itables.options", None)
    html = result(look=Look(grid="itables"))._repr_mimebundle_()["text/html"]
    assert "<table" in html
    assert "%pip install -U itables" in html


def test_it_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        result().sql = "DROP"  # type: ignore[misc]
