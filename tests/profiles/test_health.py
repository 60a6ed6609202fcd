"""Tests, status and cleaning up keep the first system's contract."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import siege_nb
from siege_nb.errors import AuthError, SiegeError
from siege_nb.profiles.places import at
from tests.servers import MariaDB, Postgres

NOW = datetime.now(UTC)


def server_params(server: Postgres | MariaDB, **changes: Any) -> dict[str, Any]:
    return {
        "host": server.host, "port": server.port, "database": server.database, "username": server.username,
        "password": server.password,
    } | changes  # fmt: skip


def made(name: str, kind: str, params: dict[str, Any], **values: Any) -> str:
    """The id of a connection that is saved."""
    profile = siege_nb.create_connection_profile(name, kind, params, **values)
    siege_nb.save_connection_profile(profile)
    return str(profile["connection_id"])


def aged(name: str, days: float, *, used: float | None = None, **metadata: Any) -> str:
    """The id of a connection that was made, and last used, so many days ago."""
    ago = {"created_date": days, "last_used": days if used is None else used}
    stamps = {key: (NOW - timedelta(days=age)).isoformat() for key, age in ago.items()}
    return made(name, "sqlite", {"database": "x.db"}, **stamps, **metadata)


@pytest.mark.parametrize("kind", ["postgres", "mysql"])
def test_a_connection_that_can_be_reached(kind: str, request: pytest.FixtureRequest) -> None:
    server = request.getfixturevalue("postgres" if kind == "postgres" else "mariadb")
    ident = made("There", kind, server_params(server))
    result = siege_nb.test_connection(ident, "config")
    assert result["success"] is True, result
    assert (result["connection_type"], result["error"], result["problem"]) == (kind, None, "")
    assert result["response_time_ms"] > 0
    assert [step["status"] for step in result["steps"]] == ["ok"] * len(result["steps"])
    assert datetime.fromisoformat(result["timestamp"]).tzinfo
    assert siege_nb.last_error() is None
    status = siege_nb.get_connection_status(ident)
    assert (status["health"], status["connection_count"]) == ("excellent", 1)


def test_a_wrong_password_is_told_and_counts_for_nothing(postgres: Postgres) -> None:
    ident = made("There", "postgres", server_params(postgres, password="wr0ng-canary"))
    result = siege_nb.test_connection(ident, "config")
    assert result["success"] is False
    assert "Authentication failed" in result["error"]
    assert result["problem"] == "auth"
    assert result["steps"][-1]["status"] == "fail"
    assert isinstance(siege_nb.last_error(), AuthError)
    assert siege_nb.get_connection_status(ident)["health"] == "unknown"
    assert "wr0ng-canary" not in json.dumps(result)


def test_a_connection_that_is_not_there() -> None:
    result = siege_nb.test_connection("nobody", "config")
    assert datetime.fromisoformat(result.pop("timestamp"))
    assert result == {"success": False, "error": "Connection profile not found"}


def test_a_kind_that_is_not_installed() -> None:
    result = siege_nb.test_connection(made("Far", "elsewhere", {"url": "https://far"}))
    assert (result["success"], result["error"]) == (False, "Connection testing not implemented for elsewhere")
    assert (result["connection_type"], result["response_time_ms"]) == ("elsewhere", 0.0)


def test_a_test_leaves_an_open_session_alone() -> None:
    ident = made("Here", "duckdb", {"database": ":memory:"})
    workspace = at("config")
    workspace.query("Here", "CREATE TEMP TABLE t AS SELECT 1 AS a; BEGIN", {})
    assert siege_nb.test_connection(ident)["success"]
    assert workspace.query("Here", "FROM t", {}) == [(1,)]
    assert workspace.state(ident) == "in transaction"
    workspace.close()


def test_both_names_are_one_function_and_pytest_leaves_it_alone() -> None:
    assert siege_nb.test_connection is siege_nb.verify_connection_profile
    assert siege_nb.test_connection.__test__ is False  # type: ignore[attr-defined]
    assert siege_nb.test_database_connection.__test__ is False  # type: ignore[attr-defined]


@pytest.mark.parametrize(("hours", "health"), [
    (0.5, "excellent"), (2, "good"), (30, "fair"), (24 * 8, "poor"), (None, "unknown"),
])  # fmt: skip
def test_health_goes_by_when_it_was_last_reached(hours: float | None, health: str) -> None:
    reached = None if hours is None else (NOW - timedelta(hours=hours)).isoformat()
    ident = made("W", "sqlite", {"database": "x.db"}, last_connected=reached, connection_count=3, auto_connect=True)
    status = siege_nb.get_connection_status(ident, "config")
    assert list(status) == [
        "connection_id", "name", "type", "status", "health", "last_connected", "connection_count", "auto_connect",
        "created_date", "last_used",
    ]  # fmt: skip
    assert (status["health"], status["last_connected"]) == (health, reached)
    assert [status[k] for k in ("connection_id", "name", "type", "status")] == [ident, "W", "sqlite", "active"]
    assert (status["connection_count"], status["auto_connect"]) == (3, True)


def test_the_status_of_what_is_not_there() -> None:
    assert siege_nb.get_connection_status("nobody") == {"status": "not_found", "error": "Connection profile not found"}
    assert siege_nb.get_connection_status("../x")["status"] == "not_found"


def test_cleaning_up_removes_what_is_old_unused_and_never_reached() -> None:
    old = aged("old", 100)
    aged("young", 10), aged("used", 100, used=10), aged("reached", 100, connection_count=1)
    reached_since = aged("reached since", 100)
    at("config").facts.connected(reached_since, NOW)
    locked = aged("locked", 100)
    at("config").share(locked, "locked")
    assert siege_nb.cleanup_old_connections(90, "config", dry_run=True) == [locked, old]
    assert siege_nb.cleanup_old_connections(101, "config") == 0
    assert siege_nb.cleanup_old_connections(90, "config") == 1
    assert isinstance(siege_nb.last_error(), SiegeError), "why the locked one stayed"
    assert [row["name"] for row in siege_nb.list_connection_profiles()] == [
        "locked", "reached", "reached since", "used", "young",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="days_old"):
        siege_nb.cleanup_old_connections(-1)


def test_a_file_that_counts_nothing_counts_as_never_reached() -> None:
    ident = aged("by hand", 100)
    path = Path(f"config/connections/connection_{ident}.json")
    document = json.loads(path.read_text())
    del document["metadata"]["connection_count"]
    path.write_text(json.dumps(document))
    assert siege_nb.cleanup_old_connections(90, dry_run=True) == [ident]
    assert [row.summary["connection_count"] for row in at("config").store.connections.rows()] == [0]


def test_cleaning_up_refuses_by_a_clock_that_is_behind() -> None:
    aged("old", 100), aged("of tomorrow", -1)
    assert siege_nb.cleanup_old_connections(90) == 0
    assert "Nothing was removed" in str(siege_nb.last_error())
    assert siege_nb.cleanup_old_connections(90, dry_run=True) == []
    assert len(siege_nb.list_connection_profiles()) == 2


def test_cleaning_up_refuses_by_a_clock_that_is_years_ahead() -> None:
    aged("old", 500), aged("older", 600)
    long_ago = (NOW - timedelta(days=400)).timestamp()
    for place in ("config/generation", "config/connections"):
        os.utime(place, (long_ago, long_ago))
    assert siege_nb.cleanup_old_connections(90) == 0
    assert "more than a year" in str(siege_nb.last_error())
    os.utime("config/generation")
    assert siege_nb.cleanup_old_connections(90) == 2


def test_an_untold_time_is_no_reason_to_remove() -> None:
    path = Path("config/connections/connection_x.json")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"name": "x", "connection_type": "sqlite", "connection_params": {"database": "x"}}))
    assert siege_nb.cleanup_old_connections(0) == 0
