"""Profiles, results and charts as people see them: pure functions of plain data.

HTML takes its colours from JupyterLab's own variables, so that it is right in every theme; every text is escaped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

#: Wider values are cut in the view, never in the data.
CELL_WIDTH = 256
_LINE = 1000

#: The marks that a chart can be drawn with.
CHARTS = ("bar", "line", "area", "point")

_CELL = "padding:.25em .75em;border:0;border-bottom:1px solid var(--jp-border-color2,#8884)"
_QUIET = "color:var(--jp-ui-font-color2,inherit)"
# What steers a terminal or turns a line around (escape sequences, bidi marks) is shown as its code.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Shown:
    """Something to look at, as text and as HTML."""

    text: str
    html: str

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": self.text, "text/html": self.html}


def count(number: int, noun: str) -> str:
    """'1 row', '2 rows'."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def some(names: Sequence[str], most: int = 12) -> str:
    """The first of many names, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def inline(*parts: str | Shown) -> Shown:
    """Texts and badges in one line, with dots between them; what is empty is left out."""
    there = [part for part in parts if part != "" and part != Shown("", "")]
    texts = [plain(part, _LINE) for part in there]
    htmls = [part.html if isinstance(part, Shown) else escape(plain(part, _LINE)) for part in there]
    return Shown(" · ".join(texts), " · ".join(htmls))


def note(*parts: str | Shown) -> Shown:
    """One quiet line."""
    line = inline(*parts)
    return Shown(line.text, f'<div style="{_QUIET}">{line.html}</div>')


# A sign, a word and a bar: none of them says it by its colour alone. How loud a bar is says what a mistake would cost.
_BADGES = {
    "prod": ("▲", "var(--jp-error-color1,currentColor)", "700"),
    "test": ("◆", "var(--jp-warn-color1,currentColor)", "600"),
    "dev": ("○", "var(--jp-border-color1,currentColor)", "400"),
}


def badge(environment: Any) -> Shown:
    """What a mistake would cost there: ▲ prod, ◆ test or ○ dev; nothing where nobody has said."""
    if not environment:
        return Shown("", "")
    word = plain(environment)
    sign, color, weight = _BADGES.get(word, _BADGES["dev"])
    style = (
        f"display:inline-block;padding:0 .5em;border:1px solid {color};border-left-width:.4em;border-radius:.2em;"
        f"color:var(--jp-ui-font-color1,inherit);font-weight:{weight};line-height:1.4;white-space:nowrap"
    )
    text = f"{sign} {word}"
    return Shown(text, f'<span style="{style}">{escape(text)}</span>')


def preformatted(text: str) -> Shown:
    """Text whose lines stay as they are."""
    return Shown(text, f"<pre>{escape(text)}</pre>")


def listing(columns: Sequence[str], rows: Sequence[Sequence[Any]], summary: str | Shown) -> Shown:
    """Rows under their column names; a cell may be a badge."""
    html = table_html(columns, rows, summary, numeric=[False] * len(columns), total=len(rows))
    return Shown(table_text(columns, rows, summary, total=len(rows)), html)


def facts(title: str, known: Mapping[str, Any], *, colors: Sequence[str] = ()) -> Shown:
    """A title and what is known about it."""
    return Shown(facts_text(title, known), facts_html(title, known, colors=colors))


def stacked(*parts: Shown) -> Shown:
    """Several things to look at, one under the other; what is empty is left out."""
    there = [part for part in parts if part.text]
    return Shown("\n\n".join(part.text for part in there), "".join(part.html for part in there))


def plain(value: Any, width: int = CELL_WIDTH) -> str:
    """A value as one line of harmless text; NULL for None."""
    if value is None:
        return "NULL"
    if isinstance(value, Shown):
        return value.text
    text = value if isinstance(value, str) else _spelled(value)
    text = _STEERING.sub(lambda m: f"\\x{ord(m[0]):02x}" if ord(m[0]) < 256 else f"\\u{ord(m[0]):04x}", text)
    text = text.replace("\n", "⏎").replace("\t", "⇥")
    return text if len(text) <= width else text[: width - 1] + "…"


def _spelled(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return "0x" + value[:64].hex() + ("…" if len(value) > 64 else "")
    if type(value).__name__ == "MonthDayNano":  # Arrow's interval, which need not be installed
        return _interval(*value)
    if isinstance(value, dict | list):
        return json.dumps(value, default=str, ensure_ascii=False)
    return str(value)


def _interval(months: int, days: int, nanoseconds: int) -> str:
    years = int(months / 12)  # towards zero: minus one month is no year less and eleven more
    months -= 12 * years
    parts = [count(number, noun) for number, noun in ((years, "year"), (months, "month"), (days, "day")) if number]
    if nanoseconds or not parts:
        seconds, rest = divmod(abs(nanoseconds), 10**9)
        sign, fraction = "-" if nanoseconds < 0 else "", f".{rest:09}".rstrip("0").rstrip(".")
        parts.append(f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{fraction}")
    return " ".join(parts)


def table_text(columns: Sequence[str], rows: Sequence[Sequence[Any]], summary: str | Shown, *, total: int) -> str:
    """Rows as a text table with its summary under it."""
    cells = [[plain(value, 60) for value in row] for row in rows]
    heads = [plain(name, 60) for name in columns]
    widths = [max(len(line[n]) for line in [heads, *cells]) for n in range(len(heads))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
             for line in [heads, ["─" * width for width in widths], *cells]]  # fmt: skip
    return "\n".join([*lines, _extent(len(rows), total) + inline(summary).text])


def table_html(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    summary: str | Shown,
    *,
    numeric: Sequence[bool],
    total: int,
) -> str:
    """Rows as an HTML table in the notebook's own look, with its summary as caption."""
    rows = list(rows)
    sides = ["right" if number else "left" for number in numeric]
    head = "".join(
        f'<th scope="col" style="{_CELL};text-align:{side}">{escape(plain(name))}</th>'
        for name, side in zip(columns, sides, strict=True)
    )
    body = "".join(
        "<tr>" + "".join(_cell(value, side) for value, side in zip(row, sides, strict=True)) + "</tr>" for row in rows
    )
    return (
        '<div style="overflow-x:auto"><table style="border-collapse:collapse;font-variant-numeric:tabular-nums">'
        f'<caption style="caption-side:bottom;text-align:left;white-space:nowrap;padding:.4em .75em;{_QUIET}">'
        f"{_extent(len(rows), total)}{inline(summary).html}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(value: Any, side: str) -> str:
    return f'<td style="{_CELL};text-align:{side}">{_html(value)}</td>'


def _html(value: Any) -> str:
    if value is None:
        return f'<span style="{_QUIET};font-style:italic">NULL</span>'
    return value.html if isinstance(value, Shown) else escape(plain(value))


def _extent(shown: int, total: int) -> str:
    return f"first {shown:,} of " if shown < total else ""


def facts_html(title: str, facts: Mapping[str, Any], *, colors: Sequence[str] = ()) -> str:
    """A title and what is known about it; colours are shown as swatches beside their names."""
    rows = "".join(
        f'<tr><th scope="row" style="{_CELL};text-align:left;{_QUIET};font-weight:normal">{escape(plain(name))}</th>'
        f'<td style="{_CELL};text-align:left">{_html(value)}</td></tr>'
        for name, value in facts.items()
    )
    swatches = "".join(
        f'<span title="{color}" style="display:inline-block;width:1em;height:1em;margin-left:.3em;border-radius:.2em;'
        f'vertical-align:-.1em;background:{color}"></span>'
        for color in safe_colors(colors)
    )
    return f"<div><strong>{escape(plain(title))}</strong>{swatches}<table>{rows}</table></div>"


def facts_text(title: str, facts: Mapping[str, Any]) -> str:
    """A title and what is known about it, as text."""
    width = max((len(name) for name in facts), default=0)
    return "\n".join([plain(title), *(f"  {name.ljust(width)}  {plain(value)}" for name, value in facts.items())])


def safe_colors(colors: Sequence[str]) -> list[str]:
    """Those that are #rgb or #rrggbb: nothing else goes into a style."""
    return [color for color in colors if re.fullmatch(r"#(?:[0-9A-Fa-f]{3}){1,2}", color)]


def chart(
    kind: str, x: str, y: str, points: Sequence[Mapping[str, Any]], colors: Sequence[str], *, title: str = ""
) -> dict[str, Any]:
    """A small chart as a Vega-Lite v5 bundle: JupyterLab draws it itself, with no network."""
    known = [point[x] for point in points if point[x] is not None]
    numbers = all(isinstance(value, int | float) for value in known)
    dates = all(isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d", value) for value in known)
    scale = "temporal" if known and dates else "quantitative" if numbers and kind != "bar" else "nominal"
    brand = safe_colors(colors) or ["#1976d2"]
    # Field names go through transform-free `field` paths, in which dots and brackets must be escaped.
    field = {name: re.sub(r"([.\[\]\\])", r"\\\1", name) for name in (x, y)}
    spec: dict[str, Any] = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": 360,
        "height": 200,
        "background": "transparent",
        "data": {"values": list(points)},
        "mark": {"type": kind, "tooltip": True, "color": brand[0]},
        "encoding": {
            "x": {"field": field[x], "type": scale, "title": x, "sort": None, "axis": {"labelAngle": 0}},
            "y": {"field": field[y], "type": "quantitative", "title": y},
        },
        # As legible as one grey can be on a light and on a dark page: the chart does not know which it is on.
        "config": {"axis": {"labelColor": "#777777", "titleColor": "#777777", "gridColor": "#77777733",
                            "domainColor": "#777777", "tickColor": "#777777"}, "view": {"stroke": None}},
    }  # fmt: skip
    if title:
        spec["title"] = {"text": title, "color": "#777777", "fontSize": 11, "fontWeight": "normal"}
    return {"application/vnd.vegalite.v5+json": spec}
