"""What a million rows of eight mixed columns take into pandas, on each engine, and how much memory they need.

Ours and jupysql run one %%sql cell and take the result's frame; for DuckDB the limit is its own `.df()`. Memory is the
peak above what was there before the cell, each measured in a process of its own.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmarks.measure import Row, report, row

ROUNDS = 3
KINDS = ("duckdb", "sqlite", "postgres", "mysql")

#: The same eight columns of n, in each engine's words: int, float, text, timestamp, decimal, date, and with NULLs.
_COLUMNS = {
    "duckdb": "n::INT AS id, n * 1.5::DOUBLE + 0.1 AS f, 'row number ' || n AS t,"
    " TIMESTAMP '2020-01-01' + to_seconds(n) AS ts, (n * 1.01)::DECIMAL(18, 2) AS d,"
    " DATE '2020-01-01' + (n % 3000)::INT AS day, CASE WHEN n % 3 <> 0 THEN 'text ' || n % 1000 END AS tn,"
    " CASE WHEN n % 5 <> 0 THEN n::BIGINT * 7 END AS bn",
    "sqlite": "n AS id, n * 1.5 + 0.1 AS f, 'row number ' || n AS t, datetime(1577836800 + n, 'unixepoch') AS ts,"
    " n * 1.01 AS d, date('2020-01-01', '+' || n % 3000 || ' days') AS day,"
    " CASE WHEN n % 3 <> 0 THEN 'text ' || n % 1000 END AS tn, CASE WHEN n % 5 <> 0 THEN n * 7 END AS bn",
    "postgres": "n::int AS id, n * 1.5::float8 + 0.1 AS f, 'row number ' || n AS t,"
    " timestamp '2020-01-01' + n * interval '1 s' AS ts, (n * 1.01)::numeric(18, 2) AS d,"
    " date '2020-01-01' + n % 3000 AS day, CASE WHEN n % 3 <> 0 THEN 'text ' || n % 1000 END AS tn,"
    " CASE WHEN n % 5 <> 0 THEN n::int8 * 7 END AS bn",
    "mysql": "CAST(seq AS INT) AS id, seq * 1.5e0 + 0.1 AS f, concat('row number ', seq) AS t,"
    " TIMESTAMP'2020-01-01 00:00:00' + INTERVAL seq SECOND AS ts, CAST(seq * 1.01 AS DECIMAL(18, 2)) AS d,"
    " DATE'2020-01-01' + INTERVAL seq MOD 3000 DAY AS day,"
    " CASE WHEN seq MOD 3 <> 0 THEN concat('text ', seq MOD 1000) END AS tn,"
    " CASE WHEN seq MOD 5 <> 0 THEN CAST(seq AS INT) * 7 END AS bn",
}
_ROWS = {
    "duckdb": "range(1, {rows} + 1) r(n)",
    "sqlite": "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {rows}) SELECT n FROM s)",
    "postgres": "generate_series(1, {rows}) n",
    "mysql": "seq_1_to_{rows}",
}
_ALL, _WARM = "SELECT * FROM mixed", "SELECT * FROM mixed WHERE id < 3"
#: Begins the one line of a child that counts; jupysql says goodbye after it.
_FOUND = "found: "


class Shell:
    """A shell in which both have %%sql: ours by its name, jupysql's as %%peer."""

    def __init__(self, kind: str, where: dict[str, Any], folder: str) -> None:
        # siege_nb's own first step: MySQL's C extension loads only before pandas, which jupysql brings.
        with suppress(ImportError):
            import ssl  # noqa: F401

            import _mysql_connector  # noqa: F401

        from IPython.core.interactiveshell import InteractiveShell

        self.ip: Any = InteractiveShell.instance()
        self._magic("load_ext", "sql")
        self.ip.register_magic_function(self.ip.magics_manager.magics["cell"].pop("sql"), "cell", "peer")
        self.ip.magics_manager.magics["line"].pop("sql")  # who comes second takes another name
        for option in ("displaycon=False", "feedback=0", "displaylimit=1"):
            self._magic("config", f"SqlMagic.{option}")
        self._magic("load_ext", "siege_nb")
        self._magic("client", f"dir {folder}")
        self._connect(kind, where)

    def ours(self, sql: str = _ALL) -> Any:
        """The frame by our cell."""
        return self.ip.run_cell_magic("sql", "", sql).DataFrame()

    def peer(self, sql: str = _ALL) -> Any:
        """The frame by jupysql's."""
        return self.ip.run_cell_magic("peer", "", sql).DataFrame()

    def limit(self, sql: str = _ALL) -> Any:
        """The frame by DuckDB alone."""
        return self.bare.sql(sql).df()

    def close(self) -> None:
        """End our sessions."""
        self._magic("unload_ext", "siege_nb")

    def _magic(self, name: str, line: str) -> None:
        self.ip.run_line_magic(name, line)

    def _connect(self, kind: str, where: dict[str, Any]) -> None:
        words = " ".join(f"{name}={value}" for name, value in where.items() if name != "password")
        if "password" in where:
            os.environ["BENCH_PASSWORD"] = where["password"]
            words += " password:=env:BENCH_PASSWORD"
        self._magic("conn", f"add bench {kind} {words}")
        self._magic("conn", "use bench")
        if kind == "duckdb":
            import duckdb

            self.bare = duckdb.connect(where["database"])
            self.ip.user_ns["theirs"] = self.bare
        peer = "theirs" if kind == "duckdb" else _url(kind, where)
        self.ip.run_cell_magic("peer", peer, "SELECT 1 AS one")


