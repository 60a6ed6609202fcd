"""A private PostgreSQL."""

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.servers.sql import SQLServer

if TYPE_CHECKING:
    import psycopg


class Postgres(SQLServer):
    """A PostgreSQL that asks everybody for a password (scram-sha-256), over TCP and its socket alike."""

    program, package, accounts = "postgres", "postgresql", ("postgres",)
    farewell = signal.SIGINT  # does not wait for clients to leave, as SIGTERM would
    database = "postgres"
    drop = "DROP DATABASE IF EXISTS {} WITH (FORCE)"  # also under the sessions of a pool

    @classmethod
    def homes(cls) -> list[str]:
        """Debian's folder for each major version, the newest first."""
        found = Path("/usr/lib/postgresql").glob("[0-9]*/bin")
        return [str(home) for home in sorted(found, key=lambda home: float(home.parent.name), reverse=True)]

    def build(self) -> None:
        words = self.base / "password"
        words.write_text(self.password)
        words.chmod(0o644)  # the directory above it is closed to others
        self.run(
            self.find("initdb"),
            "--pgdata",
            str(self.data),
            "--username",
            self.username,
            "--pwfile",
            str(words),
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        )

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": self.host,
            "port": self.port,
            "unix_socket_directories": self.base,
            "fsync": "off",
            "full_page_writes": "off",
            "synchronous_commit": "off",
            "dynamic_shared_memory_type": "mmap",  # in the data directory: a killed server leaves nothing in /dev/shm
        }
        words = [f"--{key}={value}" for key, value in settings.items()]
        return [self.find("postgres"), "-D", str(self.data), *words]

    def connect(self, **changes: Any) -> "psycopg.Connection[tuple[Any, ...]]":
        import psycopg

        address = {"host": self.host, "port": self.port, "user": self.username, "password": self.password}
        words: dict[str, Any] = address | {"dbname": self.database, "connect_timeout": 10} | changes
        return psycopg.connect(autocommit=True, **words)

    def answers(self) -> bool:
        import psycopg

        try:
            return self.sql("SELECT 1") == [(1,)]
        except psycopg.OperationalError:
            return False

    def sql(self, text: str) -> list[tuple[Any, ...]]:
        with self.connect() as connection:
            cursor = connection.execute(text)
            return cursor.fetchall() if cursor.description else []
