"""MySQL's kind on a real MariaDB, with the driver's C extension and without it."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from datetime import time as clock
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest

from siege_nb.adapters import mysql as room
from siege_nb.adapters.mysql import MySQLAdapter, MySQLParams, MySQLSession
from siege_nb.declare import structure
from siege_nb.errors import (
    AuthError,
    ConnectError,
    ConnectTimeoutError,
    IntegrityError,
    InvalidError,
    MissingDriverError,
    QueryError,
    QueryTimeoutError,
    TlsError,
)
from siege_nb.testing import BareHost
from tests.adapters.certificates import certificates
from tests.servers import MariaDB, SilentServer, closed_port

connector = pytest.importorskip("mysql.connector")

D = Decimal


@pytest.fixture(scope="module", autouse=True)
def _told() -> None:
    """The one warning about pure Python is had before the tests, which ask for both implementations."""
    room._tell_pure.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        room._tell_pure()


@pytest.fixture(params=["c", "pure"])
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Which of the driver's two implementations is used."""
    if request.param == "c" and not connector.HAVE_CEXT:
        pytest.skip("the C extension did not load: something imported pyarrow before it")
    monkeypatch.setattr(connector, "HAVE_CEXT", request.param == "c")
    return str(request.param)


def params(server: MariaDB, **changes: Any) -> MySQLParams:
    given = {"host": server.host, "port": server.port, "database": server.database, "username": server.username,
             "password": server.password}  # fmt: skip
    return structure(MySQLParams, given | changes)


def connect(server: MariaDB, deadline: float = 10, **changes: Any) -> MySQLSession:
    session = MySQLAdapter(params(server, **changes)).open(BareHost(deadline=deadline))
    assert isinstance(session, MySQLSession)
    return session


@pytest.fixture(scope="module")
def database(mariadb: MariaDB) -> str:
    """A database for this file."""
    return mariadb.database_for("test_mysql")


@pytest.fixture
def session(mariadb: MariaDB, database: str, implementation: str) -> Iterator[MySQLSession]:
    """A session in an empty database."""
    mariadb.database_for("test_mysql")
    opened = connect(mariadb, database=database)
    assert type(opened.connection).__name__ == ("CMySQLConnection" if implementation == "c" else "MySQLConnection")
    yield opened
    opened.close()


def table(session: MySQLSession, sql: str, **values: Any) -> pa.Table:
    found = session.execute(sql, values).table
    assert found is not None
    return found


# --- types

TYPES: list[tuple[str, str, pa.DataType, Any]] = [
    ("tinyint", "-128", pa.int8(), -128), ("tinyint unsigned", "255", pa.uint8(), 255),
    ("boolean", "true", pa.int8(), 1),
    ("smallint", "-1", pa.int16(), -1), ("mediumint", "-2", pa.int32(), -2),
    ("int unsigned", "4000000000", pa.uint32(), 4 * 10**9),
    ("bigint", "-3", pa.int64(), -3), ("bigint unsigned", "18446744073709551615", pa.uint64(), 2**64 - 1),
    ("decimal(38,10)", "1.25", pa.decimal128(38, 10), D("1.2500000000")),
    ("decimal(65,30)", "9" * 35 + ".5", pa.decimal256(76, 30), D("9" * 35 + ".5")),
    ("float", "1.5", pa.float32(), 1.5), ("double", "-1e300", pa.float64(), -1e300),
    ("date", "'2020-01-02'", pa.date32(), date(2020, 1, 2)),
    ("datetime(6)", "'2020-01-02 03:04:05.000006'", pa.timestamp("us"), datetime(2020, 1, 2, 3, 4, 5, 6)),  # noqa: DTZ001
    ("timestamp", "'2020-01-02 03:04:05'", pa.timestamp("us"), datetime(2020, 1, 2, 3, 4, 5)),  # noqa: DTZ001
    ("time(3)", "'-800:00:00.5'", pa.duration("us"), -timedelta(hours=800, seconds=0.5)),
    ("year", "2020", pa.int16(), 2020), ("bit(10)", "b'1000000001'", pa.uint64(), 513),
    ("char(3)", "'é'", pa.string(), "é"), ("text", "'%(x)s'", pa.string(), "%(x)s"),
    ("enum('a','b')", "'b'", pa.string(), "b"),
    ("set('a','b')", "'b,a'", pa.string(), "a,b"), ("json", "'{\"a\": 1}'", pa.string(), '{"a": 1}'),
    ("blob", "x'00ff'", pa.binary(), b"\x00\xff"), ("varbinary(3)", "x'00'", pa.binary(), b"\x00"),
    ("uuid", "'00000000-0000-0000-0000-000000000005'", pa.string(), str(UUID(int=5))),
]  # fmt: skip


