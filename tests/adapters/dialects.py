"""Dialects of databases that are nobody's: real drivers under names that no kind of ours knows."""

from __future__ import annotations

import importlib
from typing import Any

from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

#: A statement of SQLite's that never ends.
ENDLESS = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t"


class Strange(SQLiteDialect_pysqlite):
    """Question marks, and a connection that can be interrupted."""

    name, supports_statement_cache = "strange", True

    def create_connect_args(self, url: Any) -> Any:
        where, options = super().create_connect_args(url)
        return where, options | {"check_same_thread": False}  # as servers' drivers are


class Stubborn(Strange):
    """A driver that begins a transaction by itself, whatever it is told."""

    name, supports_statement_cache = "stubborn", True

    def get_isolation_level_values(self, connection: Any) -> Any:
        raise NotImplementedError


class Elephant(PGDialect_psycopg):
    """%(name)s, and a server."""

    name, supports_statement_cache = "elephant", True


class Orphan(Strange):
    """Its driver is not installed."""

    name, supports_statement_cache = "orphan", True

    @classmethod
    def import_dbapi(cls) -> Any:
        return importlib.import_module("no_such_driver_at_all")


class Waiting(SQLiteDialect_aiosqlite):
    """Its driver is one for asyncio."""

    name = "waiting"


class Hasty(Strange):
    """Its driver can stop nothing."""

    name, supports_statement_cache = "hasty", True

    def connect(self, *where: Any, **options: Any) -> Any:
        return _Bare(super().connect(*where, **options))


class _Bare:
    """A connection with what the DB-API asks for, and no more."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        if name in ("interrupt", "cancel"):
            raise AttributeError(name)
        return getattr(self._connection, name)
