"""What people see: escaped, honest about what is cut, in no colour of its own."""

from __future__ import annotations

import pyarrow as pa

from siege_nb import show

NASTY = "<script>alert(1)</script>\" onload='x' & \x1b[31m\u202e"


def test_every_text_is_escaped() -> None:
    shown = [
        show.listing([NASTY], [[NASTY]], NASTY).html,
        show.facts(NASTY, {NASTY: NASTY}, colors=[NASTY, "red;background:url(x)"]).html,
        show.note(NASTY).html,
    ]
    for html in shown:
        assert "<script" not in html
        assert "\x1b" not in html
        assert "\u202e" not in html
        assert "url(" not in html
        assert "&lt;script&gt;" in html


def test_a_terminal_sees_no_steering_characters() -> None:
    text = show.listing([NASTY], [[NASTY]], NASTY).text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\\x1b[31m" in text


def test_null_is_not_the_word_null() -> None:
    html = show.table_html(["a"], [(None,), ("NULL",)], "", numeric=[False], total=2)
    assert html.count("NULL") == 2
    assert html.count("font-style:italic") == 1


def test_an_interval_is_spelled_out() -> None:
    for given, text in (
        ((0, 3, 0), "3 days"),
        ((14, 1, 14_706_500_000_000), "1 year 2 months 1 day 04:05:06.5"),
        ((-1, 0, -1_000), "-1 months -00:00:00.000001"),
        ((0, 0, 0), "00:00:00"),
    ):
        assert show.plain(pa.scalar(given, pa.month_day_nano_interval()).as_py()) == text


def test_a_table_says_when_it_is_cut() -> None:
    assert "first 1 of 1,234 rows" in show.table_text(["a"], [(1,)], "1,234 rows", total=1234)
    assert "first" not in show.table_text(["a"], [(1,)], "1 row", total=1)


def test_colours_come_from_the_theme_only() -> None:
    html = show.table_html(["a"], [(1,)], "1 row", numeric=[True], total=1)
    assert "#" not in html.replace("#8884", "")
    assert 'scope="col"' in html
    assert "text-align:right" in html


def test_an_environment_is_said_by_sign_and_word_too() -> None:
    shown = {name: show.badge(name) for name in ("prod", "test", "dev")}
    assert [badge.text for badge in shown.values()] == ["▲ prod", "◆ test", "○ dev"]
    for badge in shown.values():
        assert badge.text in badge.html
        assert "#" not in badge.html
        assert "background" not in badge.html, "text on a colour of its own is not legible in every theme"
    assert show.badge(None) == show.badge("") == show.Shown("", "")
    assert "<script" not in show.badge(NASTY).html
    typed_by_hand: list[object] = [[], {}, 0, ["prod"], {"a": [1]}, 7]
    assert [show.badge(odd).text for odd in typed_by_hand] == ["", "", "", '○ ["prod"]', '○ {"a": [1]}', "○ 7"]


def test_badges_stand_in_lines_and_tables_as_they_are() -> None:
    prod = show.badge("prod")
    line = show.note("a < b", prod, "", show.badge(None), "c")
    assert line.text == "a < b · ▲ prod · c"
    assert f"a &lt; b · {prod.html} · c" in line.html
    table = show.listing(("x",), [(prod,), (None,), ("<i>",)], show.inline(prod, "1 row"))
    assert prod.text in table.text
    assert table.html.count(prod.html) == 2
    assert "&lt;i&gt;" in table.html
    assert prod.html in show.facts("t", {"x": prod}).html
    both = show.stacked(line, show.Shown("", ""), table)
    assert both.text == f"{line.text}\n\n{table.text}"


def test_a_chart_is_drawn_in_the_brand_and_needs_no_network() -> None:
    bundle = show.chart("bar", "region", "re.venue", [{"region": "n", "re.venue": 1}], ["not a colour", "#0066CC"])
    spec = bundle["application/vnd.vegalite.v5+json"]
    assert spec["mark"]["color"] == "#0066CC"
    assert spec["encoding"]["y"]["field"] == "re\\.venue"
    assert "url" not in spec["data"]


def test_a_gap_among_numbers_leaves_them_numbers() -> None:
    points: list[dict[str, int | None]] = [{"x": 1, "y": 1}, {"x": None, "y": 2}]
    spec = show.chart("line", "x", "y", points, [])["application/vnd.vegalite.v5+json"]
    assert spec["encoding"]["x"]["type"] == "quantitative"
