"""What can stand at a place in half-typed SQL: tables, columns, functions, keywords, names of the notebook."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from siege_nb.magics.grammar import STARTERS
from siege_nb.magics.lookup import NOTHING, View
from siege_nb.query import reading
from siege_nb.query.reading import Source
from siege_nb.query.statements import STANDARD, Grammar
from siege_nb.query.tokens import Token, proper, quoted, tokens


class Offer(NamedTuple):
    """One completion, and what it is."""

    text: str
    type: str
    #: The schema that it is not found without.
    schema: str = ""


class Offers(NamedTuple):
    """What may stand instead of the fragment before the cursor, the likeliest first."""

    fragment: str
    found: Sequence[Offer] = ()


@dataclass(frozen=True, slots=True)
class Setting:
    """Where SQL is typed: the engine, what there is in its database, and the notebook around it."""

    kind: str = ""
    grammar: Grammar = STANDARD
    namespace: Mapping[str, Any] = field(default_factory=dict)
    saved: Sequence[str] = ()
    #: What is known of the database, given the tables that are mentioned.
    view: Callable[[Collection[Sequence[str]]], View] = lambda mentioned: NOTHING


FILTERS = ("bind", "ident", "inlist", "lit")
KEYWORDS = tuple(
    "SELECT,FROM,WHERE,AND,OR,NOT,AS,ON,IN,IS NULL,IS NOT NULL,JOIN,LEFT JOIN,INNER JOIN,CROSS JOIN,FULL JOIN,USING"
    ",GROUP BY,ORDER BY,HAVING,LIMIT,OFFSET,DISTINCT,ASC,DESC,CASE,WHEN,THEN,ELSE,END,BETWEEN,LIKE,EXISTS,UNION"
    ",UNION ALL,INTERSECT,EXCEPT,WITH,VALUES,INSERT INTO,UPDATE,SET,DELETE FROM,CREATE TABLE,CREATE VIEW,ALTER TABLE"
    ",DROP TABLE,EXPLAIN,OVER,PARTITION BY,RETURNING,NULL,TRUE,FALSE,BEGIN,COMMIT,ROLLBACK".split(",")
)
#: Those of them that begin a statement.
STARTS = tuple(word for word in KEYWORDS if word.split()[0].casefold() in STARTERS - {"desc", "end"})
FUNCTIONS = tuple(
    """
    abs avg cast ceil coalesce concat count current_date current_timestamp date dense_rank extract first_value floor
    greatest lag last_value lead least length lower ltrim max min mod now nullif power rank replace round row_number
    rtrim sqrt substr substring sum trim upper
    """.split()
)
TYPES = tuple("BIGINT BOOLEAN DATE DECIMAL DOUBLE FLOAT INTEGER JSON TEXT TIME TIMESTAMP UUID VARCHAR".split())
#: What names cannot be without quotes, on one engine or another.
_RESERVED = frozenset(
    """
    all alter and any as asc between both by case cast check collate column constraint create cross current default
    delete desc distinct do drop else end except exists false for foreign from full grant group having if in index inner
    insert intersect into is join key keys left like limit natural not null offset on only or order outer over partition
    primary rank references right rows select set table then to true union unique update user using values when where
    window with
    """.split()
)
# Beginnings of statements that are followed by a table.
_OF_TABLE = frozenset("DESCRIBE DESC SUMMARIZE TRUNCATE ANALYZE SHOW".split())
_CAST = re.compile(r"::\s*\w*\Z")
_BIND = re.compile(r"""(?<![\w:'"\]\}\)\[]):(\w*)\Z""")


def offers(sql: str, at: int, setting: Setting) -> Offers:
    """What may stand at a place in SQL."""
    before = sql[:at]
    if (inside := _template(before)) is not None:
        return _names(inside, setting.namespace)
    *_, last = [None, *tokens(before + " ", setting.grammar)]
    is_open = last is not None and last.end > at
    if last is not None and is_open and last.kind != "quoted":
        return Offers(_tail(before))  # in a literal or a comment nothing is meant
    if not is_open and _CAST.search(before):
        return Offers(_tail(before), _matching(_tail(before), [Offer(name, "type") for name in TYPES]))
    if not is_open and (bind := _BIND.search(before)):
        return Offers(bind[1], _matching(bind[1], _variables(setting.namespace)))
    fragment = before[last.start :] if last is not None and (is_open or _ends_in_name(last, at)) else ""
    typed = Typed(sql, at, fragment, setting)
    return Offers(fragment, typed.offers())


class Typed:
    """A statement with a gap where something is typed, or stands, and what is in sight there."""

    def __init__(self, sql: str, at: int, fragment: str, setting: Setting) -> None:
        self.fragment, self.setting, grammar = fragment, setting, setting.grammar
        self.quote = fragment[:1] if fragment[:1] in ('"', "`", "[") else ""
        self.word = fragment[1:] if self.quote else fragment
        rest = sql[at:]
        #: Editors close a quote as soon as it is opened.
        self.is_closed = bool(self.quote) and rest.startswith({"[": "]"}.get(self.quote, self.quote))
        rest = rest[1:] if self.is_closed else re.sub(r"\A\w+", "", rest) if fragment else rest
        begun = _since_semicolon(proper(sql[: at - len(fragment)], grammar))
        following = proper(rest, grammar)
        end = next((n for n, token in enumerate(following) if token.text == ";"), len(following))
        self.before = begun
        self.spot = reading.spot([*begun, *following[:end]], len(begun))
        self.path = path(begun)
        self._columns: dict[int, tuple[Source, list[str]]] = {}
        self.view = setting.view([source.path for source in self.tables(self.spot.sources)])

    def tables(self, sources: Iterable[Source]) -> Iterable[Source]:
        """The tables among what columns come from, also through CTEs and subqueries."""
        seen, waiting = set[int](), [*sources]
        while waiting:  # each once: CTEs that read CTEs make many ways to the same table
            source = waiting.pop(0)
            if id(source) not in seen:
                seen.add(id(source))
                waiting += [each for each in source.outputs if isinstance(each, Source)]
                if source.path:
                    yield source

    def offers(self) -> list[Offer]:
        if self.path:
            return self.unique(self.of_path())
        clause, between = self.spot.clause, self.spot.between
        if len(self.before) == 1 and self.before[0].word in _OF_TABLE:
            return self.unique(self.all_tables())
        if not self.before:
            return self.unique([], STARTS)
        if clause in reading.TABLES:
            listed = not between or between[-1].word in (",", "ONLY", "LATERAL", "EXISTS", "TABLE")
            return self.unique(self.all_tables() if listed else [], () if listed else KEYWORDS)
        found = [Offer(name, "column") for source in self.spot.sources for name in self.columns(source)]
        found += [Offer(source.alias, "alias") for source in self.spot.sources]
        functions = [Offer(name, "function") for name in FUNCTIONS]
        return self.unique(found, KEYWORDS, functions)

    def of_path(self) -> list[Offer]:
        """What may stand behind a dot: columns of an alias, a table or a frame; tables of a schema."""
        *outer, name = map(str.casefold, self.path)
        found: list[Offer] = []
        if self.spot.clause not in reading.TABLES:
            for source in self.spot.sources:
                same = [part.casefold() for part in source.path[-len(self.path) :]] == [*outer, name]
                if (not outer and source.alias.casefold() == name) or (outer and same):
                    found += [Offer(column, "column") for column in self.columns(source)]
            if not found:  # a table that is named nowhere else yet
                found += [Offer(column, "column") for column in self.columns(Source(name, self.path))]
        found += [Offer(t.name, t.kind) for t in self.view.tables if t.schema.casefold() == name]
        if not found and self.spot.clause in reading.TABLES:  # then it may be a database
            found += [Offer(schema, "schema") for schema in self.view.schemas]
        return found

    def all_tables(self) -> list[Offer]:
        found = [Offer(cte.alias, "cte") for cte in self.spot.ctes.values()]
        home = self.view.home.casefold()
        found += [Offer(table.name, table.kind) for table in self.view.tables if table.schema.casefold() == home]
        found += [Offer(name, "saved") for name in self.setting.saved]
        if self.setting.kind == "duckdb":
            found += [Offer(name, "frame") for name, value in list(self.setting.namespace.items())
                      if not name.startswith("_") and is_frame(value)]  # fmt: skip
        found += [Offer(schema, "schema") for schema in self.view.schemas]
        if self.quote:
            return found
        return found + [Offer(t.name, t.kind, t.schema) for t in self.view.tables if t.schema.casefold() != home]

    def columns(self, source: Source) -> list[str]:
        """The names of a source's columns, so far as they are known."""
        if (known := self._columns.get(id(source))) is not None and known[0] is source:
            return known[1]
        found: list[str] = []
        for output in source.outputs:
            found += [output] if isinstance(output, str) else self.columns(output)
        if source.path:
            found += [column.name for column in self.view.columns(source.path)]
        if not found and len(source.path) == 1 and self.setting.kind == "duckdb":
            found += frame_columns(self.setting.namespace.get(source.path[0]))
        self._columns[id(source)] = source, list(dict.fromkeys(found))
        return self._columns[id(source)][1]

    def unique(self, names: Iterable[Offer], keywords: Sequence[str] = (), more: Iterable[Offer] = ()) -> list[Offer]:
        """The names that begin as typed, as this engine writes them, each once; then functions and keywords."""
        begun = self.word.casefold()
        offers = [
            Offer(f"{self.spelled(schema)}.{self.spelled(name)}" if schema else self.spelled(name), type_)
            for name, type_, schema in names
            if name.casefold().startswith(begun) or (schema and schema.casefold().startswith(begun))
        ]
        offers = list({offer.text: offer for offer in offers[::-1]}.values())[::-1]  # of two the first
        if self.quote:
            return offers
        # Nobody who types in small letters wants keywords in capitals.
        words = [each.lower() if self.word.islower() else each for each in keywords]
        rest = [*more, *(Offer(word, "keyword") for word in words)]
        return [*offers, *(offer for offer in rest if offer.text.casefold().startswith(begun))]

    def spelled(self, name: str) -> str:
        """A name as it must be typed: in quotes where it is begun so, or is no plain word of this engine's."""
        # On PostgreSQL capitals without quotes are another name.
        plain = r"[a-z_][a-z0-9_]*" if self.setting.kind == "postgres" else r"[^\W\d]\w*"
        if not self.quote and re.fullmatch(plain, name) and name.casefold() not in _RESERVED:
            return name
        match self.quote:
            case "[":
                written = f"[{name}]"
            case "":
                written = quoted(name, self.setting.grammar)
            case mark:
                written = mark + name.replace(mark, mark * 2) + mark
        return written[:-1] if self.is_closed else written


def is_frame(value: Any) -> bool:
    """DuckDB reads it as a table: a DataFrame, an Arrow table or a Result."""
    kind = type(value)
    if kind.__module__.partition(".")[0] in ("pandas", "polars", "pyarrow"):
        return kind.__name__ in ("DataFrame", "LazyFrame", "Table", "RecordBatch", "RecordBatchReader")
    result = sys.modules.get("siege_nb.query.result")
    return result is not None and isinstance(value, result.Result)


def frame_columns(value: Any) -> list[str]:
    """The names of a frame's columns, where they are to be had without work."""
    if not is_frame(value) or type(value).__name__ == "LazyFrame":
        return []
    for name in ("column_names", "columns", "keys"):
        found = getattr(value, name, None)
        if found is not None and not callable(found):
            return [str(column) for column in found if not hasattr(column, "to_pylist")]
    return []


def _template(before: str) -> str | None:
    """The inside of a `{{` or `{%` that is not closed yet."""
    opened = max(before.rfind("{{"), before.rfind("{%"))
    if opened < 0 or re.search(r"\}\}|%\}", before[opened:]):
        return None
    return before[opened + 2 :]


def _names(inside: str, namespace: Mapping[str, Any]) -> Offers:
    fragment = _tail(inside)
    behind = inside[: len(inside) - len(fragment)].rstrip()[-1:]
    if behind == ".":
        return Offers(fragment)
    found = [Offer(name, "filter") for name in FILTERS] if behind == "|" else _variables(namespace)
    return Offers(fragment, _matching(fragment, found))


def _variables(namespace: Mapping[str, Any]) -> list[Offer]:
    import types

    hidden = types.ModuleType | types.FunctionType | type
    return [Offer(name, "variable") for name, value in sorted(namespace.items(), key=lambda each: each[0])
            if not name.startswith("_") and not isinstance(value, hidden)]  # fmt: skip


def _matching(fragment: str, found: Iterable[Offer]) -> list[Offer]:
    return [offer for offer in found if offer.text.casefold().startswith(fragment.casefold())]


def _tail(text: str) -> str:
    return re.search(r"\w*\Z", text)[0]  # type: ignore[index]  # it always matches


def _ends_in_name(last: Token, at: int) -> bool:
    return last.kind == "name" and last.end == at


def _since_semicolon(parts: list[Token]) -> list[Token]:
    begin = max((n + 1 for n, token in enumerate(parts) if token.text == ";"), default=0)
    return parts[begin:]


def path(before: Sequence[Token]) -> tuple[str, ...]:
    """The names before the dots that end the text: `a.b.` is a path of two."""
    found: list[str] = []
    at = len(before)
    while at >= 2 and before[at - 1].text == "." and before[at - 2].is_name:
        found.append(before[at - 2].name)
        at -= 2
    return tuple(reversed(found))
