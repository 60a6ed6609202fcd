"""Known secret values, kept out of output, logs and tracebacks.

What it cannot hide: a value reversed, re-cased, cut in two by other text, encoded twice (but for a repr or JSON around
another encoding), or changed by the user in any other way. Colours within it and an ellipsis that shortens it are seen
through, but not where the text comes in pieces.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from siege_nb.masking.spellings import Matcher

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
_built: tuple[object, Matcher | None] = (None, None)


def know(value: str) -> None:
    """From now on `mask` hides this value, in the encodings it may turn up in."""
    global _edition
    if len(value) < SHORTEST or value in _known:
        return
    # Here, for whoever has a secret, and not for whoever loads the extension.
    from siege_nb.masking.spellings import pieces, spellings

    _known[value] = tuple({spelling for piece in pieces(value) for spelling in spellings(piece)})
    _edition = object()


def forget(value: str) -> None:
    """The value is secret no longer: rotated away, or never was."""
    global _edition
    _known.pop(value, None)
    _edition = object()


def known() -> bool:
    """There is anything to hide."""
    return bool(_known)


def mask(text: str) -> str:
    """The text with every known secret replaced by stars."""
    if not _known:
        return text
    parts, at = [], 0
    matcher = _matcher()
    for start, end in matcher.spans(text):
        parts += [text[at:start], MASK, *matcher.colors(text[start:end])]
        at = end
    return "".join([*parts, text[at:]]) if parts else text


def masked(value: Any, *, keys: bool = False) -> Any:
    """Plain data with every text in it masked, at any depth; pictures and the like are left alone.

    The keys of a dict are names of its maker's; they are masked only within data that is called JSON.
    """
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {
            mask(key) if keys and isinstance(key, str) else key: inner
            if isinstance(key, str) and key.startswith(_BINARY) and not key.endswith(_TEXT)
            else masked(inner, keys=keys or (isinstance(key, str) and key.endswith("json")))
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [masked(inner, keys=keys) for inner in value]
    return value


# Base64 in a message: by chance it spells many a short secret.
_BINARY = ("image/", "audio/", "video/", "font/", "application/pdf", "application/octet-stream")
_TEXT = ("xml", "json")


def is_mask(text: str) -> bool:
    """The text is nothing but stars or dots: our own mask, or a form's, coming back."""
    return bool(text.strip()) and not text.strip("*•● \t\r\n")


class Flow:
    """Text that comes in pieces: a secret that the pieces cut is hidden, and all that cannot be one's beginning passes.

    No lock here either: what is held back is taken and put down by single operations on a list.
    """

    def __init__(self) -> None:
        self._kept: list[_Rest] = []

    def idle(self) -> bool:
        """Nothing is held back or remembered."""
        return not self._kept

    def feed(self, piece: str) -> str:
        """What may go on now, of what was held back and this piece."""
        return self._pass(piece) if _known or self._kept else piece

    def release(self) -> str:
        """What is still held back. It is remembered: of a secret that goes on after this, the rest is hidden."""
        return self._pass("", everything=True) if self._kept else ""

    def _pass(self, piece: str, *, everything: bool = False) -> str:
        rest = self._take()
        text = rest.text + piece
        matcher = _matcher()
        spans, begun = matcher.spans(text), matcher.beginning(text)
        until = len(text) if everything else begun
        parts, at, starred = [], rest.shown, rest.starred
        for start, end in spans:
            if end <= at or start >= until:
                continue
            # One that ends within what may be another's beginning is passed as stars, and what it covers is kept.
            parts.append(text[at : max(at, start)])
            if start >= at or not starred:
                parts += [MASK, *matcher.colors(text[start:end])]
            at, starred = end, True
        if at < until:
            parts.append(text[at:until])
            at, starred = until, False
        if begun < len(text):
            self._kept.append(_Rest(text[begun:], at - begun, starred))
        return "".join(parts)

    def _take(self) -> _Rest:
        taken: list[_Rest] = []
        while self._kept:
            try:
                taken.append(self._kept.pop(0))
            except IndexError:  # another thread was quicker
                break
        if not taken:
            return _Rest()
        first, *others = taken  # others: two threads wrote at once
        return first._replace(text=first.text + "".join(other.text[other.shown :] for other in others))


class _Rest(NamedTuple):
    """The end of what came: possibly the beginning of a secret."""

    text: str = ""
    #: So much of it has been passed on, and whether as stars.
    shown: int = 0
    starred: bool = False


def _matcher() -> Matcher:
    """What finds the known values; built again after a change."""
    global _built
    edition, (of, built) = _edition, _built
    if built is None or of is not edition:
        from siege_nb.masking.spellings import Matcher

        built = Matcher({spelling for spellings in list(_known.values()) for spelling in spellings})
        _built = edition, built
    return built


class MaskingFilter(logging.Filter):
    """Put on a handler, keeps known secrets out of what it writes: message, arguments, extras, traceback, stack."""

    def filter(self, record: logging.LogRecord) -> bool:
        if not _known:
            return True
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
