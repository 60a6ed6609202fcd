"""Known secret values, kept out of output, logs and tracebacks.

What it cannot hide: a value reversed, re-cased, cut in two, or encoded twice.
"""

from __future__ import annotations

import base64
import html
import json
import logging
from typing import Any
from urllib.parse import quote, quote_plus

# Who shows our log is whoever sets up logging; nobody's stderr is written to behind their back. Here, in a room that
# every room with something to log stands above: in the package itself it would cost `import siege_nb` 6 ms.
logging.getLogger("siege_nb").addHandler(logging.NullHandler())

MASK = "***"
# Shorter values occur in ordinary words: masking them everywhere would eat the output and tell the secret.
SHORTEST = 5

# No lock: mask() also runs where a lock would deadlock or stay held (a log line out of __del__, a signal handler, an
# interrupted cell, a forked child). Whoever changes _known then renews _edition: a matcher built meanwhile is not kept.
_known: dict[str, tuple[str, ...]] = {}
_edition = object()
_built: tuple[object, Any] = (None, None)


def know(value: str) -> None:
    """From now on `mask` hides this value, in the encodings it may turn up in."""
    global _edition
    if len(value) < SHORTEST or value in _known:
        return
    _known[value] = tuple(_spellings(value))
    _edition = object()


def forget(value: str) -> None:
    """The value is secret no longer: rotated away, or never was."""
    global _edition
    _known.pop(value, None)
    _edition = object()


def mask(text: str) -> str:
    """The text with every known secret replaced by stars."""
    if not _known:
        return text
    spans: list[tuple[int, int]] = []
    # Overlapping matches are merged: a secret that begins inside another one hides whole.
    matches = _automaton().find_matches_as_indexes(_speakable(text), overlapping=True)
    for _, start, end in sorted(matches, key=lambda match: match[1]):
        if spans and start < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    parts, at = [], 0
    for start, end in spans:
        parts += [text[at:start], MASK]
        at = end
    return "".join([*parts, text[at:]])


def is_mask(text: str) -> bool:
    """The text is nothing but stars or dots: our own mask, or a form's, coming back."""
    return bool(text.strip()) and not text.strip("*•● \t\r\n")


def _automaton() -> Any:
    """What finds the known values; built again after a change (500 values: about 15 ms)."""
    global _built
    edition = _edition
    if _built[0] is not edition:
        from ahocorasick_rs import AhoCorasick

        found = {spelling for spellings in list(_known.values()) for spelling in spellings}
        built = edition, AhoCorasick(list(found))
        _built = built
        return built[1]
    return _built[1]


def _spellings(value: str) -> set[str]:
    # surrogatepass: a lone surrogate is no reason to fail, and the error of encode() would quote the secret.
    raw = value.encode(errors="surrogatepass")
    found = {value, value.strip(), html.escape(value), raw.hex(), raw.hex().upper()}
    found |= {quote(raw, safe=""), quote(raw), quote_plus(raw), quote(raw, safe=" +")}  # the last is SQLAlchemy's
    found |= {repr(value)[1:-1], json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    # Quoted for SQL, for a column name, for ODBC, for libpq.
    found |= {value.replace(mark, mark * 2) for mark in ("'", '"', "}")}
    found.add(value.replace("\\", "\\\\").replace("'", "\\'"))
    # Base64 cuts the value at a different bit for each of three offsets; only its inner characters are its own.
    for offset in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            inner = encode(b"\0" * offset + raw).decode().rstrip("=")
            first, last = (offset * 8 + 5) // 6, (offset + len(raw)) * 8 // 6
            found.add(inner[first:last])
    return {_speakable(spelling) for spelling in found if len(spelling) >= SHORTEST}


def _speakable(text: str) -> str:
    """The text, of the same length, as the matcher takes it: it speaks UTF-8, which has no lone surrogates."""
    return text if text.isascii() else text.encode(errors="replace").decode()


class MaskingFilter(logging.Filter):
    """Put on a handler, keeps known secrets out of what it writes: message, arguments, extras, traceback, stack."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            message = record.getMessage()
        except Exception:  # arguments that do not fit their message must not break the caller who logs
            message = f"{record.msg} {record.args!r}"
        record.msg, record.args = mask(message), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            # The raw one goes: a formatter or handler with tracebacks of its own would print it past us.
            record.exc_text, record.exc_info = mask(record.exc_text), None
        if record.stack_info:
            record.stack_info = mask(record.stack_info)
        for name, value in vars(record).items():
            if name not in _OWN and not isinstance(value, int | float | None):
                shown = str(value)
                if (masked := mask(shown)) != shown or isinstance(value, str):
                    setattr(record, name, masked)
        return True


_OWN = frozenset(vars(logging.makeLogRecord({})))
