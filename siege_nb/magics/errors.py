"""SqlError, the one error of ours that is also IPython's."""

from __future__ import annotations

from traceback import format_tb
from typing import Any

from IPython.core.error import UsageError

from siege_nb.errors import (
    AccessError,
    AuthError,
    ConflictError,
    ConnectError,
    ConnectTimeoutError,
    InvalidError,
    MissingDriverError,
    NotFoundError,
    QueryError,
    QueryKind,
    SiegeError,
)

# What the errors that are no QueryErrors count as; the more special ones first.
_KINDS: tuple[tuple[type[SiegeError], QueryKind], ...] = (
    (MissingDriverError, "missing_driver"),
    (AuthError, "auth"),
    (ConnectTimeoutError, "timeout"),
    (ConnectError, "connection"),
    (NotFoundError, "not_found"),
    (InvalidError, "usage"),
    (ConflictError, "usage"),
    (AccessError, "permission"),
)


class SqlError(QueryError, UsageError):
    """A failed %sql, as a cell shows it. `except UsageError`, as jupysql's users write it, catches it too."""

    connection = ""
    statement: tuple[int, int] | None = None
    excerpt = ""
    #: It shows Python's traceback as well.
    whole = False

    @classmethod
    def of(cls, error: SiegeError, connection: str, *, whole: bool = False) -> SqlError:
        """The same error as a SqlError; its own type still catches it, and it knows what it knew."""
        form = _form(type(error))
        twin = form.__new__(form, error.message)
        vars(twin).update(vars(error))
        twin.args, twin.connection = (error.message,), connection
        if not isinstance(error, QueryError):
            twin.kind = next((kind for known, kind in _KINDS if isinstance(error, known)), "internal")
        if whole:
            twin.whole = True
            twin.__traceback__ = error.__traceback__
        return twin

    def __reduce__(self) -> Any:
        kind = QueryError if type(self) is SqlError else type(self).__bases__[1]
        return _again, (kind, self.args, {**vars(self)})

    def _render_traceback_(self) -> list[str]:
        # A SqlError under its own base's name would print as a usage error on stderr and pass nbval.
        at = f" {self.connection}" if self.connection else ""
        block = f"SqlError[{self.kind}]{at}: {self}".split("\n")
        if not self.whole:
            return block
        # Without what is in the variables: a frame of the driver's may hold the password.
        return [*"".join(format_tb(self.__traceback__)).splitlines(), *block]


_forms: dict[type[SiegeError], type[SqlError]] = {}


def _form(kind: type[SiegeError]) -> type[SqlError]:
    """The SqlError that is also of this kind; one class for each kind that was met."""
    if issubclass(SqlError, kind):
        return SqlError
    if kind not in _forms:
        _forms[kind] = type("SqlError", (SqlError, kind), {"__doc__": kind.__doc__, "__module__": __name__})
    return _forms[kind]


def _again(kind: type[SiegeError], args: tuple[Any, ...], state: dict[str, Any]) -> SqlError:
    form = _form(kind)
    twin = form.__new__(form, *args)
    twin.args = args
    vars(twin).update(state)
    return twin
