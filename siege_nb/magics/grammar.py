"""What is typed after %sql and %%sql: options, a target, a variable, and SQL that is copied byte for byte.

%sql  [options] [TARGET] [VAR [=] <<] SQL
%%sql [options] [TARGET] [VAR [=] <<] [SQL] ⏎ SQL
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from siege_nb.errors import QueryError
from siege_nb.magics.flags import BY_SPELLING, FLAGS, HELP, MODES, PLAIN, Flag, Options, variable_name
from siege_nb.show import some

__all__ = ["FLAGS", "HELP", "STARTERS", "Flag", "Options", "Request", "bare", "parse"]

# A quoted word and a {{ template }} keep their spaces; everything else ends at white space.
_VALUE = r"""(?:"[^"]*"|'[^']*'|\{\{.*?\}\}|[^\s"'])+"""
_WORD = re.compile(rf"\s*({_VALUE})")
_ASSIGN = re.compile(r"\s*([^\W\d]\w*)\s*(=?)\s*<<")
# -- with a blank behind it is a comment of SQL's.
_OPTION = re.compile(rf"\s*(-[A-Za-z][\w-]*|--[A-Za-z][\w-]*)(?:=({_VALUE}))?(?=\s|$)")
_NAME = re.compile(r"[\w.$-]+(?:/[\w.$-]+)*\Z")
_ADDRESS = re.compile(r"[A-Za-z][\w+.-]*://|\$[^\W\d]\w*\Z")
#: Words that begin a statement somewhere; a lone other word is taken for the name of a connection.
STARTERS = frozenset(
    """
    abort alter analyze attach begin call checkpoint comment commit copy create declare deallocate delete desc describe
    detach do drop end execute exec explain export fetch force from grant handler help import insert install kill listen
    load lock merge notify optimize pivot pragma prepare refresh reindex release rename repair replace reset revoke
    rollback savepoint select set show start summarize table truncate unlisten unlock unpivot update use vacuum
    values with xa
    """.split()
)


@dataclass(frozen=True, slots=True)
class Request:
    """What one %sql line or %%sql cell asks for."""

    sql: str
    target: str = ""
    variable: str = ""
    #: The result is shown, although it is also kept in a variable.
    shown: bool = True
    options: Options = PLAIN
    #: The variable whose rows become a table: df, or schema.df.
    frame: str = ""


def parse(line: str, cell: str | None, *, known: Callable[[str], bool], names: Callable[[], Sequence[str]]) -> Request:
    """The request of a line (and a cell); `known` tells whether a word names a connection."""
    given: dict[str, Any] = {}
    target = variable = frame = ""
    shown, at = True, 0
    while True:
        if found := _OPTION.match(line, at):
            at = _option(line, found, given)
        elif not variable and (assign := _ASSIGN.match(line, at)):
            variable, shown, at = _said(variable_name, assign[1]), bool(assign[2]), assign.end()
        elif not (word := _WORD.match(line, at)):
            break
        elif (
            not target
            and not variable
            and _may_name(word[1], known)
            and (frame or not _is_frame(line[word.end() :] + (cell or ""), given))
        ):
            target, at = bare(word[1]), word.end()
        elif not frame and given.keys() & MODES.keys():
            frame, at = bare(word[1]), word.end()
        else:
            break
    rest = line[at:]
    sql = rest if cell is None else f"{rest}\n{cell}" if rest.strip() else cell
    if cell is not None and not rest.strip() and not variable and (assign := _ASSIGN.match(cell)):
        variable, shown, sql = _said(variable_name, assign[1]), bool(assign[2]), cell[assign.end() :]
    if given.keys() & MODES.keys():
        frame, sql = (frame or sql).strip(" \t\n;"), sql if frame else ""
    elif not target and not variable:
        _refuse_unknown(rest, cell, names)
    options = Options(**given)
    if options.output:
        variable, shown = options.output, False
    request = Request(sql, target, variable, shown, options, frame)
    _agree(request, given)
    return request


def _may_name(word: str, known: Callable[[str], bool]) -> bool:
    # SELECT is looked for in no directory of profiles; a connection of such a name is reached with quotes around it.
    text = bare(word)
    return bool(_ADDRESS.match(text)) or (word.casefold() not in STARTERS and known(text))


def _is_frame(rest: str, given: Mapping[str, Any]) -> bool:
    """The last word behind --persist is the frame, whatever else it may name."""
    return bool(given.keys() & MODES.keys()) and not rest.strip(" \t\n;")


