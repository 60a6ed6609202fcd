"""Where statements end, and what kind they are; for engines that cannot split by themselves.

Known limits: `DELIMITER` is a word of mysql's own client and not understood; what a server's mode changes about
quotes (NO_BACKSLASH_ESCAPES) is not seen where its session does not tell; a routine's body ends where its BEGIN and
CASE are all closed, so an unquoted column named `begin` or `end` in one is taken for the keyword.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Grammar:
    """What in an engine's text is not SQL: the forms of its literals, quoted names and comments."""

    #: Doubled quotes apart, a backslash escapes in '…'; and in "…", where that is text.
    backslash: bool = False
    #: "…" is a name, in which a backslash is one, whatever it is in '…'.
    names: bool = False
    #: E'…' is a literal in which a backslash escapes.
    escapes: bool = True
    #: $tag$ … $tag$ is a literal.
    dollars: bool = True
    #: /* … /* … */ … */ is one comment.
    nested: bool = True
    #: `…` is a name.
    backticks: bool = False
    #: […] is a name.
    brackets: bool = False
    #: # begins a comment, and -- only where a space follows.
    hashes: bool = False


STANDARD = Grammar()


def split(sql: str, grammar: Grammar = STANDARD) -> list[str]:
    """The statements of a text without their semicolons, each as it was written; what is only comment is left out."""
    if ";" not in sql:
        return [sql.strip()] if _start(sql, 0, grammar) < len(sql) else []
    found: list[str] = []
    begin = 0
    body = _Body(sql, begin, grammar)
    for semicolon in outside(sql, ";", grammar):
        end = semicolon.start()
        if body.is_open(end):
            continue
        if _start(sql, begin, grammar) < end:
            found.append(sql[begin:end].strip())
        begin = end + 1
        body = _Body(sql, begin, grammar)
    if _start(sql, begin, grammar) < len(sql):
        found.append(sql[begin:].strip())
    return found


def first_word(statement: str, grammar: Grammar = STANDARD) -> str:
    """The first word in capitals, past comments and opening brackets; "" when there is none."""
    at = _start(statement, 0, grammar)
    while statement.startswith("(", at):
        at = _start(statement, at + 1, grammar)
    word = _WORD.match(statement, at)
    return word[0].upper() if word else ""


def begins_transaction(statement: str, grammar: Grammar = STANDARD) -> bool:
    """Whether the statement opens a transaction of the user's."""
    at = _start(statement, 0, grammar)
    return _BEGINS.match(statement, at) is not None and not _NOT_ATOMIC.match(statement, at)


def ends_transaction(statement: str, grammar: Grammar = STANDARD) -> bool:
    """Whether the statement ends a transaction; going back to a savepoint does not."""
    return _ENDS.match(statement, _start(statement, 0, grammar)) is not None


def outside(
    sql: str, wanted: str, grammar: Grammar = STANDARD, begin: int = 0, end: int | None = None
) -> Iterator[re.Match[str]]:
    """Where a pattern matches in the SQL proper: not in literals, quoted names or comments."""
    search = lexer(wanted, grammar).search
    end = len(sql) if end is None else end
    while found := search(sql, begin, end):
        begin = found.end()
        if found.lastgroup == "wanted":
            yield found
        elif grammar.nested and found[0] == "/*":
            begin = comment_end(sql, begin)


_WORD = re.compile(r"[^\W\d]\w*")
_BEGINS = re.compile(r"(?:BEGIN|START\s+TRANSACTION)\b", re.IGNORECASE)
_NOT_ATOMIC = re.compile(r"BEGIN\s+NOT\b", re.IGNORECASE)
_ENDS = re.compile(
    r"(?:COMMIT|END|ABORT|ROLLBACK(?!(?:\s+(?:WORK|TRANSACTION))?\s+TO\b))\b(?!\s+PREPARED\b)", re.IGNORECASE
)
# By the words behind CREATE: a table may be called event and have a column begin.
_ROUTINE = re.compile(
    r"BEGIN\s+NOT\b|(?:CREATE|ALTER)\s+(?:OR\s+REPLACE\s+)?(?:DEFINER\s*=\s*\S+(?:\s*@\s*\S+)?\s+)?"
    r"(?:(?:TEMP|TEMPORARY|CONSTRAINT|AGGREGATE)\s+)*(?:TRIGGER|FUNCTION|PROCEDURE|EVENT)\b",
    re.IGNORECASE,
)
_BLOCKS = r"(?i:\b(?:BEGIN|CASE|END(?:\s+(?:CASE|IF|LOOP|WHILE|REPEAT|FOR))?)\b)"


