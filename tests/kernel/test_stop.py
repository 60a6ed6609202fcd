"""Stop stops: in a real kernel, on real servers, where the statement runs."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.kernel.kernel import kernel

LOAD = "%load_ext siege_nb"
LONG = {
    "duckdb": "SELECT count(*) FROM range(100000000) a, range(100000) b WHERE (a.range * b.range) % 7 = 3",
    "sqlite": "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t",
    "postgres": "SELECT pg_sleep(60)",
    "mysql": "SELECT sleep(60)",
}


# Where a server can be asked what it still runs, it is asked.
RUNNING = {
    "postgres": f"SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = '{LONG['postgres']}'",
    "mysql": f"SELECT count(*) FROM information_schema.processlist WHERE info = '{LONG['mysql']}'",
}
SERVERS = {"postgres": "postgres", "mysql": "mariadb"}


@pytest.mark.parametrize("kind", sorted(LONG))
def test_a_long_statement_ends_and_the_next_cell_works(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = request.getfixturevalue(SERVERS[kind]) if kind in SERVERS else None

    def running() -> int:
        return int(server.sql(RUNNING[kind])[0][0]) if server is not None else 0

    where = "database=:memory:"
    if server is not None:
        monkeypatch.setenv("TEST_PASSWORD", server.password)
        database = server.database_for(f"stop {kind}")
        where = (
            f"host={server.host} port={server.port} username={server.username} database={database}"
            " password:=env:TEST_PASSWORD"
        )
    add = f"%conn add it {kind} {where}"
    with kernel(tmp_path, LOAD, add, "%conn it", "%sql CREATE TABLE numbers (n int)") as it:

        def stopped(cell: str) -> str:
            """What a cell says that is stopped as soon as its long statement runs."""
            sent = it.start(cell)
            until = time.monotonic() + 20
            while server is not None and running() == 0:
                assert time.monotonic() < until, "it never ran"
            if server is None:
                # An engine in the kernel cannot be asked from outside; its processor time says that it computes.
                _computing(it.pid(), until)
            it.interrupt()
            began = time.monotonic()
            ran = it.finish(sent)
            assert time.monotonic() - began < 2
            assert ran.status == "error"
            assert ran.error.startswith("Stopped: after "), ran.error
            assert "no longer runs" in ran.error
            assert running() == 0
            return ran.error

        assert "rolled back" not in stopped(f"%%sql\n{LONG[kind]}")
        assert "7" in it.run("%sql SELECT 7 AS seven").text
        whole = f"%%sql --tx\nINSERT INTO numbers VALUES (1);\n{LONG[kind]};\nINSERT INTO numbers VALUES (2)"
        assert stopped(whole).endswith("All of the cell was rolled back.")
        assert "41" in it.run("%sql SELECT count(*) + 41 AS found FROM numbers").text


def _computing(pid: int, until: float) -> None:
    def ticks() -> int:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    busy = ticks() + 50
    while ticks() < busy:
        assert time.monotonic() < until, "it never computed"
