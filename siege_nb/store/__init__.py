"""Profiles on disk."""

from __future__ import annotations

from pathlib import Path

from siege_nb.models.client import ClientProfile
from siege_nb.models.connection import ConnectionProfile
from siege_nb.models.database import DatabaseProfile
from siege_nb.models.project import ProjectProfile
from siege_nb.state import Directory
from siege_nb.store.collection import Collection, Damaged
from siege_nb.store.files import Kept
from siege_nb.store.index import Index
from siege_nb.store.rows import Row
from siege_nb.store.shapes import CLIENTS, CONNECTIONS, DATABASES, PROJECTS
from siege_nb.store.unknown import UnknownParams

__all__ = ["Collection", "Damaged", "Kept", "Row", "Store", "UnknownParams"]


class Store:
    """The clients, connections, projects and databases of one config directory."""

    def __init__(self, directory: Directory | Path | str) -> None:
        self.directory = directory if isinstance(directory, Directory) else Directory(directory)
        self.index = Index(self.directory.path)
        self.clients: Collection[ClientProfile] = Collection(self.directory, CLIENTS, self.index)
        self.connections: Collection[ConnectionProfile] = Collection(self.directory, CONNECTIONS, self.index)
        self.projects: Collection[ProjectProfile] = Collection(self.directory, PROJECTS, self.index)
        self.databases: Collection[DatabaseProfile] = Collection(self.directory, DATABASES, self.index)
