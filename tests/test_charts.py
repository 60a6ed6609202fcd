"""Charts: drawn in the brand, without a network, legible on both pages, and right about time."""

from __future__ import annotations

from typing import Any

import pytest

from siege_nb.charts import chart, histogram


def spec(bundle: dict[str, Any]) -> dict[str, Any]:
    (drawn,) = bundle.values()
    assert list(bundle) == ["application/vnd.vegalite.v5+json"]
    return dict(drawn)


def test_a_chart_is_drawn_in_the_brand_and_needs_no_network() -> None:
    drawn = spec(chart("bar", "region", "re.venue", [("n", 1)], ["not a colour", "#0066CC"]))
    assert drawn["mark"] == {"type": "bar", "color": "#0066CC"}
    assert drawn["data"] == {"values": [{"x": "n", "y": 1}]}
    assert drawn["encoding"]["y"]["title"] == "re.venue"


@pytest.mark.parametrize(
    ("brand", "color"),
    [
        (["#000", "#0066CC"], "#0066CC"),
        (["#FFFFFF", "#0A0A0A", "#e67e22"], "#e67e22"),
        (["#111111"], "#111111"),
        ([], "#1976d2"),
    ],
)
def test_a_colour_stands_out_from_a_light_and_a_dark_page_if_the_brand_has_one(brand: list[str], color: str) -> None:
    assert spec(chart("line", "x", "y", [(1, 1)], brand))["mark"]["color"] == color


@pytest.mark.parametrize(
    ("kind", "values", "axis"),
    [
        ("line", [1, None, 2.5], "quantitative"),
        ("bar", [1, 2], "nominal"),
        ("line", [True, False], "nominal"),
        ("point", ["a", None], "nominal"),
        ("area", ["2024-01-01", None], "temporal"),
        ("line", ["2024-01-01 12:30:00.5", "2024-01-02T00:00+02:00"], "temporal"),
        ("line", ["2024-01-01", "2024-Q1"], "nominal"),
        ("line", ["12921-08-18"], "nominal"),
    ],
)
def test_an_axis_is_of_numbers_times_or_words(kind: str, values: list[Any], axis: str) -> None:
    assert spec(chart(kind, "x", "y", [(value, 1) for value in values], []))["encoding"]["x"]["type"] == axis


def test_a_moment_stands_where_its_own_clock_says() -> None:
    given = ["2024-01-01", "2024-01-01T23:30:00+02:00", "2024-01-01 06:00", None]
    values = spec(chart("line", "x", "y", [(value, 1) for value in given], []))["data"]["values"]
    assert [value["x"] for value in values] == ["2024-01-01T00:00:00", "2024-01-01T23:30:00", "2024-01-01T06:00", None]


def test_names_are_titles_and_never_paths() -> None:
    for name in ("a.b", "x['y']", 'datum["x"]', "", "\x1b[31m\u202e", "<img src=x>"):
        drawn = spec(chart("bar", name, name, [(1, 2)], []))
        assert (drawn["encoding"]["x"]["field"], drawn["encoding"]["y"]["field"]) == ("x", "y")
        assert not {'"', "\\"} & set(drawn["encoding"]["x"]["title"]), "it would end a text in an expression of Vega's"
        assert "\x1b" not in str(drawn)
        assert "\u202e" not in str(drawn)


def test_a_histogram_says_from_where_to_where() -> None:
    drawn = spec(histogram("age", [(0.0, 10.0, 3), (10.0, 20.0, 1)], [], title="▲ prod"))
    assert drawn["mark"]["type"] == "bar"
    assert drawn["data"]["values"] == [{"x": 0.0, "x2": 10.0, "y": 3}, {"x": 10.0, "x2": 20.0, "y": 1}]
    assert drawn["encoding"]["x"]["bin"] == "binned"
    assert drawn["title"]["text"] == "▲ prod"


def test_a_long_title_takes_several_lines() -> None:
    title = "▲ prod · live · of the first 1,234,567 rows only · The chart shows the first 5,000 of 1,234,567 rows."
    lines = spec(chart("bar", "x", "y", [(1, 2)], [], title=title))["title"]["text"]
    assert len(lines) == 2
    assert "".join(lines) == title
