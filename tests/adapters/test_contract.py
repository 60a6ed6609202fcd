"""The shipped contract over all four kinds, on real servers."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, ClassVar

import pytest

from siege_nb.testing import AdapterContract


class TestDuckDB(AdapterContract):
    kind = "duckdb"
    long_query = "SELECT count(*) FROM range(100000000) a, range(100000) b WHERE (a.range * b.range) % 7 = 3"

    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.file = tmp_path / "contract.duckdb"

    def params(self) -> dict[str, Any]:
        return {"database": str(self.file), "create": True}


class TestSQLite(AdapterContract):
    kind = "sqlite"
    long_query = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t"

    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.file = tmp_path / "contract.sqlite"

    def params(self) -> dict[str, Any]:
        return {"database": str(self.file), "create": True}


class OnServer(AdapterContract):
    """A kind whose server can be asked what it still runs."""

    fixture: ClassVar[str]
    running: ClassVar[str]

    @pytest.fixture(autouse=True)
    def _server(self, request: pytest.FixtureRequest) -> None:
        self.server = request.getfixturevalue(self.fixture)
        self.database = self.server.database_for(_short(request))

    def params(self) -> dict[str, Any]:
        s = self.server
        return {
            "host": s.host,
            "port": s.port,
            "database": self.database,
            "username": s.username,
            "password": s.password,
        }

    def still_running(self) -> int:
        return int(self.server.sql(self.running)[0][0])


class TestPostgres(OnServer):
    kind, fixture = "postgres", "postgres"
    long_query = "SELECT pg_sleep(61)"
    running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(61)'"


class TestMySQL(OnServer):
    kind, fixture = "mysql", "mariadb"
    long_query = "SELECT sleep(61)"
    running = "SELECT count(*) FROM information_schema.processlist WHERE info LIKE '%sleep(61)'"


def _short(request: pytest.FixtureRequest) -> str:
    return "c" + hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:12]
