"""A client: whom one works for, and how they like to be served."""

from __future__ import annotations

import uuid
from typing import Any

from pydantic import ConfigDict, Field

from siege_nb.declare import Part, ui
from siege_nb.models.stamps import Code, Stamp, now


class Contact(Part):
    """Whom to write to."""

    model_config = ConfigDict(extra="allow")

    primary_contact: str = ui(title="Primary contact")
    email: str = ui(title="E-mail", placeholder="name@example.com")
    phone: str = ui("", title="Phone")
    address: str = ui("", title="Address", multiline=True)


class ClientMetadata(Part):
    """What is known about the client besides; keys of your own are kept."""

    model_config = ConfigDict(extra="allow")

    created_date: Stamp = Field(default_factory=now)
    last_updated: Stamp = Field(default_factory=now)
    status: str = "active"
    industry: str = ""
    project_count: int = ui(0, ge=0)
    notes: str = ui("", multiline=True)


class DesignArtifacts(Part):
    """The client's brand."""

    logo_path: str = ui("", title="Logo", placeholder="/assets/logo.png")
    brand_colors: list[str] = ui([], title="Brand colours", placeholder="#0066CC")
    style_guide: str = ui("", title="Style guide")
    templates: list[str] = ui([], title="Templates")


class ClientTastes(Part):
    """How results are handed over."""

    data_format: str = ui("parquet", title="Data format")
    report_style: str = ui("standard", title="Report style")
    notification_preferences: dict[str, Any] = {}


class ClientProfile(Part):
    """A client, as in `client_<CODE>.json`."""

    client_id: str = Field(default_factory=lambda: str(uuid.uuid4()))
    client_name: str = ui(title="Name", min_length=1)
    client_code: Code = ui(title="Code", placeholder="ACME001")
    contact_info: Contact
    metadata: ClientMetadata = Field(default_factory=ClientMetadata)
    design_artifacts: DesignArtifacts = Field(default_factory=DesignArtifacts)
    preferences: ClientTastes = Field(default_factory=ClientTastes)
    default_connection: str | None = ui(None, title="Default connection")
    """Chosen together with the client."""
    project_associations: list[str] = []

    def with_projects(self, codes: list[str]) -> ClientProfile:
        """The client with these projects, and their number; the very same if it has them already."""
        if codes == self.project_associations:
            return self
        metadata = self.metadata.model_copy(update={"project_count": len(codes)})
        return self.model_copy(update={"project_associations": codes, "metadata": metadata})