def test_values_nulls_and_no_rows_keep_their_types(session: MySQLSession) -> None:
    declared = ", ".join(f"c{n} {kind} NULL" for n, (kind, *_) in enumerate(TYPES))
    session.execute(f"CREATE TABLE t ({declared})", {})
    session.execute(f"INSERT INTO t VALUES ({', '.join(written for _, written, _, _ in TYPES)})", {})
    session.execute(f"INSERT INTO t VALUES ({', '.join('NULL' for _ in TYPES)})", {})
    found = table(session, "SELECT * FROM t")
    assert dict(zip((t[0] for t in TYPES), found.schema.types, strict=True)) == {t[0]: t[2] for t in TYPES}
    assert found.to_pylist()[0] == {f"c{n}": value for n, (*_, value) in enumerate(TYPES)}
    assert set(found.to_pylist()[1].values()) == {None}
    for empty in ("WHERE c0 IS NULL", "WHERE false"):
        for (kind, *_), told, known in zip(TYPES, table(session, f"SELECT * FROM t {empty}").schema.types,
                                           found.schema.types, strict=True):  # fmt: skip
            assert told == known or kind.startswith("decimal"), kind


def test_a_date_that_is_none_makes_its_column_text(session: MySQLSession) -> None:
    session.execute("SET sql_mode = ''", {})
    session.execute("CREATE TABLE t (d date)", {})
    session.execute("INSERT INTO t VALUES ('0000-00-00'), ('2020-01-02')", {})
    assert table(session, "SELECT d FROM t").column("d").to_pylist() == ["0000-00-00", "2020-01-02"]


def test_columns_of_one_name_are_all_kept(session: MySQLSession) -> None:
    assert table(session, "SELECT 1 AS a, 2 AS a, 3 AS a").to_pylist() == [{"a": 1, "a_1": 2, "a_2": 3}]


def test_many_rows_come_in_batches_and_are_all_there(session: MySQLSession) -> None:
    found = table(session, "SELECT seq AS n, IF(seq > 24000, seq / 8, NULL) AS late FROM seq_1_to_25000")
    assert found.column("n").to_pylist() == list(range(1, 25001))
    assert found.column("late").null_count == 24000
    assert pa.types.is_decimal(found.schema.field("late").type)


def test_a_procedure_answers_with_its_last_rows(session: MySQLSession) -> None:
    text = "CREATE PROCEDURE p() BEGIN SELECT 1 AS a; SELECT 2 AS b; SET @x = 1; END; CALL p(); SELECT 3 AS c"
    create, call, after = session.split(text)
    session.execute(create, {})
    assert table(session, call).to_pylist() == [{"b": 2}]
    assert table(session, after).to_pylist() == [{"c": 3}]


# --- binds


@pytest.mark.parametrize(("value", "back"), [
    (1, 1), (2**63, 2**63), (-1.5, D("-1.5")), (True, 1), ("it's % %(x)s \\ \n \0 é", ...), ("😀", ...),
    (b"\x00\xff'\\\"\n%(x)s", ...), (b"only letters", ...),
    (D("1.10"), ...), (None, ...), (date(2020, 1, 2), "2020-01-02"), (clock(1, 2, 3, 4), "01:02:03.000004"),
    (datetime(2020, 1, 2, 3, 4, 5, 6), "2020-01-02 03:04:05.000006"), (timedelta(hours=30), "30:00:00"),  # noqa: DTZ001
    (UUID(int=7), str(UUID(int=7))), ({"a": [1]}, '{"a": [1]}'),
])  # fmt: skip
def test_a_value_goes_there_and_back(session: MySQLSession, value: Any, back: Any) -> None:
    row = table(session, "SELECT :x AS x, :x AS y, '%(x)s' AS literal, '100%' AS percent", x=value).to_pylist()[0]
    wanted = value if back is ... else back
    assert row == {"x": wanted, "y": wanted, "literal": "%(x)s", "percent": "100%"}


