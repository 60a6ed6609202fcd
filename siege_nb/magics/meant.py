"""What a name that was not found was probably meant to be; the cells' session is not asked."""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any

from siege_nb.errors import QueryError
from siege_nb.magics import lookup
from siege_nb.magics.complete_sql import FUNCTIONS, Setting, Typed, is_frame
from siege_nb.magics.shell import Shell
from siege_nb.models.connection import ConnectionProfile
from siege_nb.query import reading
from siege_nb.query.tokens import Token, proper

logger = logging.getLogger(__name__)

#: The database has said it already, in its own words.
_SAID = re.compile(r"did you mean|perhaps you meant|candidate", re.IGNORECASE)
# How engines name it: "x", 'db.x', `x`; no such column: o.x; Table with name x; function x(integer).
_NAMED = re.compile(
    r"""["'`]([^"'`]+)["'`]|(?:no such \w+:|with name|column|relation|table(?! with)|view|function)\s+([\w.$]+)""",
    re.IGNORECASE,
)
#: Seconds that an error waits for what is not remembered yet.
PATIENCE = 0.5
#: So many are named at most.
MOST = 3


def hint(error: QueryError, shell: Shell, conn: ConnectionProfile, sql: str, namespace: Mapping[str, Any]) -> None:
    """Add what was probably meant to the hint of an error, if anything is; it never makes another one."""
    if error.kind != "not_found":
        return
    try:
        is_said = _SAID.search(f"{error.message} {error.hint}") is not None
        found = _meant(error.message, shell, conn, sql, namespace, is_said=is_said)
    except Exception as failure:  # the error itself is what matters
        logger.debug("Nothing is known of what was meant: %s", type(failure).__name__)
        return
    if found:
        # What the database proposed was something else then: it knows neither frames nor saved queries.
        told = "" if is_said else error.hint
        error.hint = " · ".join(filter(None, [f"did you mean: {', '.join(found)}", told]))


def _meant(
    message: str, shell: Shell, conn: ConnectionProfile, sql: str, namespace: Mapping[str, Any], *, is_said: bool
) -> list[str]:
    grammar = lookup.grammar(shell.workspace, conn)
    parts = proper(sql, grammar)
    missing, about = _missing(message, parts), message.casefold()
    if missing is None:
        return []
    paths = [source.path for source in reading.sources(parts)]
    is_table = missing.name.casefold() in {path[-1].casefold() for path in paths} and "column" not in about
    beside = shell.saved.names()
    if conn.connection_type == "duckdb":
        beside += [name for name, value in list(namespace.items()) if not name.startswith("_") and is_frame(value)]
    if is_said:
        return _near(missing.name, beside) if is_table else []
    if "function" in about:
        return _near(missing.name, FUNCTIONS)
    view = lookup.of(shell).view(shell.workspace, conn, paths, patience=PATIENCE)
    tables = [*beside, *(table.name for table in view.tables)]
    if is_table:
        return _near(missing.name, tables)
    setting = Setting(conn.connection_type, grammar, namespace, (), lambda _: view)
    typed = Typed(sql, missing.end, missing.text, setting)
    aliases = [source.alias for source in typed.spot.sources]
    seen = [source for source in typed.spot.sources
            if not typed.path or source.alias.casefold() == typed.path[-1].casefold()]  # fmt: skip
    return _near(missing.name, [name for source in seen for name in typed.columns(source)] or [*aliases, *tables])


def _missing(message: str, parts: Iterable[Token]) -> Token | None:
    """The name in the statement that the message is about."""
    names = {token.name.casefold(): token for token in reversed([*parts]) if token.is_name}
    for found in _NAMED.finditer(message):
        name = (found[1] or found[2]).rpartition(".")[2].casefold()
        if name in names:
            return names[name]
    return None


def _near(word: str, known: Iterable[str]) -> list[str]:
    lowered = {name.casefold(): name for name in known if name.casefold() != word.casefold()}
    return [lowered[name] for name in difflib.get_close_matches(word.casefold(), lowered, n=MOST, cutoff=0.6)]
