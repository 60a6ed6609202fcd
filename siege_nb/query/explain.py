"""Plans: how each engine is asked for one, and what it answers as text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

from siege_nb.errors import QueryError
from siege_nb.query.session import Answer, Queryable
from siege_nb.query.statements import STANDARD, Grammar, first_word, outside, split

if TYPE_CHECKING:
    import pyarrow as pa

#: A plan instead of an answer; "analyze" runs the statement, and says how long its steps took.
Explain = Literal["", "plan", "analyze"]


def question(session: Queryable, how: Explain) -> str:
    """What stands before a statement whose plan is wanted, by the rules of the engine that answers.

    Its grammar tells the families apart, and the engine itself its name: MariaDB has other words than MySQL.
    """
    grammar = session.grammar
    is_sqlite = grammar.brackets and grammar.backticks
    if how == "plan":
        return "EXPLAIN QUERY PLAN " if is_sqlite else "EXPLAIN "
    name = "" if is_sqlite else _name(session)
    if is_sqlite or _SPARK.fullmatch(name):
        hint = "--explain alone gives the plan."
        raise QueryError("This engine does not say how long the steps of a plan take.", kind="usage", hint=hint)
    if "MariaDB" in name:
        return "ANALYZE FORMAT=JSON "
    return "EXPLAIN (ANALYZE, BUFFERS) " if name.startswith("PostgreSQL") else "EXPLAIN ANALYZE "


# Its version, and the commit it was made of.
_SPARK = re.compile(r"\d+\.\d+\.\S+ [0-9a-f]{40}")


def explains(text: str, grammar: Grammar = STANDARD) -> bool:
    """Whether what the last statement of a text answers is a plan; MySQL's EXPLAIN of a table gives its columns."""
    if not _SUSPECT.search(text):
        return False
    statement = (split(text, grammar) or [""])[-1]
    if first_word(statement, grammar) not in ("EXPLAIN", *(("DESCRIBE", "DESC", "ANALYZE") if grammar.hashes else ())):
        return False
    return any(outside(statement, _VERBS, grammar))


# To cut a text into statements takes its time, to see that it has none of these words does not.
_SUSPECT = re.compile(r"\b(?:EXPLAIN|DESC|DESCRIBE|ANALYZE)\b", re.IGNORECASE)
_VERBS = r"(?i:\b(?:SELECT|WITH|VALUES|FROM|INSERT|UPDATE|DELETE|REPLACE|MERGE|EXECUTE|CREATE|TABLE|COPY)\b)"


def as_text(answer: Answer) -> Answer:
    """The answer with its plan in one column, a line in each row."""
    import pyarrow as pa

    if answer.table is None:
        return answer
    return Answer(pa.table({"plan": pa.array(drawn(answer.table).split("\n"), pa.string())}), cut=answer.cut)


def drawn(table: pa.Table) -> str:
    """A plan as the text its engine means: lines as they come, SQLite's tree with its branches, else a table."""
    columns = {name: [_text(value) for value in table.column(n).to_pylist()] for n, name in enumerate(_names(table))}
    if "explain_value" in columns:
        lines = columns["explain_value"]
    elif {"id", "parent", "detail"} <= columns.keys():
        lines = _branches(columns["id"], columns["parent"], columns["detail"])
    elif len(columns) == 1:
        (lines,) = columns.values()
    else:
        widths = [max(map(len, [name, *values])) for name, values in columns.items()]
        rows = zip(*columns.values(), strict=True)
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
                 for row in [tuple(columns), *rows]]  # fmt: skip
    return "\n".join(line.rstrip("\n") for line in lines)


def _names(table: pa.Table) -> list[str]:
    return list(table.column_names)


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _branches(idents: list[str], parents: list[str], details: list[str]) -> list[str]:
    depths: dict[str, int] = {}
    for ident, parent in zip(idents, parents, strict=True):  # a parent comes before its children
        depths[ident] = depths.get(parent, -1) + 1
    return ["  " * depths[ident] + detail for ident, detail in zip(idents, details, strict=True)]


def _name(session: Queryable) -> str:
    answer = session.execute("SELECT version() AS name", {})
    return str(answer.table.column(0)[0].as_py()) if answer.table is not None and len(answer.table) else ""
