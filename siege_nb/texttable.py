"""Rows as lines of text, in columns that stand under each other whatever the script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class _Style:
    """What a table is drawn with: round the cells of a line, and the rules above, under the names, and below.

    A rule is written in four signs: its left end, what it is filled with, its crossings and its right end.
    """

    row: tuple[str, str, str]
    above: str = ""
    under: str = ""
    below: str = ""


_BAR = ("| ", " | ", " |")
_STYLES = {
    "DEFAULT": _Style(("", "  ", "")),
    "PLAIN_COLUMNS": _Style(("", " " * 8, "")),
    "MARKDOWN": _Style(_BAR, under="|-||"),
    "MSWORD_FRIENDLY": _Style(_BAR),
    "ORGMODE": _Style(_BAR, "|-+|", "|-+|", "|-+|"),
    "SINGLE_BORDER": _Style(("│ ", " │ ", " │"), "┌─┬┐", "├─┼┤", "└─┴┘"),
    "DOUBLE_BORDER": _Style(("║ ", " ║ ", " ║"), "╔═╦╗", "╠═╬╣", "╚═╩╝"),
}
#: The names that prettytable has for them.
STYLES = tuple(_STYLES)


def drawn(cells: Sequence[Sequence[str]], right: Sequence[bool], style: str = "DEFAULT") -> list[str]:
    """The lines of a table whose first row are the names; columns of numbers stand to the right."""
    signs = _STYLES[style]
    if style == "MARKDOWN":
        cells = [[cell.replace("|", "\\|") for cell in row] for row in cells]
    widths = [max(map(places, column)) for column in zip(*cells, strict=True)]
    head, *body = [_line(row, widths, right, signs.row) for row in cells]
    under = ["  ".join("─" * width for width in widths)] if style == "DEFAULT" else _rule(signs.under, widths)
    return [*_rule(signs.above, widths), head, *under, *body, *_rule(signs.below, widths)]


def places(text: str) -> int:
    """The places a text takes in a line of a terminal: two for a Chinese sign, none for an accent of its own."""
    if max(text, default="") < "\u0300":
        return len(text)
    from wcwidth import wcswidth

    return max(wcswidth(text), 0)


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool], signs: tuple[str, str, str]) -> str:
    left, between, end = signs
    padded = []
    for cell, width, number in zip(cells, widths, right, strict=True):
        space = " " * (width - places(cell))
        padded.append(space + cell if number else cell + space)
    return (left + between.join(padded) + end).rstrip()


def _rule(signs: str, widths: Sequence[int]) -> list[str]:
    if not signs:
        return []
    left, fill, cross, right = tuple(signs)
    return [left + cross.join(fill * (width + 2) for width in widths) + right]
