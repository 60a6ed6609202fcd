"""What a live session is, and what some can also do."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from siege_nb.query.statements import Grammar

if TYPE_CHECKING:
    import pyarrow as pa


class Session(Protocol):
    """A live connection, as the pool lends it."""

    def ping(self) -> None:
        """Ask the other side for a sign of life; raises when there is none."""

    def close(self) -> None:
        """Let go of it. Closing twice is closing once; it never raises."""


#: Why rows are missing in an answer: so many were asked for, or memory would not hold more; "" where all are here.
Cut = Literal["", "limit", "memory"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What one statement gave: rows as Arrow, or how many rows it changed, or neither."""

    table: pa.Table | None = None
    #: Rows changed, or handed on to a sink; None where the engine does not tell.
    rowcount: int | None = None
    cut: Cut = ""


class Sink(Protocol):
    """Where rows go that are not to be held."""

    def write(self, table: pa.Table) -> None:
        """Take some more rows. Types may widen from one piece to the next; the first comes even if it has no rows."""


@dataclass(frozen=True, slots=True)
class Take:
    """How much of an answer is taken, and where to."""

    #: No more rows than these; None for all.
    rows: int | None = None
    #: No more bytes of Arrow than these, about; None for whatever comes.
    memory: int | None = None
    #: Where the rows go, piece by piece, instead of being held. They come in the session's thread.
    into: Sink | None = None


ALL = Take()


@runtime_checkable
class Queryable(Session, Protocol):
    """A session that runs statements. All its calls but cancel() come from one worker thread."""

    @property
    def grammar(self) -> Grammar:
        """What in a text of this engine is no SQL: its quotes and comments."""

    @property
    def in_transaction(self) -> bool:
        """The user began a transaction that is still open."""

    def split(self, sql: str) -> list[str]:
        """The statements of a text, cut by the engine's own rules; empty ones are left out."""

    def execute(self, statement: str, binds: Mapping[str, Any], take: Take = ALL) -> Answer:
        """Run one statement whose `:name` placeholders all stand in `binds`; raises QueryError or ConnectError.

        What is not taken of its rows is let go of before this returns, and the session goes on.
        """


@runtime_checkable
class Cancellable(Protocol):
    """A session whose running statement can be stopped from another thread."""

    def cancel(self) -> None:
        """Ask the engine to stop what runs now; returns soon, and harmlessly when nothing runs."""


@runtime_checkable
class Progressing(Protocol):
    """A session that knows how far its statement is."""

    def progress(self) -> float | None:
        """Between 0 and 1, or None when the engine cannot tell. Asked from another thread."""


@runtime_checkable
class Framing(Protocol):
    """A session whose statements may name tables of the notebook: frames, Arrow, results."""

    def seeing(self, namespace: Mapping[str, Any]) -> AbstractContextManager[None]:
        """For so long, a name that the database does not know means the table that the namespace has by it."""


#: What is done where a table of that name is there already.
Load = Literal["fail", "replace", "append"]


@runtime_checkable
class Loadable(Protocol):
    """A session that can make a table of rows that come from here."""

    def load(self, table: pa.Table, name: str, schema: str = "", mode: Load = "fail") -> int:
        """How many rows were written, all or none, into a table of this name; "" is the schema names mean anyway.

        It is part of a transaction that is open, and of one by itself where none is; an engine that would end it by
        making a table refuses. `append` makes the table if there is none; its columns are found by their names.
        """


@dataclass(frozen=True, slots=True)
class Schema:
    """A namespace of tables."""

    name: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view. An unknown number of rows is None, never 0."""

    schema: str
    name: str
    kind: str = "table"
    comment: str = ""
    row_estimate: int | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A column with the type as its engine spells it."""

    name: str
    native_type: str
    nullable: bool | None = None
    default: str | None = None
    comment: str = ""


@runtime_checkable
class Browsable(Protocol):
    """A session that can say what there is to query."""

    def schemas(self) -> list[Schema]:
        """The schemas a user would look into; the engine's own are left out."""

    def tables(self, schema: str) -> list[Table]:
        """The tables and views of one schema."""

    def columns(self, schema: str, table: str) -> list[Column]:
        """The columns of one table, in order."""
