"""Charts as JupyterLab draws them itself: Vega-Lite v5, with the numbers inside and no network."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from siege_nb.show import plain, safe_colors

#: As legible as one grey can be on a light and on a dark page: the chart does not know which it is on.
_GREY = "#808080"
_OURS = "#1976d2"
#: A line of the title holds about as many characters as the chart is wide.
_TITLE = 80


def chart(
    kind: str, x: str, y: str, points: Sequence[tuple[Any, Any]], colors: Sequence[str], *, title: str = ""
) -> dict[str, Any]:
    """A small chart of pairs, the first named x and the second y, as a bundle for a notebook."""
    scale = _scale([a for a, _ in points], kind)
    across = {"type": scale, **_named(x), "sort": None, "axis": _axis(scale)}
    return _bundle(
        kind,
        # Fixed names for the fields: a column's own may hold what means something in Vega's paths and expressions.
        [{"x": _spot(a, scale), "y": b} for a, b in points],
        {"x": {"field": "x", **across}, "y": {"field": "y", "type": "quantitative", **_named(y)}},
        [{"field": "x", "type": scale, **_named(x)}, {"field": "y", "type": "quantitative", **_named(y)}],
        colors,
        title,
    )


def histogram(
    x: str, bins: Sequence[tuple[Any, Any, int]], colors: Sequence[str], *, title: str = ""
) -> dict[str, Any]:
    """How often values come: bins from … to, and their counts, as a bundle for a notebook."""
    scale = _scale([low for low, _, _ in bins], "hist")
    ends = {"field": "x", "type": scale, **_named(x), "bin": "binned"}
    return _bundle(
        "bar",
        [{"x": _spot(low, scale), "x2": _spot(high, scale), "y": rows} for low, high, rows in bins],
        {"x": {**ends, "axis": _axis(scale)}, "x2": {"field": "x2"},
         "y": {"field": "y", "type": "quantitative", "title": "rows"}},
        [{"field": "x", "type": scale, "title": "from"}, {"field": "x2", "type": scale, "title": "to"},
         {"field": "y", "type": "quantitative", "title": "rows"}],
        colors,
        title,
    )  # fmt: skip


def _bundle(
    mark: str,
    values: list[dict[str, Any]],
    encoding: dict[str, Any],
    tooltip: list[dict[str, Any]],
    colors: Sequence[str],
    title: str,
) -> dict[str, Any]:
    grey = dict.fromkeys(("labelColor", "titleColor", "domainColor", "tickColor"), _GREY)
    spec: dict[str, Any] = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": 480,
        "height": 240,
        "background": "transparent",
        "data": {"values": values},
        "mark": {"type": mark, "color": _legible(safe_colors(colors))},
        "encoding": encoding | {"tooltip": tooltip},
        "config": {"axis": grey | {"gridColor": _GREY, "gridOpacity": 0.2}, "view": {"stroke": None}},
    }
    if title:
        lines = re.findall(rf".{{1,{_TITLE}}}(?:\s|$)|\S{{{_TITLE}}}", title)
        spec["title"] = {"text": lines if len(lines) > 1 else title, "color": _GREY, "fontSize": 11,
                         "fontWeight": "normal", "anchor": "start"}  # fmt: skip
    return {"application/vnd.vegalite.v5+json": spec}


# Vega-Lite writes titles between the quotes of expressions, and not all versions of it escape what would end them.
_QUOTES = str.maketrans({'"': "”", "\\": "∖"})


def _named(name: str) -> dict[str, str]:
    # A title of no signs at all would be left to Vega, which takes the field's.
    return {"title": plain(name, _TITLE).translate(_QUOTES) or " "}


_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?))?(?:Z|[+-]\d\d:?\d\d)?")


def _scale(values: Sequence[Any], kind: str) -> str:
    known = [value for value in values if value is not None]
    if known and all(isinstance(value, str) and _MOMENT.fullmatch(value) for value in known):
        return "temporal"
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in known)
    return "quantitative" if numbers and kind != "bar" else "nominal"


def _spot(value: Any, scale: str) -> Any:
    """Where a value stands on its axis. A moment is told as its own clock shows it: with a zone, or as a mere date,
    a browser would move it by the hours between there and here."""
    if value is None or scale != "temporal":
        return value
    day, clock = _MOMENT.fullmatch(value).groups()  # type: ignore[union-attr]  # each one fits, or the scale were none
    return f"{day}T{clock or '00:00:00'}"


def _axis(scale: str) -> dict[str, Any]:
    return {"labelAngle": -40 if scale == "nominal" else 0, "labelLimit": 160}


def _legible(brand: Sequence[str]) -> str:
    """The first colour that stands out from a white page and from a black one; the brand's first if none does."""
    return next((color for color in brand if 0.03 < _light(color) < 0.7), brand[0] if brand else _OURS)


def _light(color: str) -> float:
    """How light a colour is: 0 for black, 1 for white."""
    digits = color[1:] if len(color) == 7 else "".join(digit * 2 for digit in color[1:])
    red, green, blue = (math.pow(int(digits[at : at + 2], 16) / 255, 2.2) for at in (0, 2, 4))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
