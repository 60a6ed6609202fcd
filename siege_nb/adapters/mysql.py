"""MySQL and MariaDB, through mysql-connector-python."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time
from functools import cache
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from siege_nb.adapters import mysql_tls
from siege_nb.adapters.base import Params
from siege_nb.adapters.failures import Rule, Said
from siege_nb.adapters.mysql_load import MySQLLoader
from siege_nb.adapters.mysql_rows import batches, release
from siege_nb.adapters.mysql_types import builder
from siege_nb.adapters.sql import HostName, SQLAdapter
from siege_nb.adapters.sql_calls import only_reads
from siege_nb.adapters.sql_session import Place, SQLSession
from siege_nb.declare import Secret, ui
from siege_nb.errors import QueryError
from siege_nb.query.columns import Build, as_text
from siege_nb.query.session import Answer, Column, Schema, Session, Table, Take
from siege_nb.query.statements import Grammar
from siege_nb.query.writes import writes

if TYPE_CHECKING:
    import sqlalchemy as sa

SSLMode = Literal["disabled", "preferred", "required", "verify_ca", "verify_identity"]


class MySQLParams(Params):
    """A MySQL or MariaDB server."""

    host: HostName = ui(title="Server", placeholder="db.example.com", endpoint=True)
    port: int = ui(3306, ge=1, le=65535, endpoint=True)
    database: str = ui("", title="Database", endpoint=True)
    """The schema that names without one mean; none is chosen when this is empty."""
    username: str = ui(title="User name", min_length=1, group="auth")
    password: Secret | None = ui(None, title="Password", group="auth")
    ssl: SSLMode = ui("preferred", title="Encryption", group="tls", endpoint=True)
    """`preferred` encrypts if the server can, `required` always, `verify_identity` also checks who the server is."""
    ssl_ca: str = ui("", title="CA file", placeholder="/etc/ssl/ca.pem", group="tls")
    """The certificates that may sign the server's."""


class MySQLSession(SQLSession):
    """One MySQL session, in autocommit until the user begins a transaction."""

    grammar = Grammar(backslash=True, escapes=False, dollars=False, nested=False, backticks=True, hashes=True)
    style = "pyformat"
    batch = 1_000
    loader = MySQLLoader

    def __init__(self, adapter: SQLAdapter[Any], connection: Any, deadline: float) -> None:
        super().__init__(adapter, connection, deadline)
        self._server_thread = int(connection.connection_id)

    def interrupt(self, connection: Any) -> None:
        killer = self.adapter.dial(min(self.deadline, 5.0))
        try:
            cursor = killer.cursor()
            cursor.execute(f"KILL QUERY {self._server_thread}")
            cursor.close()
        finally:
            killer.close()

    def beat(self) -> None:
        self.connection.ping(reconnect=False)

    def builders(self, cursor: Any) -> Sequence[Build]:
        return [builder(column[1], column[7], column[8]) for column in cursor.description]

    def adapt(self, value: Any) -> Any:
        match value:
            case UUID():
                return str(value)
            case datetime():
                return value if value.tzinfo else value.isoformat(" ")  # see _marked
            case date() | time():
                return value.isoformat()  # the driver's two implementations write a date differently
            case dict() | list():
                return as_text(value)
        return value

    def run(self, text: str, values: Any, take: Take) -> Answer:
        # Raw: the server's text goes to Arrow as it came, past the driver's objects for each value.
        cursor = self.connection.cursor(raw=True)
        try:
            if values:
                cursor.execute(*_marked(text, values))
            else:
                cursor.execute(text)
            answer = self.answer(cursor, take)
            # A procedure gives several; the last one with rows is its answer.
            while not answer.cut and cursor.nextset():
                following = self.answer(cursor, take)
                answer = following if following.table is not None or answer.table is None else answer
        finally:
            release(self, cursor, stops=lambda: only_reads(text, self.grammar) and not writes(text, self.grammar))
        return answer

    def fetched(self, cursor: Any) -> Iterator[list[Any]]:
        is_pure = not hasattr(self.connection, "_cmysql")
        return super().fetched(cursor) if is_pure else batches(self.connection, self.batch)

    def place(self, error: Exception, text: str) -> Place | None:
        found = re.search(r" near '(.*)' at line (\d+)$", str(getattr(error, "msg", "")), re.DOTALL)
        if found is None:
            return None
        line = int(found[2]) - 1
        lines = text.split("\n")
        if line >= len(lines):
            return None
        begin = sum(len(one) + 1 for one in lines[:line])
        # The rest of the statement as the server read it, with values in place of their names: its first line, or word.
        rest = found[1].split("\n")[0]
        for shown in filter(None, (rest, rest.split(" ")[0])):
            if lines[line].count(shown) == 1:
                return Place(begin + lines[line].index(shown))
        return Place(begin + len(lines[line].rstrip())) if not rest else Place(begin, exact=False)

    def schemas(self) -> list[Schema]:
        rows = self.rows(
            "SELECT schema_name AS name FROM information_schema.schemata WHERE schema_name NOT IN"
            " ('mysql', 'sys', 'performance_schema', 'information_schema') ORDER BY 1"
        )
        return [Schema(row["name"]) for row in rows]

    def tables(self, schema: str) -> list[Table]:
        rows = self.rows(
            "SELECT table_name AS name, table_type AS type, table_rows AS estimate, table_comment AS comment"
            " FROM information_schema.tables WHERE table_schema = :schema AND table_type <> 'SEQUENCE' ORDER BY 1",
            schema=schema,
        )
        return [_table(schema, **row) for row in rows]

    def columns(self, schema: str, table: str) -> list[Column]:
        rows = self.rows(
            "SELECT column_name AS name, column_type AS type, is_nullable AS nullable, column_default AS value,"
            " column_comment AS comment FROM information_schema.columns"
            " WHERE table_schema = :schema AND table_name = :table ORDER BY ordinal_position",
            schema=schema,
            table=table,
        )
        return [Column(r["name"], r["type"], r["nullable"] == "YES", r["value"], r["comment"]) for r in rows]


