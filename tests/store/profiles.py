"""Profiles to keep, and what may lie beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from siege_nb.declare import structure
from siege_nb.models.client import ClientProfile
from siege_nb.models.connection import ConnectionProfile
from siege_nb.store import UnknownParams


def client(code: str = "ACME001", **values: Any) -> ClientProfile:
    contact = {"primary_contact": "John Doe", "email": "john.doe@company.com"}
    return structure(ClientProfile, {"client_name": "Acme", "client_code": code, "contact_info": contact, **values})


def connection(name: str = "Warehouse", **values: Any) -> ConnectionProfile:
    found = {"name": name, "connection_type": "elsewhere", "connection_params": UnknownParams(), **values}
    return structure(ConnectionProfile, found)


def count(profile: ClientProfile) -> int:
    return profile.metadata.project_count


def counted(profile: ClientProfile, by: int = 1) -> ClientProfile:
    """The profile with one project more."""
    metadata = profile.metadata.model_copy(update={"project_count": count(profile) + by})
    return profile.model_copy(update={"metadata": metadata})


def noted(profile: ClientProfile, notes: str) -> ClientProfile:
    """The profile with other notes."""
    return profile.model_copy(update={"metadata": profile.metadata.model_copy(update={"notes": notes})})


def by_hand(path: Path, document: dict[str, Any]) -> None:
    """Write a document as the original system, or a person, would."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2))


def leftovers(directory: Path) -> list[str]:
    """What a change should never leave behind."""
    return sorted(p.name for p in directory.rglob(".*") if p.name.startswith((".tmp-", ".journal")))
