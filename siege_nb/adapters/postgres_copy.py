"""A SELECT's rows by COPY: on the session's own connection, and several times as fast as row by row.

COPY tells no types, so the statement is described first, which runs nothing. Its columns come as CSV, whose text is
what rows would have brought, and are read by the same builders: nobody can tell which way a table came.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from siege_nb.adapters.postgres_types import INTERVAL, arrow
from siege_nb.query.columns import BATCH, Array, Build
from siege_nb.query.statements import STANDARD, Grammar, first_word, outside

if TYPE_CHECKING:
    import psycopg
    from psycopg.pq.abc import PGresult

#: Bytes of CSV that are read at once: wide rows are not held by the thousand.
CHUNK = 8 << 20
#: Below so many bytes, starting Arrow's reader costs more than it saves.
FEW = 16 << 10

_QUERIES = ("SELECT", "WITH", "TABLE")
_MANY = r"(?i:\b(?:FROM|TABLE|generate_series|unnest)\b)"
_NOT_READING = r"(?i:;|\b(?:INSERT|UPDATE|DELETE|MERGE)\b)"
_LIMITED = re.compile(r"\bLIMIT\s+\d{1,3}\s*\Z", re.IGNORECASE)


def pays(text: str, grammar: Grammar = STANDARD) -> bool:
    """Whether the statement may bring many rows, and changes none: what does is never stopped halfway, nor undone.

    For a few rows, a second round trip would only cost.
    """
    if first_word(text, grammar) not in _QUERIES or _LIMITED.search(text):
        return False
    return any(outside(text, _MANY, grammar)) and not any(outside(text, _NOT_READING, grammar))


def works(connection: psycopg.Connection[Any]) -> bool:
    """Whether what COPY brings is UTF-8, and the server no Redshift, which calls itself 8 and copies to no client."""
    return connection.info.encoding == "utf-8" and connection.info.server_version >= 90_000


def described(connection: psycopg.Connection[Any], text: str, values: Sequence[Any]) -> PGresult:
    """The columns that a statement would bring and the types of its parameters; it is parsed, and not run."""
    from psycopg import errors, generators, pq
    from psycopg.adapt import PyFormat, Transformer

    transformer, driver = Transformer(connection), connection.pgconn
    transformer.dump_sequence(values, [PyFormat.AUTO] * len(values))
    # In one message: a pooler could send the second to another server.
    driver.enter_pipeline_mode()
    driver.send_prepare(b"", text.encode(), transformer.types)
    driver.send_describe_prepared(b"")
    driver.pipeline_sync()
    connection.wait(generators.send(driver))
    (parsed,), (told,), _ = [connection.wait(generators.fetch_many(driver)) for _ in range(3)]
    driver.exit_pipeline_mode()
    for result in (parsed, told):
        if result.status == pq.ExecStatus.FATAL_ERROR:
            raise errors.error_from_result(result, encoding="utf-8")
    found: PGresult = told
    return found


def written(
    connection: psycopg.Connection[Any], text: str, values: Sequence[Any], told: PGresult, grammar: Grammar = STANDARD
) -> bytes | None:
    """COPY of the statement with its values in it, for it takes no parameters; None where a type has no known name.

    Each is cast to the type that the server gave the parameter, so that it means the same: ORDER BY CAST(1 AS int4) is
    no order by the first column, and neither is ORDER BY $1.
    """
    from psycopg.adapt import PyFormat, Transformer

    transformer = Transformer(connection)
    literals: list[bytes] = []
    for n, value in enumerate(values):
        named = _type_name(connection, told.param_type(n))
        if named is None:
            return None
        literal = b"NULL" if value is None else transformer.get_dumper(value, PyFormat.TEXT).quote(value)
        literals.append(b"CAST(" + literal + b" AS " + named + b")")
    said, at = [b"COPY ("], 0
    for mark in outside(text, r"(?<![\w$])\$\d+", grammar) if literals else ():
        said += [text[at : mark.start()].encode(), literals[int(mark[0][1:]) - 1]]
        at = mark.end()
    # On a line of its own: the statement may end in a comment.
    return b"".join([*said, text[at:].encode(), b"\n) TO STDOUT (FORMAT csv)"])


def _type_name(connection: psycopg.Connection[Any], oid: int) -> bytes | None:
    """How SQL names one of PostgreSQL's own types: in full, for a bare "bit" is bit(1)."""
    known = connection.adapters.types.get(oid)
    if known is None or oid >= 10_000:
        return None
    return f"pg_catalog.{known.name}{'[]' if oid == known.array_oid else ''}".encode()


