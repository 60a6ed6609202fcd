"""SQLite's rows, batch by batch: types that meet without loss, and an end when there is enough."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from siege_nb.adapters.sqlite import SQLiteAdapter, SQLiteParams, SQLiteSession
from siege_nb.declare import structure
from siege_nb.errors import QueryError
from siege_nb.query.columns import BATCH
from siege_nb.query.session import Take
from siege_nb.testing import BareHost

NUMBERS = "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {}) "
ENDLESS = NUMBERS.format(10**12) + "SELECT n, 'text ' || n AS t FROM s"


@pytest.fixture
def session() -> Iterator[SQLiteSession]:
    """A session in memory."""
    opened = SQLiteAdapter(structure(SQLiteParams, {})).open(BareHost())
    assert isinstance(opened, SQLiteSession)
    yield opened
    opened.close()


class Heap:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.tables: list[pa.Table] = []

    def write(self, table: pa.Table) -> None:
        self.tables.append(table)


@pytest.mark.parametrize("late", [2, 1_000, 1_001, 10_001])
@pytest.mark.parametrize(("early", "other", "kind"), [
    ("n", "NULL", pa.int64()), ("n", "0.5", pa.float64()), ("0.5", "n", pa.float64()), ("NULL", "n", pa.int64()),
    ("n", "'a'", pa.string()), ("'a'", "x'ff'", pa.binary()), ("NULL", "x'ff'", pa.binary()),
    ("''", "NULL", pa.string()), ("9007199254740993", "0.5", pa.string()), ("n", "9223372036854775807", pa.int64()),
])  # fmt: skip
def test_a_type_that_changes_late_loses_nothing(
    session: SQLiteSession, late: int, early: str, other: str, kind: pa.DataType
) -> None:
    sql = NUMBERS.format(12_000) + f"SELECT n, CASE WHEN n = {late} THEN {other} ELSE {early} END AS c FROM s"
    plain = session.connection.execute(sql).fetchall()
    found = session.execute(sql, {}).table
    assert found is not None
    assert found.schema.types == [pa.int64(), kind]
    assert found["n"].to_pylist() == [row[0] for row in plain]
    expected: list[Any] = [row[1] for row in plain]
    if pa.types.is_string(kind):
        expected = [None if value is None else str(value) for value in expected]
    elif pa.types.is_binary(kind):
        expected = [value.encode() if isinstance(value, str) else value for value in expected]
    assert found["c"].to_pylist() == expected


@pytest.mark.parametrize(("take", "cut"), [
    (Take(rows=0), "limit"), (Take(rows=3), "limit"), (Take(rows=12_345), "limit"), (Take(memory=1_000_000), "memory"),
])  # fmt: skip
def test_what_is_too_much_is_let_go_of(session: SQLiteSession, take: Take, cut: str) -> None:
    session.execute("CREATE TABLE t AS " + NUMBERS.format(3) + "SELECT n FROM s", {})
    answer = session.execute(ENDLESS, {}, take)
    assert answer.cut == cut
    assert answer.table is not None
    assert answer.table["n"].to_pylist() == list(range(1, answer.table.num_rows + 1))
    assert take.rows is None or answer.table.num_rows == take.rows
    cut_short = session.execute("SELECT n FROM t", {}, Take(rows=1))
    assert cut_short.cut == "limit"
    session.execute("DROP TABLE t", {})  # which a statement that still runs would keep from it


def test_rows_stream_into_a_sink_in_pieces_worth_writing(session: SQLiteSession) -> None:
    heap = Heap()
    answer = session.execute(NUMBERS.format(25_000) + "SELECT n FROM s", {}, Take(into=heap))
    assert (answer.table, answer.rowcount) == (None, 25_000)
    assert [len(part) for part in heap.tables] == [BATCH, BATCH, 5_000]
    heap.tables.clear()
    session.execute("SELECT 1 AS a, 'x' AS b WHERE 1 = 0", {}, Take(into=heap))
    assert [(part.column_names, len(part)) for part in heap.tables] == [(["a", "b"], 0)]


def test_a_stop_reaches_rows_that_stream(session: SQLiteSession) -> None:
    class Stopping(Heap):
        def write(self, table: pa.Table) -> None:
            super().write(table)
            if len(self.tables) == 2:
                stopper = threading.Thread(target=session.cancel)
                stopper.start()
                stopper.join()

    heap = Stopping()
    with pytest.raises(QueryError) as caught:
        session.execute(ENDLESS, {}, Take(into=heap))
    assert caught.value.kind == "cancelled"
    assert len(heap.tables) == 2
    answer = session.execute("SELECT 3 AS three", {}).table
    assert answer is not None
    assert answer.to_pylist() == [{"three": 3}]
