"""SqlError, the one error of ours that is also IPython's."""

from __future__ import annotations

from typing import Self

from IPython.core.error import UsageError

from siege_nb.errors import IntegrityError, QueryError, QueryTimeoutError


class SqlError(QueryError, UsageError):
    """A failed statement, as a cell shows it. `except UsageError`, as jupysql's users write it, catches it too."""

    connection = ""

    @classmethod
    def of(cls, error: QueryError, connection: str) -> SqlError:
        """The same error in its SqlError form; its own type still catches it."""
        forms = ((QueryTimeoutError, SqlTimeoutError), (IntegrityError, SqlIntegrityError))
        form = next((form for kind, form in forms if isinstance(error, kind)), SqlError)
        return form._like(error, connection)

    @classmethod
    def _like(cls, error: QueryError, connection: str) -> Self:
        twin = cls(error.message, kind=error.kind, hint=error.hint, line=error.line, column=error.column)
        twin.statement, twin.excerpt, twin.connection = error.statement, error.excerpt, connection
        return twin

    def _render_traceback_(self) -> list[str]:
        # A SqlError under its own base's name would print as a usage error on stderr and pass nbval.
        at = f" {self.connection}" if self.connection else ""
        return f"SqlError[{self.kind}]{at}: {self}".splitlines()


class SqlTimeoutError(SqlError, QueryTimeoutError):
    """The statement was cancelled because its time was up."""


class SqlIntegrityError(SqlError, IntegrityError):
    """A constraint of the database refused the change."""
