"""PostgreSQL on a real server."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from datetime import time as clock
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest

from siege_nb.adapters.postgres import PostgresAdapter, PostgresParams, PostgresSession
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
from tests.servers import Postgres, SilentServer, closed_port

D = Decimal


def params(server: Postgres, **changes: Any) -> PostgresParams:
    given = {"host": server.host, "port": server.port, "database": server.database, "username": server.username,
             "password": server.password}  # fmt: skip
    return structure(PostgresParams, given | changes)


def connect(server: Postgres, deadline: float = 10, **changes: Any) -> PostgresSession:
    session = PostgresAdapter(params(server, **changes)).open(BareHost(deadline=deadline))
    assert isinstance(session, PostgresSession)
    return session


@pytest.fixture(scope="module")
def database(postgres: Postgres) -> str:
    """A database for this file; making one for each test takes longer than the tests."""
    return postgres.database_for("test_postgres")


@pytest.fixture
def session(postgres: Postgres, database: str) -> Iterator[PostgresSession]:
    """A session in an empty database."""
    opened = connect(postgres, database=database)
    yield opened
    opened.close()
    cleaner = connect(postgres, database=database)
    for schema in cleaner.schemas():
        cleaner.execute(f'DROP SCHEMA "{schema.name}" CASCADE', {})
    cleaner.execute("CREATE SCHEMA public", {})
    cleaner.close()


def table(session: PostgresSession, sql: str, **values: Any) -> pa.Table:
    found = session.execute(sql, values).table
    assert found is not None
    return found


# --- types

TYPES = [
    ("1::int2", pa.int16(), 1), ("1::int4", pa.int32(), 1), ("1::int8", pa.int64(), 1),
    ("4000000000::oid", pa.int64(), 4 * 10**9),
    ("1.5::float4", pa.float32(), 1.5), ("1.5::float8", pa.float64(), 1.5), ("true", pa.bool_(), True),
    ("1.25::numeric(38,10)", pa.decimal128(38, 10), D("1.2500000000")),
    ("1.25::numeric(5,2)", pa.decimal128(5, 2), D("1.25")),
    ("1.25::numeric", pa.decimal128(38, 2), D("1.25")), ("1e50::numeric", pa.decimal256(76, 0), D(10) ** 50),
    ("'NaN'::numeric", pa.string(), "NaN"), ("'é'::text", pa.string(), "é"), ("'x'::varchar(3)", pa.string(), "x"),
    ("'x'::char(3)", pa.string(), "x  "), ("'\\x00ff'::bytea", pa.binary(), b"\x00\xff"),
    ("date '2020-01-02'", pa.date32(), date(2020, 1, 2)), ("date 'infinity'", pa.string(), "infinity"),
    ("time '10:00:00.5'", pa.time64("us"), clock(10, 0, 0, 500000)), ("timetz '10:00+02'", pa.string(), "10:00:00+02"),
    ("timestamp '2020-01-02 03:04:05.000006'", pa.timestamp("us"), datetime(2020, 1, 2, 3, 4, 5, 6)),  # noqa: DTZ001
    ("timestamp '0044-03-15 BC'", pa.string(), "0044-03-15 00:00:00 BC"),
    ("timestamptz '2020-01-02 03:04:05+02'", pa.timestamp("us", "UTC"), datetime(2020, 1, 2, 1, 4, 5, tzinfo=UTC)),
    ("interval '1 day -02:03:04.5'", pa.duration("us"), timedelta(days=1) - timedelta(hours=2, minutes=3, seconds=4.5)),
    ("interval '1 year 2 mons 3 days 04:05:06'", pa.month_day_nano_interval(), pa.MonthDayNano([14, 3, 14706 * 10**9])),
    ("'00000000-0000-0000-0000-000000000005'::uuid", pa.string(), str(UUID(int=5))),
    ("'{\"a\": [1]}'::jsonb", pa.string(), '{"a": [1]}'), ("'{\"a\":1}'::json", pa.string(), '{"a":1}'),
    ("array[1,null]", pa.list_(pa.int32()), [1, None]), ("array['a']", pa.list_(pa.string()), ["a"]),
    ("array[[1],[2]]", pa.list_(pa.list_(pa.int64())), [[1], [2]]),
    ("array[1.5, 123456789012345678901234567890.25]", pa.list_(pa.decimal128(38, 2)),
     [D("1.50"), D("123456789012345678901234567890.25")]),
    ("array[date '2020-01-02']", pa.list_(pa.date32()), [date(2020, 1, 2)]),
    ("int4range(1,3)", pa.string(), "[1,3)"), ("inet '10.0.0.1'", pa.string(), "10.0.0.1"),
    ("row(1,'a')", pa.string(), "(1,a)"), ("12.5::money", pa.string(), "$12.50"), ("b'101'", pa.string(), "101"),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "kind", "value"), TYPES)
def test_a_value_keeps_its_type(session: PostgresSession, sql: str, kind: pa.DataType, value: Any) -> None:
    found = table(session, f"SELECT {sql} AS c")
    assert found.schema.field("c").type == kind
    assert found.column("c").to_pylist() == [value]


def test_nulls_and_no_rows_have_their_types_too(session: PostgresSession) -> None:
    fixed = [(sql, kind) for sql, kind, value in TYPES if kind not in (pa.string(), pa.month_day_nano_interval())
             and "[[" not in sql and not (sql.endswith("::numeric") or "array[1.5" in sql)]  # fmt: skip
    assert len(fixed) > 15
    columns = ", ".join(f"{sql} AS c{n}" for n, (sql, _) in enumerate(fixed))
    session.execute(f"CREATE TABLE t AS SELECT {columns}", {})
    assert table(session, "SELECT * FROM t WHERE false").schema.types == [kind for _, kind in fixed]
    session.execute("UPDATE t SET " + ", ".join(f"c{n} = NULL" for n in range(len(fixed))), {})
    assert table(session, "SELECT * FROM t").schema.types == [kind for _, kind in fixed]


def test_columns_of_one_name_are_all_kept(session: PostgresSession) -> None:
    assert table(session, "SELECT 1 AS a, 2 AS a, 3 AS a").to_pylist() == [{"a": 1, "a_1": 2, "a_2": 3}]


def test_many_rows_come_in_batches_and_are_all_there(session: PostgresSession) -> None:
    found = table(session, "SELECT n, CASE WHEN n > 24000 THEN n END AS late FROM generate_series(1, 25000) n")
    assert found.num_rows == 25000
    assert found.column("n").to_pylist() == list(range(1, 25001))
    assert found.schema.field("late").type == pa.int32()
    assert found.column("late").null_count == 24000


# --- binds


@pytest.mark.parametrize(("value", "cast"), [
    (1, "int"), (2**40, "bigint"), (2**70, "numeric"), (-1.5, "float8"), (True, "bool"),
    ("it's % %(x)s \\ é", "text"),
    (b"\x00\xff'", "bytea"), (D("1.10"), "numeric"), (date(2020, 1, 2), "date"), (clock(1, 2, 3), "time"),
    (datetime(2020, 1, 2, 3, 4, 5, 6), "timestamp"),  # noqa: DTZ001
    (datetime(2020, 1, 2, 3, tzinfo=UTC), "timestamptz"), (timedelta(days=2, seconds=3), "interval"), (None, "int"),
])  # fmt: skip
def test_a_value_goes_there_and_back(session: PostgresSession, value: Any, cast: str) -> None:
    assert table(session, f"SELECT :x::{cast} AS x, :x::{cast} AS y", x=value).to_pylist() == [{"x": value, "y": value}]


def test_values_without_a_type_of_their_own_come_back_as_text_and_lists(session: PostgresSession) -> None:
    uuid, moment = UUID(int=7), datetime(2020, 1, 2, 3, tzinfo=timezone(timedelta(hours=5)))
    row = table(
        session, "SELECT :u::uuid AS u, :j AS j, :l::int[] AS l, :m AS m, 'a%' AS percent",
        u=uuid, j={"a": [1, None]}, l=[1, None, 3], m=moment,
    ).to_pylist()[0]  # fmt: skip
    assert row == {"u": str(uuid), "j": '{"a": [1, null]}', "l": [1, None, 3], "m": moment, "percent": "a%"}


def test_a_list_opens_up_after_in(session: PostgresSession) -> None:
    found = "SELECT count(*) AS n FROM generate_series(1, 9) x WHERE x "
    assert table(session, found + "IN (:xs)", xs=[2, 4, 99]).to_pylist() == [{"n": 2}]
    assert table(session, found + "NOT IN (:xs)", xs=[2, 4, 99]).to_pylist() == [{"n": 7}]
    assert table(session, found + "IN (:xs)", xs=[]).to_pylist() == [{"n": 0}]
    assert table(session, found + "NOT IN (:xs)", xs=[]).to_pylist() == [{"n": 9}]
    assert table(session, found + "= ANY(:xs)", xs=[2, 4, 99]).to_pylist() == [{"n": 2}]


def test_what_only_looks_like_a_name_is_left_alone(session: PostgresSession) -> None:
    sql = """SELECT '12:30'::time::text AS t, (array[5,6,7])[2:3] AS s, '{"a":1}'::jsonb AS j, $$:x$$ AS d"""
    row = table(session, sql)
    assert row.to_pylist() == [{"t": "12:30:00", "s": [6, 7], "j": '{"a": 1}', "d": ":x"}]


# --- errors


def failed(session: PostgresSession, sql: str, **values: Any) -> QueryError:
    with pytest.raises(QueryError) as caught:
        session.execute(sql, values)
    assert caught.value.__context__ is None
    return caught.value


@pytest.mark.parametrize(("sql", "kind", "place"), [
    ("SELECT 1 FRM t", "syntax", (1, 14)), ("SELECT 1,\n  é\nFROM x y z", "syntax", (3, 10)),
    ("SELECT 'open", "syntax", (1, 8)), ("SELECT :a::int,\n :a::text, nope", "not_found", (2, 12)),
    ("SELECT * FROM nope", "not_found", (1, 15)), ("SELECT nope(1)", "not_found", (1, 8)),
    ("SELECT 1/0", "usage", (None, None)), ("SELECT 'x'::int", "usage", (1, 8)), ("SELECT $1", "usage", (1, 8)),
    ("DROP DATABASE nope", "not_found", (None, None)), ("COPY pg_class TO STDOUT", "usage", (None, None)),
    ("SELECT id FROM (VALUES (1)) v(id) GROUP BY 1 HAVING other", "not_found", (1, 53)),
])  # fmt: skip
def test_a_wrong_statement_is_told_by_kind_and_place(
    session: PostgresSession, sql: str, kind: str, place: tuple[int | None, int | None]
) -> None:
    error = failed(session, sql, a=1)
    assert (error.kind, (error.line, error.column)) == (kind, place)
    assert table(session, "SELECT 3 AS three").to_pylist() == [{"three": 3}]


def test_a_constraint_says_which_key(session: PostgresSession) -> None:
    session.execute("CREATE TABLE t (id int PRIMARY KEY)", {})
    assert session.execute("INSERT INTO t VALUES (1), (2)", {}).rowcount == 2
    error = failed(session, "INSERT INTO t VALUES (1)")
    assert isinstance(error, IntegrityError)
    assert "duplicate key" in error.message
    assert "(id)=(1)" in error.message


def test_the_servers_hint_is_handed_on(session: PostgresSession) -> None:
    assert "cast" in failed(session, "SELECT upper(1)").hint


def test_a_missing_right_is_told(postgres: Postgres, session: PostgresSession) -> None:
    postgres.sql("DROP ROLE IF EXISTS guest")
    postgres.sql("CREATE ROLE guest LOGIN PASSWORD 'guest-canary-1'")
    guest = connect(postgres, username="guest", password="guest-canary-1")
    assert failed(guest, "SELECT * FROM pg_authid").kind == "permission"
    guest.close()


def test_inside_a_transaction_an_error_says_what_it_means_for_it(session: PostgresSession) -> None:
    assert not session.in_transaction
    session.execute("BEGIN", {})
    assert session.in_transaction
    assert "ROLLBACK" in failed(session, "SELECT nope").hint
    assert session.in_transaction
    session.ping()
    assert "aborted" in failed(session, "SELECT 1").message
    session.execute("ROLLBACK", {})
    assert not session.in_transaction
    assert "ROLLBACK" not in failed(session, "SELECT nope").hint


@pytest.mark.parametrize("end", ["COMMIT", "END", "COMMIT AND CHAIN"])
def test_a_commit_that_takes_everything_back_is_told(session: PostgresSession, end: str) -> None:
    session.execute("BEGIN", {})
    session.execute("CREATE TABLE undone (n int)", {})
    failed(session, "SELECT nope")
    error = failed(session, end)
    assert (error.kind, "took everything back" in error.message) == ("usage", True)
    assert session.in_transaction is ("CHAIN" in end)
    assert "aborted" not in error.hint
    if session.in_transaction:
        session.execute("ROLLBACK", {})
    assert failed(session, "SELECT * FROM undone").kind == "not_found"
    session.execute("BEGIN", {})
    session.execute("COMMIT", {})


def test_a_text_is_cut_as_the_server_reads_it_now(session: PostgresSession) -> None:
    session.execute("CREATE TABLE sc AS SELECT 1 AS n", {})
    hidden = "SELECT '\\\\'' ; DELETE FROM sc --'".replace("\\\\", "\\")
    assert len(session.split(hidden)) == 1
    session.execute("SELECT set_config('standard_conforming_strings', 'off', false)", {})
    assert len(session.split(hidden)) == 2
    assert failed(session, hidden).kind == "syntax"
    assert failed(session, "SELECT 1; DELETE FROM sc").kind == "syntax"
    assert session.execute("SELECT n FROM sc", {}).table == pa.table({"n": pa.array([1], pa.int32())})
    session.execute("RESET standard_conforming_strings", {})
    assert len(session.split(hidden)) == 1
    session.execute("DROP TABLE sc", {})


def test_a_statement_timeout_of_the_servers_is_a_timeout(session: PostgresSession) -> None:
    session.execute("SET statement_timeout = '50ms'", {})
    assert isinstance(failed(session, "SELECT pg_sleep(20)"), QueryTimeoutError)


# --- cancelling and losing


def running(server: Postgres, sql: str) -> int:
    return int(server.sql(f"SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = '{sql}'")[0][0])


def until(holds: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, "never came true"
        time.sleep(0.005)


@pytest.fixture
def outcome() -> dict[str, Any]:
    """What a statement in another thread came to."""
    return {}


def start(session: PostgresSession, sql: str, outcome: dict[str, Any]) -> threading.Thread:
    def work() -> None:
        try:
            outcome["answer"] = session.execute(sql, {})
        except Exception as error:  # told by the test
            outcome["error"] = error
        outcome["ended"] = time.monotonic()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_a_long_statement_is_cancelled_where_it_runs(
    postgres: Postgres, session: PostgresSession, outcome: dict[str, Any]
) -> None:
    thread = start(session, "SELECT pg_sleep(60)", outcome)
    until(lambda: running(postgres, "SELECT pg_sleep(60)"))
    began = time.monotonic()
    session.cancel()
    thread.join(20)
    assert outcome["ended"] - began < 2
    assert outcome["error"].kind == "cancelled"
    assert running(postgres, "SELECT pg_sleep(60)") == 0
    assert table(session, "SELECT 3 AS three").to_pylist() == [{"three": 3}]


def test_a_cancel_that_finds_nothing_harms_nothing(session: PostgresSession) -> None:
    for _ in range(5):
        session.cancel()
        assert table(session, "SELECT 3 AS three").to_pylist() == [{"three": 3}]


def test_closing_waits_for_the_statement_that_runs(
    postgres: Postgres, session: PostgresSession, outcome: dict[str, Any]
) -> None:
    thread = start(session, "SELECT pg_sleep(61)", outcome)
    until(lambda: running(postgres, "SELECT pg_sleep(61)"))
    driver = session.connection
    session.close()
    assert not driver.closed
    session.cancel()
    thread.join(20)
    assert outcome["error"].kind == "cancelled"
    assert driver.closed


def test_a_session_that_was_ended_by_the_server_is_lost(postgres: Postgres, session: PostgresSession) -> None:
    session.ping()
    postgres.sql(f"SELECT pg_terminate_backend({session.connection.info.backend_pid})")
    until(lambda: not postgres.sql(f"SELECT 1 FROM pg_stat_activity WHERE pid = {session.connection.info.backend_pid}"))
    with pytest.raises(ConnectError) as caught:
        session.execute("SELECT 1", {})
    assert caught.value.problem == "lost"
    with pytest.raises(ConnectError) as caught:
        session.ping()
    assert caught.value.problem == "lost"
    session.close()


def test_a_session_that_was_left_open_too_long_is_lost(postgres: Postgres, session: PostgresSession) -> None:
    session.execute("SET idle_in_transaction_session_timeout = '20ms'", {})
    session.execute("BEGIN", {})
    until(lambda: not postgres.sql(f"SELECT 1 FROM pg_stat_activity WHERE pid = {session.connection.info.backend_pid}"))
    with pytest.raises(ConnectError) as caught:
        session.execute("SELECT 1", {})
    assert caught.value.problem == "lost"
    assert "idle-in-transaction" in caught.value.hint


def test_a_closed_session_says_so(session: PostgresSession) -> None:
    session.close()
    session.close()
    with pytest.raises(ConnectError, match="closed"):
        session.execute("SELECT 1", {})
    with pytest.raises(ConnectError, match="closed"):
        session.ping()
    session.cancel()
    assert not session.in_transaction


# --- connecting


def refused(server: Postgres, deadline: float = 10, **changes: Any) -> ConnectError:
    with pytest.raises(ConnectError) as caught:
        connect(server, deadline, **changes)
    assert caught.value.__context__ is None
    return caught.value


CANARY = "canary-/@:%-w0rd"


def test_a_wrong_password_shows_in_nothing_of_the_error(postgres: Postgres) -> None:
    adapter = PostgresAdapter(params(postgres, password=CANARY))
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
    ({"database": "host=127.0.0.2 dbname=x"}, "database", ("database",)),
    ({"database": "postgresql://127.0.0.2/x"}, "database", ("database",)),
    ({"host": "no-such-host.invalid"}, "dns", ("host",)),
    ({"port": closed_port()}, "refused", ("host", "port")),
    ({"sslmode": "require"}, "tls_unsupported", ("sslmode",)),
])  # fmt: skip
def test_what_is_wrong_is_told_with_the_fields_to_mend(
    postgres: Postgres, changes: dict[str, Any], problem: str, fields: tuple[str, ...]
) -> None:
    error = refused(postgres, **changes)
    assert (error.problem, error.fields) == (problem, fields)


def test_a_server_that_says_nothing_is_given_up_in_time(postgres: Postgres) -> None:
    with SilentServer() as silent:
        began = time.monotonic()
        error = refused(postgres, deadline=0.6, port=silent.port)
        assert time.monotonic() - began < 1.5
        assert silent.accepted >= 2
    assert isinstance(error, ConnectTimeoutError)
    assert error.fields == ("host", "port")


def test_a_stop_ends_connecting(postgres: Postgres) -> None:
    host = BareHost(deadline=30)
    with SilentServer() as silent:
        threading.Timer(0.1, host.stop.set).start()
        began = time.monotonic()
        with pytest.raises(ConnectError) as caught:
            PostgresAdapter(params(postgres, port=silent.port)).open(host)
        assert time.monotonic() - began < 5
    assert caught.value.problem == "stopped"


def test_a_missing_driver_says_how_to_get_it(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PostgresAdapter, "drivers", ("no_such_driver",))
    with pytest.raises(MissingDriverError) as caught:
        connect(postgres)
    assert caught.value.install == "%pip install 'siege-nb[postgres]'"


@pytest.mark.parametrize("host", [
    "a,b", "/tmp", "@abstract", "h host=evil", "", " ", "h'", "[::1]", "h:5432", "postgresql://h/x", "-h", "h\0", "h=x",
])  # fmt: skip
def test_a_host_is_one_name_and_nothing_else(postgres: Postgres, host: str) -> None:
    with pytest.raises(InvalidError) as caught:
        params(postgres, host=host)
    assert [issue.path for issue in caught.value.issues] == ["host"]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "fe80::1%eth0", "my_db.example", "bücher.de", "h."])
def test_a_name_or_address_is_a_host(postgres: Postgres, host: str) -> None:
    assert params(postgres, host=host).host == host


def test_the_environment_fills_no_gap(postgres: Postgres, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    words = tmp_path / "pgpass"
    words.write_text(f"*:*:*:*:{postgres.password.replace(':', chr(92) + ':')}\n")
    words.chmod(0o600)
    service = tmp_path / "service"
    service.write_text(f"[there]\nuser=evil\noptions=-c search_path=evil\npassfile={words}\n")
    strange = {
        "PGHOSTADDR": "10.9.9.9", "PGHOST": "10.9.9.9", "PGPORT": "1", "PGUSER": "evil", "PGDATABASE": "evil",
        "PGPASSWORD": postgres.password, "PGPASSFILE": str(words), "PGOPTIONS": "-c search_path=evil",
        "PGSSLMODE": "verify-full", "PGAPPNAME": "evil", "PGSSLROOTCERT": "/nowhere", "PGSSLCERT": "/nowhere",
        "PGTARGETSESSIONATTRS": "standby", "PGCLIENTENCODING": "latin1", "PGREQUIREPEER": "evil",
        "PGSERVICE": "there", "PGSERVICEFILE": str(service), "PGGSSENCMODE": "require", "PGCHANNELBINDING": "require",
    }  # fmt: skip
    for name, value in strange.items():
        monkeypatch.setenv(name, value)
    assert refused(postgres, password=None).problem == "auth"
    session = connect(postgres)
    row = table(session, "SELECT current_user AS u, current_database() AS d, current_setting('search_path') AS s,"
                         " current_setting('application_name') AS a, 'é' AS e").to_pylist()[0]  # fmt: skip
    session.close()
    assert row == {"u": "siege", "d": "postgres", "s": '"$user", public', "a": "siege_nb", "e": "é"}
    # Only when it is said:
    connect(postgres, password=None, passfile=str(words)).close()


def test_certificates_are_checked_as_far_as_asked(start_server: Callable[..., Postgres]) -> None:
    with certificates("127.0.0.1", Postgres().account) as files:
        server = start_server(Postgres, "-cssl=on", f"-cssl_cert_file={files.cert}", f"-cssl_key_file={files.key}")
        encrypted = "SELECT ssl AS yes FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        for changes in ({}, {"sslmode": "require"}, {"sslmode": "verify-full", "sslrootcert": str(files.ca)}):
            session = connect(server, **changes)
            assert table(session, encrypted).to_pylist() == [{"yes": True}]
            session.close()
        for changes, problem, fields in (
            ({"sslrootcert": str(files.stranger)}, "tls_untrusted", ("sslrootcert", "sslmode")),
            ({"sslrootcert": "/nowhere"}, "tls_untrusted", ("sslrootcert", "sslmode")),
            ({"sslrootcert": str(files.ca), "host": "localhost"}, "tls_name", ("host", "sslmode")),
        ):
            error = refused(server, **{"sslmode": "verify-full"} | changes)
            assert isinstance(error, TlsError)
            assert (error.problem, error.fields) == (problem, fields)


# --- what else a session is asked


def test_the_server_says_who_it_is_and_whom_it_takes_us_for(postgres: Postgres) -> None:
    result = PostgresAdapter(params(postgres)).test(BareHost())
    assert result.ok, result
    assert [step.name for step in result.steps] == ["driver", "dns", "tcp", "auth", "identity", "browse"]
    assert result.server["version"].startswith("PostgreSQL ")
    assert (result.server["user"], result.server["database"]) == ("siege", "postgres")


def test_what_there_is_can_be_looked_up(session: PostgresSession) -> None:
    session.execute('CREATE SCHEMA "od\'d"', {})
    session.execute('CREATE TABLE "od\'d".t (id bigint NOT NULL DEFAULT 5, "n m" numeric(5,2))', {})
    session.execute("COMMENT ON TABLE \"od'd\".t IS 'about t'", {})
    session.execute("COMMENT ON COLUMN \"od'd\".t.id IS 'about id'", {})
    session.execute('CREATE VIEW "od\'d".v AS SELECT 1 AS one', {})
    session.execute('CREATE MATERIALIZED VIEW "od\'d".m AS SELECT 1 AS one', {})
    session.execute("CREATE TEMP TABLE own (x int)", {})
    assert [schema.name for schema in session.schemas()] == ["od'd", "public"]
    found = {t.name: t for t in session.tables("od'd")}
    assert {name: t.kind for name, t in found.items()} == {"m": "materialized view", "t": "table", "v": "view"}
    assert (found["t"].comment, found["t"].row_estimate, found["v"].row_estimate) == ("about t", None, None)
    session.execute("INSERT INTO \"od'd\".t VALUES (1), (2)", {})
    session.execute("ANALYZE \"od'd\".t", {})
    assert session.tables("od'd")[1].row_estimate == 2
    told = [(c.name, c.native_type, c.nullable, c.default, c.comment) for c in session.columns("od'd", "t")]
    assert told == [("id", "bigint", False, "5", "about id"), ("n m", "numeric(5,2)", True, None, "")]
    assert session.columns("od'd", "nope") == []


def test_sqlalchemy_gets_connections_with_transactions_of_their_own(session: PostgresSession) -> None:
    import sqlalchemy as sa

    session.execute("CREATE TABLE t (n int)", {})
    engine = session.engine()
    with engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO t VALUES (:n)"), {"n": 1})
    with engine.connect() as connection:
        connection.execute(sa.text("INSERT INTO t VALUES (2)"))
        connection.rollback()
    assert engine.url.password is None
    assert table(session, "SELECT array_agg(n) AS ns FROM t").to_pylist() == [{"ns": [1]}]
    engine.dispose()