@pytest.mark.parametrize("zone", ["+00:00", "-07:00", "SYSTEM"])
def test_a_moment_is_the_same_moment_in_the_sessions_zone(session: MySQLSession, zone: str) -> None:
    moment = datetime(2020, 1, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=5)))
    session.execute("SET time_zone = :zone", {"zone": zone})
    session.execute("CREATE TABLE t (at timestamp(6))", {})
    session.execute("INSERT INTO t VALUES (:at)", {"at": moment})
    session.execute("SET time_zone = '+00:00'", {})
    assert table(session, "SELECT at FROM t").to_pylist() == [{"at": moment.astimezone(UTC).replace(tzinfo=None)}]


def test_a_list_opens_up_after_in(session: MySQLSession) -> None:
    found = "SELECT count(*) AS n FROM seq_1_to_9 WHERE seq "
    assert table(session, found + "IN (:xs)", xs=[2, 4, 99]).to_pylist() == [{"n": 2}]
    assert table(session, found + "NOT IN (:xs)", xs=[2, 4, 99]).to_pylist() == [{"n": 7}]
    assert table(session, found + "IN (:xs)", xs=[]).to_pylist() == [{"n": 0}]
    assert table(session, found + "NOT IN (:xs)", xs=[]).to_pylist() == [{"n": 9}]


def test_what_is_no_value_for_the_driver_is_told(session: MySQLSession) -> None:
    with pytest.raises(QueryError) as caught:
        session.execute("SELECT :x", {"x": object()})
    assert caught.value.kind == "usage"


# --- errors


def failed(session: MySQLSession, sql: str, **values: Any) -> QueryError:
    with pytest.raises(QueryError) as caught:
        session.execute(sql, values)
    assert caught.value.__context__ is None
    return caught.value


@pytest.mark.parametrize(("sql", "kind", "place"), [
    ("SELECT 1 FRM t WHERE x", "syntax", (1, 14)), ("SELECT :a,\n  :a\n  FRM t t", "syntax", (3, 7)),
    ("SELEC 1", "syntax", (1, 1)), ("SELECT (", "syntax", (1, 9)), ("SELECT 1; SELECT 2", "syntax", (1, 11)),
    ("SELECT :a FROM WHERE :a", "syntax", (1, 16)), ("SELECT * FROM nope", "not_found", (None, None)),
    ("SELECT nope", "not_found", (None, None)), ("SELECT nope(1)", "not_found", (None, None)),
    ("USE nope", "not_found", (None, None)), ("SELECT %(a)s", "syntax", (1, 8)),
])  # fmt: skip
def test_a_wrong_statement_is_told_by_kind_and_place(
    session: MySQLSession, sql: str, kind: str, place: tuple[int | None, int | None]
) -> None:
    error = failed(session, sql, a=1)
    assert (error.kind, (error.line, error.column)) == (kind, place)
    assert table(session, "SELECT 3 AS three").to_pylist() == [{"three": 3}]


def test_a_constraint_and_a_wrong_value_are_told_apart(session: MySQLSession) -> None:
    session.execute("CREATE TABLE t (id int PRIMARY KEY, CHECK (id < 9))", {})
    assert session.execute("INSERT INTO t VALUES (1), (2)", {}).rowcount == 2
    assert session.execute("UPDATE t SET id = id WHERE id > 5", {}).rowcount == 0
    for sql in ("INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (10)", "INSERT INTO t VALUES (NULL)"):
        assert isinstance(failed(session, sql), IntegrityError)
    assert failed(session, "INSERT INTO t VALUES ('x')").kind == "usage"


def test_a_missing_right_is_told(mariadb: MariaDB, session: MySQLSession) -> None:
    mariadb.sql("CREATE OR REPLACE USER guest IDENTIFIED BY 'guest-canary-1'")
    guest = connect(mariadb, username="guest", password="guest-canary-1", database="")
    assert failed(guest, "SELECT * FROM mysql.user").kind == "permission"
    assert failed(guest, "USE siege").kind == "not_found"
    guest.close()


