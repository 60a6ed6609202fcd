"""An address that somebody pastes, as a kind and its fields; a password in it is a Secret from here on.

An address has the parts host, port, username, password, database, `url` (all of it but who, and but what stands after
the ?) and whatever it is given after the ?. A kind takes those that are named like its fields, and those that it says
in `url_fields`; what it does not take is told, never dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from siege_nb import adapters
from siege_nb.adapters.base import Adapter
from siege_nb.declare import Secret, fields
from siege_nb.errors import InvalidError

#: The kind for addresses that no kind knows, and its field; the address is a secret as a whole.
ANY, WHOLE = "database", "connection_string"
#: What libpq and JDBC call the usual fields.
_USUAL = {"user": "username", "dbname": "database"}

HINT = "KIND://USER:PASSWORD@HOST:PORT/DATABASE, or KIND:///PATH; write @ / ? % in a password as %40 %2F %3F %25."

Parts = dict[str, str]


@dataclass(frozen=True, slots=True)
class Pasted:
    """A kind, the fields it is given by their dotted paths, and the names of what it has no field for."""

    kind: str
    values: Mapping[str, str]
    secrets: Mapping[str, Secret]
    leftover: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """The fields in the shape of the kind's parameters, for `structure`."""
        found: dict[str, Any] = {}
        for path, value in (*self.values.items(), *self.secrets.items()):
            *above, name = path.split(".")
            inner = found
            for step in above:
                inner = inner.setdefault(step, {})
            inner[name] = value
        return found


def from_url(text: str) -> Pasted:
    """What an address says: SQLAlchemy's, libpq's, JDBC's, Spark's or a browser's. No error quotes it."""
    try:
        return _read(text.strip())
    except InvalidError as error:
        failure = error.with_traceback(None)
    del text  # a traceback may show the variables of every frame
    raise failure


def split_user(text: str) -> tuple[str, str, str, str]:
    """(scheme, user name, password, the rest) of SCHEME://USER:PASSWORD@REST, whatever the password is made of.

    A password may hold an @ that should have been %40: half of it must not be looked up as the name of a host. So the
    last @ counts, and a ? only where what follows has the form of parameters.
    """
    scheme, _, body = text.partition("://")
    head, query = _query_of(body)
    if head.startswith("/"):
        return scheme, "", "", body
    user, at, place = head.rpartition("@")
    name, _, password = user.partition(":")
    return scheme, unquote(name), unquote(password), f"{place if at else head}{query}"


def _read(text: str) -> Pasted:
    if _PAIRS.fullmatch(text):
        parts = {pair["name"]: _unescaped(pair["value"]) for pair in _PAIR.finditer(text)}
        if parts.keys() & {"host", "dbname", "user"}:
            return _taken(next(kind for kind in adapters.load_all()[0] if kind.keywords), parts)
    address = _ADDRESS.fullmatch(text)
    if address is None:
        raise _not_understood("it does not begin as addresses do")
    adapter, body = adapters.by_scheme(address["scheme"].partition("+")[0]), address["body"] or ""
    is_url = body.startswith("//")
    if adapter is not None:
        body, told = _told_behind(body) if address["jdbc"] else (body, {})  # before an @ in it is looked for
        known = {one.path for one in fields(adapter.params_type)}
        if "url" in adapter.url_fields:
            return _taken(adapter, _whole(text))
        if "host" in known and is_url:
            return _taken(adapter, _of_server(f"{address['scheme']}:{body}") | told)
        if "database" in known and "host" not in known and (is_url or address["jdbc"]):
            return _taken(adapter, _of_file(body) | told)
    if not is_url and not address["jdbc"]:
        raise _not_understood("it is no URL, and no kind of connection is called so")
    return Pasted(ANY, {}, {WHOLE: Secret(text)})


def _taken(adapter: type[Adapter[Any]], parts: Mapping[str, str]) -> Pasted:
    """The parts as the kind's fields."""
    known = {one.path: one for one in fields(adapter.params_type)}
    values: dict[str, str] = {}
    secrets: dict[str, Secret] = {}
    leftover: list[str] = []
    for part, value in parts.items():
        path = _first(known, (adapter.url_fields.get(part, ""), part, _USUAL.get(part, "")))
        if not path:
            leftover.append(part)
        elif value and known[path].secret:
            secrets[path] = Secret(value)
        elif value:
            values[path] = value
    return Pasted(adapter.kind, values, secrets, tuple(leftover))