class _Body:
    """How deep in BEGIN … END a statement that makes a routine is, read on from semicolon to semicolon."""

    def __init__(self, sql: str, begin: int, grammar: Grammar) -> None:
        self._sql, self._grammar = sql, grammar
        self._at = _start(sql, begin, grammar)
        self._is_routine = _ROUTINE.match(sql, self._at) is not None
        self._depth = 0

    def is_open(self, end: int) -> bool:
        if not self._is_routine:
            return False
        for found in outside(self._sql, _BLOCKS, self._grammar, self._at, end):
            match " ".join(found[0].upper().split()):
                # A CASE before the first BEGIN is an expression's.
                case "BEGIN":
                    self._depth += 1
                case "CASE" if self._depth:
                    self._depth += 1
                case "END" | "END CASE":
                    self._depth = max(0, self._depth - 1)
        self._at = end
        return self._depth > 0


@cache
def lexer(wanted: str, grammar: Grammar) -> re.Pattern[str]:
    """A pattern that finds what is quiet in a text, or `wanted` outside of it, whichever comes next."""
    # An unclosed literal or comment reaches to the end of the text. A doubled quote is two literals side by side.
    def quoted(quote: str, escapes: bool) -> str:
        return (
            rf"{quote}[^{quote}\\]*+(?:\\[\s\S][^{quote}\\]*+)*+(?:{quote}|\\?\Z)"
            if escapes
            else rf"{quote}[^{quote}]*+(?:{quote}|\Z)"
        )

    quiet = [quoted("'", grammar.backslash), quoted('"', grammar.backslash and not grammar.names)]
    if grammar.escapes:
        quiet.insert(0, r"(?<!\w)[eE]" + quoted("'", True))
    if grammar.dollars:
        quiet.append(r"(?<![\w$])\$(?P<tag>(?:[^\W\d]\w*)?)\$[\s\S]*?(?:\$(?P=tag)\$|\Z)")
    quiet.append(r"--(?=\s|\Z)[^\n]*+" if grammar.hashes else r"--[^\n]*+")
    quiet.append(r"/\*" if grammar.nested else r"/\*[\s\S]*?(?:\*/|\Z)")
    if grammar.hashes:
        quiet.append(r"#[^\n]*+")
    if grammar.backticks:
        quiet.append(quoted("`", False))
    if grammar.brackets:
        quiet.append(r"\[[^\]]*+(?:\]|\Z)")
    return re.compile(f"(?P<quiet>{'|'.join(quiet)})|(?P<wanted>{wanted})")


_COMMENT = re.compile(r"/\*|\*/")


def comment_end(sql: str, at: int) -> int:
    """Where a comment ends that may have others in it, from behind its opening."""
    depth = 1
    while depth:
        edge = _COMMENT.search(sql, at)
        if edge is None:
            return len(sql)
        depth += 1 if edge[0] == "/*" else -1
        at = edge.end()
    return at


_BLANK = re.compile(r"\s*+")


def _start(sql: str, at: int, grammar: Grammar) -> int:
    """Where the SQL begins: past blanks and comments; at the next semicolon or the end when there is none."""
    while True:
        at = _BLANK.match(sql, at).end()  # type: ignore[union-attr]  # it always matches
        # MySQL runs what stands in /*! … */: a comment for others only.
        if sql.startswith("/*", at) and not (grammar.hashes and sql.startswith(("/*!", "/*M!"), at)):
            if grammar.nested:
                at = comment_end(sql, at + 2)
            else:
                end = sql.find("*/", at + 2)
                at = len(sql) if end < 0 else end + 2
        elif _line_comment(sql, at, grammar):
            end = sql.find("\n", at)
            at = len(sql) if end < 0 else end
        else:
            return at


def _line_comment(sql: str, at: int, grammar: Grammar) -> bool:
    if not grammar.hashes:
        return sql.startswith("--", at)
    return sql.startswith("#", at) or (sql.startswith("--", at) and sql[at + 2 : at + 3] in ("", *" \t\r\n\f\v"))
