"""MySQL's rows batch by batch: limit, guard and sink; what is not taken is let go of, and the session goes on."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest

from siege_nb.adapters.mysql import MySQLAdapter, MySQLSession
from siege_nb.errors import QueryError
from siege_nb.query.session import ALL, Answer, Take
from tests.adapters.test_mysql import _told, connect, implementation, params
from tests.servers import MariaDB, closed_port

__all__ = ["_told", "implementation"]  # fixtures

#: More rows than are read in a test's time.
ENDLESS = "SELECT a.seq AS i, CONCAT('text ', b.seq) AS s FROM seq_1_to_1000000 a, seq_1_to_1000000 b"


@pytest.fixture
def session(mariadb: MariaDB, implementation: str) -> Iterator[MySQLSession]:
    """A session in an empty database."""
    opened = connect(mariadb, database=mariadb.database_for("test_fetch_mysql"))
    yield opened
    opened.close()


def fetched(session: MySQLSession, sql: str, take: Take = ALL) -> tuple[Answer, pa.Table]:
    answer = session.execute(sql, {}, take)
    assert answer.table is not None
    return answer, answer.table


def is_usable(session: MySQLSession) -> bool:
    return fetched(session, "SELECT 3 AS three")[1].to_pylist() == [{"three": 3}]


class Pieces:
    """A sink that keeps what it is given, and may fail."""

    def __init__(self, then: Exception | None = None) -> None:
        self.tables: list[pa.Table] = []
        self.then = then

    def write(self, table: pa.Table) -> None:
        self.tables.append(table)
        if self.then:
            raise self.then


#: Pure Python reads what is under way a hundred times slower.
only_c = pytest.mark.parametrize("implementation", ["c"], indirect=True)


def test_a_limit_stops_the_server_and_the_session_goes_on(session: MySQLSession) -> None:
    answer, table = fetched(session, ENDLESS, Take(rows=25_000))
    assert (answer.cut, table.num_rows) == ("limit", 25_000)
    assert is_usable(session)


@only_c
@pytest.mark.parametrize("rows", [0, 1, 9_999, 29_999, 30_000, 30_001])
def test_a_stop_that_comes_late_ends_nothing_else(session: MySQLSession, rows: int) -> None:
    for _ in range(5):
        answer, table = fetched(session, "SELECT seq FROM seq_1_to_30000", Take(rows=rows))
        assert (answer.cut, table.num_rows) == ("limit" if rows < 30_000 else "", min(rows, 30_000))
        assert is_usable(session)


@only_c
def test_the_memory_guard_and_a_sink_that_fails_stop_it_too(session: MySQLSession) -> None:
    answer, table = fetched(session, ENDLESS, Take(memory=1_000_000))
    assert answer.cut == "memory"
    assert 1_000_000 < table.nbytes < 2_000_000
    assert is_usable(session)
    full = OSError(28, "No space left on device")
    with pytest.raises(Exception, match="No space left"):
        session.execute(ENDLESS, {}, Take(into=Pieces(full)))
    assert is_usable(session)


def test_a_sink_gets_the_rows_in_pieces(session: MySQLSession) -> None:
    sink = Pieces()
    answer = session.execute("SELECT seq AS n FROM seq_1_to_25000", {}, Take(into=sink))
    assert (answer.table, answer.rowcount, len(sink.tables)) == (None, 25_000, 3)
    assert pa.concat_tables(sink.tables).column("n").to_pylist() == list(range(1, 25_001))


@only_c
def test_a_transaction_outlives_rows_that_are_not_taken(mariadb: MariaDB, session: MySQLSession) -> None:
    session.execute("CREATE TABLE t (a INT)", {})
    session.execute("START TRANSACTION", {})
    session.execute("INSERT INTO t VALUES (7)", {})
    assert fetched(session, ENDLESS, Take(rows=5))[0].cut == "limit"
    assert session.in_transaction
    assert fetched(session, "SELECT a FROM t")[1].to_pylist() == [{"a": 7}]
    session.execute("ROLLBACK", {})
    assert fetched(session, "SELECT a FROM t")[1].num_rows == 0


def test_what_writes_is_let_end(session: MySQLSession) -> None:
    session.execute("CREATE TABLE t (a INT)", {})
    insert = "INSERT INTO t SELECT seq FROM seq_1_to_40000 RETURNING a"
    assert fetched(session, insert, Take(rows=5))[1].num_rows == 5
    assert fetched(session, "SELECT count(*) AS n FROM t")[1].to_pylist() == [{"n": 40_000}]
    create = "CREATE PROCEDURE p() BEGIN SELECT seq FROM seq_1_to_40000; DELETE FROM t; END"
    session.execute(create, {})
    assert fetched(session, "CALL p()", Take(rows=5))[1].num_rows == 5
    assert fetched(session, "SELECT count(*) AS n FROM t")[1].to_pylist() == [{"n": 0}]


@only_c
@pytest.mark.parametrize("rows", [30_000, 100_000])
def test_what_a_called_function_wrote_is_not_undone_by_a_limit(session: MySQLSession, rows: int) -> None:
    session.execute("CREATE TABLE noted (n INT)", {})
    create = "CREATE FUNCTION note(n INT) RETURNS INT BEGIN INSERT INTO noted VALUES (n); RETURN n; END"
    session.execute(create, {})
    called = f"SELECT note(seq) AS n FROM seq_1_to_{rows}"
    assert fetched(session, called, Take(rows=5))[0].cut == "limit"
    assert fetched(session, "SELECT count(*) AS n FROM noted")[1].to_pylist() == [{"n": rows}]


@only_c
def test_an_error_while_rows_stream_says_that_the_transaction_is_open(session: MySQLSession) -> None:
    session.execute("START TRANSACTION", {})
    full = QueryError("full", kind="usage", hint="Make room.")
    with pytest.raises(QueryError) as caught:
        session.execute(ENDLESS, {}, Take(into=Pieces(full)))
    assert caught.value.hint == "Make room. The transaction is still open: COMMIT or ROLLBACK."
    assert session.in_transaction
    session.execute("ROLLBACK", {})


def test_without_a_second_connection_the_rows_are_read_to_the_end(
    mariadb: MariaDB, session: MySQLSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "adapter", MySQLAdapter(params(mariadb, port=closed_port())))
    answer, table = fetched(session, "SELECT seq FROM seq_1_to_50000", Take(rows=5))
    assert (answer.cut, table.num_rows) == ("limit", 5)
    assert is_usable(session)


TYPES = {
    "tinyint": "1", "int unsigned": "1", "bigint unsigned": "18446744073709551615", "double": "1.5", "float": "1.5",
    "date": "'2020-01-02'", "datetime(6)": "'2020-01-02 03:04:05.000006'", "time(3)": "'-800:00:00.5'", "year": "2020",
    "bit(10)": "b'1000000001'", "text": "'é'", "json": "'{}'", "blob": "x'00ff'", "uuid": "uuid()",
    "decimal(38,10)": "1.25",
}  # fmt: skip


@only_c
@pytest.mark.parametrize("rows", [1, 25_000])
def test_types_are_the_same_whatever_comes(session: MySQLSession, rows: int) -> None:
    session.execute(f"CREATE TABLE t ({', '.join(f'c{n} {kind} NULL' for n, kind in enumerate(TYPES))})", {})
    session.execute(f"INSERT INTO t SELECT {', '.join(TYPES.values())} FROM seq_1_to_{rows}", {})
    known = fetched(session, "SELECT * FROM t LIMIT 1")[1].schema
    assert fetched(session, "SELECT * FROM t")[1].schema == known
    session.execute(f"UPDATE t SET {', '.join(f'c{n} = NULL' for n in range(len(TYPES)))} WHERE c0 = 1 LIMIT 20000", {})
    after = fetched(session, "SELECT * FROM t")[1]
    # A decimal's scale is known by its values only.
    assert after.schema == known or (rows == 1 and after.drop(["c14"]).schema == known.remove(len(TYPES) - 1))
