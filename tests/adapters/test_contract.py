"""The shipped contract over every kind, on real servers; Spark's is in test_spark, beside the one Java it needs."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, ClassVar

import pytest

from siege_nb.errors import ConnectError
from siege_nb.query.session import Queryable
from siege_nb.testing import AdapterContract, BareHost
from tests.servers.notebook import Jupyter


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


class TestDatabase(AdapterContract):
    kind = "database"
    long_query = TestSQLite.long_query

    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.file = tmp_path / "contract.sqlite"

    def params(self) -> dict[str, Any]:
        return {"connection_string": f"sqlite:///{self.file}?create=true"}


class TestNotebook(AdapterContract):
    """A kind without SQL: what the contract says of statements is not for it."""

    kind = "notebook"

    @pytest.fixture(autouse=True)
    def _server(self, jupyter: Jupyter) -> None:
        self.server = jupyter

    def params(self) -> dict[str, Any]:
        return {"url": self.server.url, "token": self.server.password}

    def test_a_closed_session_fails_in_our_words(self) -> None:
        session = self.adapter().open(BareHost())
        assert not isinstance(session, Queryable)
        session.close()
        with pytest.raises(ConnectError) as caught:
            session.ping()
        assert caught.value.__context__ is None


for _about_statements in (
    "rows_and_binds_come_back", "a_name_without_a_value_is_told_before_anything_is_sent",
    "statements_are_split_and_the_last_one_answers", "a_syntax_error_points_at_its_line_and_the_session_goes_on",
    "an_unknown_table_is_not_found_and_the_session_goes_on", "rows_changed_are_counted",
    "a_transaction_of_the_users_is_kept_and_rolled_back", "a_running_statement_is_cancelled_where_it_runs",
    "cancelling_an_idle_session_harms_nothing", "what_there_is_can_be_browsed",
):  # fmt: skip
    assert hasattr(AdapterContract, f"test_{_about_statements}")
    setattr(TestNotebook, f"test_{_about_statements}", None)


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
