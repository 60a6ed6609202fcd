"""Shift-Tab in SQL: a table with its columns, or a column with its type. In Python cells all stays as it is."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from siege_nb.magics import complete
from siege_nb.magics.complete_sql import Typed, path
from siege_nb.query.reading import Source
from siege_nb.query.session import Column, Table
from siege_nb.query.tokens import tokens
from siege_nb.show import Shown, count, listing

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

logger = logging.getLogger(__name__)

_MAY_BE = {True: "yes", False: "no", None: ""}


def about(ip: InteractiveShell, code: str, at: int) -> Shown | None:
    """What is known of the name at a place in a cell; None where the cell is not ours, or nothing is."""
    try:
        ours = complete.call(ip, code, at)
        if ours is None or ours.name not in complete.SQL:
            return None
        names = complete.variables(ip)
        head = complete.read(ours, names)
        return None if head.sql is None else _named(ours, head, names)
    except Exception as error:  # whoever asks what a name is wants no error
        logger.debug("Nothing is known here: %s", type(error).__name__)
        return None


def _named(ours: complete.Call, head: complete.Head, namespace: dict[str, Any]) -> Shown | None:
    setting, begin = complete.setting(ours.shell, head.target, namespace), head.sql or 0
    sql, at = ours.text[begin:], ours.at - begin
    token = next((t for t in tokens(sql, setting.grammar) if t.is_name and t.start <= at <= t.end), None)
    if token is None:
        return None
    typed = Typed(sql, token.end, "", setting)
    outer = path(typed.before[:-1])
    for source in typed.spot.sources:
        if not outer and source.alias.casefold() == token.name.casefold():
            return _source(typed, source)
    if (table := typed.view.find((*outer, token.name))) is not None:
        return _table(table, typed.view.columns((*outer, token.name)))
    near = [source for source in typed.tables(typed.spot.sources)
            if not outer or source.alias.casefold() == outer[-1].casefold()]  # fmt: skip
    for source in near:
        for column in typed.view.columns(source.path):
            if column.name.casefold() == token.name.casefold():
                return _column(".".join(source.path), column)
    return None


def _source(typed: Typed, source: Source) -> Shown | None:
    table = typed.view.find(source.path) if source.path else None
    if table is not None:
        return _table(table, typed.view.columns(source.path))
    names = typed.columns(source)
    return listing(("column",), [(name,) for name in names], f"{source.alias} · {count(len(names), 'column')}")


def _table(table: Table, columns: list[Column]) -> Shown:
    rows = [(c.name, c.native_type, _MAY_BE[c.nullable], c.default or "", c.comment) for c in columns]
    estimate = "" if table.row_estimate is None else f"≈ {count(table.row_estimate, 'row')}"
    spelled = f"{table.schema}.{table.name}" if table.schema else table.name
    about = " · ".join(filter(None, [f"{table.kind} {spelled}", count(len(rows), "column"), estimate, table.comment]))
    return listing(("column", "type", "nullable", "default", "comment"), rows, about)


def _column(table: str, column: Column) -> Shown:
    row = (column.name, column.native_type, _MAY_BE[column.nullable], column.default or "", column.comment)
    return listing(("column", "type", "nullable", "default", "comment"), [row], f"column of {table}")