def _option(line: str, found: re.Match[str], options: dict[str, Any]) -> int:
    spelling, value = found.groups()
    flag = BY_SPELLING.get(spelling)
    if flag is None:
        # Here, where the grammar is needed and not when the extension is loaded.
        from siege_nb.declare import suggest

        near = suggest(spelling, list(BY_SPELLING))
        raise _usage(
            f"There is no option {spelling}.{near}", hint="%sql? lists them; SQL comments go after the SQL begins"
        )
    at = found.end()
    values = [] if value is None else [bare(value)]
    if flag.may and values and values[0].casefold() == flag.may:
        values = [flag.may]
    while len(values) < _wanted(flag, values):
        end = _json_end(line, at) if "JSON" in flag.takes[0] else 0
        word = _WORD.match(line, at)
        if word is None:
            raise _usage(f"{spelling} needs {' '.join(flag.takes)}.")
        values.append(line[at:end].strip() if end else bare(word[1]))
        at = end or word.end()
    if flag.may and not values and (word := _WORD.match(line, at)) and word[1].casefold() == flag.may:
        values, at = [flag.may], word.end()
    if len(values) > _wanted(flag, values) and not (flag.may and values == [flag.may]):
        raise _usage(f"{spelling} takes no value, and there is {value!r}.")
    if flag.field in options and not flag.repeats:
        raise _usage(f"{spelling} is given twice.")
    read = _said(flag.read, *values) if flag.takes or flag.may else True
    options[flag.field] = (*options.get(flag.field, ()), read) if flag.repeats else read
    return at


def _wanted(flag: Flag, values: Sequence[str]) -> int:
    """How many words this option takes, as far as it is known by its first."""
    word, number = flag.fewer
    return number if word and values[:1] == [word] else len(flag.takes)


def _json_end(line: str, at: int) -> int:
    """Where a JSON object ends that begins here without quotes around it; 0 if none does."""
    begin = at + len(line[at:]) - len(line[at:].lstrip())
    if not line.startswith("{", begin) or line.startswith("{{", begin):
        return 0
    try:
        return json.JSONDecoder().raw_decode(line, begin)[1]
    except ValueError:
        return 0  # its reader says what is wrong with it


def _said(read: Callable[..., Any], *values: str) -> Any:
    try:
        return read(*values)
    except ValueError as error:
        sentence = str(error)
    raise _usage(sentence)


def _agree(request: Request, given: Mapping[str, Any]) -> None:
    """Refuse what cannot be meant together: nothing that was typed is dropped without a word."""
    options, has_sql = request.options, bool(request.sql.strip())
    for flag in FLAGS:
        if flag.alone and flag.field in given and (has_sql or request.target or request.variable or len(given) > 1):
            raise _usage(f"--{flag.name} stands alone; nothing was run.")
    if options.mode:
        if {"persist_replace", "append"} <= given.keys():
            raise _usage("--persist-replace and --append cannot both be meant.")
        if not request.frame:
            raise _usage("--persist needs the name of a frame: %sql --persist df")
        if has_sql or request.variable or given.keys() - _BESIDE_FRAMES:
            raise _usage("--persist writes one frame, and there is more on this line than that.")
    elif options.no_index:
        raise _usage("--no-index goes with --persist, --persist-replace or --append.")
    if options.section and options.alias:
        raise _usage("--section has its name already; --alias cannot give it another.")
    if options.to and (options.chart or options.type or options.explain):
        raise _usage("--to writes the rows to a file: there is nothing left to draw, to hand over or to explain.")


_BESIDE_FRAMES = {*MODES, "no_index", "alias", "section", "connection_arguments", "creator", "timeout", "write"}


def _refuse_unknown(rest: str, cell: str | None, names: Callable[[], Sequence[str]]) -> None:
    """A word where only a connection can stand is a misspelt connection, not SQL for the engine to stumble over."""
    spoken = rest.split(None, 2)
    if not spoken or not _NAME.match(spoken[0]) or spoken[0].casefold() in STARTERS:
        return
    following = spoken[1] if len(spoken) > 1 else (cell or "").lstrip().split(None, 1)[:1]
    after = following if isinstance(following, str) else "".join(following)
    behind = rest.lstrip()[len(spoken[0]) :]
    option = _OPTION.match(behind)
    goes_on = _ASSIGN.match(behind) or (option and option[1] in BY_SPELLING)
    if len(spoken) == 1 or after.casefold() in STARTERS or goes_on:
        from siege_nb.declare import suggest

        there = list(names())
        elsewhere = [name for name in there if name.casefold().endswith(f"/{spoken[0].casefold()}")]
        meant = f" Did you mean {' or '.join(elsewhere)}?" if elsewhere else suggest(spoken[0], there)
        near = meant or (f" There are: {some(there)}." if there else "")
        raise _usage(
            f"There is no connection named {spoken[0]!r}.{near}",
            hint="%conn lists them, %conn add makes one",
            kind="not_found",
        )


def bare(word: str) -> str:
    """A word without the quotes around it."""
    return word[1:-1] if len(word) > 1 and word[0] == word[-1] and word[0] in "\"'" else word


def _usage(message: str, *, hint: str = "", kind: Any = "usage") -> QueryError:
    return QueryError(message, kind=kind, hint=hint)
