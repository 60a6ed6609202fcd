"""Live sessions of every engine that has transactions, for what holds on each of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from siege_nb import adapters
from siege_nb.declare import structure
from siege_nb.pool import Lease, dismiss
from siege_nb.query.run import Worker
from siege_nb.testing import BareHost

SERVERS = {"postgres": "postgres", "mysql": "mariadb"}
#: On servers the tests share a database, which takes longer to make than most of them run.
_databases: dict[str, str] = {}


def opened(kind: str, request: pytest.FixtureRequest) -> Any:
    """A session of this kind, on a database that nobody else uses now."""
    params: dict[str, Any] = {"database": ":memory:"}
    if kind in SERVERS:
        server = request.getfixturevalue(SERVERS[kind])
        params = {
            "host": server.host, "port": server.port, "username": server.username, "password": server.password,
            "database": _databases.get(kind) or _databases.setdefault(kind, server.database_for("query")),
        }  # fmt: skip
    adapter = adapters.load(kind)
    return adapter(structure(adapter.params_type, params)).open(BareHost())


@pytest.fixture(params=["duckdb", "sqlite", "postgres", "mysql"])
def lease(request: pytest.FixtureRequest) -> Iterator[Lease]:
    """A session of each engine, with the one thread that calls it, and an empty table t (n); u and p are free."""
    worker = Worker("it")
    session = worker.call(lambda: opened(request.param, request))
    lease = Lease(request.param, None, session, worker)
    if request.param in SERVERS:
        for left in ("TABLE IF EXISTS u", "TABLE IF EXISTS t", "PROCEDURE IF EXISTS p"):
            lease.call(partial(session.execute, f"DROP {left}", {}))
    lease.call(partial(session.execute, "CREATE TABLE t (n int PRIMARY KEY)", {}))
    yield lease
    assert dismiss(lease)
