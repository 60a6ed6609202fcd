"""What Tab offers in our magics: connections, options and their values, verbs; and what may stand in their SQL.

In Python cells it is silent; in ours nobody else is asked. It never raises.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from IPython.core.completer import SimpleCompletion

from siege_nb.errors import SiegeError
from siege_nb.magics import lookup, targets
from siege_nb.magics.complete_sql import STARTS, Offer, Offers, Setting, is_frame, offers
from siege_nb.magics.complete_verbs import of_client, of_conn, of_sqlcmd
from siege_nb.magics.flags import BY_SPELLING, FLAGS, MODES, TYPES, Flag
from siege_nb.magics.grammar import STARTERS, bare
from siege_nb.magics.shell import Shell, SiegeMagics
from siege_nb.models.connection import ConnectionProfile
from siege_nb.show import CHARTS

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult
    from IPython.core.interactiveshell import InteractiveShell

logger = logging.getLogger(__name__)

#: The magics that take SQL.
SQL = ("sql", "siege_sql")
_VERBS = {"conn": of_conn, "client": of_client, "sqlcmd": of_sqlcmd}
#: More files than these are not gone through for a key.
_MOST_FILES = 500

_CELL = re.compile(r"\s*%%(\w+)(?=\s)")
_LINE = re.compile(r"\s*(?:[^\W\d][\w.,\[\] ]*=\s*)?%(\w+)(?=\s)")
_WORD = re.compile(r"""[^\S\n]*((?:"[^"\n]*"?|'[^'\n]*'?|\{\{.*?\}\}|[^\s"'])+)""")
_ASSIGN = re.compile(r"\s*[^\W\d]\w*\s*=?\s*<<")


@dataclass(frozen=True, slots=True)
class Call:
    """A magic of ours, what follows its name, and where in that the cursor is."""

    shell: Shell
    name: str
    text: str
    at: int


def call(ip: InteractiveShell, code: str, at: int) -> Call | None:
    """The magic of ours that a place in a cell belongs to."""
    begin, end = code.rfind("\n", 0, at) + 1, code.find("\n", at)
    for found, find, until in (
        (_CELL.match(code), ip.find_cell_magic, len(code)),
        (_LINE.match(code, begin), ip.find_line_magic, end if end >= 0 else len(code)),
    ):
        owner = getattr(find(found[1]), "__self__", None) if found else None
        if found and at > found.end() and isinstance(owner, SiegeMagics):
            return Call(owner.siege, found[1], code[found.end() : until], at - found.end())
    return None


def match(ip: InteractiveShell, context: CompletionContext) -> SimpleMatcherResult:
    """What may stand at the cursor, for IPython's completer."""
    nothing: SimpleMatcherResult = {"completions": [], "suppress": False}
    try:
        lines = context.full_text.split("\n")
        at = sum(len(line) + 1 for line in lines[: context.cursor_line]) + context.cursor_position
        ours = call(ip, context.full_text, at)
        if ours is None or ours.shell.config.completion == "off":
            return nothing
        fragment, found = _offered(ip, ours)
    except Exception as error:  # Tab is no place for errors
        logger.debug("Nothing is offered: %s", type(error).__name__)
        return nothing
    # Where there is nothing to offer, what is typed is offered as it is: or others would offer Python's names.
    completions = [SimpleCompletion(offer.text, type=offer.type) for offer in found] or [SimpleCompletion(fragment)]
    return {"completions": completions, "suppress": True, "matched_fragment": fragment, "ordered": True}


def _offered(ip: InteractiveShell, ours: Call) -> Offers:
    if ours.name in _VERBS:
        return _VERBS[ours.name](ours.shell, ours.text[: ours.at])
    names = variables(ip)
    head = read(ours, names)
    if head.sql is not None and ours.at >= head.sql:
        return offers(ours.text[head.sql :], ours.at - head.sql, setting(ours.shell, head.target, names))
    fragment, found = head.fragment, list(_beginnings(ours, head, names))
    typed = fragment.lstrip("\"'").casefold()
    return Offers(fragment, [offer for offer in found if offer.text.lstrip("\"'").casefold().startswith(typed)])


def variables(ip: InteractiveShell) -> dict[str, Any]:
    """What the user has made: not IPython's own, and nothing that begins with _."""
    hidden = ip.user_ns_hidden
    return {name: value for name, value in list(ip.user_ns.items())
            if not name.startswith("_") and (name not in hidden or hidden[name] is not value)}  # fmt: skip


def setting(shell: Shell, target: str, namespace: dict[str, Any]) -> Setting:
    """Where the SQL of a cell is typed."""
    conn = _connection(shell, target)
    saved = shell.saved.names()
    if conn is None:
        return Setting(namespace=namespace, saved=saved)
    view = partial(lookup.of(shell).view, shell.workspace, conn)
    return Setting(conn.connection_type, lookup.grammar(shell.workspace, conn), namespace, saved, view)


def _connection(shell: Shell, target: str) -> ConnectionProfile | None:
    try:
        return shell.named(target) if target else shell.needed()
    except SiegeError:  # a name that is none, or none is in use
        return None


@dataclass(frozen=True, slots=True)
class Head:
    """What stands between the name of the magic and the cursor, or the SQL."""

    #: The word that is being typed.
    fragment: str = ""
    target: str = ""
    given: frozenset[str] = frozenset()
    #: The option whose value is being typed, and how many it has.
    flag: Flag | None = None
    values: int = 0
    #: Where the SQL begins.
    sql: int | None = None


def read(ours: Call, namespace: dict[str, Any]) -> Head:
    """The options and the target that are typed already; whatever is wrong with them is not said here."""
    text, at = ours.text, ours.at
    target, given = "", set[str]()
    flag, values, position = None, 0, 0
    while word := _WORD.match(text, position):
        if at <= word.end():
            break
        position = word.end()
        if flag is not None:
            values += 1
        elif (spelled := word[1].partition("="))[0] in BY_SPELLING:
            flag, values = BY_SPELLING[spelled[0]], bool(spelled[1])
            given.add(flag.name)
        elif assign := _ASSIGN.match(text, word.start()):
            position = assign.end()
        elif not target and _is_target(ours.shell, word[1], namespace):
            target = bare(word[1])
        elif not _names_frame(given):
            return Head(target=target, given=frozenset(given), sql=word.start(1))
        if flag is not None and values >= len(flag.takes):
            flag = None
    line = text.find("\n")
    if 0 <= line < at:
        return Head(target=target, given=frozenset(given), sql=line + 1)
    fragment = text[word.start(1) : at] if word and word.start(1) < at else ""
    return Head(fragment, target, frozenset(given), flag, values)


def _is_target(shell: Shell, word: str, namespace: dict[str, Any]) -> bool:
    name = bare(word)
    if "://" in name or name.startswith("$"):
        return True
    return word.casefold() not in STARTERS and targets.is_target(shell, name, namespace)


def _names_frame(given: Iterable[str]) -> bool:
    return any(name.replace("-", "_") in MODES for name in given)


def _beginnings(ours: Call, head: Head, namespace: dict[str, Any]) -> Iterator[Offer]:
    """What may stand before the SQL."""
    spelling, sign, _ = head.fragment.partition("=")
    if sign and spelling in BY_SPELLING:
        values = _values(BY_SPELLING[spelling], 0, ours.shell, namespace, head.fragment[len(spelling) + 1 :])
        yield from (Offer(f"{spelling}={offer.text}", offer.type) for offer in values)
        return
    if head.flag is not None:
        yield from _values(head.flag, head.values, ours.shell, namespace, head.fragment)
        return
    if _names_frame(head.given):
        yield from (Offer(name, "frame") for name, value in namespace.items() if is_frame(value))
    if not head.target:
        yield from _names(ours.shell.names())
    if "explain" in head.given:
        yield Offer("analyze", "value")
    for flag in FLAGS:
        if flag.name not in head.given or flag.repeats:
            yield Offer(f"--{flag.name}", "option")
    if head.fragment:
        yield from (Offer(word.lower() if head.fragment.islower() else word, "keyword") for word in STARTS)


def _values(flag: Flag, number: int, shell: Shell, namespace: dict[str, Any], fragment: str) -> Iterator[Offer]:
    """What may stand behind an option."""
    match flag.name:
        case "section" | "close" | "alias":
            yield from _names(shell.names())
        case "with":
            yield from (Offer(name, "saved") for name in shell.saved.names())
        case "type":
            yield from (Offer(name, "value") for name in TYPES)
        case "chart" if not number:
            yield from (Offer(name, "value") for name in CHARTS)
        case "to" | "file":
            yield from _files(fragment)
        case "output" | "interact" | "params" | "creator":
            for name, value in namespace.items():
                if callable(value) if flag.name == "creator" else flag.name != "params" or isinstance(value, dict):
                    yield Offer(name, "variable")


def _names(names: Sequence[str]) -> Iterator[Offer]:
    for name in names:
        yield Offer(f'"{name}"' if re.search(r"[\s']", name) or name.casefold() in STARTERS else name, "connection")


def _files(fragment: str) -> Iterator[Offer]:
    """The files and folders that a path goes on with."""
    typed = fragment.lstrip("\"'")
    name = typed.rpartition("/")[2]
    before = typed[: len(typed) - len(name)]
    with os.scandir(os.path.expanduser(before) or ".") as found:
        for _, entry in zip(range(_MOST_FILES), found, strict=False):
            if not entry.name.startswith(".") or name.startswith("."):
                path = f"{before}{entry.name}{'/' if entry.is_dir() else ''}"
                yield Offer(f'"{path}"' if " " in path else path, "path")
