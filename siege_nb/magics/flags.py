"""The options of %sql, as data: how each is spelled, what follows it, and what is read from that."""

from __future__ import annotations

import json
import keyword
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from siege_nb.show import CHARTS

if TYPE_CHECKING:
    from siege_nb.query.explain import Explain
    from siege_nb.query.session import Load

#: What a result may be handed over as.
TYPES = ("result", "pandas", "polars", "arrow", "dicts", "relation", "spark", "none")
#: How a frame becomes a table: the option, and what it means where there is such a table.
MODES: dict[str, Load] = {"persist": "fail", "persist_replace": "replace", "append": "append"}


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
    #: It may be given more than once.
    repeats: bool = False
    #: A word that may follow.
    may: str = ""
    #: How many words follow, where the first of them says that it is fewer.
    fewer: tuple[str, int] = ("", 0)

    @property
    def field(self) -> str:
        """The field of Options that holds it."""
        name = self.name.replace("-", "_")
        return f"{name}_" if keyword.iskeyword(name) else name


@dataclass(frozen=True, slots=True)
class Options:
    """The options that were given; a field for each flag."""

    connections: bool = False
    close: str = ""
    alias: str = ""
    section: str = ""
    connection_arguments: Mapping[str, Any] | None = None
    creator: str = ""
    persist: bool = False
    persist_replace: bool = False
    append: bool = False
    no_index: bool = False
    file: str = ""
    save: str = ""
    with_: tuple[str, ...] = ()
    no_execute: bool = False
    interact: tuple[str, ...] = ()
    output: str = ""
    type: str = ""
    limit: int | None = None
    to: str = ""
    explain: Explain = ""
    timeout: float | None = None
    params: str | Mapping[str, Any] = ""
    tx: bool = False
    chart: tuple[str, str, str] | None = None
    write: bool = False

    @property
    def mode(self) -> Load | None:
        """What a frame that is written does where its table is already there; None when none is written."""
        return next((mode for field, mode in MODES.items() if getattr(self, field)), None)


PLAIN = Options()


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ValueError(f"--timeout needs a number of seconds, not {text!r}.")
    return value


def _rows(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"--limit needs a whole number of rows (0 for all), not {text!r}.")
    return int(text)


def _chart(kind: str, x: str, y: str = "") -> tuple[str, str, str]:
    if kind not in CHARTS:
        raise ValueError(f"--chart draws {', '.join(CHARTS)}, not {kind!r}.")
    return kind, x, y


def variable_name(name: str) -> str:
    """A name that a result may be kept under, or a ValueError."""
    # get_ipython under another value would take every later magic with it.
    if not name.isidentifier() or keyword.iskeyword(name) or name == "get_ipython":
        raise ValueError(f"A result cannot be kept as {name!r}: that is no name for a variable.")
    return name


def _type(name: str) -> str:
    if name.casefold() not in TYPES:
        raise ValueError(f"--type hands over {', '.join(TYPES)}, not {name!r}.")
    return name.casefold()


def _pairs(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        found, why = None, str(error)  # which quotes nothing of the text
    else:
        why = "it is none"
    if not isinstance(found, dict):
        raise ValueError(f'A JSON object is needed, such as {{"name": 1}}: {why}.')
    return found


def _binds(text: str) -> str | dict[str, Any]:
    return _pairs(text) if text.startswith("{") and not text.startswith("{{") else text


def _plan(text: str = "") -> Explain:
    return "analyze" if text else "plan"


FLAGS = (
    Flag("connections", "list the connections", "l", alone=True),
    Flag("close", "close a connection", "x", ("NAME",), alone=True),
    Flag("alias", "the name of a new connection", "A", ("NAME",)),
    Flag("section", "a saved connection, or a section of dsn_filename", "s", ("NAME",)),
    Flag("connection_arguments", "more about a URL: fields of its kind, or what its driver takes", "a", ("JSON",),
         _pairs),
    Flag("creator", "a function that makes the connection", "c", ("FUNCTION",)),
    Flag("persist", "make a table of a frame", "p"),
    Flag("persist-replace", "the same, in place of the table that is there", "P"),
    Flag("append", "add the frame's rows to the table; make it where there is none"),
    Flag("no-index", "leave the frame's index out", "n"),
    Flag("file", "run what is in a file, and then the cell", "f", ("PATH",)),
    Flag("save", "keep the query under a name, for FROM NAME", "S", ("NAME",)),
    Flag("with", "use a saved query of this name", "w", ("NAME",), repeats=True),
    Flag("no-execute", "do not run it", "N"),
    Flag("interact", "run it again whenever a variable is moved", "", ("VAR",), repeats=True),
    Flag("output", "keep the result in a variable and show nothing", "o", ("VAR",), variable_name),
    Flag("type", f"hand the result over as {', '.join(TYPES)}", "t", ("TYPE",), _type),
    Flag("limit", "take no more rows than these; 0 for all that memory holds", "", ("ROWS",), _rows),
    Flag("to", "write the rows to a file: .csv .tsv .json .jsonl .parquet .arrow .xlsx", "", ("PATH",)),
    Flag("explain", "the plan instead of the rows; `analyze` runs it", "", (), _plan, may="analyze"),
    Flag("timeout", "stop the statement after so many seconds", "", ("SECONDS",), _seconds),
    Flag("params", "bind :names to this dict, not to variables", "", ("NAME|JSON",), _binds),
    Flag("tx", "all statements or none: one transaction"),
    Flag("chart", f"draw the result: {', '.join(CHARTS)}", "", ("KIND", "X", "Y"), _chart, fewer=("hist", 2)),
    Flag("write", "this cell may write on a prod connection; without it you are asked"),
)  # fmt: skip


def _line(flag: Flag) -> str:
    spelling = ", ".join(filter(None, [f"-{flag.letter}" if flag.letter else "", f"--{flag.name}"]))
    return f"  {' '.join([spelling, *flag.takes, *([f'[{flag.may}]'] if flag.may else [])]):<32} {flag.about}"


HELP = "\n".join(
    [
        "%sql  [options] [TARGET] [VAR [=] <<] SELECT …      run SQL; :name is bound to your variable",
        "%%sql [options] [TARGET] [VAR [=] <<] ⏎ SELECT …    VAR << keeps the result, VAR = << also shows it",
        "%sql  TARGET                                        use it from now on",
        "TARGET: a connection's name, a URL without its password, $VARIABLE of the environment, or a Python variable",
        "that holds a connection.  %config SqlMagic lists the settings.",
        *map(_line, FLAGS),
    ]
)
#: Each by its long spelling and by its letter.
BY_SPELLING = {f"--{flag.name}": flag for flag in FLAGS} | {f"-{flag.letter}": flag for flag in FLAGS if flag.letter}