def copied(
    copy: psycopg.Copy, types: Sequence[int], builders: Sequence[Build], *, stop: Callable[[], bool]
) -> Iterator[list[Array]]:
    """The columns of each so many rows; whoever has enough closes this, and the rest is let go of.

    Where it may, the server is told to `stop`. That undoes what was done in the transaction, or by a function that the
    statement calls: the rest is read away then.
    """
    from psycopg.adapt import Transformer
    from psycopg.pq import TransactionStatus

    transformer = Transformer(copy.connection)
    columns = [_Column(transformer, oid, build) for oid, build in zip(types, builders, strict=True)]
    nothing = True
    try:
        for text in _texts(copy):
            nothing = False
            if len(text) < FEW:
                fields = _fields(text)
                yield [column.loaded(fields[n :: len(columns)]) for n, column in enumerate(columns)]
            else:
                yield [column.read(array) for column, array in zip(columns, _arrays(text, types), strict=True)]
        if nothing:
            yield [build(()) for build in builders]
    finally:
        if copy.connection.info.transaction_status == TransactionStatus.ACTIVE:
            _let_go(copy, stop())


class _Column:
    """How a column of CSV becomes what its builder would have made of the driver's values."""

    def __init__(self, transformer: Any, oid: int, build: Build) -> None:
        from psycopg.pq import Format

        self._build = build
        loader = transformer.get_loader(oid, Format.TEXT)
        self._load = loader.load
        self._is_ready = arrow(oid) is not None
        self._is_text = type(loader) is type(transformer.get_loader(0, Format.TEXT)) and oid != INTERVAL

    def read(self, column: Array) -> Array:
        if self._is_ready:
            return column
        if self._is_text:
            return self._build(column)
        import pyarrow as pa

        return self.loaded(column.cast(pa.binary()).to_pylist())

    def loaded(self, values: Sequence[bytes | None]) -> Array:
        load = self._load
        return self._build([None if value is None else load(value) for value in values])


def _texts(copy: psycopg.Copy) -> Iterator[bytes]:
    """The text, cut where rows end, and as often as the other way cuts them: unlike batches meet in the same types."""
    text, rows = bytearray(), 0
    for row in _rows(copy):
        text += row
        rows += 1
        if rows == BATCH or len(text) >= CHUNK:
            yield bytes(text)
            text, rows = bytearray(), 0
    if rows:
        yield bytes(text)


def _rows(copy: psycopg.Copy) -> Iterator[Any]:
    """The rows as they lie ready; the driver's own loop, which is asked where none does, takes thrice the time."""
    from psycopg import errors, generators, pq

    driver = copy.connection.pgconn
    ready = driver.get_copy_data
    while True:
        size, row = ready(1)
        if size > 0:
            yield row
        elif size < 0:
            break
        elif waited := copy.read():
            yield waited
        else:
            return
    for result in copy.connection.wait(generators.fetch_many(driver)):
        if result.status == pq.ExecStatus.FATAL_ERROR:
            raise errors.error_from_result(result, encoding="utf-8")


_FIELD = re.compile(rb'("(?:[^"]|"")*+"|[^,\n]*+)[,\n]')


def _fields(text: bytes) -> list[bytes | None]:
    """CSV's fields, row by row. Nothing at all is NULL, quoted it is the empty text."""
    return [
        None if not field else field[1:-1].replace(b'""', b'"') if field.startswith(b'"') else field
        for field in _FIELD.findall(text)
    ]


def _arrays(text: bytes, types: Sequence[int]) -> list[Array]:
    """CSV's columns as Arrow reads them: numbers as such, the rest as text. Nothing at all is NULL here too."""
    import pyarrow as pa
    from pyarrow import csv

    kinds = {str(n): arrow(oid) or pa.string() for n, oid in enumerate(types)}
    reading = csv.ReadOptions(column_names=list(kinds), block_size=len(text) + 1, use_threads=False)
    parsing = csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)
    converting = csv.ConvertOptions(
        column_types=kinds, true_values=["t"], false_values=["f"],
        null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False,
    )  # fmt: skip
    source: Any = pa.BufferReader(text)  # which its stubs do not know for a file
    table = csv.read_csv(source, reading, parsing, converting)
    return [column.chunk(0) for column in table.columns]


def _let_go(copy: psycopg.Copy, stop: bool) -> None:
    from psycopg.errors import Error, QueryCanceled

    expected: tuple[type[Error], ...] = ()
    if stop:
        expected = (QueryCanceled,)
        with suppress(Error):  # it cannot be told: then all of it is read
            copy.connection.cancel_safe(timeout=5)
    with suppress(*expected):
        for _ in _rows(copy):
            pass
