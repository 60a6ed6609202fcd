"""A secret in every spelling it turns up in, and what finds them all in a text."""

from __future__ import annotations

import base64
import html
import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from itertools import accumulate
from typing import Any
from urllib.parse import quote, quote_plus

from siege_nb.masking import SHORTEST

# How colours are told to a terminal or to HTML. IPython and rich put them between the tokens of a line.
_COLOR = re.compile(r"\x1b\[[0-9;]*m|</?span\b[^>]*>")
# Not a row of dots: that is progress.
_ELLIPSIS = re.compile(r"(?<!\.)\.\.\.(?!\.)|…")
#: So much of a shortened value is too much.
_TELLING = SHORTEST
_OPENING = 3


# A matcher of patterns that are thousands of characters long takes seconds, and a value without end takes for ever.
_PIECE, _MOST = 256, 1 << 14


def pieces(value: str) -> list[str]:
    """The parts of a long value, each hidden by itself; of one beyond all measure, those of its beginning."""
    if len(value) < 2 * _PIECE:
        return [value]
    starts = range(0, min(len(value), _MOST) - _PIECE + 1, _PIECE)
    return [value[at : at + _PIECE] for at in starts[:-1]] + [value[starts[-1] : min(len(value), _MOST)]]


def spellings(value: str) -> set[str]:
    """The value as it is, quoted, escaped and encoded."""
    found = {value, value.strip(), *_escaped(value)}
    # As form data and HTML have it; pandas leaves quotes alone, and jinja numbers them.
    text = html.escape(value, quote=False)
    found |= {text, html.escape(value), text.replace("'", "&#39;").replace('"', "&#34;")}
    # Quoted for SQL, for a column name, for ODBC, for libpq.
    found |= {value.replace(mark, mark * 2) for mark in ("'", '"', "}")}
    found.add(value.replace("\\", "\\\\").replace("'", "\\'"))
    for raw in _bytes(value):
        found |= {raw.hex(), raw.hex().upper()}
        found |= {quote(raw, safe=""), quote(raw), quote_plus(raw), quote(raw, safe=" +")}  # the last is SQLAlchemy's
        # Base64 cuts the value at a different bit for each of three offsets; only its inner characters are its own.
        for offset in range(3):
            for encode in (base64.b64encode, base64.urlsafe_b64encode):
                inner = encode(b"\0" * offset + raw).decode().rstrip("=")
                first, last = (offset * 8 + 5) // 6, (offset + len(raw)) * 8 // 6
                found.add(inner[first:last])
    # And each of these within a repr or JSON.
    found |= {escaped for spelling in found if _ESCAPED.search(spelling) for escaped in _escaped(spelling)}
    return {speakable(spelling) for spelling in found if len(spelling) >= SHORTEST}


def _bytes(value: str) -> set[bytes]:
    # surrogatepass: a lone surrogate is no reason to fail, and the error of encode() would quote the secret.
    raws = {value.encode(errors="surrogatepass")}
    if not value.isascii() and all(char < "\u0100" for char in value):
        raws.add(value.encode("latin-1"))  # HTTP's own, of older clients
    return raws


_ESCAPED = re.compile(r"[^ !#-&(-.0-\[\]-~]")


def _escaped(text: str) -> set[str]:
    """A text as part of a string or bytes that are shown by repr(), by either quote, or written as JSON."""
    dumped, raw = json.dumps(text)[1:-1], text.encode(errors="surrogatepass")
    shown = {repr(text)[1:-1], repr('"' + text)[2:-1], dumped, json.dumps(text, ensure_ascii=False)[1:-1]}
    shown |= {repr(raw)[2:-1], repr(b'"' + raw)[3:-1]}
    return shown | {dumped.replace("/", "\\/")}  # pandas


def speakable(text: str) -> str:
    """The text, of the same length, as the matcher takes it: it speaks UTF-8, which has no lone surrogates."""
    return text if text.isascii() else text.encode(errors="replace").decode()


class Matcher:
    """What finds spellings in a text (for 500 values about 15 ms to build)."""

    def __init__(self, spellings: set[str]) -> None:
        self._spellings = spellings

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where spellings stand. Those that overlap are one: a secret that begins inside another one hides whole."""
        spoken, colors = speakable(text), []
        if _colored(spoken):
            colors = [found.span() for found in _COLOR.finditer(spoken)]
            spoken = _COLOR.sub("", spoken)
        matches = self._automaton.find_matches_as_indexes(spoken, overlapping=True)
        spans: list[tuple[int, int]] = []
        for start, end in sorted([*((start, end) for _, start, end in matches), *self._shortened(spoken)]):
            if spans and start < spans[-1][1]:
                spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
            else:
                spans.append((start, end))
        return _with_colors(spans, colors) if spans and colors else spans

    def colors(self, hidden: str) -> list[str]:
        """The colours that change within what is hidden; they go on."""
        return _COLOR.findall(hidden) if _colored(hidden) else []

    def _shortened(self, text: str) -> Iterator[tuple[int, int]]:
        """What stands of spellings around an ellipsis, as pandas, pydoc and IPython's Verbose mode shorten values."""
        if "..." not in text and "…" not in text:
            return
        for found in _ELLIPSIS.finditer(text):
            start, end = found.span()
            before, behind = text[max(0, start - self._longest) : start], text[end : end + self._longest]
            begun = self.beginning(before)
            if len(before) - begun >= _TELLING:
                yield start - len(before) + begun, start
            ended = self._mirrored.beginning(behind[::-1])
            if len(behind) - ended >= _TELLING:
                yield end, end + len(behind) - ended

    def beginning(self, text: str) -> int:
        """From where on the text may be the beginning of a spelling; its length if from nowhere."""
        spoken = speakable(text)
        for at in range(max(0, len(spoken) - self._longest + 1), len(spoken)):
            if spoken[at : at + _OPENING] in self._openings:
                end = spoken[at:]
                next_one = bisect_right(self._sorted, end)
                if next_one < len(self._sorted) and self._sorted[next_one].startswith(end):
                    return at
        return len(spoken)

    @cached_property
    def _automaton(self) -> Any:
        from ahocorasick_rs import AhoCorasick

        return AhoCorasick(list(self._spellings))

    @cached_property
    def _mirrored(self) -> Matcher:
        return Matcher({spelling[::-1] for spelling in self._spellings})

    @cached_property
    def _sorted(self) -> list[str]:
        return sorted(self._spellings)

    @cached_property
    def _longest(self) -> int:
        return max(map(len, self._spellings), default=0)

    @cached_property
    def _openings(self) -> set[str]:
        """The first characters of all: of a long text's end, few places are worth a closer look."""
        return {spelling[:size] for spelling in self._spellings for size in range(1, _OPENING + 1)}


def _with_colors(spans: list[tuple[int, int]], colors: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Places in a text without its colours, as places in the text with them."""
    removed = list(accumulate((end - start for start, end in colors), initial=0))
    bare = [start - gone for (start, _), gone in zip(colors, removed, strict=False)]
    # A colour before the first character stays outside, and so does one behind the last.
    return [(start + removed[bisect_right(bare, start)], end + removed[bisect_right(bare, end - 1)])
            for start, end in spans]  # fmt: skip


def _colored(text: str) -> bool:
    return "\x1b[" in text or "span" in text
