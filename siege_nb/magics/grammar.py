"""What is typed after %sql and %%sql: options, a target, a variable, and SQL that is copied byte for byte.

%sql  [options] [TARGET] [VAR [=] <<] SQL
%%sql [options] [TARGET] [VAR [=] <<] [SQL] ⏎ SQL
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from siege_nb.errors import QueryError
from siege_nb.show import CHARTS, some

# A quoted word keeps its spaces; everything else ends at white space.
_WORD = re.compile(r"""\s*((?:"[^"]*"|'[^']*'|[^\s"'])+)""")
_ASSIGN = re.compile(r"\s*([^\W\d]\w*)\s*(=?)\s*<<")
_OPTION = re.compile(r"\s*(-[A-Za-z]|--[A-Za-z][\w-]*)(?:=(\S+))?(?=\s|$)")
_NAME = re.compile(r"[\w.$-]+(?:/[\w.$-]+)*\Z")
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
class Flag:
    """One option of %sql: its spellings, the names of what follows it, and what it does."""

    name: str
    about: str
    letter: str = ""
    takes: tuple[str, ...] = ()
    #: What follows, as a value; a ValueError says in a sentence why it is none.
    read: Callable[..., Any] = str
    #: It is an act of its own: there can be no SQL beside it.
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Options:
    """The options that were given; a field for each flag."""

    connections: bool = False
    close: str = ""
    output: str = ""
    chart: tuple[str, str, str] | None = None
    timeout: float | None = None
    write: bool = False


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ValueError(f"--timeout needs a number of seconds, not {text!r}.")
    return value


def _chart(kind: str, x: str, y: str) -> tuple[str, str, str]:
    if kind not in CHARTS:
        raise ValueError(f"--chart draws {', '.join(CHARTS)}, not {kind!r}.")
    return kind, x, y


def _variable(name: str) -> str:
    # get_ipython under another value would take every later magic with it.
    if not name.isidentifier() or keyword.iskeyword(name) or name == "get_ipython":
        raise ValueError(f"A result cannot be kept as {name!r}: that is no name for a variable.")
    return name


FLAGS = (
    Flag("connections", "list the connections", "l", alone=True),
    Flag("close", "close the session of a connection", "x", ("NAME",), alone=True),
    Flag("output", "keep the result in a variable and show nothing", "o", ("VAR",), _variable),
    Flag("chart", "draw the result: bar, line, area or point", "", ("KIND", "X", "Y"), _chart),
    Flag("timeout", "stop the statement after so many seconds", "", ("SECONDS",), _seconds),
    Flag("write", "this cell may write on a prod connection; without it you are asked"),
)


def _line(flag: Flag) -> str:
    spelling = ", ".join(filter(None, [f"-{flag.letter}" if flag.letter else "", f"--{flag.name}"]))
    return f"  {' '.join([spelling, *flag.takes]):<26} {flag.about}"


HELP = "\n".join(
    [
        "%sql  [options] [CONNECTION] [VAR [=] <<] SELECT …      run SQL; :name is bound to your variable",
        "%%sql [options] [CONNECTION] [VAR [=] <<] ⏎ SELECT …    VAR << keeps the result, VAR = << also shows it",
        *map(_line, FLAGS),
    ]
)
_BY_SPELLING = {f"--{flag.name}": flag for flag in FLAGS} | {f"-{flag.letter}": flag for flag in FLAGS if flag.letter}


@dataclass(frozen=True, slots=True)
class Request:
    """What one %sql line or %%sql cell asks for."""

    sql: str
    target: str = ""
    variable: str = ""
    #: The result is shown, although it is also kept in a variable.
    shown: bool = True
    options: Options = Options()


def parse(line: str, cell: str | None, *, known: Callable[[str], bool], names: Callable[[], Sequence[str]]) -> Request:
    """The request of a line (and a cell); `known` tells whether a word names a connection."""
    found_options: dict[str, Any] = {}
    target, variable, shown = "", "", True
    at = 0
    while True:
        if found := _OPTION.match(line, at):
            at = _option(line, found, found_options)
        elif not variable and (assign := _ASSIGN.match(line, at)):
            variable, shown, at = _said(_variable, assign[1]), bool(assign[2]), assign.end()
        elif not target and not variable and (word := _WORD.match(line, at)) and _may_name(word[1], known):
            target, at = bare(word[1]), word.end()
        else:
            break
    rest = line[at:]
    sql = rest if cell is None else f"{rest}\n{cell}" if rest.strip() else cell
    if not target and not variable:
        _refuse_unknown(rest, cell, names)
    options = Options(**found_options)
    if options.output:
        variable, shown = options.output, False
    for flag in FLAGS:
        if flag.alone and flag.name in found_options and (sql.strip() or target or variable or len(found_options) > 1):
            raise _usage(f"--{flag.name} stands alone; nothing was run.")
    return Request(sql, target, variable, shown, options)


def _may_name(word: str, known: Callable[[str], bool]) -> bool:
    # SELECT is looked for in no directory of profiles; a connection of such a name is reached with quotes around it.
    return word.casefold() not in STARTERS and known(bare(word))


def _option(line: str, found: re.Match[str], options: dict[str, Any]) -> int:
    spelling, value = found.groups()
    flag = _BY_SPELLING.get(spelling)
    if flag is None:
        # Here, where the grammar is needed and not when the extension is loaded.
        from siege_nb.declare import suggest

        near = suggest(spelling, list(_BY_SPELLING))
        raise _usage(
            f"There is no option {spelling}.{near}", hint="%sql? lists them; SQL comments go after the SQL begins"
        )
    at = found.end()
    values = [] if value is None else [bare(value)]
    while len(values) < len(flag.takes):
        word = _WORD.match(line, at)
        if word is None:
            raise _usage(f"{spelling} needs {' '.join(flag.takes)}.")
        values.append(bare(word[1]))
        at = word.end()
    if len(values) > len(flag.takes):
        raise _usage(f"{spelling} takes no value, and there is {value!r}.")
    if flag.name in options:
        raise _usage(f"{spelling} is given twice.")
    options[flag.name] = _said(flag.read, *values) if flag.takes else True
    return at


def _said(read: Callable[..., Any], *values: str) -> Any:
    try:
        return read(*values)
    except ValueError as error:
        sentence = str(error)
    raise _usage(sentence)


def _refuse_unknown(rest: str, cell: str | None, names: Callable[[], Sequence[str]]) -> None:
    """A word where only a connection can stand is a misspelt connection, not SQL for the engine to stumble over."""
    spoken = rest.split(None, 2)
    if not spoken or not _NAME.match(spoken[0]) or spoken[0].casefold() in STARTERS:
        return
    following = spoken[1] if len(spoken) > 1 else (cell or "").lstrip().split(None, 1)[:1]
    after = following if isinstance(following, str) else "".join(following)
    if len(spoken) == 1 or after.casefold() in STARTERS:
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
