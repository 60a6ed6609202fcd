"""What people see: escaped, honest about what is cut, in no colour of its own."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest
from wcwidth import wcswidth

from siege_nb import show, texttable
from siege_nb.show import Look

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
    html = show.listing(["a"], [(None,), ("NULL",)], "").html
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


def test_colours_come_from_the_theme_only() -> None:
    html = show.table(["a"], [(1,)], "1 row", numeric=[True]).html
    assert "#" not in re.sub(r"var\(--jp-[\w-]+,#[0-9a-f]{4}\)", "", html)
    assert 'scope="col"' in html
    assert "text-align:right" in html
    assert "position:sticky" in html


def test_a_cut_value_is_whole_in_its_tooltip() -> None:
    long = "<" + "x" * 300
    html = show.table(["a"], [(long,)], "", numeric=[False], look=Look(max_cell_width=20)).html
    assert f'<span title="&lt;{"x" * 300}">&lt;{"x" * 18}…</span>' in html
    assert f">&lt;{'x' * 300}<" in show.table(["a"], [(long,)], "", numeric=[False], look=Look(max_cell_width=0)).html
    huge = show.table(["a"], [("y" * 10**6,)], "", numeric=[False])
    assert len(huge.html) < 6_000, "a tooltip would be saved in the notebook as well"
    assert len(huge.text) < 200


def test_a_terminal_keeps_columns_under_each_other() -> None:
    rows = [("漢字", 1), ("e\u0301", 22), ("👨\u200d👩\u200d👧", 333), ("plain", 4)]
    lines = show.table(["name", "n"], rows, "", numeric=[False, True]).text.splitlines()
    assert {wcswidth(line) for line in lines} == {len("plain") + 2 + 3}


@pytest.mark.parametrize("style", texttable.STYLES)
def test_a_table_has_the_lines_that_were_asked_for(style: str) -> None:
    shown = show.table(["a|b", "n"], [("x|y", 10), (None, 2)], "2 rows", numeric=[False, True], look=Look(style=style))
    assert shown.text == {
        "DEFAULT": "a|b    n\n────  ──\nx|y   10\nNULL   2\n2 rows",
        "PLAIN_COLUMNS": "a|b          n\nx|y         10\nNULL         2\n2 rows",
        "MARKDOWN": "| a\\|b |  n |\n|------|----|\n| x\\|y | 10 |\n| NULL |  2 |\n2 rows",
        "MSWORD_FRIENDLY": "| a|b  |  n |\n| x|y  | 10 |\n| NULL |  2 |\n2 rows",
        "ORGMODE": "|------+----|\n| a|b  |  n |\n|------+----|\n| x|y  | 10 |\n| NULL |  2 |\n|------+----|\n2 rows",
        "SINGLE_BORDER":
            "┌──────┬────┐\n│ a|b  │  n │\n├──────┼────┤\n│ x|y  │ 10 │\n│ NULL │  2 │\n└──────┴────┘\n2 rows",
        "DOUBLE_BORDER":
            "╔══════╦════╗\n║ a|b  ║  n ║\n╠══════╬════╣\n║ x|y  ║ 10 ║\n║ NULL ║  2 ║\n╚══════╩════╝\n2 rows",
    }[style]  # fmt: skip


def test_lines_that_stay_as_they_are_steer_nothing() -> None:
    shown = show.preformatted("a\r\n  b\x1b[2J\u202ec <i>")
    assert shown.text == "a\n  b\\x1b[2J\\u202ec <i>"
    assert "\n  b\\x1b[2J\\u202ec &lt;i&gt;" in shown.html


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