class MySQLAdapter(SQLAdapter[MySQLParams]):
    """MySQL and MariaDB. No option file is read, and the server is never given a file of this machine."""

    kind, title, extra = "mysql", "MySQL", "mysql"
    aliases = ("mariadb",)
    drivers = ("mysql.connector",)
    params_type = MySQLParams
    session_type = MySQLSession
    rules = (
        Rule(1045, "auth", ("username", "password")), Rule(1698, "auth", ("username", "password")),
        Rule(1820, "auth_expired", ("password",)), Rule(1862, "auth_expired", ("password",)),
        # 1044 is also the answer for a database that does not exist, to those who may not know.
        Rule(1044, "database", ("database",)), Rule(1049, "database", ("database",)),
        Rule(1040, "capacity"), Rule(1203, "capacity"), Rule(1226, "capacity"),
        Rule(2003, "refused"), Rule(2005, "dns"),
        Rule(3159, "tls_required", ("ssl",)),
        Rule(2006, "lost"), Rule(1927, "lost"), Rule(1053, "lost"), Rule(4031, "lost"),
        Rule(1317, "cancelled"),
        Rule(1205, "timeout"), Rule(3024, "timeout"), Rule(1969, "timeout"), Rule(3572, "timeout"),
        Rule(1213, "timeout"), Rule("40", "timeout"),
        Rule(1064, "syntax"),
        Rule(1146, "not_found"), Rule(1054, "not_found"), Rule(1305, "not_found"), Rule(1051, "not_found"),
        Rule(1091, "not_found"), Rule(1109, "not_found"), Rule(1008, "not_found"), Rule(1193, "not_found"),
        Rule(1142, "permission"), Rule(1143, "permission"), Rule(1227, "permission"), Rule(1370, "permission"),
        Rule(3819, "constraint"), Rule(4025, "constraint"), Rule("23", "constraint"),
        Rule(1366, "usage"), Rule("21", "usage"), Rule("22", "usage"), Rule("25", "usage"), Rule("0A", "usage"),
        Rule("42", "syntax"), Rule("08", "lost"),
        Rule(re.compile(r"Host '(?P<ip>[^']*)' is (?:not allowed|blocked)"), "network_policy"),
        Rule(re.compile("initial communication packet|authorization packet"), "timeout"),
        Rule(re.compile("SSL is required|doesn't support|does not support SSL"), "tls_unsupported", ("ssl",)),
        Rule(re.compile("[Hh]ostname mismatch|IP address mismatch"), "tls_name", ("host", "ssl")),
        # All that the C extension says, of a stranger's certificate and of one for another name.
        Rule(re.compile("certificate verify failed$"), "tls_untrusted", ("ssl_ca", "ssl", "host"),
             "{host} uses a certificate this machine does not trust, or one issued for another name."
             " Add the CA file; switch verification off only for tests."),
        Rule(re.compile("certificate|SSL_CTX", re.IGNORECASE), "tls_untrusted", ("ssl_ca", "ssl")),
        # A session that was killed has no number of its own; 2013 is also a server that never spoke.
        Rule(re.compile("Lost connection|[Cc]onnection (?:is )?not available|not connected"), "lost"),
        Rule(re.compile("cannot be converted"), "usage"),
        Rule("ProgrammingError", "usage"), Rule("NotSupportedError", "usage"),
    )  # fmt: skip

    def address(self) -> tuple[str, int]:
        return self.params.host, self.params.port

    def connect(self, deadline: float, *, autocommit: bool = True) -> Any:
        import mysql.connector
        from mysql.connector.constants import ClientFlag

        params = self.params
        insisting = params.ssl not in ("disabled", "preferred")
        if insisting:
            mysql_tls.insist(params.host, params.port, deadline)
        pure = not mysql.connector.HAVE_CEXT
        if pure:
            _tell_pure()
        connection = mysql.connector.connect(
            host=params.host,
            port=params.port,
            user=params.username,
            password=params.password.reveal() if params.password else "",
            database=params.database or None,
            autocommit=autocommit,
            use_pure=pure,
            connection_timeout=int(deadline) + 1,  # whole seconds; the deadline itself is ours
            charset="utf8mb4",
            client_flags=[-ClientFlag.MULTI_STATEMENTS],  # what was not split is an error, not a second statement
            consume_results=True,
            allow_local_infile=False,
            conn_attrs={"program_name": "siege_nb"},
            **mysql_tls.options(params.ssl, params.ssl_ca),
        )
        if insisting:
            mysql_tls.check(connection)
        return connection

    def url(self) -> sa.URL:
        import sqlalchemy as sa

        params = self.params
        return sa.URL.create("mysql+mysqlconnector", params.username, None, params.host, params.port, params.database)

    def about(self) -> dict[str, Any]:
        return {"database": self.params.database, "user": self.params.username}

    def said(self, error: Exception) -> Said:
        return Said(getattr(error, "msg", None) or str(error) or type(error).__name__)

    def identify(self, session: Session) -> dict[str, str]:
        assert isinstance(session, MySQLSession)
        row = session.rows("SELECT VERSION() AS version, CURRENT_USER() AS user, DATABASE() AS db")[0]
        product = "MariaDB" if "mariadb" in row["version"].casefold() else "MySQL"
        return {"version": f"{product} {row['version']}", "user": row["user"], "database": row["db"] or ""}