def _first(known: Mapping[str, Any], names: Iterable[str]) -> str:
    return next((name for name in names if name in known), "")


def _of_server(text: str) -> Parts:
    """The parts of SCHEME://USER:PASSWORD@HOST:PORT/DATABASE?NAME=VALUE, those that are there."""
    _, name, password, rest = split_user(text)
    rest, query = _query_of(rest)
    rest, told = _told_behind(rest)
    place, _, path = rest.partition("/")
    found = _PLACE.fullmatch(place)
    if found is None or ";" in name:
        raise _not_understood("it should name one host, and a port as a number")
    parts = {
        "host": unquote(found["host"]).strip("[]"),
        "port": found["port"] or "",
        "username": name,
        "password": password,
        "database": unquote(path),
    }
    return {part: value for part, value in parts.items() if value} | _given(query) | told


def _of_file(body: str) -> Parts:
    """The parts of an address in which all is path: ///relative, ////absolute, or what JDBC has behind its colon."""
    path, _, query = body.partition("?")
    if path.startswith("//"):
        host, _, path = path[2:].partition("/")
        if host:
            raise _not_understood("a file's address has three slashes before its path")
    return ({"database": path} if path else {}) | _given(query)


def _whole(text: str) -> Parts:
    """The parts of an address that one field takes as it is: a page of a browser, a master of Spark."""
    if re.search(r"[\s\\\x00-\x1f\x7f]", text):
        raise _not_understood("there are blanks or backslashes in it")
    text, told = _told_behind(text)  # so does Spark Connect write it
    url, _, query = text.partition("#")[0].partition("?")
    scheme, slashes, rest = url.partition("//")
    place, slash, path = rest.partition("/")
    user, at, place = place.rpartition("@")
    name, _, password = user.partition(":")
    who = {"username": unquote(name), "password": unquote(password)} if at else {}
    return {"url": f"{scheme}{slashes}{place}{slash}{path}"} | who | _given(query) | told


def pairs(text: str) -> Parts:
    """What ;NAME=VALUE;NAME=VALUE says; a + in it is a +."""
    return dict(parse_qsl(text.replace("+", "%2B"), keep_blank_values=True, separator=";"))


def _told_behind(address: str) -> tuple[str, Parts]:
    """The address, and what it is told behind a ; as JDBC and Spark write it: nothing of that may pass for a name."""
    if ";" not in address.partition("?")[0]:
        return address, {}
    found = _TOLD.fullmatch(address)
    if found is None:
        raise _not_understood("behind a ; there should be NAME=VALUE")
    return found["address"], pairs(found["told"])


def _given(query: str) -> Parts:
    return dict(parse_qsl(query.removeprefix("?"), keep_blank_values=True))


def _query_of(body: str) -> tuple[str, str]:
    """What stands before the parameters, and they with their question mark."""
    for mark in re.finditer(r"\?", body):
        if _QUERY.fullmatch(body, mark.end()):
            return body[: mark.start()], body[mark.start() :]
    return body, ""


def _not_understood(why: str) -> InvalidError:
    return InvalidError(f"The address is not understood: {why}.", hint=HINT)


def _unescaped(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1] if value.startswith("'") else value)


# jdbc: stands before another's scheme; local[*] and yarn are whole addresses of Spark's.
_ADDRESS = re.compile(r"(?P<jdbc>jdbc:)?(?P<scheme>[a-z][a-z0-9_.+-]*)(?::(?P<body>.*)|(?=\[).*|)", re.I | re.DOTALL)
_PAIR = re.compile(r"(?P<name>\w+)\s*=\s*(?P<value>'(?:\\.|[^'\\])*+'|(?!')(?:\\.|[^\s\\])*+)(?:\s+|\Z)")
_PAIRS = re.compile(rf"(?:{re.sub('[?]P<[a-z]+>', '?:', _PAIR.pattern)})++")
_QUERY = re.compile(r"(?:[\w.$-]+(?:=[^&]*)?(?:&|\Z))*")
_TOLD = re.compile(r"(?P<address>[^;?]*?)/?;(?P<told>(?:[\w.$-]+=[^;]*(?:;|\Z))*)", re.DOTALL)
_PLACE = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]*)(?::(?P<port>\d*))?")
