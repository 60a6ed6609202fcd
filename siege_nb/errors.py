"""Every error of siege_nb, drawn as one tree. Whether a retry can help is in the tree: ask isinstance.

SiegeError                            .hint; shows its message, not a stack, in a notebook
├── InvalidError (ValueError)         .what .issues: every wrong field, not only the first
│   └── UnknownKindError              lists the kinds there are
├── NotFoundError (LookupError)
├── ConflictError                     changed by someone else since it was read, or the name is taken
├── DamagedError                      a file that cannot be read as what it should be; it is kept
├── AccessError (PermissionError)     locked, or not yours
├── VaultError
│   ├── SealedError                   used before it was opened, or written before it was sealed
│   └── TamperedError                 does not open: wrong key, moved or changed
├── MissingDriverError (ImportError)  .install: the exact command
├── ConnectError (ConnectionError)    .problem .fields: what to mend
│   ├── AuthError (PermissionError)
│   ├── TlsError
│   └── ConnectTimeoutError (TimeoutError)
├── QueryError                        .kind .line .column .statement .excerpt .retryable
│   ├── QueryTimeoutError (TimeoutError)
│   ├── IntegrityError
│   └── RateLimitError                .retry_at
└── TierMissingError (NotImplementedError)
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

QueryKind = Literal[
    "usage", "connection", "auth", "missing_driver", "syntax", "not_found",
    "permission", "constraint", "timeout", "cancelled", "truncated", "internal",
]  # fmt: skip

#: Kinds of failed statements, and problems with connections, that pass by themselves.
PASSING = frozenset({"timeout", "connection", "lost", "refused", "busy", "capacity"})

#: A longer message is cut: a server may answer with the whole statement, or with a page of HTML.
LONGEST = 2000
#: How much of a line of SQL stands over the caret.
WINDOW = 120
# What steers a terminal, turns a line around or is no character: escape sequences, bidi marks, half surrogates.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def harmless(text: str) -> str:
    """A text without what would steer a terminal: its codes are shown instead; lines and tabs stay."""
    return _STEERING.sub(_code, text.replace("\r\n", "\n"))


def _code(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"


class SiegeError(Exception):
    """What went wrong in one sentence, and in `.hint` what to do about it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        # Here, where every error begins: a database's own words reach a screen or a log by many ways.
        message = harmless(message)
        self.message = message if len(message) <= LONGEST else message[: LONGEST - 1] + "…"
        self.hint = harmless(hint)
        super().__init__(self.message)

    def __reduce__(self) -> Any:
        # Exception's own calls the class with its args alone: what stands behind the * would be missing or lost.
        return _again, (type(self), {**vars(self)})

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message

    def _render_traceback_(self) -> list[str]:
        # IPython asks the exception first: a message instead of a stack, and still caught by its type.
        return f"{type(self).__name__}: {self}".split("\n")


def _again(kind: type[SiegeError], state: dict[str, Any]) -> SiegeError:
    error = kind.__new__(kind)
    SiegeError.__init__(error, state["message"])
    vars(error).update(state)
    return error


