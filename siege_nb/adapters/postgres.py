"""PostgreSQL, through psycopg 3."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import ExitStack, closing
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from siege_nb.adapters import postgres_copy
from siege_nb.adapters.base import Params
from siege_nb.adapters.failures import Rule, Said
from siege_nb.adapters.postgres_load import PostgresLoader
from siege_nb.adapters.postgres_types import builder, load_as_text
from siege_nb.adapters.sql import HostName, SQLAdapter
from siege_nb.adapters.sql_calls import only_reads
from siege_nb.adapters.sql_session import Place, SQLSession
from siege_nb.declare import Secret, ui
from siege_nb.errors import QueryError, SiegeError
from siege_nb.query.columns import Build, gather
from siege_nb.query.session import Answer, Column, Schema, Session, Table, Take
from siege_nb.query.statements import STANDARD, Grammar, first_word, outside

if TYPE_CHECKING:
    import psycopg
    import sqlalchemy as sa

SSLMode = Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]


class PostgresParams(Params):
    """A PostgreSQL server. What is not given here comes from nowhere else: no .pgpass, no PG* variable.

    But for two, which libpq cannot be talked out of: PGSERVICE and PGREQUIREAUTH.
    """

    host: HostName = ui(title="Server", placeholder="db.example.com", endpoint=True)
    port: int = ui(5432, ge=1, le=65535, endpoint=True)
    database: str = ui(title="Database", min_length=1, endpoint=True)
    username: str = ui(title="User name", min_length=1, group="auth")
    password: Secret | None = ui(None, title="Password", group="auth")
    passfile: str = ui("", title="Password file", placeholder="~/.pgpass", group="auth", advanced=True)
    """A file in the format of .pgpass to take the password from, when none is given."""
    sslmode: SSLMode = ui("prefer", title="Encryption", group="tls", endpoint=True)
    """`prefer` encrypts if the server can, `require` always, `verify-full` also checks who the server is."""
    sslrootcert: str = ui("", title="CA file", placeholder="/etc/ssl/ca.pem", group="tls")
    """The certificates that may sign the server's; `system` means those this machine trusts."""
    application_name: str = ui("siege_nb", title="Application name", advanced=True)
    """How the session shows in pg_stat_activity."""


