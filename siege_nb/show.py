"""Profiles and results as people see them: pure functions of plain data.

HTML takes its colours from JupyterLab's own variables, so that it is right in every theme; every text is escaped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from siege_nb.errors import harmless
from siege_nb.texttable import drawn, places

#: Wider values are cut in the view, never in the data.
CELL_WIDTH = 256
#: In text a line is soon full; a value that was cut is whole in the HTML's tooltip, up to this.
_TEXT_WIDTH, _TITLE_WIDTH = 60, 4000
_LINE = 1000

#: The marks that a chart can be drawn with.
CHARTS = ("bar", "line", "area", "point", "hist")

_CELL = "padding:.25em .75em;border:0;vertical-align:top"
_RULE = "1px solid var(--jp-border-color2,#8884)"
_QUIET = "color:var(--jp-ui-font-color2,inherit)"
_PAGE = "var(--jp-layout-color0,var(--vscode-editor-background,Canvas))"


@dataclass(frozen=True, slots=True)
class Look:
    """How results are shown; the names are those of jupysql's settings."""

    #: Rows shown, of all that are held; 0 or None for all.
    displaylimit: int | None = 10
    #: Characters of a value shown; 0 for all.
    max_cell_width: int = CELL_WIDTH
    #: The name of the connection stands under the rows.
    displaycon: bool = True
    #: 0 says only what must be said, 2 also what can be done with a result.
    feedback: int = 1
    #: The lines of a text table: one of texttable.STYLES.
    style: str = "DEFAULT"
    #: "itables" for a table that can be searched, sorted and turned over.
    grid: str = ""


LOOK = Look()


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
    text = harmless(text)
    return Shown(text, f'<pre style="overflow-x:auto;white-space:pre">{escape(text)}</pre>')


def listing(columns: Sequence[str], rows: Sequence[Sequence[Any]], summary: str | Shown) -> Shown:
    """Rows under their column names; a cell may be a badge."""
    return table(columns, rows, summary, numeric=[False] * len(columns))


def table(
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    summary: str | Shown,
    *,
    numeric: Sequence[bool],
    look: Look = LOOK,
) -> Shown:
    """Rows under their column names, numbers to the right, with a line that sums them up."""
    text = _table_text(columns, rows, summary, numeric, look)
    return Shown(text, _table_html(columns, rows, summary, numeric, look))


def facts(title: str, known: Mapping[str, Any], *, colors: Sequence[str] = ()) -> Shown:
    """A title and what is known about it."""
    return Shown(facts_text(title, known), facts_html(title, known, colors=colors))


def stacked(*parts: Shown) -> Shown:
    """Several things to look at, one under the other; what is empty is left out."""
    there = [part for part in parts if part.text]
    return Shown("\n\n".join(part.text for part in there), "".join(part.html for part in there))


def plain(value: Any, width: int = CELL_WIDTH) -> str:
    """A value as one line of harmless text, cut at a width if there is one; NULL for None."""
    if value is None:
        return "NULL"
    if isinstance(value, Shown):
        return value.text
    text = value if isinstance(value, str) else _spelled(value)
    text = harmless(text[: width + 1] if width else text).replace("\n", "⏎").replace("\t", "⇥")
    return text if not width or len(text) <= width else text[: width - 1] + "…"


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


def _table_text(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], summary: str | Shown, numeric: Sequence[bool], look: Look
) -> str:
    width = min(look.max_cell_width or _TEXT_WIDTH, _TEXT_WIDTH)
    cells = [[plain(value, width) for value in row] for row in [columns, *rows]]
    lines = drawn(cells, numeric, look.style)
    said = inline(summary).text
    return "\n".join([*lines, said] if said else lines)


def _table_html(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], summary: str | Shown, numeric: Sequence[bool], look: Look
) -> str:
    # Under a sticky head a border would scroll away; a shadow stays.
    head = "".join(
        f'<th scope="col" style="{_CELL};text-align:{_SIDE[number]};white-space:nowrap;position:sticky;top:0;'
        f'background:{_PAGE};box-shadow:inset 0 -1px var(--jp-border-color1,#8888)">{_html(name, look)}</th>'
        for name, number in zip(columns, numeric, strict=True)
    )
    body = "".join(
        "<tr>" + "".join(_cell(value, number, look) for value, number in zip(row, numeric, strict=True)) + "</tr>"
        for row in rows
    )
    said = inline(summary).html
    caption = (
        '<caption style="caption-side:bottom;text-align:left;white-space:nowrap;padding:.4em .75em;position:sticky;'
        f'bottom:0;left:0;background:{_PAGE};{_QUIET}">{said}</caption>'
    )
    return (
        '<div style="overflow:auto;max-height:32em"><table style="border-collapse:collapse;margin:0;'
        f'font-variant-numeric:tabular-nums">{caption if said else ""}'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


_SIDE = {True: "right", False: "left"}
#: A text of so many characters is broken; spaces are part of it either way.
_SHORT = 40


def _cell(value: Any, number: bool, look: Look) -> str:
    html, flow = _html(value, look), "white-space:pre"
    if len(html) > _SHORT and not number and not isinstance(value, Shown) and value is not None:
        flow = "white-space:pre-wrap;overflow-wrap:anywhere;min-width:20em;max-width:40em"
    return f'<td style="{_CELL};border-bottom:{_RULE};text-align:{_SIDE[number]};{flow}">{html}</td>'


def _html(value: Any, look: Look = LOOK) -> str:
    if value is None:
        return f'<span style="{_QUIET};font-style:italic">NULL</span>'
    if isinstance(value, Shown):
        return value.html
    cut, whole = plain(value, look.max_cell_width), plain(value, _TITLE_WIDTH)
    if cut == whole or len(cut) > _TITLE_WIDTH:
        return escape(cut)
    return f'<span title="{escape(whole)}">{escape(cut)}</span>'


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
    told = [(plain(name), plain(value)) for name, value in facts.items()]
    width = max((places(name) for name, _ in told), default=0)
    return "\n".join([plain(title), *(f"  {name}{' ' * (width - places(name))}  {value}" for name, value in told)])


def safe_colors(colors: Sequence[str]) -> list[str]:
    """Those that are #rgb or #rrggbb: nothing else goes into a style."""
    return [color for color in colors if re.fullmatch(r"#(?:[0-9A-Fa-f]{3}){1,2}", color)]
