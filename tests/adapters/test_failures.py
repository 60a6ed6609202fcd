"""A driver's error in our words."""

from __future__ import annotations

import re
import socket
import ssl
from typing import Any

import pytest

from siege_nb import masking
from siege_nb.adapters.failures import PROBLEMS, Problem, Rule, Said, connect_error, translate
from siege_nb.adapters.mysql import MySQLAdapter
from siege_nb.adapters.postgres import PostgresAdapter
from siege_nb.errors import (
    AuthError,
    ConnectError,
    ConnectTimeoutError,
    IntegrityError,
    QueryError,
    QueryTimeoutError,
    SiegeError,
    TlsError,
)

ADDRESS = ("db.example.com", 5432)
RULES = (
    Rule(re.compile("no such table"), "not_found"),
    Rule(1045, "auth", ("username", "password")),
    Rule("23", "constraint"),
    Rule("23999", "usage"),
    Rule("OwnError", "syntax"),
    Rule("Exception", "usage"),
    Rule(7, "timeout"),
    Rule(8, "permission"),
    Rule(9, "database", ("database",)),
    Rule(re.compile(r"from (?P<ip>[\d.]+)"), "network_policy"),
)


class DriverError(Exception):
    """An error as drivers make them."""

    def __init__(self, message: str, *, errno: int | None = None, sqlstate: str | None = None) -> None:
        super().__init__(message)
        self.errno = errno
        self.sqlstate = sqlstate


class OwnError(DriverError):
    """One whose class says what it means."""


def told(error: Exception, **more: Any) -> Any:
    return translate(error, "Shop", RULES, ADDRESS, **more)


def test_the_seeds_sentences_stand_word_for_word() -> None:
    facts = {"title": "PostgreSQL", "host": "h", "port": 1}
    unreachable = "Unable to connect to PostgreSQL at h:1. Please check the server address and firewall settings."
    assert connect_error("refused", facts).message == unreachable
    assert connect_error("timeout", facts).message == unreachable
    assert connect_error("auth", facts).message == "Authentication failed. Please verify your username and password."


@pytest.mark.parametrize(("problem", "kind"), [
    ("refused", ConnectError), ("timeout", ConnectTimeoutError), ("auth", AuthError), ("tls_untrusted", TlsError),
    ("dns", ConnectError), ("database", ConnectError),
])  # fmt: skip
def test_a_problem_has_its_class(problem: str, kind: type[ConnectError]) -> None:
    assert type(connect_error(problem, {"title": "", "host": "", "port": 0, "database": ""})) is kind


@pytest.mark.parametrize(("name", "problem"), PROBLEMS.items())
def test_every_problem_says_something_even_when_no_fact_is_known(name: str, problem: Problem) -> None:
    error = connect_error(name, {}, said=Said("as the server\nput it"))
    assert error.problem == name
    facts = re.findall(r"{(\w+)}", problem.text)
    assert error.message == ("as the server put it" if facts else problem.text)
    assert error.hint == ("" if facts else "The server says: as the server put it")


@pytest.mark.parametrize(("error", "kind"), [
    (DriverError("x", sqlstate="23505"), "constraint"),
    (DriverError("x", sqlstate="23999"), "usage"),
    (DriverError("no such table: t"), "not_found"),
    (OwnError("no such table: t"), "syntax"),
    (OwnError("x", sqlstate="23505"), "constraint"),
    (DriverError("nobody knows"), "usage"),
    (DriverError("x", errno=7), "timeout"),
    (DriverError("x", errno=8), "permission"),
    (DriverError("x", errno=9), "not_found"),
])  # fmt: skip
def test_codes_come_before_classes_and_classes_before_texts(error: Exception, kind: str) -> None:
    ours = told(error, statement=True)
    assert isinstance(ours, QueryError)
    assert ours.kind == kind


def test_a_failed_statement_has_the_class_of_its_kind() -> None:
    assert type(told(DriverError("x", sqlstate="23505"), statement=True)) is IntegrityError
    assert type(told(DriverError("x", errno=7), statement=True)) is QueryTimeoutError
    assert type(told(DriverError("no such table"), statement=True)) is QueryError


def test_what_is_problem_and_kind_depends_on_what_was_done() -> None:
    assert type(told(DriverError("x", errno=7))) is ConnectTimeoutError
    assert type(told(DriverError("x", errno=8))) is ConnectError
    assert type(told(DriverError("x", errno=1045))) is AuthError
    assert told(DriverError("x", errno=1045), statement=True).kind == "auth"


def test_the_rule_names_the_fields_and_its_pattern_fills_the_text() -> None:
    assert told(DriverError("x", errno=1045)).fields == ("username", "password")
    error = told(DriverError("blocked: from 10.0.0.1"))
    assert error.message == "This address (10.0.0.1) is not allowed by the server's firewall/network policy."


