"""Profiles on disk."""

from __future__ import annotations

from pathlib import Path

from siege_nb.models.client import ClientProfile
from siege_nb.models.connection import ConnectionProfile
from siege_nb.state import Directory
from siege_nb.store.collection import Collection, Damaged
from siege_nb.store.files import Kept
from siege_nb.store.shapes import CLIENTS, CONNECTIONS, UnknownParams

__all__ = ["Collection", "Damaged", "Kept", "Store", "UnknownParams"]


class Store:
    """The clients and connections of one config directory."""

    def __init__(self, directory: Directory | Path | str) -> None:
        self.directory = directory if isinstance(directory, Directory) else Directory(directory)
        self.clients: Collection[ClientProfile] = Collection(self.directory, CLIENTS)
        self.connections: Collection[ConnectionProfile] = Collection(self.directory, CONNECTIONS)
