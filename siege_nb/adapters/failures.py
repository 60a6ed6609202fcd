"""A driver's error in our words, masked, naming the fields to mend.

Looked at in this order, for messages rot: the vendor's code or SQLSTATE, the SQLSTATE's class, the error's own class, a
pattern in the message, the class's bases, and at last the masked message itself.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast, get_args

from siege_nb.errors import (
    AuthError,
    ConnectError,
    ConnectTimeoutError,
    IntegrityError,
    QueryError,
    QueryKind,
    QueryTimeoutError,
    SiegeError,
    TlsError,
)
from siege_nb.masking import mask

UNREACHABLE = "Unable to connect to {title} at {host}:{port}. Please check the server address and firewall settings."
_CERTIFICATE = "{host} uses a certificate %s. Add the CA file; switch verification off only for tests."


@dataclass(frozen=True, slots=True)
class Problem:
    """What kept a session from being had: our sentence, the error's class, and the fields it is usually about."""

    text: str
    error: type[ConnectError] = ConnectError
    fields: tuple[str, ...] = ()


PROBLEMS: Mapping[str, Problem] = {
    "dns": Problem("The server name {host} cannot be found. Check the spelling or your VPN.", fields=("host",)),
    "refused": Problem(UNREACHABLE, fields=("host", "port")),
    "timeout": Problem(UNREACHABLE, ConnectTimeoutError, ("host", "port")),
    "tls_untrusted": Problem(_CERTIFICATE % "this machine does not trust", TlsError),
    "tls_name": Problem(_CERTIFICATE % "issued for another name", TlsError),
    "tls_required": Problem("The server requires encryption.", TlsError),
    "tls_unsupported": Problem("The server does not offer encryption.", TlsError),
    "auth": Problem("Authentication failed. Please verify your username and password.", AuthError),
    "auth_expired": Problem("The sign-in has expired. Sign in again.", AuthError),
    "mfa": Problem("This account needs multi-factor sign-in; use {alternatives}.", AuthError),
    "database": Problem("Database {database} does not exist or you may not open it.", fields=("database",)),
    "permission": Problem("Signed in as {user}, but not allowed to {what}. Ask for {grant}."),
    "network_policy": Problem("This address ({ip}) is not allowed by the server's firewall/network policy."),
    "capacity": Problem("The server has no free connections."),
    "busy": Problem("Database {database} is in use by another process.", fields=("database",)),
    "lost": Problem("The connection to {title} was lost."),
    "stopped": Problem("Connecting to {title} was stopped."),
    "version": Problem("API version {v} is retired; use {newest}."),
}
_KINDS = frozenset(get_args(QueryKind))
# What a problem is when a statement meets it (USE nowhere, ATTACH 'locked.db') and the session lives on.
_WHILE_RUNNING = {
    "database": "not_found", "busy": "timeout", "auth_expired": "auth", "mfa": "auth", "capacity": "connection",
    "network_policy": "connection",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rule:
    """What one error of a driver means: a problem with the connection, or a kind of failed statement.

    `code` is a vendor's number, an SQLSTATE (two characters stand for its whole class), the name of an exception's
    class, or a pattern found in the message, whose named groups fill the text. "auth", "permission" and "timeout" are
    both problem and kind: which of them is meant depends on what was being done.
    """

    code: int | str | re.Pattern[str]
    problem: str
    fields: tuple[str, ...] = ()
    text: str = ""

    def __post_init__(self) -> None:
        if self.problem not in PROBLEMS and self.problem not in _KINDS:
            raise ValueError(f"no such problem: {self.problem}")


@dataclass(frozen=True, slots=True)
class Said:
    """What the driver said: the server's own sentence, and its advice."""

    message: str
    hint: str = ""


def translate(
    error: Exception,
    title: str,
    rules: Iterable[Rule],
    address: tuple[str, int] | None = None,
    *,
    statement: bool = False,
    about: Mapping[str, Any] | None = None,
    said: Said | None = None,
) -> SiegeError:
    """A driver's error as one of ours. `statement`: it was running one, so what no rule knows is a QueryError.

    Raise it outside of the `except` block: a driver's frames hold the password.
    """
    if isinstance(error, SiegeError):
        return error
    said = said or Said(str(error) or type(error).__name__)
    facts = {"title": title, **dict(zip(("host", "port"), address or (), strict=False)), **(about or {})}
    rule, found = _match(error, said.message, tuple(rules))
    if rule is None and (known := _builtin(error)):
        rule = Rule("", known)
    problem = rule.problem if rule is not None else ""
    kind = problem if problem in _KINDS else _WHILE_RUNNING.get(problem, "" if problem else "internal")
    if statement and kind:
        message = (_filled(rule.text, facts | found) if rule is not None else "") or _sentence(said.message)
        return query_error(message, cast(QueryKind, kind), hint=said.hint)
    if rule is not None and problem in PROBLEMS:
        return connect_error(problem, facts | found, text=rule.text, fields=rule.fields, said=said)
    return ConnectError(mask(f"{title}: {_sentence(said.message)}"), problem="unknown", hint=mask(said.hint))


def connect_error(
    problem: str,
    facts: Mapping[str, Any],
    *,
    text: str = "",
    fields: tuple[str, ...] = (),
    said: Said | None = None,
    timed_out: bool = False,
) -> ConnectError:
    """The error for one problem, in the words everybody uses for it; the server's own stand in the hint."""
    known = PROBLEMS[problem]
    raw = _sentence(said.message) if said is not None else ""
    message = _filled(text or known.text, facts)
    if not message:
        message, raw = raw or known.text, ""
    advice = said.hint if said is not None else ""
    hint = "\n".join(part for part in (advice, raw and f"The server says: {raw}") if part)
    make = ConnectTimeoutError if timed_out else known.error
    return make(mask(message), problem=problem, fields=fields or known.fields, hint=mask(hint))


def query_error(message: str, kind: QueryKind, *, hint: str = "") -> QueryError:
    """A failed statement as the class its kind asks for."""
    make = {"constraint": IntegrityError, "timeout": QueryTimeoutError}.get(kind, QueryError)
    return make(mask(message), kind=kind, hint=mask(hint))


def _filled(text: str, facts: Mapping[str, Any]) -> str:
    """The text with its facts; nothing if one is unknown, for then the server's own words say more."""
    try:
        return text.format_map(facts)
    except KeyError:
        return ""


def _match(error: Exception, message: str, rules: tuple[Rule, ...]) -> tuple[Rule | None, dict[str, str]]:
    codes = set(_codes(error))
    states = {code[:2] for code in codes if isinstance(code, str)}
    own, *bases = [base.__name__ for base in type(error).__mro__]

    def exact(known: Collection[int | str]) -> Rule | None:
        return next((rule for rule in rules if not isinstance(rule.code, re.Pattern) and rule.code in known), None)

    if rule := exact(codes) or exact(states) or exact([own]):
        return rule, {}
    for rule in rules:
        if isinstance(rule.code, re.Pattern) and (found := rule.code.search(message)):
            return rule, {name: value for name, value in found.groupdict().items() if value is not None}
    return exact(bases), {}


def _codes(error: Exception) -> Iterator[int | str]:
    if isinstance(error, OSError):  # its errno is the system's, no vendor's
        return
    for attribute in ("sqlstate", "errno", "sqlite_errorcode"):
        code = getattr(error, attribute, None)
        if isinstance(code, int | str):
            yield code
            if attribute == "sqlite_errorcode" and isinstance(code, int):
                yield code & 0xFF  # the low byte is the plain code, the rest says more about it


def _builtin(error: Exception) -> str:
    """What an error of Python's own means, whoever raised it."""
    match error:
        case socket.gaierror():
            return "dns"
        case ConnectionResetError() | BrokenPipeError() | EOFError():
            return "lost"
        case ConnectionRefusedError():
            return "refused"
        case InterruptedError():
            return "stopped"
        case TimeoutError():
            return "timeout"
        case ssl.SSLCertVerificationError():
            # 62, 63, 64: the name, mail or address in the certificate is another one.
            return "tls_name" if error.verify_code in (62, 63, 64) else "tls_untrusted"
    return ""


def _sentence(message: str) -> str:
    return " ".join(message.split())