@dataclass(frozen=True, slots=True)
class Issue:
    """One wrong field: where it is, and what is wrong with it."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class InvalidError(SiegeError, ValueError):
    """Something given to us is not as declared; `.issues` names every field that is wrong."""

    def __init__(self, what: str, issues: Iterable[Issue] = (), *, hint: str = "") -> None:
        self.what = what
        self.issues = tuple(issues)
        if len(self.issues) == 1:
            message = f"{what} is not valid: {self.issues[0]}"
        elif self.issues:
            message = "\n".join([f"{what} is not valid:", *(f"  {issue}" for issue in self.issues)])
        else:
            message = what
        super().__init__(message, hint=hint)


class UnknownKindError(InvalidError):
    """No such kind of connection; the message lists those there are."""


class NotFoundError(SiegeError, LookupError):
    """There is nothing of that name."""


class ConflictError(SiegeError):
    """Someone else changed it since it was read, or the name is taken."""


class DamagedError(SiegeError):
    """A file that cannot be read as what it should be. It stays where it is, or is set aside, never overwritten."""


class AccessError(SiegeError, PermissionError):
    """It is locked, or belongs to another."""


class VaultError(SiegeError):
    """A secret cannot be kept or had."""


class SealedError(VaultError):
    """A secret was used before it was opened, or written before it was sealed."""


class TamperedError(VaultError):
    """A sealed secret does not open: another key, another place, or changed bytes."""


class MissingDriverError(SiegeError, ImportError):
    """The driver of a kind is not installed; `.install` is the command that mends it."""

    def __init__(self, message: str, *, install: str) -> None:
        super().__init__(message, hint=f"Run: {install}")
        self.install = install


class ConnectError(SiegeError, ConnectionError):
    """No session could be had; `.problem` says which step failed, `.fields` which fields to mend."""

    def __init__(self, message: str, *, problem: str = "unknown", fields: Iterable[str] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.problem = problem
        self.fields = tuple(fields)


class AuthError(ConnectError, PermissionError):
    """The server knows us not, or not like this."""


class TlsError(ConnectError):
    """No encryption could be agreed on, or the certificate is not trusted."""


class ConnectTimeoutError(ConnectError, TimeoutError):
    """Nothing answered within the deadline."""


class QueryError(SiegeError):
    """A statement failed; the database's own words come first, `.kind` is one of the twelve."""

    def __init__(
        self,
        message: str,
        *,
        kind: QueryKind = "internal",
        hint: str = "",
        line: int | None = None,
        column: int | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.kind: QueryKind = kind
        #: Counted from 1, within the cell's SQL once place() has been told where the statement stands.
        self.line = line
        self.column = column
        #: (3, 5) for the third of five statements.
        self.statement: tuple[int, int] | None = None
        self.excerpt = ""

    @property
    def col(self) -> int | None:
        """The column, by the name that it has elsewhere."""
        return self.column

    @property
    def statement_index(self) -> int | None:
        """Which statement of its cell it was, counted from 1."""
        return self.statement[0] if self.statement else None

    @property
    def retryable(self) -> bool:
        """The same may succeed when it is sent again: somebody was in the way, or the connection failed."""
        return getattr(self, "problem", self.kind) in PASSING

    def place(self, text: str, start: int, number: int, total: int) -> None:
        """Say where in the cell's text this was: which statement, and the line with a caret under the spot."""
        self.statement = (number, total)
        if self.line is None:
            return
        # A driver counts from the start of its statement; people count from the first line of their cell.
        opening = text[:start].rpartition("\n")[2]
        if self.line == 1 and self.column is not None:
            self.column += len(opening)
        self.line += text.count("\n", 0, start)
        lines = text.split("\n")  # as editors and servers count: no form feed or U+2028 ends a line
        if 0 < self.line <= len(lines):
            label, line = f"  LINE {self.line}: ", lines[self.line - 1]
            before = _visible(line[: max((self.column or 1) - 1, 0)])
            shown, spot = _window(_visible(line), len(before))
            self.excerpt = label + shown
            if self.column is not None:
                self.excerpt += "\n" + " " * (len(label) + spot) + "^"

    def __str__(self) -> str:
        where = "statement {} of {}".format(*self.statement) if self.statement and self.statement[1] > 1 else ""
        last = " · ".join(part for part in (where, self.hint) if part)
        return "\n".join(part for part in (self.message, self.excerpt, f"  {last}" if last else "") if part)


def _visible(line: str) -> str:
    """A line in which every character takes one place and none breaks or turns it."""
    return "".join(char if char.isprintable() else " " for char in line.expandtabs(4).rstrip("\r"))


def _window(line: str, spot: int) -> tuple[str, int]:
    """The part of a line around a spot, with … where it is cut, and where the spot is in it."""
    start = max(0, min(spot - WINDOW // 2, len(line) - WINDOW))
    end = start + WINDOW
    shown = ("…" if start else "") + line[start + bool(start) : end - (end < len(line))]
    return shown + ("…" if end < len(line) else ""), spot - start


class QueryTimeoutError(QueryError, TimeoutError):
    """The statement was cancelled because its time was up."""


class IntegrityError(QueryError):
    """A constraint of the database refused the change."""


class RateLimitError(QueryError):
    """The service asks to wait longer than a cell should; `.retry_at` says until when."""

    def __init__(self, message: str, *, retry_at: datetime | None = None, hint: str = "") -> None:
        super().__init__(message, kind="timeout", hint=hint)
        self.retry_at = retry_at


class TierMissingError(SiegeError, NotImplementedError):
    """The database client was made without this tier."""