def test_facts_of_the_connection_fill_the_text() -> None:
    error = told(DriverError("x", errno=9), about={"database": "sales"})
    assert error.message == "Database sales does not exist or you may not open it."
    assert error.hint == "The server says: x"


def test_what_no_rule_knows_stands_in_the_servers_own_words() -> None:
    error = translate(DriverError("odd\n thing"), "Shop", (), ADDRESS)
    assert (type(error), error.message, error.problem) == (ConnectError, "Shop: odd thing", "unknown")  # type: ignore[attr-defined]
    failed = translate(DriverError("odd\n thing"), "Shop", (), statement=True)
    assert isinstance(failed, QueryError)
    assert (failed.message, failed.kind) == ("odd thing", "internal")
    assert translate(DriverError(""), "Shop", ()).message == "Shop: DriverError"


@pytest.mark.parametrize(("error", "problem"), [
    (socket.gaierror(-2, "Name or service not known"), "dns"),
    (ConnectionRefusedError(111, "refused"), "refused"),
    (ConnectionResetError(104, "reset"), "lost"),
    (BrokenPipeError(32, "pipe"), "lost"),
    (TimeoutError("late"), "timeout"),
    (InterruptedError("stopped"), "stopped"),
])  # fmt: skip
def test_pythons_own_errors_are_known_to_every_kind(error: Exception, problem: str) -> None:
    ours = translate(error, "Shop", (), ADDRESS)
    assert isinstance(ours, ConnectError)
    assert ours.problem == problem


@pytest.mark.parametrize(("code", "problem"), [(18, "tls_untrusted"), (20, "tls_untrusted"), (62, "tls_name")])
def test_a_certificate_is_untrusted_or_anothers(code: int, problem: str) -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code = code
    ours = translate(error, "Shop", (), ADDRESS)
    assert isinstance(ours, TlsError)
    assert ours.problem == problem
    assert "db.example.com" in ours.message


def test_our_own_error_passes_as_it_is() -> None:
    error = SiegeError("ours")
    assert translate(error, "Shop", RULES) is error


@pytest.mark.parametrize("statement", [True, False])
def test_no_known_secret_is_in_text_or_hint(statement: bool) -> None:
    masking.know("hunter-22")
    error = translate(DriverError("login hunter-22 failed"), "Shop", (), said=Said("for hunter-22", "try hunter-22"),
                      statement=statement)  # fmt: skip
    lost = connect_error("permission", {}, said=Said("for hunter-22"))
    masking.forget("hunter-22")
    assert lost.message == "for ***"
    assert "hunter" not in str(error) + repr(error) + error.hint
    assert "***" in error.message
    assert "***" in error.hint


def test_a_rule_for_no_such_problem_is_a_mistake_at_once() -> None:
    with pytest.raises(ValueError, match="no such problem: sintax"):
        Rule(1, "sintax")


def mysql(code: int, sqlstate: str, text: str) -> Exception:
    errors = pytest.importorskip("mysql.connector.errors")
    error: Exception = errors.get_mysql_exception(code, text, sqlstate)
    return error


# As the servers and drivers put them, kept because texts rot: a new wording is a new row here.
@pytest.mark.parametrize(("message", "problem", "fields"), [
    ('FATAL:  password authentication failed for user "u"', "auth", ("username", "password")),
    ("fe_sendauth: no password supplied", "auth", ("username", "password")),
    ('FATAL:  role "u" is not permitted to log in', "auth", ("username", "password")),
    ('FATAL:  role "u" does not exist', "auth", ("username",)),
    ('FATAL:  database "sales" does not exist', "database", ("database",)),
    ('FATAL:  permission denied for database "sales"\nDETAIL:  User does not have CONNECT.', "database", ("database",)),
    ('FATAL:  too many connections for role "u"', "capacity", ()),
    ("FATAL:  sorry, too many clients already", "capacity", ()),
    ("FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute", "capacity", ()),
    ('FATAL:  no pg_hba.conf entry for host "::1", user "u", database "d", no encryption',
     "tls_required", ("sslmode",)),
    ('FATAL:  no pg_hba.conf entry for host "10.0.0.1", user "u", database "d", SSL encryption', "network_policy", ()),
    ("server does not support SSL, but SSL was required", "tls_unsupported", ("sslmode",)),
    ('server certificate for "a" does not match host name "b"', "tls_name", ("host", "sslmode")),
    ("SSL error: certificate verify failed", "tls_untrusted", ("sslrootcert", "sslmode")),
    ('root certificate file "/nowhere" does not exist', "tls_untrusted", ("sslrootcert", "sslmode")),
    ("server closed the connection unexpectedly\n\tThis probably means the server terminated abnormally", "lost", ()),
    ("Kennwort-Authentifizierung fehlgeschlagen", "unknown", ()),
])  # fmt: skip
def test_postgres_says_it_like_this(message: str, problem: str, fields: tuple[str, ...]) -> None:
    psycopg = pytest.importorskip("psycopg")
    prefix = 'connection failed: connection to server at "10.0.0.9", port 5432 failed: '
    adapter = PostgresAdapter(PostgresAdapter.params_type(host="h", database="sales", username="u"))
    error = adapter.translate(psycopg.OperationalError(prefix + message))
    assert isinstance(error, ConnectError)
    assert (error.problem, error.fields) == (problem, fields)
    assert "10.0.0.9" not in str(error)