@cache
def _tell_pure() -> None:
    """Say once why MySQL is slow in this process."""
    try:
        import _mysql_connector  # noqa: F401
    except ImportError as error:
        why = str(error)
    else:
        why = "it was not there when the driver was imported"
    warnings.warn(
        f"MySQL is read by pure Python here, several times slower: the driver's C extension did not load ({why})."
        " It loads only before pyarrow and pandas: restart the kernel and begin with %load_ext siege_nb.",
        RuntimeWarning,
        stacklevel=2,
    )


_MARK = re.compile(r"%\((\w+)\)([s%])")


_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2038, 1, 19, tzinfo=UTC)


def _marked(text: str, values: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The text and its values, where bytes and moments in time need words around them."""
    for name, value in values.items():
        if isinstance(value, datetime) and not _FIRST < value.astimezone(UTC) < _LAST:
            # Outside of them CONVERT_TZ gives back what it was given, without a word.
            message = f":{name} is a moment outside of 1970 to 2038, which this server cannot convert from its zone."
            raise QueryError(message, kind="usage", hint="Bind it without a zone, as the column holds it.")
    moments = {
        name: value.astimezone(UTC).replace(tzinfo=None).isoformat(" ")
        for name, value in values.items()
        if isinstance(value, datetime)
    }

    def words(mark: re.Match[str]) -> str:
        name = mark[1]
        if mark[2] == "s" and name in moments:
            # The server has no times with a zone: the driver would drop it, and the moment would be another.
            return f"CONVERT_TZ({mark[0]}, '+00:00', @@session.time_zone)"
        return f"_binary {mark[0]}" if mark[2] == "s" and isinstance(values[name], bytes) else mark[0]

    return _MARK.sub(words, text), values | moments


def _table(schema: str, name: str, type: str, estimate: int | None, comment: str | None) -> Table:
    is_view = "VIEW" in type
    # A view's comment is the word VIEW, or what is wrong with it.
    return Table(schema, name, "view" if is_view else "table", "" if is_view else comment or "", estimate)