class PostgresSession(SQLSession):
    """One PostgreSQL session, in the driver's autocommit until the user begins a transaction."""

    style = "numeric"
    loader = PostgresLoader

    def __init__(self, adapter: SQLAdapter[Any], connection: Any, deadline: float) -> None:
        super().__init__(adapter, connection, deadline)
        self._copying = False
        connection.cursor_factory = _one_at_a_time()
        load_as_text(connection)

    @property
    def in_transaction(self) -> bool:
        from psycopg.pq import TransactionStatus as Status

        return not self._closed and self.connection.info.transaction_status in (Status.INTRANS, Status.INERROR)

    @property
    def is_aborted(self) -> bool:
        """A statement of the transaction failed, and all that is left of it is its end."""
        from psycopg.pq import TransactionStatus as Status

        return not self._closed and self.connection.info.transaction_status == Status.INERROR

    @property
    def grammar(self) -> Grammar:  # type: ignore[override]  # the session's own settings decide
        """What is not SQL in a text, as the server reads it now."""
        standard = self._closed or self.connection.info.parameter_status("standard_conforming_strings") != "off"
        return STANDARD if standard else _ESCAPING

    def interrupt(self, connection: Any) -> None:
        connection.cancel_safe(timeout=min(self.deadline, 5.0))

    def run(self, text: str, values: Any, take: Take) -> Answer:
        grammar = self.grammar
        word = first_word(text, grammar)
        if word == "COPY" and any(outside(text, r"(?i:\b(?:TO\s+STDOUT|FROM\s+STDIN)\b)", grammar)):
            hint = "SELECT the rows, or COPY to and from a file of the server."
            raise QueryError("COPY through the client is not supported here.", kind="usage", hint=hint)
        self._copying = False
        if postgres_copy.pays(text, grammar) and postgres_copy.works(self.connection):
            answer = self._copied(text, values, take)
            if answer is not None:
                return answer
        was_aborted = self.is_aborted
        answer = super().run(text, values, take)
        if was_aborted and word in ("COMMIT", "END", "PREPARE"):  # the server says ROLLBACK, and that it went well
            raise QueryError(f"{word} took everything back: a statement of the transaction had failed.", kind="usage")
        return answer

    def _copied(self, text: str, values: Any, take: Take) -> Answer | None:
        """The rows by COPY; None where the statement has not run and must go the other way."""
        import psycopg

        with closing(self.connection.cursor()) as cursor, ExitStack() as entered:
            told = cursor.pgresult = postgres_copy.described(self.connection, text, values)
            statement = postgres_copy.written(self.connection, text, values, told, self.grammar)
            if not told.nfields or statement is None:
                return None
            columns, builders = cursor.description or (), self.builders(cursor)
            alone, self._copying = not self.in_transaction, True
            try:
                copy = entered.enter_context(cursor.copy(statement))
            except psycopg.Error as error:
                if alone and (error.sqlstate or "")[:2] in ("42", "0A"):
                    self._copying = False
                    return None  # refused before it ran: a server without this COPY, a name that only a bind has
                raise
            types = [column.type_code for column in columns]
            grammar = self.grammar
            pieces = postgres_copy.copied(copy, types, builders, stop=lambda: alone and only_reads(text, grammar))
            return gather([column.name for column in columns], pieces, take)

    def beat(self) -> None:
        self.connection.execute("")  # an empty statement is answered even in an aborted transaction

    def builders(self, cursor: Any) -> Sequence[Build]:
        return [builder(column.type_code, column.precision, column.scale) for column in cursor.description]

    def adapt(self, value: Any) -> Any:
        if isinstance(value, dict):
            from psycopg.types.json import Jsonb

            return Jsonb(value)
        return value

    def place(self, error: Exception, text: str) -> Place | None:
        # What COPY's text is wrong about stands in a value: the statement's own was found when it was described.
        position = None if self._copying else getattr(getattr(error, "diag", None), "statement_position", None)
        return Place(int(position) - 1) if position else None

    def is_lost(self) -> bool:
        return bool(self.connection.closed)

    def after_failure(self) -> str:
        aborted = "The transaction is aborted and takes no more statements: ROLLBACK."
        return aborted if self.is_aborted else super().after_failure()

    def finds(self, name: str) -> bool:
        # A SELECT from what is not there would abort the transaction.
        return bool(self.rows("SELECT to_regclass(:name) IS NOT NULL AS is_there", name=name)[0]["is_there"])

    def schemas(self) -> list[Schema]:
        rows = self.rows(
            r"SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema'"
            " ORDER BY 1"
        )
        return [Schema(row["nspname"]) for row in rows]

    def tables(self, schema: str) -> list[Table]:
        # Never analysed is -1, before version 14 it was 0 rows on 0 pages; neither means that it is empty.
        rows = self.rows(
            """
            SELECT c.relname AS name, coalesce(obj_description(c.oid, 'pg_class'), '') AS comment,
                   CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
                        WHEN 'f' THEN 'foreign table' ELSE 'table' END AS kind,
                   CASE WHEN c.relkind <> 'v' AND c.reltuples >= 0
                             AND (c.relpages > 0 OR current_setting('server_version_num')::int >= 140000)
                        THEN c.reltuples::bigint END AS estimate
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = :schema AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
            ORDER BY 1
            """,
            schema=schema,
        )
        return [Table(schema, row["name"], row["kind"], row["comment"], row["estimate"]) for row in rows]

    def columns(self, schema: str, table: str) -> list[Column]:
        rows = self.rows(
            """
            SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, NOT a.attnotnull AS nullable,
                   pg_get_expr(d.adbin, d.adrelid) AS default, coalesce(col_description(c.oid, a.attnum), '') AS comment
            FROM pg_attribute a
            JOIN pg_class c ON c.oid = a.attrelid
            JOIN pg_namespace n ON n.oid = c.relnamespace
            LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
            WHERE n.nspname = :schema AND c.relname = :table AND a.attnum > 0 AND NOT a.attisdropped
            ORDER BY a.attnum
            """,
            schema=schema,
            table=table,
        )
        return [Column(row["name"], row["type"], row["nullable"], row["default"], row["comment"]) for row in rows]


