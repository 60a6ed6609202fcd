"""Queries kept under a name, which later statements read as if they were tables: each becomes a CTE in front of them.

A statement's own text is not written anew: the CTEs are put into it where it begins, in one line, so that what an
engine says of a line is about that line of the cell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import dropwhile, takewhile

from siege_nb.declare import suggest
from siege_nb.errors import InvalidError, NotFoundError, QueryError
from siege_nb.query import inferred, reading
from siege_nb.query.reading import QUERIES
from siege_nb.query.statements import STANDARD, Grammar, split
from siege_nb.query.tokens import Token, proper, tokens
from siege_nb.query.writes import writing


class Saved:
    """The queries that were kept in this kernel, by name; letter case aside, as SQL has it."""

    def __init__(self) -> None:
        self._texts: dict[str, tuple[str, str]] = {}

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.casefold() in self._texts

    def names(self) -> list[str]:
        """The names as they were given, in order."""
        return sorted(name for name, _ in self._texts.values())

    def text(self, name: str) -> str:
        """The query of a name, with its binds and templates as they were written."""
        if name not in self:
            hint = f"There are: {', '.join(self.names())}." if self._texts else "--save NAME keeps the query of a cell."
            raise NotFoundError(f"No query is saved as {name!r}.{suggest(name, self.names())}", hint=hint)
        return self._texts[name.casefold()][1]

    def keep(
        self,
        name: str,
        text: str,
        *,
        kind: str = "",
        grammar: Grammar = STANDARD,
        exists: Callable[[str], bool] = lambda name: False,
    ) -> None:
        """Save a query under a name, over an older one; refused where it is no query, or would need itself."""
        if not re.fullmatch(r"[^\W\d]\w*", name):
            raise InvalidError(f"A query cannot be saved as {name!r}.", hint="Use a name that SQL needs no quotes for.")
        query = _one_query(text, grammar)
        older = self._texts.get(name.casefold())
        self._texts[name.casefold()] = (name, query)
        try:
            _ordered(self, [name], grammar, kind, exists, lambda text: text)
        except QueryError:
            del self._texts[name.casefold()]
            if older is not None:
                self._texts[name.casefold()] = older
            raise

    def forget(self, name: str) -> None:
        """Save a query no longer."""
        self.text(name)
        del self._texts[name.casefold()]


@dataclass(frozen=True, slots=True)
class Composed:
    """A text with its CTEs put in, and where they are."""

    text: str
    #: The text without them.
    written: str
    #: Where in `written` how many characters were put in, from the first to the last.
    added: tuple[tuple[int, int], ...] = ()

    def retrace(self, error: QueryError) -> None:
        """Have an error point into the text as it was written; one within a saved query stays where it is."""
        if error.line is None or error.column is None or not self.added:
            return
        at = _offset(self.text, error.line) + error.column - 1
        before = 0
        for start, length in self.added:
            if at < start + before:
                break
            if at < start + before + length:
                return
            before += length
        at -= before
        error.line, error.column = self.written.count("\n", 0, at) + 1, at - self.written.rfind("\n", 0, at)
        number, total = error.statement or (1, 1)
        error.place(self.written, 0, number, total)


def compose(
    sql: str,
    saved: Saved,
    wanted: Sequence[str] = (),
    *,
    kind: str = "",
    grammar: Grammar = STANDARD,
    exists: Callable[[str], bool] = lambda name: False,
    render: Callable[[str], str] = lambda text: text,
) -> Composed:
    """The text with each saved query it reads from as a CTE: those wanted by name, and those that a FROM or JOIN names.

    A CTE of the statement's own and a table that `exists` are not taken for a saved query. `render` fills in the
    templates of the saved texts that are used; `kind` is the engine whose SQL it is.
    """
    for name in wanted:
        saved.text(name)
    statements = list(_placed(sql, grammar))
    mentions = [{token.name.casefold() for token in parts if token.is_name} for parts in statements]
    pieces: list[str] = []
    added: list[tuple[int, int]] = []
    end = 0
    made = set[str]()
    for number, (parts, words) in enumerate(zip(statements, mentions, strict=True)):
        last = number == len(statements) - 1
        asked = [n for n in wanted if n.casefold() in words or (last and not any(n.casefold() in w for w in mentions))]
        text = sql[parts[0].start : parts[-1].end]
        made |= _made(parts)
        if inferred.takes_ctes(parts, grammar):
            found = inferred.tables(text, parts, saved, kind)
            asked += [name for name in found if name not in made and not exists(name)]
        own = {name.casefold() for name in reading.ctes(parts)} if asked else set()
        asked = [name for name in asked if name.casefold() not in own]
        if not asked:
            continue
        ctes = _ordered(saved, asked, grammar, kind, exists, render)
        if hidden := [name for name, _ in ctes if name.casefold() in own]:
            raise QueryError(f"The CTE {hidden[0]!r} has the name of a saved query that is needed beside it.",
                             kind="usage", hint="Give the CTE another name.")  # fmt: skip
        at, has_with = inferred.opening(parts)
        put = ", ".join(f"{name} AS ({_in_one_line(query, grammar)})" for name, query in ctes)
        put = f"{put}, " if has_with else f"WITH {put} "
        pieces += [sql[end:at], put]
        added.append((at, len(put)))
        end = at
    return Composed("".join([*pieces, sql[end:]]), sql, tuple(added))


def _ordered(
    saved: Saved,
    names: Sequence[str],
    grammar: Grammar,
    kind: str,
    exists: Callable[[str], bool],
    render: Callable[[str], str],
) -> list[tuple[str, str]]:
    """The saved queries of these names and those that they read from, each after what it needs."""
    done: dict[str, tuple[str, str]] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        key = name.casefold()
        if key in path:
            circle = " → ".join((*path[path.index(key) :], key))
            raise QueryError(f"Saved queries cannot need themselves: {circle}.", kind="usage",
                             hint="Save one of them under another name, or from a table.")  # fmt: skip
        if key in done:
            return
        given, text = saved._texts[key]
        text = render(text)
        for needed in inferred.tables(text, proper(text, grammar), saved, kind):
            if not exists(needed):
                visit(needed, (*path, key))
        done[key] = (given, text)

    for name in names:
        visit(name, ())
    return list(done.values())


def _one_query(text: str, grammar: Grammar) -> str:
    queries = split(text, grammar)
    if len(queries) != 1:
        raise QueryError(f"One query can be saved; here are {len(queries)} statements.", kind="usage")
    first = next((token.word for token in proper(queries[0], grammar) if token.text != "("), "")
    what = writing(queries[0], grammar)
    if (first not in QUERIES and first != "{") or (what and first != "{"):
        raise QueryError(f"Only a query can be saved, not {what[0] if what else first or 'nothing'}.", kind="usage",
                         hint="One that begins with SELECT, WITH, VALUES or FROM, and changes nothing.")  # fmt: skip
    return queries[0]


def _made(parts: Sequence[Token]) -> set[str]:
    """The names that a statement may make a table of, which a later one of the cell then reads; in small letters."""
    if parts[0].word in _MAKING:
        head = takewhile(lambda part: part.word != "AS" and part.text != "(", parts)
    else:  # SELECT … INTO t FROM …
        into = dropwhile(lambda part: part.word != "INTO", parts) if parts[0].word in ("SELECT", "WITH") else ()
        head = takewhile(lambda part: part.word != "FROM", into)
    return {part.name.casefold() for part in head if part.is_name}


def _placed(sql: str, grammar: Grammar) -> Iterator[list[Token]]:
    """The tokens of each statement, without comments, with their places in the whole text."""
    at = 0
    for statement in split(sql, grammar):
        at = sql.index(statement, at)
        parts = [t._replace(start=t.start + at, end=t.end + at) for t in proper(statement, grammar)]
        if parts:  # MySQL's /*! … */ has none
            yield parts
        at += len(statement)


def _in_one_line(text: str, grammar: Grammar) -> str:
    """The query in one line, so far as its literals let it: as much white space as before, and no line comments."""
    pieces, end = [], 0
    for token in tokens(text, grammar):
        pieces.append(_BREAKS.sub(" ", text[end : token.start]))
        block = token.kind == "comment" and token.text.startswith("/*")
        if token.kind != "comment" or block:
            pieces.append(_BREAKS.sub(" ", token.text) if block else token.text)
        end = token.end
    return "".join(pieces).strip()


_MAKING = frozenset("CREATE ALTER RENAME".split())
_BREAKS = re.compile(r"[\r\n]+")


def _offset(text: str, line: int) -> int:
    at = 0
    for _ in range(line - 1):
        at = text.find("\n", at) + 1
    return at
