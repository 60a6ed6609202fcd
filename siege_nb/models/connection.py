"""A connection: a name for how to reach something, and what has happened with it."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Literal

from pydantic import ConfigDict, Field

from siege_nb.declare import Part, structure, ui
from siege_nb.models.access import Visibility
from siege_nb.models.stamps import Code, Name, Stamp, now

#: What a mistake would cost there: on prod, a cell that writes asks first.
Environment = Literal["dev", "test", "prod"]


_HEALTH = {"excellent": timedelta(hours=1), "good": timedelta(days=1), "fair": timedelta(days=7)}


class ConnectionMetadata(Part):
    """How a connection is used; keys of your own are kept. Counters are merged in from elsewhere when it is loaded."""

    model_config = ConfigDict(extra="allow")

    created_date: Stamp = Field(default_factory=now)
    last_used: Stamp = Field(default_factory=now)
    last_connected: Stamp | None = None
    connection_count: int = ui(0, ge=0)
    status: str = "active"
    auto_connect: bool = ui(False, title="Connect when the client is chosen")
    timeout: int = ui(30, ge=1, le=3600, title="Time-out in seconds")
    retry_attempts: int = ui(3, ge=0, le=10)

    @property
    def health(self) -> str:
        """How it fares, by when it was last reached: excellent, good, fair, poor or unknown."""
        if self.last_connected is None:
            return "unknown"
        ago = now() - self.last_connected
        return next((word for word, most in _HEALTH.items() if ago < most), "poor")


class Security(Part):
    """What the seed's readers look at to see whether secrets are kept safe; derived when written."""

    encrypted: bool = False
    encryption_method: str = ""
    credentials_stored: bool = False


class NotebookSpecific(Part):
    """How notebooks on a server are opened."""

    model_config = ConfigDict(extra="allow")

    kernel_type: str = "python3"
    auto_start: bool = True
    workspace_path: str = ""
    preferred_browser: str = "default"


class SparkSpecific(Part):
    """What a Spark session is given."""

    model_config = ConfigDict(extra="allow")

    master_url: str = "local[*]"
    app_name: str = "SiegeAnalytics"
    driver_memory: str = "2g"
    executor_memory: str = "2g"
    spark_home: str = ""
    hadoop_conf_dir: str = ""


class DatabaseSpecific(Part):
    """How a database is spoken to."""

    model_config = ConfigDict(extra="allow")

    connection_pool_size: int = ui(5, ge=1, le=100)
    ssl_mode: str = "prefer"
    read_timeout: int = ui(30, ge=1, le=86400, title="Read time-out in seconds")
    write_timeout: int = ui(30, ge=1, le=86400, title="Write time-out in seconds")


class ConnectionProfile(Part):
    """A connection, as in `connections/connection_<id>.json`; its parameters are declared by its kind."""

    connection_id: Code = Field(default_factory=lambda: str(uuid.uuid4()))
    name: Name = ui(title="Name", min_length=1, max_length=100)
    connection_type: str
    connection_params: Part
    client_code: Code | None = ui(None, title="Client")
    workspace: str = ui("", title="Workspace", max_length=100)
    """Within one workspace names are unique; a client's connections are a workspace of their own."""
    environment: Environment | None = ui(None, title="Environment")
    owner: str = ui("", title="Owner")
    visibility: Visibility = ui("private", title="Who may see it")
    metadata: ConnectionMetadata = Field(default_factory=ConnectionMetadata)
    security: Security = Field(default_factory=Security)
    tags: list[str] = []
    notes: str = ui("", multiline=True)
    notebook_specific: NotebookSpecific | None = None
    spark_specific: SparkSpecific | None = None
    database_specific: DatabaseSpecific | None = None

    @property
    def scope(self) -> str:
        """Where its name is unique: its workspace, or its client's."""
        return self.workspace or self.client_code or ""

    @property
    def qualified(self) -> str:
        """The name by which it is found from everywhere: SCOPE/name, or the name alone."""
        return f"{self.scope}/{self.name}" if self.scope else self.name


def checked_name(name: str, what: str = "") -> str:
    """A name that a new connection may have; InvalidError says why it may not."""
    said = {"name": name, "connection_type": "any", "connection_params": Part()}
    return structure(ConnectionProfile, said, what=what or f"Connection {name!r}").name
