"""A project: what is worked on for a client, and where its files lie."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from siege_nb.declare import Part, ui
from siege_nb.models.stamps import Code, Stamp, now


class ProjectSettings(Part):
    """How a project works; keys of your own are kept."""

    model_config = ConfigDict(extra="allow")

    data_format: str = "parquet"
    log_level: str = "INFO"
    backup_enabled: bool = True


class ProjectProfile(Part):
    """A project, as in `project_<CODE>.json`. Two keys written by hand, its name and its code, are enough."""

    project_name: str = ui("", title="Name")
    project_code: Code = ui(title="Code", placeholder="PROJ001")
    description: str = ui("", title="Description", multiline=True)
    # The original wrote its working directory here; what is no time counts as unknown.
    created_date: Stamp | str = Field(default_factory=now)
    directories: dict[str, str] = {}
    settings: ProjectSettings = Field(default_factory=ProjectSettings)