@pytest.mark.parametrize(("code", "sqlstate", "message", "problem"), [
    (1045, "28000", "Access denied for user 'u'@'h' (using password: YES)", "auth"),
    (1698, "28000", "Access denied for user 'root'@'localhost'", "auth"),
    (1044, "42000", "Access denied for user 'u'@'%' to database 'sales'", "database"),
    (1049, "42000", "Unknown database 'sales'", "database"),
    (1040, "08004", "Too many connections", "capacity"),
    (1130, "HY000", "Host '10.0.0.1' is not allowed to connect to this MariaDB server", "network_policy"),
    (1129, "HY000", "Host '10.0.0.1' is blocked because of many connection errors", "network_policy"),
    (2003, "HY000", "Can't connect to MySQL server on 'h:3306' (111)", "refused"),
    (2005, "HY000", "Unknown MySQL server host 'h' (-2)", "dns"),
    (2013, "HY000", "Lost connection to MySQL server at 'reading initial communication packet'", "timeout"),
    (2013, "HY000", "Lost connection to MySQL server during query", "lost"),
    (2026, "HY000", "SSL connection error: SSL is required but the server doesn't support it", "tls_unsupported"),
    (2026, "HY000", "SSL connection error: error:0A000086:SSL routines::certificate verify failed", "tls_untrusted"),
    (3159, "HY000", "Connections using insecure transport are prohibited", "tls_required"),
    (1820, "HY000", "You must reset your password using ALTER USER statement", "auth_expired"),
])  # fmt: skip
def test_mysql_says_it_like_this(code: int, sqlstate: str, message: str, problem: str) -> None:
    adapter = MySQLAdapter(MySQLAdapter.params_type(host="h", database="sales", username="u"))
    error = adapter.translate(mysql(code, sqlstate, message))
    assert isinstance(error, ConnectError)
    assert error.problem == problem


@pytest.mark.parametrize(("code", "sqlstate", "kind"), [
    (1064, "42000", "syntax"), (1146, "42S02", "not_found"), (1054, "42S22", "not_found"), (1305, "42000", "not_found"),
    (1049, "42000", "not_found"), (1044, "42000", "not_found"),
    (1142, "42000", "permission"), (1227, "42000", "permission"),
    (1062, "23000", "constraint"), (1451, "23000", "constraint"),
    (4025, "23000", "constraint"), (3819, "HY000", "constraint"),
    (1205, "HY000", "timeout"), (3024, "HY000", "timeout"), (1969, "70100", "timeout"), (1317, "70100", "cancelled"),
    (1366, "22007", "usage"), (1264, "22003", "usage"), (1792, "25006", "usage"), (1213, "40001", "timeout"),
])  # fmt: skip
def test_mysqls_numbers_are_kinds_of_failed_statements(code: int, sqlstate: str, kind: str) -> None:
    adapter = MySQLAdapter(MySQLAdapter.params_type(host="h", username="u"))
    error = adapter.translate(mysql(code, sqlstate, "as the server put it"), statement=True)
    assert isinstance(error, QueryError)
    assert (error.kind, error.message) == (kind, "as the server put it")


@pytest.mark.parametrize(("sqlstate", "kind"), [
    ("42601", "syntax"), ("42803", "syntax"), ("42P01", "not_found"), ("42703", "not_found"), ("42883", "not_found"),
    ("3F000", "not_found"), ("3D000", "not_found"), ("42501", "permission"), ("23505", "constraint"),
    ("57014", "cancelled"), ("55P03", "timeout"), ("22012", "usage"), ("0A000", "usage"), ("25P02", "usage"),
    ("40P01", "timeout"), ("XX000", "internal"), ("53300", "connection"),
])  # fmt: skip
def test_postgres_states_are_kinds_of_failed_statements(sqlstate: str, kind: str) -> None:
    errors = pytest.importorskip("psycopg.errors")
    adapter = PostgresAdapter(PostgresAdapter.params_type(host="h", database="d", username="u"))
    error = adapter.translate(errors.lookup(sqlstate)("as the server put it"), statement=True)
    assert isinstance(error, QueryError)
    assert error.kind == kind
