"""%sqlcmd: what jupysql's users type to look around, done by %conn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from siege_nb.errors import InvalidError, SiegeError
from siege_nb.magics import browsing, conn
from siege_nb.magics.errors import SqlError
from siege_nb.magics.shell import Shell
from siege_nb.magics.words import none, one, options, refuse_secrets, words
from siege_nb.show import Shown, listing, note, preformatted

USAGE = """\
%sqlcmd tables [-s SCHEMA] [--conn NAME]
%sqlcmd columns -t TABLE [-s SCHEMA] [--conn NAME]
%sqlcmd profile -t TABLE [-s SCHEMA] [--conn NAME]
%sqlcmd snippets [NAME | -d NAME]
%sqlcmd connect NAME …            the same as %conn add"""

_PLACE = {"-s": "schema=NAME", "--schema": "schema=NAME", "--conn": "conn=NAME"}
_TABLE = {"-t": "table=NAME", "--table": "table=NAME"}
_DELETE = dict.fromkeys(("-d", "--delete", "-D", "--delete-force"), "delete=NAME")


def run(shell: Shell, line: str) -> Any:
    """What one %sqlcmd line asks for."""
    try:
        verb, *rest = words(line) or [""]
        refuse_secrets([verb, *rest])
        if verb not in VERBS:
            raise InvalidError(f"%sqlcmd knows no {verb!r}." if verb else "%sqlcmd needs a word.", hint=USAGE)
        return VERBS[verb](shell, rest)
    except SiegeError as error:
        problem = SqlError.of(error, "")
    raise problem


def _tables(shell: Shell, rest: list[str]) -> Any:
    words, said = options(rest, _PLACE, USAGE)
    none(words, USAGE)
    return browsing.tables(shell, _place(said))


def _of_table(verb: Callable[[Shell, list[str]], Any]) -> Callable[[Shell, list[str]], Any]:
    """A verb of %conn about one table, which is an option here."""

    def about(shell: Shell, rest: list[str]) -> Any:
        words, said = options(rest, _PLACE | _TABLE, USAGE)
        table = said["table"] if "table" in said and not words else one(words, USAGE)
        return verb(shell, [table, *_place(said)])

    return about


def _place(said: dict[str, str]) -> list[str]:
    return [word for name in ("schema", "conn") if name in said for word in (f"--{name}", said[name])]


def _snippets(shell: Shell, rest: list[str]) -> Shown:
    """The saved queries, the text of one, or one query less."""
    words, said = options(rest, _DELETE, USAGE)
    if "delete" in said:
        none(words, USAGE)
        shell.saved.forget(said["delete"])
        left = shell.saved.names()
        return note(f"{said['delete']} is deleted", f"there are: {', '.join(left)}" if left else "there are no others")
    if words:
        return preformatted(shell.saved.text(one(words, USAGE)))
    rows = [(name, " ".join(shell.saved.text(name).split())) for name in shell.saved.names()]
    return listing(("name", "query"), rows, "--save NAME keeps one, FROM NAME reads it")


VERBS: dict[str, Callable[[Shell, list[str]], Any]] = {
    "tables": _tables,
    "columns": _of_table(browsing.columns),
    "profile": _of_table(browsing.profile),
    "snippets": _snippets,
    "connect": conn.VERBS["add"],
}
