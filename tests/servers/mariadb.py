"""A private MariaDB."""

from typing import Any

from tests.servers.sql import SQLServer


class MariaDB(SQLServer):
    """A MariaDB that asks everybody for a password (mysql_native_password)."""

    program, package, accounts = "mariadbd", "mariadb-server", ("mysql",)

    def build(self) -> None:
        self.run(
            self.find("mariadb-install-db"),
            "--no-defaults",
            f"--datadir={self.data}",
            *self._storage,
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
        )
        statements = [
            "DELETE FROM mysql.global_priv WHERE user IN ('', 'root')",  # there are four, all without a password
            "FLUSH PRIVILEGES",  # in bootstrap nobody can be created before this
            f"CREATE USER {self.username} IDENTIFIED VIA mysql_native_password USING PASSWORD('{self.password}')",
            f"GRANT ALL ON *.* TO {self.username} WITH GRANT OPTION",
            f"CREATE DATABASE {self.database}",
        ]
        self.run(*self.command(), "--bootstrap", text=";\n".join(statements) + ";\n")

    def command(self) -> list[str]:
        return [
            self.find("mariadbd"),
            "--no-defaults",
            f"--datadir={self.data}",
            f"--socket={self.base}/socket",
            f"--port={self.port}",
            f"--bind-address={self.host}",
            f"--pid-file={self.base}/pid",
            "--skip-name-resolve",
            "--skip-log-bin",
            "--character-set-server=utf8mb4",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-buffer-pool-size=64M",
            "--innodb-fast-shutdown=2",
            *self._storage,
        ]

    @property
    def _storage(self) -> list[str]:
        return ["--innodb-log-file-size=16M"]  # a sixth of the default to copy at every start

    def connect(self, **changes: Any) -> Any:
        import mysql.connector

        address = {"host": self.host, "port": self.port, "user": self.username, "password": self.password}
        # Pure Python: whether the C extension loads depends on what was imported before it.
        manner = {"database": self.database, "connection_timeout": 10, "autocommit": True, "use_pure": True}
        return mysql.connector.connect(**address | manner | changes)

    def answers(self) -> bool:
        import mysql.connector

        try:
            return self.sql("SELECT 1") == [(1,)]
        except mysql.connector.Error:
            return False

    def sql(self, text: str) -> list[tuple[Any, ...]]:
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(text)
            return cursor.fetchall() if cursor.description else []
