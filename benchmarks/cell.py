"""What one %%sql cell takes: SELECT 1 on each engine, the result not rendered.

Ours and jupysql run as cell magics of one shell; the limit is the shortest cell magic that returns a pandas frame.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.measure import Row, interleave, report

ROUNDS = 400


def main() -> None:
    report(_rows())


def _rows() -> Iterator[Row]:
    # siege_nb's own first step: MySQL's C extension loads only before pandas, which jupysql brings.
    with suppress(ImportError):
        import ssl  # noqa: F401

        import _mysql_connector  # noqa: F401

    from IPython.core.interactiveshell import InteractiveShell

    with tempfile.TemporaryDirectory() as folder:
        ip = InteractiveShell.instance()
        ip.run_line_magic("load_ext", "sql")
        ip.register_magic_function(ip.magics_manager.magics["cell"].pop("sql"), "cell", "peer")
        ip.magics_manager.magics["line"].pop("sql")  # who comes second takes another name
        for option in ("displaycon=False", "feedback=0"):
            ip.run_line_magic("config", f"SqlMagic.{option}")
        ip.run_line_magic("load_ext", "siege_nb")
        ip.run_line_magic("client", f"dir {folder}")
        yield _duckdb(ip)
        yield _sqlite(ip, Path(folder))
        yield from _postgres(ip)
        ip.run_line_magic("unload_ext", "siege_nb")


def _cell(ip: Any, magic: str, line: str) -> Any:
    return lambda: ip.run_cell_magic(magic, line, "SELECT 1 AS one")


def _use(ip: Any, name: str, target: str) -> None:
    ip.run_line_magic("conn", f"use {name}")
    ip.run_line_magic("peer", target)


def _duckdb(ip: Any) -> Row:
    import duckdb

    bare, theirs = duckdb.connect(), duckdb.connect()
    ip.user_ns["theirs"] = theirs
    ip.run_line_magic("conn", "add duck duckdb")
    ip.run_line_magic("conn", "use duck")
    ip.run_cell_magic("peer", "theirs", "SELECT 1")
    ip.register_magic_function(lambda line, cell: bare.sql(cell).df(), "cell", "limit")
    return interleave("duckdb SELECT 1", ours=_cell(ip, "sql", ""), peer=_cell(ip, "peer", ""),
                      limit=_cell(ip, "limit", ""), rounds=ROUNDS)  # fmt: skip


def _sqlite(ip: Any, folder: Path) -> Row:
    import sqlite3

    import pandas as pd

    file = folder / "bench.sqlite"
    bare = sqlite3.connect(file)
    ip.run_line_magic("conn", f"add lite sqlite database={file}")
    ip.run_line_magic("conn", "use lite")
    ip.run_cell_magic("peer", f"sqlite:///{file}", "SELECT 1")

    def limit(line: str, cell: str) -> pd.DataFrame:
        cursor = bare.execute(cell)
        return pd.DataFrame(cursor.fetchall(), columns=[column[0] for column in cursor.description])

    ip.register_magic_function(limit, "cell", "limit")
    try:
        return interleave("sqlite SELECT 1", ours=_cell(ip, "sql", ""), peer=_cell(ip, "peer", ""),
                          limit=_cell(ip, "limit", ""), rounds=ROUNDS)  # fmt: skip
    finally:
        bare.close()


def _postgres(ip: Any) -> Iterator[Row]:
    import os
    from urllib.parse import quote

    import pandas as pd
    import psycopg
    from psycopg.rows import TupleRow

    from tests.servers import Postgres

    with Postgres() as server:
        os.environ["BENCH_PGPASSWORD"] = server.password
        where = f"host={server.host} port={server.port} username={server.username} database={server.database}"
        ip.run_line_magic("conn", f"add pg postgres {where} password:=env:BENCH_PGPASSWORD")
        ip.run_line_magic("conn", "use pg")
        url = (
            f"{quote(server.username)}:{quote(server.password, safe='')}@{server.host}:{server.port}/{server.database}"
        )
        ip.run_cell_magic("peer", f"postgresql+psycopg://{url}", "SELECT 1")
        bare: psycopg.Connection[TupleRow] = psycopg.connect(f"postgresql://{url}", autocommit=True)

        def limit(line: str, cell: str) -> pd.DataFrame:
            cursor = bare.execute(cell)
            return pd.DataFrame(cursor.fetchall(), columns=[column.name for column in cursor.description or ()])

        ip.register_magic_function(limit, "cell", "limit")
        yield interleave("postgres SELECT 1", ours=_cell(ip, "sql", ""), peer=_cell(ip, "peer", ""),
                         limit=_cell(ip, "limit", ""), rounds=ROUNDS)  # fmt: skip
        bare.close()


if __name__ == "__main__":
    main()