def test_inside_a_transaction_an_error_says_what_it_means_for_it(session: MySQLSession) -> None:
    assert not session.in_transaction
    session.execute("START TRANSACTION", {})
    assert session.in_transaction
    assert "still open" in failed(session, "SELECT nope").hint
    assert table(session, "SELECT 3 AS three").to_pylist() == [{"three": 3}]
    session.execute("ROLLBACK", {})
    assert not session.in_transaction
    assert failed(session, "SELECT nope").hint == ""


def test_a_statement_timeout_of_the_servers_is_a_timeout(session: MySQLSession) -> None:
    session.execute("SET max_statement_time = 0.05", {})
    sql = "SELECT count(*) FROM seq_1_to_1000000000 a, seq_1_to_1000000000 b"
    assert isinstance(failed(session, sql), QueryTimeoutError)


# --- cancelling and losing


def running(server: MariaDB, sql: str) -> int:
    return int(server.sql(f"SELECT count(*) FROM information_schema.processlist WHERE info = '{sql}'")[0][0])


def until(holds: Callable[[], Any], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "never came true"
        time.sleep(0.005)


@pytest.fixture
def outcome() -> dict[str, Any]:
    """What a statement in another thread came to."""
    return {}


def start(session: MySQLSession, sql: str, outcome: dict[str, Any]) -> threading.Thread:
    def work() -> None:
        try:
            outcome["answer"] = session.execute(sql, {})
        except Exception as error:  # told by the test
            outcome["error"] = error
        outcome["ended"] = time.monotonic()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.mark.parametrize("sql", [
    "SELECT SLEEP(60)",
    "SELECT BENCHMARK(1000000000000, MD5(1))",  # the server ends it without an error, as if 0 were its value
    "SELECT a.seq, b.seq FROM seq_1_to_1000000 a, seq_1_to_1000000 b",  # sends rows all the while
])  # fmt: skip
def test_a_long_statement_is_cancelled_where_it_runs(
    mariadb: MariaDB, session: MySQLSession, outcome: dict[str, Any], sql: str, implementation: str
) -> None:
    thread = start(session, sql, outcome)
    until(lambda: running(mariadb, sql))
    began = time.monotonic()
    session.cancel()
    thread.join(60)
    assert outcome["error"].kind == "cancelled", outcome
    # Rows that were under way must still be read, at pure Python's pace.
    assert outcome["ended"] - began < (30 if implementation == "pure" and "a.seq" in sql else 2)
    until(lambda: running(mariadb, sql) == 0, seconds=2)  # the server lists it for a moment after it has answered
    assert table(session, "SELECT 3 AS three").to_pylist() == [{"three": 3}]


def test_a_cancel_that_finds_nothing_harms_nothing(session: MySQLSession) -> None:
    for _ in range(5):
        session.cancel()
        assert table(session, "SELECT 3 AS three").to_pylist() == [{"three": 3}]


def test_a_cancel_that_cannot_reach_the_server_is_told(
    mariadb: MariaDB, session: MySQLSession, outcome: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = start(session, "SELECT SLEEP(59)", outcome)
    until(lambda: running(mariadb, "SELECT SLEEP(59)"))
    with monkeypatch.context() as patch:
        patch.setattr(session, "adapter", MySQLAdapter(params(mariadb, port=closed_port())))
        with pytest.raises(ConnectError):
            session.cancel()
    session.cancel()
    thread.join(20)
    assert outcome["error"].kind == "cancelled"


def test_closing_waits_for_the_statement_that_runs(
    mariadb: MariaDB, session: MySQLSession, outcome: dict[str, Any]
) -> None:
    thread = start(session, "SELECT SLEEP(61)", outcome)
    until(lambda: running(mariadb, "SELECT SLEEP(61)"))
    session.close()
    assert running(mariadb, "SELECT SLEEP(61)") == 1
    session.cancel()
    thread.join(20)
    assert outcome["error"].kind == "cancelled"
    assert session.connection is None


def test_a_session_that_was_ended_by_the_server_is_lost(mariadb: MariaDB, session: MySQLSession) -> None:
    session.ping()
    server_thread = session.connection.connection_id
    mariadb.sql(f"KILL {server_thread}")
    until(lambda: not mariadb.sql(f"SELECT 1 FROM information_schema.processlist WHERE id = {server_thread}"))
    for _ in range(2):
        with pytest.raises(ConnectError) as caught:
            session.execute("SELECT 1", {})
        assert caught.value.problem == "lost"
    with pytest.raises(ConnectError) as caught:
        session.ping()
    assert caught.value.problem == "lost"
    session.close()


def test_a_closed_session_says_so(session: MySQLSession) -> None:
    session.close()
    session.close()
    with pytest.raises(ConnectError, match="closed"):
        session.execute("SELECT 1", {})
    session.cancel()
    assert not session.in_transaction


# --- connecting


def refused(server: MariaDB, deadline: float = 10, **changes: Any) -> ConnectError:
    with pytest.raises(ConnectError) as caught:
        connect(server, deadline, **changes)
    assert caught.value.__context__ is None
    return caught.value


CANARY = "canary-/@:%-w0rd"


def test_a_wrong_password_shows_in_nothing_of_the_error(mariadb: MariaDB, implementation: str) -> None:
    adapter = MySQLAdapter(params(mariadb, password=CANARY))
    with pytest.raises(AuthError) as caught:
        adapter.open(BareHost())
    error = caught.value
    assert error.__context__ is None
    assert error.message == "Authentication failed. Please verify your username and password."
    assert (error.problem, error.fields) == ("auth", ("username", "password"))
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    shown = "".join(told.format())
    assert "self = " in shown
    assert CANARY not in shown + str(error) + repr(error) + repr(vars(error))


@pytest.mark.parametrize(("changes", "problem", "fields"), [
    ({"password": None}, "auth", ("username", "password")),
    ({"username": "nobody"}, "auth", ("username", "password")),
    ({"database": "nowhere"}, "database", ("database",)),
    ({"host": "no-such-host.invalid"}, "dns", ("host",)),
    ({"port": closed_port()}, "refused", ("host", "port")),
    ({"ssl": "required"}, "tls_unsupported", ("ssl",)),
    ({"ssl": "verify_identity"}, "tls_unsupported", ("ssl",)),
])  # fmt: skip
def test_what_is_wrong_is_told_with_the_fields_to_mend(
    mariadb: MariaDB, implementation: str, changes: dict[str, Any], problem: str, fields: tuple[str, ...]
) -> None:
    error = refused(mariadb, **changes)
    assert (error.problem, error.fields) == (problem, fields)


def test_a_server_that_says_nothing_is_given_up_in_time(mariadb: MariaDB, implementation: str) -> None:
    with SilentServer() as silent:
        began = time.monotonic()
        error = refused(mariadb, deadline=0.6, port=silent.port)
        assert time.monotonic() - began < 1.5
        assert silent.accepted >= 2
    assert isinstance(error, ConnectTimeoutError)
    assert error.fields == ("host", "port")


def test_a_missing_driver_says_how_to_get_it(mariadb: MariaDB, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MySQLAdapter, "drivers", ("no_such_driver",))
    with pytest.raises(MissingDriverError) as caught:
        connect(mariadb)
    assert caught.value.install == "%pip install 'siege-nb[mysql]'"


@pytest.mark.parametrize("host", ["a,b", "/tmp/mysql.sock", "", "h:3306", "mysql://h"])
def test_a_host_is_one_name_and_nothing_else(mariadb: MariaDB, host: str) -> None:
    with pytest.raises(InvalidError) as caught:
        params(mariadb, host=host)
    assert [issue.path for issue in caught.value.issues] == ["host"]


def test_certificates_are_checked_as_far_as_asked(start_server: Callable[..., MariaDB], implementation: str) -> None:
    with certificates("127.0.0.1", MariaDB().account) as files:
        server = start_server(MariaDB, f"--ssl-cert={files.cert}", f"--ssl-key={files.key}", f"--ssl-ca={files.ca}",
                              "--require-secure-transport=ON")  # fmt: skip
        for changes in ({}, {"ssl": "required"}, {"ssl": "verify_ca"}, {"ssl": "verify_identity"}):
            session = connect(server, **changes, ssl_ca=str(files.ca))
            assert table(session, "SHOW STATUS LIKE 'Ssl_cipher'").column("Value").to_pylist() != [""]
            session.close()
        for changes, problem in (
            ({"ssl": "verify_ca", "ssl_ca": str(files.stranger)}, "tls_untrusted"),
            ({"ssl": "verify_ca", "ssl_ca": "/nowhere"}, "tls_untrusted"),
            ({"ssl": "verify_identity", "ssl_ca": str(files.ca), "host": "localhost"},
             "tls_untrusted" if implementation == "c" else "tls_name"),
        ):
            error = refused(server, **changes)
            assert isinstance(error, TlsError), error
            assert error.problem == problem
            assert "localhost" not in changes.values() or ("another name" in error.message and "host" in error.fields)


def test_no_file_of_this_machine_is_given_to_the_server(session: MySQLSession, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("row\n")
    session.execute("CREATE TABLE t (line text)", {})
    failed(session, f"LOAD DATA LOCAL INFILE '{secret}' INTO TABLE t")
    assert table(session, "SELECT count(*) AS n FROM t").to_pylist() == [{"n": 0}]


def fresh(code: str) -> str:
    """What a Python of its own prints."""
    done = subprocess.run([sys.executable, "-W", "always", "-c", code], capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def test_the_c_extension_is_used_where_it_loaded_and_missed_once_where_not() -> None:
    use = "from siege_nb.adapters.mysql import _tell_pure; import mysql.connector as m; print(m.HAVE_CEXT)"
    tell = "; m.HAVE_CEXT or [_tell_pure() for _ in range(3)]"
    assert fresh("import ssl, _mysql_connector, pyarrow, pandas; " + use + tell) == "True\n"
    said = fresh("import pyarrow; " + use + tell)
    if said.startswith("False"):  # where it does load after pyarrow there is nothing to say
        assert said.count("RuntimeWarning") == 1
        assert "%load_ext siege_nb" in said


# --- what else a session is asked


def test_the_server_says_who_it_is_and_whom_it_takes_us_for(mariadb: MariaDB, implementation: str) -> None:
    result = MySQLAdapter(params(mariadb)).test(BareHost())
    assert result.ok, result
    assert [step.name for step in result.steps] == ["driver", "dns", "tcp", "auth", "identity", "browse"]
    assert result.server["version"].startswith("MariaDB 1")
    assert (result.server["user"], result.server["database"]) == ("siege@%", "siege")


def test_what_there_is_can_be_looked_up(session: MySQLSession, database: str) -> None:
    identity = "id bigint unsigned NOT NULL DEFAULT 5 COMMENT 'about id'"
    session.execute(f"CREATE TABLE t ({identity}, `n m` text) COMMENT 'about t'", {})
    session.execute("CREATE VIEW v AS SELECT 1 AS one", {})
    names = [schema.name for schema in session.schemas()]
    assert database in names
    assert not {"mysql", "sys", "information_schema", "performance_schema"} & set(names)
    found = {t.name: t for t in session.tables(database)}
    assert {name: (t.kind, t.comment) for name, t in found.items()} == {"t": ("table", "about t"), "v": ("view", "")}
    assert found["v"].row_estimate is None
    told = [(c.name, c.native_type, c.nullable, c.default, c.comment) for c in session.columns(database, "t")]
    assert told == [("id", "bigint(20) unsigned", False, "5", "about id"), ("n m", "text", True, "NULL", "")]
    assert session.columns(database, "nope") == []


def test_sqlalchemy_gets_connections_with_transactions_of_their_own(session: MySQLSession) -> None:
    import sqlalchemy as sa

    session.execute("CREATE TABLE t (n int)", {})
    engine = session.engine()
    with engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO t VALUES (:n)"), {"n": 1})
    with engine.connect() as connection:
        connection.execute(sa.text("INSERT INTO t VALUES (2)"))
        connection.rollback()
    assert engine.url.password is None
    assert table(session, "SELECT n FROM t").to_pylist() == [{"n": 1}]
    engine.dispose()


@pytest.mark.parametrize("year", [1960, 2050])
def test_a_moment_the_server_cannot_convert_is_refused_and_not_shifted(mariadb: MariaDB, year: int) -> None:
    session = connect(mariadb)
    with pytest.raises(QueryError, match=":t is a moment outside of 1970 to 2038") as caught:
        session.execute("SELECT :t AS t", {"t": datetime(year, 6, 1, 12, tzinfo=UTC)})
    assert caught.value.kind == "usage"
    assert session.execute("SELECT 1 AS one", {}).table is not None
    session.close()