class PostgresAdapter(SQLAdapter[PostgresParams]):
    """PostgreSQL and what speaks its protocol."""

    kind, title, extra = "postgres", "PostgreSQL", "postgres"
    aliases = ("postgresql",)
    keywords = True
    drivers = ("psycopg",)
    params_type = PostgresParams
    session_type = PostgresSession
    rules = (
        Rule("57014", "cancelled"),
        Rule("57P01", "lost"), Rule("57P02", "lost"),
        Rule("57P03", "capacity", text="The server is starting up or shutting down."),
        Rule("53300", "capacity"),
        Rule("28P01", "auth", ("username", "password")), Rule("28", "auth", ("username", "password")),
        Rule("3D000", "database", ("database",)),
        Rule("42501", "permission"),
        Rule("42601", "syntax"),
        Rule("42P01", "not_found"), Rule("42703", "not_found"), Rule("42883", "not_found"), Rule("42704", "not_found"),
        Rule("3F000", "not_found"), Rule("34000", "not_found"), Rule("42P02", "usage"),
        Rule("42", "syntax"),
        Rule("55P03", "timeout"), Rule("40", "timeout"),
        Rule("23", "constraint"),
        Rule("21", "usage"), Rule("22", "usage"), Rule("0A", "usage"), Rule("25", "usage"), Rule("2D", "usage"),
        Rule("P0", "usage"), Rule("55", "usage"), Rule("2B", "usage"),
        Rule("08P01", "usage"),  # a $1 that has no value
        Rule("08", "lost"),
        # When connecting, psycopg has no SQLSTATE; a server's text in another language stands as it is.
        Rule(re.compile("password authentication failed|no password supplied|is not permitted to log in"), "auth",
             ("username", "password")),
        Rule(re.compile(r'role ".*" does not exist'), "auth", ("username",)),
        Rule(re.compile(r'database "(?P<database>.*)" does not exist'), "database", ("database",)),
        Rule(re.compile(r'permission denied for database "(?P<database>.*)"'), "database", ("database",)),
        Rule(re.compile(r'no pg_hba.conf entry for host "(?P<ip>[^"]*)".*SSL encryption'), "network_policy"),
        Rule(re.compile(r"no pg_hba.conf entry .*no encryption"), "tls_required", ("sslmode",)),
        Rule(re.compile("too many (?:connections|clients)|remaining connection slots"), "capacity"),
        Rule(re.compile("server does not support SSL"), "tls_unsupported", ("sslmode",)),
        Rule(re.compile("does not match host name"), "tls_name", ("host", "sslmode")),
        Rule(re.compile("certificate verify failed|root certificate file"), "tls_untrusted",
             ("sslrootcert", "sslmode")),
        Rule(re.compile("the connection is (closed|lost)|server closed the connection|consuming input failed"), "lost"),
        Rule("ConnectionTimeout", "timeout"),
        Rule("ProgrammingError", "usage"), Rule("DataError", "usage"), Rule("NotSupportedError", "usage"),
    )  # fmt: skip

    def address(self) -> tuple[str, int]:
        return self.params.host, self.params.port

    def connect(self, deadline: float, *, autocommit: bool = True) -> psycopg.Connection[Any]:
        import psycopg

        params = self.params
        known = {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()}
        nothing_else: dict[str, Any] = {name: value for name, value in _NOTHING_ELSE.items() if name in known}
        return psycopg.connect(
            **nothing_else,
            host=params.host,
            port=params.port,
            dbname=params.database,
            user=params.username,
            # Empty, not absent: what is absent libpq takes from the environment.
            password=params.password.reveal() if params.password else "",
            passfile=os.path.expanduser(params.passfile) or _NO_FILE,
            sslmode=params.sslmode,
            sslrootcert=os.path.expanduser(params.sslrootcert),
            application_name=params.application_name,
            connect_timeout=max(2, int(deadline) + 1),  # psycopg knows no less than two seconds; ours is the deadline
            keepalives_idle=60,
            keepalives_interval=15,
            keepalives_count=4,  # a server that is gone for good is noticed within two minutes, not eleven
            autocommit=autocommit,
            prepare_threshold=None,  # a plan kept on the server breaks behind a pooler and after another's ALTER TABLE
        )

    def url(self) -> sa.URL:
        import sqlalchemy as sa

        params = self.params
        return sa.URL.create("postgresql+psycopg", params.username, None, params.host, params.port, params.database)

    def about(self) -> dict[str, Any]:
        return {"database": self.params.database, "user": self.params.username}

    def said(self, error: Exception) -> Said:
        diag: Any = getattr(error, "diag", None)
        message = getattr(diag, "message_primary", None)
        if not message:
            return Said(_WRAPPING.sub("", str(error)) or type(error).__name__)
        detail = f": {diag.message_detail}" if diag.message_detail else ""
        return Said(f"{message}{detail}", diag.message_hint or "")

    def translate(self, error: Exception, *, statement: bool = False) -> SiegeError:
        if getattr(error, "sqlstate", None) == "57014" and "statement timeout" in str(error):
            error = TimeoutError(str(error))
        return super().translate(error, statement=statement)

    def identify(self, session: Session) -> dict[str, str]:
        assert isinstance(session, PostgresSession)
        row = session.rows(
            "SELECT version() AS version, current_user::text AS user, current_database()::text AS database,"
            " host(inet_server_addr()) AS address, pg_is_in_recovery() AS standby"
        )[0]
        standby = {"role": "standby, read only"} if row.pop("standby") else {}
        return {name: value for name, value in row.items() if value} | standby


#: With standard_conforming_strings off.
_ESCAPING = Grammar(backslash=True, names=True)


@cache
def _one_at_a_time() -> type[psycopg.RawCursor[Any]]:
    """The driver's cursor; a text that might hold several statements goes by the protocol that takes one only."""
    from psycopg import RawCursor

    class OneAtATime(RawCursor[Any]):
        def _execute_send(self, query: Any, *, force_extended: bool = False, binary: bool | None = None) -> None:
            super()._execute_send(query, force_extended=force_extended or b";" in query.query, binary=binary)

    return OneAtATime


_NO_FILE = os.path.join(os.devnull, "none")  # /dev/null itself makes libpq print a warning
#: What libpq would otherwise take from PG* variables or from files in the home directory.
_NOTHING_ELSE = {
    "hostaddr": "", "options": "", "requirepeer": "", "sslcert": "", "sslkey": "", "sslcertmode": "disable",
    "sslcrl": "", "sslcrldir": "", "channel_binding": "prefer", "sslnegotiation": "postgres",
    "ssl_min_protocol_version": "TLSv1.2", "ssl_max_protocol_version": "", "target_session_attrs": "any",
    "load_balance_hosts": "disable", "gssencmode": "disable", "client_encoding": "UTF8",
}  # fmt: skip
_WRAPPING = re.compile(r"^connection (failed|is bad): (connection to server .*? failed: )?((FATAL|ERROR): +)?")
