"""What is typed after %client and %conn, as words and key=value pairs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from siege_nb.declare import Described, Part, fields, suggest
from siege_nb.errors import InvalidError, Issue

# `password:=env:PGPASSWORD` names a place; `password=…` would be the password itself.
# Fields are written small: 'A=B Corp' is a name.
_PAIR = re.compile(r"([a-z_][a-z0-9_.]*)(:?=)(.*)", re.DOTALL)


def words(line: str) -> list[str]:
    """The words of a line; quotes keep spaces together."""
    try:
        return shlex.split(line)
    except ValueError as error:
        reason = str(error)
    raise InvalidError(f"The line cannot be read: {reason.lower()}.", hint="Close the quotes, or write \\' for one.")


def pairs(given: Iterable[str]) -> tuple[list[str], dict[str, str], dict[str, str]]:
    """Bare words, key=value pairs, and key:=reference pairs."""
    bare: list[str] = []
    values: dict[str, str] = {}
    references: dict[str, str] = {}
    for word in given:
        if found := _PAIR.fullmatch(word):
            key, sign, value = found.groups()
            if key in values or key in references:
                raise InvalidError(f"{key} is given twice.")
            (references if sign == ":=" else values)[key] = value
        else:
            bare.append(word)
    return bare, values, references


# postgresql://user:password@host, whatever the password is made of; jdbc:oracle:thin:user/password@host; ?token=…
_IN_URL = re.compile(
    r"://[^\s/:@]*:[^\s]+@|thin:[^\s/:@]*/[^\s]+@"
    r"|[?&;](?:\w*(?:passw(?:or)?d|token|secret)|pwd|\w*api_?key|sig)=[^\s&;]",
    re.IGNORECASE,
)
# -pPASSWORD is how mysql takes it.
_OPTION = re.compile(
    r"-p.*|--?(?:[\w-]*passw(?:or)?d|pass|pw|pwd|passphrase|[\w-]*token|[\w-]*secret|[\w-]*api-?key)(?:=.*)?",
    re.IGNORECASE | re.DOTALL,
)
NOT_TYPED = "must not be typed on the line: it would stay in the notebook"


def refuse_secrets(given: Iterable[str]) -> None:
    """Raise when a word carries a password, whatever it was meant for; the error does not quote it."""
    for word in given:
        if _IN_URL.search(word) or _OPTION.fullmatch(word):
            raise InvalidError(
                f"A password or token {NOT_TYPED}.",
                hint="%conn add NAME asks for the URL, and %conn add NAME KIND key=value … for the password;"
                " neither is shown. Or name its place: password:=env:VARIABLE",
            )


def options(given: Iterable[str], known: Mapping[str, str], usage: str) -> tuple[list[str], dict[str, str]]:
    """The words that are no options, and the options by name; `known` names them by spelling, =NAME takes a word."""
    rest: list[str] = []
    found: dict[str, str] = {}
    words = iter(given)
    for word in words:
        spelling, sign, value = word.partition("=")
        if not word.startswith("-"):
            rest.append(word)
            continue
        if spelling not in known:
            raise InvalidError(f"There is no option {spelling} here.{suggest(spelling, list(known))}", hint=usage)
        name, takes, _ = known[spelling].partition("=")
        if takes and not sign:
            value = next(words, "")
        if bool(takes) != bool(value):
            raise InvalidError(f"{spelling} {'needs a word behind it' if takes else 'takes none'}.", hint=usage)
        if name in found:
            raise InvalidError(f"{spelling} is given twice.", hint=usage)
        found[name] = value or spelling
    return rest, found


def nested(values: dict[str, Any]) -> dict[str, Any]:
    """{'tls.mode': 'on'} as {'tls': {'mode': 'on'}}."""
    tree: dict[str, Any] = {}
    for path, value in values.items():
        *folders, last = path.split(".")
        spot = tree
        for folder in folders:
            inner = spot.setdefault(folder, {})
            if not isinstance(inner, dict):
                raise InvalidError(f"{path} cannot be set: {folder} was given a value of its own.")
            spot = inner
        spot[last] = value
    return tree


def by_name(declared: type[Part]) -> dict[str, Described]:
    """The fields of a declaration by their paths, and by their last names where those are free."""
    known: dict[str, Described] = {}
    for described in fields(declared):
        known[described.path] = described
        known.setdefault(described.path.rpartition(".")[2], described)
    return known


def document(declared: type[Part], values: Mapping[str, str], what: str) -> dict[str, Any]:
    """Typed pairs as a document of a declaration: a last name alone finds its section, lists are cut at commas."""
    known = by_name(declared)
    placed: dict[str, Any] = {}
    for key, text in values.items():
        if key not in known:
            issue = Issue(key, f"there is no such field.{suggest(key, list(known)) or _there_are(known.values())}")
            raise InvalidError(what, [issue])
        field = known[key]
        listed = field.type.startswith("list of")
        placed[field.path] = [part.strip() for part in text.split(",") if part.strip()] if listed else text
    return nested(placed)


def _there_are(known: Iterable[Described]) -> str:
    return f" There are: {', '.join(dict.fromkeys(field.path for field in known))}."


def none(rest: list[str], usage: str) -> None:
    """Refuse words that nobody would heed."""
    if rest:
        raise InvalidError(f"Nothing is known of {' '.join(rest)!r} here.", hint=usage)


def one(rest: list[str], usage: str) -> str:
    """The only word there should be."""
    if len(rest) != 1:
        raise InvalidError(f"One word is needed here, not {len(rest)}.", hint=usage)
    return rest[0]