def _url(kind: str, where: dict[str, Any]) -> str:
    if kind == "sqlite":
        return f"sqlite:///{where['database']}"
    driver = {"postgres": "postgresql+psycopg", "mysql": "mysql+mysqlconnector"}[kind]
    account = f"{quote(where['username'])}:{quote(where['password'], safe='')}"
    return f"{driver}://{account}@{where['host']}:{where['port']}/{where['database']}"


def main() -> None:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--child", nargs=3, metavar=("KIND", "WHERE", "ROLE"))
    given, sys.argv[1:] = parser.parse_known_args()
    if given.child:
        kind, where, role = given.child
        print(_FOUND + json.dumps(_measured(kind, json.loads(where), role)), flush=True)
        return
    report(line for kind in given.kinds for line in _rows(kind, given.rows))


def _rows(kind: str, rows: int) -> Iterator[Row]:
    """Time and memory of one engine. Each engine's shell is a process of its own too."""
    size = f"{rows // 1_000_000}M" if rows % 1_000_000 == 0 else f"{rows:,}"
    name = f"{kind} {size} to pandas"
    with ExitStack() as stack:
        where = _filled(kind, rows, stack)
        yield row(name, _child(kind, where, "time"))
        roles = ("ours", "peer", "limit") if kind == "duckdb" else ("ours", "peer")
        yield row(f"{name}, memory", {role: _child(kind, where, role) for role in roles}, "bytes")


def _filled(kind: str, rows: int, stack: ExitStack) -> dict[str, Any]:
    """Where the table is, which is there for as long as the stack."""
    made = f"CREATE TABLE mixed AS SELECT {_COLUMNS[kind]} FROM {_ROWS[kind].format(rows=rows)}"
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    if kind == "duckdb":
        import duckdb

        where = {"database": str(Path(folder, "bench.duckdb"))}
        with duckdb.connect(where["database"]) as duck:
            duck.execute(made)
        return where
    if kind == "sqlite":
        import sqlite3

        where = {"database": str(Path(folder, "bench.sqlite"))}
        lite = sqlite3.connect(where["database"])
        lite.execute(made)
        lite.commit()
        lite.close()
        return where
    from tests.servers import MariaDB, Postgres

    server = stack.enter_context(Postgres() if kind == "postgres" else MariaDB())
    server.sql(made)
    names = ("host", "port", "username", "database", "password")
    return {name: getattr(server, name) for name in names}


def _child(kind: str, where: dict[str, Any], role: str) -> Any:
    command = [sys.executable, "-m", "benchmarks.fetch", "--child", kind, json.dumps(where), role]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(next(line for line in done.stdout.splitlines() if line.startswith(_FOUND))[len(_FOUND) :])


def _measured(kind: str, where: dict[str, Any], role: str) -> Any:
    """The times of all, or the bytes that one of the three needs."""
    with tempfile.TemporaryDirectory() as folder:
        shell = Shell(kind, where, folder)
        if role == "time":
            found: Any = _medians([shell.ours, shell.peer] + ([shell.limit] if kind == "duckdb" else []))
        else:
            found = _needed({"ours": shell.ours, "peer": shell.peer, "limit": shell.limit}[role])
        shell.close()
        return found


def _medians(works: Sequence[Callable[[], Any]]) -> dict[str, float]:
    """The seconds of each, in turn, with the garbage of the one before gone: a result of jupysql's is in cycles."""
    times: dict[str, list[float]] = {work.__name__: [] for work in works}
    for _ in range(1 + ROUNDS):
        for work in works:
            gc.collect()
            began = time.perf_counter()
            work()
            times[work.__name__].append(time.perf_counter() - began)
    return {role: statistics.median(taken[1:]) for role, taken in times.items()}


def _needed(work: Callable[..., Any]) -> int:
    """The bytes that a frame needs at the peak, above what the process has after a small one."""
    work(_WARM)
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak is now what there is
    before = _peak()
    frame = work()
    assert len(frame.columns) == 8
    return _peak() - before


def _peak() -> int:
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) * 1024


if __name__ == "__main__":
    main()
