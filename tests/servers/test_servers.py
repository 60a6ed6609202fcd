"""The servers themselves: they answer, refuse, freeze, die, come back and leave nothing behind."""

import socket
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

import psutil
import pytest

from tests.servers import MariaDB, Postgres, Redis, Server, ServerError, SilentServer, SQLServer, closed_port

KINDS = [Postgres, MariaDB, Redis]
StartServer = Callable[..., Any]


@pytest.fixture(params=["postgres", "mariadb", "redis"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each of the servers of the run."""
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["postgres", "mariadb"])
def sql_server(request: pytest.FixtureRequest) -> SQLServer:
    """Each of the SQL servers of the run."""
    found: SQLServer = request.getfixturevalue(request.param)
    return found


def at_work(process: psutil.Process) -> bool:
    """Whether a process is there and more than a zombie."""
    with suppress(psutil.NoSuchProcess):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False


def test_it_answers_to_its_password_as_an_ordinary_user(server: Server) -> None:
    assert server.answers()
    assert server.process.username() != "root"


def test_postgres_refuses_a_wrong_password(postgres: Postgres) -> None:
    import psycopg

    for host in (postgres.host, str(postgres.base)):  # over TCP and over the socket
        with postgres.connect(host=host) as connection:
            assert connection.pgconn.used_password
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            postgres.connect(host=host, password="wrong")


@pytest.mark.parametrize("change", [{"password": "wrong"}, {"password": ""}, {"user": "root", "password": ""}])
def test_mariadb_refuses_a_wrong_password(mariadb: MariaDB, change: dict[str, str]) -> None:
    import mysql.connector

    with pytest.raises(mysql.connector.Error, match="Access denied"):
        mariadb.connect(**change)


def test_mariadb_knows_nobody_without_a_password(mariadb: MariaDB) -> None:
    people = mariadb.sql("SELECT user, plugin FROM mysql.user WHERE user <> 'mariadb.sys'")  # a locked account
    assert (mariadb.username, "mysql_native_password") in people
    # Other tests may have made users of their own, but nobody without a name, no root, and none let in by their socket.
    assert all(user not in ("", "root") and plugin == "mysql_native_password" for user, plugin in people)


@pytest.mark.parametrize("password", ["wrong", None])
def test_redis_refuses_a_wrong_password(redis: Redis, password: str | None) -> None:
    from redis.exceptions import AuthenticationError

    with redis.connect(password=password) as client, pytest.raises(AuthenticationError):
        client.ping()


def test_sql_shows_what_the_server_runs(postgres: Postgres, mariadb: MariaDB) -> None:
    with closing(postgres.connect()) as busy:
        running = postgres.sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'")
        assert (busy.info.backend_pid,) in running
    with closing(mariadb.connect()) as busy:
        assert (busy.connection_id,) in mariadb.sql("SELECT id FROM information_schema.processlist")


def test_each_name_has_a_database_that_is_fresh(sql_server: SQLServer) -> None:
    name, other = sql_server.database_for("test_it[a-b]"), sql_server.database_for("test_it[a_b]")
    assert name != other
    key = "dbname" if isinstance(sql_server, Postgres) else "database"
    for _ in range(2):  # the second time it would find the table of the first
        assert sql_server.database_for("test_it[a-b]") == name
        with closing(sql_server.connect(**{key: name})) as connection, closing(connection.cursor()) as cursor:
            cursor.execute("CREATE TABLE kept (id int)")


def test_redis_empties_the_database_it_gives(redis: Redis) -> None:
    given = set()
    for turn in range(30):
        number = redis.database_for(f"test {turn}")
        with redis.connect(db=int(number)) as client:
            assert client.dbsize() == 0
            client.set("kept", turn)
        given.add(number)
    assert len(given) == 15
    assert redis.database not in given


@pytest.mark.parametrize("kind", KINDS)
def test_it_leaves_no_process_and_no_directory(start_server: StartServer, kind: type[Server]) -> None:
    server = start_server(kind)
    family = [server.process, *server.process.children(recursive=True)]
    port = server.port
    server.stop()
    assert not any(at_work(member) for member in family)
    assert not server.base.exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((server.host, port))
    server.stop()


@pytest.mark.usefixtures("redis")
def test_a_server_that_does_not_start_shows_its_log_and_leaves_no_directory() -> None:
    server = Redis("--no-such-setting", "x")
    with pytest.raises(ServerError, match=r"(?s)redis-server ended with 1:.*no-such-setting"), server:
        pass
    assert not server.base.exists()


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_a_missing_server_is_a_skip_and_in_ci_a_failure(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    class Absent(Redis):
        program, package = "absent-server", "absent"

    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match=r"^absent-server not found: apt-get install -y absent$"):
        start_server(Absent)


def test_a_closed_port_refuses_again_and_again() -> None:
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", closed_port()), timeout=5)


def test_a_silent_server_takes_connections_and_says_nothing() -> None:
    with SilentServer() as silent:
        assert silent.accepted == 0
        with socket.create_connection((silent.host, silent.port), timeout=5) as client:
            client.sendall(b"hello?")
            client.settimeout(0.05)
            with pytest.raises(TimeoutError):
                client.recv(1)
        assert silent.accepted == 1


@pytest.mark.fault
@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_server_comes_back_on_its_port_with_its_data(start_server: StartServer, kind: type[Server]) -> None:
    server = start_server(kind)
    made = isinstance(server, SQLServer) and server.database_for("kept")
    family, port = [server.process, *server.process.children(recursive=True)], server.port
    server.kill()
    assert not any(at_work(member) for member in family)
    assert not server.answers()
    server.start()
    assert server.answers()
    assert server.port == port
    if made:
        catalog = "datname FROM pg_database" if kind is Postgres else "schema_name FROM information_schema.schemata"
        assert (made,) in server.sql(f"SELECT {catalog}")


@pytest.mark.fault
@pytest.mark.parametrize("kind", KINDS)
def test_a_frozen_server_takes_connections_and_answers_later(start_server: StartServer, kind: type[Server]) -> None:
    server = start_server(kind)
    with closing(server.connect()) as connection:
        ask = connection.ping if kind is Redis else connection.cursor().execute
        server.pause()
        server.pause()  # again changes nothing
        states = {member.status() for member in [server.process, *server.process.children(recursive=True)]}
        assert states <= {psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE}
        with socket.create_connection((server.host, server.port), timeout=5) as client:
            client.settimeout(0.05)
            with pytest.raises(TimeoutError):
                client.recv(1)
        server.resume()
        ask(*([] if kind is Redis else ["SELECT 1"]))


@pytest.mark.fault
@pytest.mark.parametrize("kind", KINDS)
def test_a_frozen_server_is_stopped_in_good_order(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch, kind: type[Server]
) -> None:
    server = start_server(kind)
    monkeypatch.setattr(server, "kill", lambda: pytest.fail("it did not end by itself"))
    server.pause()
    server.stop()
    assert not server.base.exists()
