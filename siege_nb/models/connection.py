"""A connection: a name for how to reach something, and what has happened with it."""

from __future__ import annotations

import uuid

from pydantic import Field

from siege_nb.declare import Part, ui
from siege_nb.models.stamps import Code, Name, Stamp, now


class ConnectionMetadata(Part):
    """How a connection is used; counters are merged in from elsewhere and never rewrite the profile."""

    created_date: Stamp = Field(default_factory=now)
    last_used: Stamp = Field(default_factory=now)
    last_connected: Stamp | None = None
    connection_count: int = ui(0, ge=0)
    status: str = "active"
    auto_connect: bool = ui(False, title="Connect when the client is chosen")
    timeout: int = ui(30, ge=1, le=3600, title="Time-out in seconds")
    retry_attempts: int = ui(3, ge=0, le=10)


class Security(Part):
    """What the seed's readers look at to see whether secrets are kept safe; derived when written."""

    encrypted: bool = False
    encryption_method: str = ""
    credentials_stored: bool = False


class ConnectionProfile(Part):
    """A connection, as in `connections/connection_<id>.json`; its parameters are declared by its kind."""

    connection_id: Code = Field(default_factory=lambda: str(uuid.uuid4()))
    name: Name = ui(title="Name", min_length=1, max_length=100)
    connection_type: str
    connection_params: Part
    client_code: Code | None = ui(None, title="Client")
    metadata: ConnectionMetadata = Field(default_factory=ConnectionMetadata)
    security: Security = Field(default_factory=Security)
    tags: list[str] = []
    notes: str = ui("", multiline=True)
