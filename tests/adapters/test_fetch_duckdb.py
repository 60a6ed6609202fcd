"""DuckDB's rows batch by batch: limit, guard, sink and Stop, and types that agree over all batches."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from decimal import Decimal

import pyarrow as pa
import pytest

from siege_nb.adapters.duckdb import DuckDBAdapter, DuckDBParams, DuckDBSession
from siege_nb.errors import QueryError
from siege_nb.query.session import ALL, Answer, Take
from siege_nb.testing import BareHost

#: More rows than would ever be read to the end.
ENDLESS = "SELECT i, 'text ' || i AS s FROM range(100000000000) t(i)"


@pytest.fixture
def session() -> Iterator[DuckDBSession]:
    made = DuckDBAdapter(DuckDBParams()).open(BareHost())
    assert isinstance(made, DuckDBSession)
    yield made
    made.close()


def fetched(session: DuckDBSession, sql: str, take: Take = ALL) -> tuple[Answer, pa.Table]:
    answer = session.execute(sql, {}, take)
    assert answer.table is not None
    return answer, answer.table


class Pieces:
    """A sink that keeps what it is given, and says when it has enough."""

    def __init__(self, enough: int = 10**9, then: BaseException | None = None) -> None:
        self.tables: list[pa.Table] = []
        self.enough, self.then = enough, then

    def write(self, table: pa.Table) -> None:
        self.tables.append(table)
        if self.then and len(self.tables) >= self.enough:
            raise self.then


def test_a_limit_stops_the_fetch_and_the_session_goes_on(session: DuckDBSession) -> None:
    answer, table = fetched(session, ENDLESS, Take(rows=50_000))
    assert (answer.cut, table.num_rows, table.column("i")[49_999].as_py()) == ("limit", 50_000, 49_999)
    assert fetched(session, ENDLESS, Take(rows=0))[1].num_rows == 0
    answer, table = fetched(session, "SELECT 3 AS three", Take(rows=1))
    assert (answer.cut, table.to_pylist()) == ("", [{"three": 3}])


def test_the_memory_guard_stops_the_fetch(session: DuckDBSession) -> None:
    answer, table = fetched(session, ENDLESS, Take(memory=5_000_000))
    assert answer.cut == "memory"
    assert 5_000_000 < table.nbytes < 10_000_000
    assert fetched(session, "SELECT 3 AS three")[1].num_rows == 1


def test_a_sink_gets_the_rows_in_pieces(session: DuckDBSession) -> None:
    sink = Pieces()
    answer = session.execute("FROM range(100000) t(i)", {}, Take(into=sink))
    assert (answer.table, answer.rowcount) == (None, 100_000)
    assert len(sink.tables) > 2
    assert pa.concat_tables(sink.tables).column("i").to_pylist() == list(range(100_000))
    session.execute("SELECT 1 AS a, 2 AS a WHERE false", {}, Take(into=sink))
    assert (sink.tables[-1].num_rows, sink.tables[-1].column_names) == (0, ["a", "a_1"])


def test_what_a_sink_raises_is_told_as_it_is_and_frees_the_session(session: DuckDBSession) -> None:
    full = OSError(28, "No space left on device")
    with pytest.raises(OSError, match="No space") as caught:
        session.execute(ENDLESS, {}, Take(into=Pieces(2, full)))
    assert caught.value is full
    assert fetched(session, "SELECT 3 AS three")[1].num_rows == 1


def test_stop_between_two_batches_ends_the_fetch(session: DuckDBSession) -> None:
    class Stopping(Pieces):
        def write(self, table: pa.Table) -> None:
            super().write(table)
            thread = threading.Thread(target=session.cancel)
            thread.start()
            thread.join()

    sink = Stopping()
    with pytest.raises(QueryError) as caught:
        session.execute(ENDLESS, {}, Take(into=sink))
    assert caught.value.kind == "cancelled"
    assert len(sink.tables) < 5
    assert fetched(session, "SELECT 3 AS three")[1].num_rows == 1


def test_an_error_in_a_later_batch_is_told_as_in_the_first(session: DuckDBSession) -> None:
    rows = "FROM (SELECT CASE WHEN i = {} THEN 'x' ELSE '1' END AS a FROM range(1000000) t(i))"
    told = []
    for broken in (0, 900_000):
        with pytest.raises(QueryError) as caught:
            session.execute(f"SELECT a::INT AS a, '1'::BIT AS b {rows.format(broken)}", {})
        told.append((caught.value.kind, caught.value.message))
    assert told[0] == told[1]
    assert told[0][0] == "usage"
    assert "'x'" in told[0][1]


def test_a_sum_that_outgrows_its_batch_loses_nothing(session: DuckDBSession) -> None:
    huge = "SELECT CASE WHEN i = 90000 THEN 2::HUGEINT ^ 100 ELSE i END::HUGEINT AS h FROM range(100000) t(i)"
    table = fetched(session, huge)[1]
    assert table.schema.field("h").type == pa.decimal128(38, 0)
    assert [table.column("h")[n].as_py() for n in (0, 89_999, 90_000)] == [0, 89_999, Decimal(2**100)]
    small = fetched(session, "SELECT i::HUGEINT AS h FROM range(100000) t(i)")[1]
    assert small.schema.field("h").type == pa.int64()


@pytest.mark.parametrize(("kind", "first"), [
    ("DATE", "2026-01-01"), ("TIMESTAMP", "2026-01-01 00:00:00"), ("TIMESTAMP_NS", "2026-01-01 00:00:00"),
    ("TIMESTAMPTZ", "2026-01-01 00:00:00+00:00"),
])  # fmt: skip
def test_an_infinity_in_a_later_batch_makes_the_whole_column_text(
    session: DuckDBSession, kind: str, first: str
) -> None:
    session.execute("SET timezone = 'UTC'", {})
    day = f"CASE i WHEN 90000 THEN 'infinity' WHEN 5 THEN NULL ELSE '2026-01-01' END::{kind}"
    found = fetched(session, f"SELECT {day} AS d FROM range(100000) t(i)")[1].column("d")
    assert [found[n].as_py() for n in (0, 5, 90_000, 90_001)] == [first, None, "infinity", first]


@pytest.mark.parametrize("rows", [0, 1, 25_000])
@pytest.mark.parametrize("nulls", [False, True])
def test_types_are_the_same_whatever_comes(session: DuckDBSession, rows: int, nulls: bool) -> None:
    columns = {
        "TINYINT": "1", "UBIGINT": "18446744073709551615", "HUGEINT": "5", "UHUGEINT": "5", "DOUBLE": "1.5",
        "DECIMAL(38,10)": "1.5", "VARCHAR": "'x'", "BLOB": "'x'", "BOOLEAN": "true", "DATE": "'2026-01-02'",
        "TIME": "'01:02:03'", "TIMESTAMP": "'2026-01-02'", "TIMESTAMPTZ": "'2026-01-02'", "INTERVAL": "'1 day'",
        "UUID": "uuid()", "INT[]": "[1]", "STRUCT(a INT)": "{'a': 1}", "MAP(INT, INT)": "MAP {1: 2}", "BIT": "'101'",
        "TIMETZ": "'01:02:03+01'", "JSON": "'{}'",
    }  # fmt: skip

    def select(nulls: bool, rows: int) -> str:
        cells = (f"{'NULL' if nulls else value}::{kind} AS c{n}" for n, (kind, value) in enumerate(columns.items()))
        return f"SELECT {', '.join(cells)} FROM range({rows}) t(i)"

    known = fetched(session, select(False, 1))[1].schema
    assert fetched(session, select(nulls, rows))[1].schema == known
