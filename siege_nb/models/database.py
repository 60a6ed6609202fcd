"""A database as Spark and JDBC know it."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from siege_nb.declare import Part, Secret, ui
from siege_nb.models.stamps import Code


class DatabaseParams(Part):
    """How the database is spoken to; keys of your own are kept."""

    model_config = ConfigDict(extra="allow")

    ssl_mode: str | None = None
    timeout: int = ui(30, ge=1, le=3600)
    pool_size: int = ui(5, ge=1, le=100)


class DatabaseProfile(Part):
    """A database, as in `database_<name>.json`."""

    name: Code = ui(title="Name")
    connection_type: str = ui(title="Type", placeholder="postgres")
    host: str = ui(title="Host", endpoint=True)
    port: int = ui(title="Port", ge=1, le=65535, endpoint=True)
    database: str = ui(title="Database")
    username: str = ui("", title="User name")
    password: Secret | None = ui(None, title="Password")
    jdbc_url: str = ui("", title="JDBC URL")
    jdbc_driver: str = ui("", title="JDBC driver")
    connection_params: DatabaseParams = Field(default_factory=DatabaseParams)
    spark_options: dict[str, Any] = {}
