"""A text of SQL as tokens with their places; whole or half-typed, nothing is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from siege_nb.query.statements import STANDARD, Grammar, comment_end, lexer

#: `name` is a bare word, `quoted` a name in its engine's quotes, `text` a literal; `sign` one other character.
Kind = Literal["name", "quoted", "text", "comment", "number", "sign"]

_PROPER = r"[^\W\d][\w$]*|\d[\w.]*|\S"
_CLOSING = {'"': '"', "`": "`", "[": "]"}


class Token(NamedTuple):
    """One token, as it was written."""

    kind: Kind
    text: str
    start: int
    end: int

    @property
    def word(self) -> str:
        """A bare word in capitals, as keywords are compared; any other token as it was written."""
        return self.text.upper() if self.kind == "name" else self.text

    @property
    def is_name(self) -> bool:
        """It names something, or is a keyword."""
        return self.kind in ("name", "quoted")

    @property
    def name(self) -> str:
        """What it names, without quotes; also when they are not closed yet."""
        if self.kind != "quoted":
            return self.text
        closing = _CLOSING[self.text[0]]
        inner = self.text[1:-1] if len(self.text) > 1 and self.text.endswith(closing) else self.text[1:]
        return inner.replace(closing * 2, closing)


def tokens(sql: str, grammar: Grammar = STANDARD) -> Iterator[Token]:
    """Every token of a text; only white space is left out. A doubled quote is in one token with what is around it."""
    search, at = lexer(_PROPER, grammar).search, 0
    # A literal right behind another is the rest of it: 'it''s' is two matches.
    held: Token | None = None
    while found := search(sql, at):
        text, at = found[0], found.end()
        if found.lastgroup == "wanted":
            kind: Kind = "name" if re.match(r"[^\W\d]", text) else "number" if text[0].isdigit() else "sign"
        else:
            kind = _quiet(text, grammar)
            if text == "/*" and grammar.nested:
                at = comment_end(sql, at)
                text = sql[found.start() : at]
        token = Token(kind, text, found.start(), at)
        if held and token.kind == held.kind and token.start == held.end and token.text[0] == held.text[-1]:
            held = Token(held.kind, held.text + token.text, held.start, token.end)
            continue
        if held:
            yield held
        held = token if kind in ("text", "quoted") else None
        if held is None:
            yield token
    if held:
        yield held


def proper(sql: str, grammar: Grammar = STANDARD) -> list[Token]:
    """The tokens that are no comments."""
    return [token for token in tokens(sql, grammar) if token.kind != "comment"]


def quoted(name: str, grammar: Grammar = STANDARD) -> str:
    """A name as an engine of this grammar quotes it, whatever is in it."""
    mark = "`" if _quotes_texts(grammar) else '"'
    return mark + name.replace(mark, mark * 2) + mark


def _quotes_texts(grammar: Grammar) -> bool:
    """Where backticks alone quote names, "…" is a text."""
    return grammar.backticks and not grammar.brackets


def _quiet(text: str, grammar: Grammar) -> Kind:
    if text.startswith(("--", "/*", "#")):
        return "comment"
    if text[0] in "`[" or (text[0] == '"' and not _quotes_texts(grammar)):
        return "quoted"
    return "text"
