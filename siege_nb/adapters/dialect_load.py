"""Rows into any database that SQLAlchemy has a dialect for: its types, and the driver's executemany."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from siege_nb.adapters.filling import Filling
from siege_nb.adapters.loading import Loader
from siege_nb.query.session import Load

if TYPE_CHECKING:
    import pyarrow as pa
    import sqlalchemy as sa

    from siege_nb.adapters.dialect import DialectSession


class DialectLoader(Loader):
    """Tables of whatever engine. Where its DDL ends a transaction, one that is open ends when a table is made."""

    session: DialectSession

    @property
    def dialect(self) -> sa.Dialect:
        return self.session.dialect

    def quoted(self, name: str) -> str:
        # Where names are capital letters by themselves, in quotes `orders` would be another table than the user's.
        preparer: Any = self.dialect.identifier_preparer
        is_bare = self.dialect.requires_name_normalize and preparer.quote(name) == name
        return name if is_bare else super().quoted(name)

    def load(self, table: pa.Table, name: str, schema: str, mode: Load) -> None:
        there = mode != "fail" and self.session.has_table(name, schema)
        columns, target = self.columns(table), self.target(schema, name)
        if there and mode == "append":
            with self.whole():
                self.fill(target, columns)
        elif there:
            # Not every engine can rename a table: the new rows are in the database before the old ones go.
            passing = self.target(schema, f"siege_{secrets.token_hex(8)}")
            with self._made(passing, columns), self.whole():
                self.run(f"DROP TABLE {target}")
                self.run(self.creation(target, columns))
                self.run(f"INSERT INTO {target} SELECT * FROM {passing}")
                self.run(f"DROP TABLE {passing}")
        else:
            with self._made(target, columns):
                pass

    @contextmanager
    def _made(self, target: str, columns: Sequence[Filling]) -> Iterator[None]:
        """A new table with the rows in it, which is gone again if anything fails."""
        made = False
        try:
            with self.whole():
                self.run(self.creation(target, columns))
                made = True
                self.fill(target, columns)
            yield
        except BaseException:
            if made and not self.session.in_transaction:  # an engine whose DDL is no part of a transaction
                self.attempt(f"DROP TABLE {target}")
                if self.session.commits:
                    self.session.connection.commit()
            raise

    @contextmanager
    def whole(self) -> Iterator[None]:
        session = self.session
        if session.in_transaction:
            yield
            return
        # In autocommit a driver's own commit() may do nothing. An engine without transactions refuses the word.
        word = "START" if self.dialect.name in ("mysql", "mariadb", "trino") else "BEGIN"
        begun = not session.commits and self.attempt(f"{word} TRANSACTION")
        try:
            yield
            if begun:
                self.run("COMMIT")
            elif session.commits:
                session.connection.commit()
        except BaseException:
            if begun:
                self.attempt("ROLLBACK")
            elif session.commits:
                session.connection.rollback()
            raise
