"""The sections that the first system has beside the parameters. Some fields stand in both, and are to say the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from siege_nb.declare import Part
from siege_nb.models.connection import DatabaseSpecific, NotebookSpecific, SparkSpecific
from siege_nb.store.shapes import params_type

SECTIONS: dict[str, type[Part]] = {"notebook": NotebookSpecific, "spark": SparkSpecific, "database": DatabaseSpecific}


def said_in(values: Mapping[str, Any], model: type[Part]) -> dict[str, Any]:
    """What these values say of a model's fields: the parameters of a section's, or a section of the parameters'."""
    return {field: values[field] for field in model.model_fields if isinstance(values.get(field), str)}


def section_of(given: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """The section of a connection's dict, if it has one."""
    found = given.get(f"{kind}_specific") if kind in SECTIONS else None
    return found if isinstance(found, Mapping) else {}


def both(updates: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Updates in which a field that stands in both places is changed in both; the parameters' word counts."""
    params = updates.get("connection_params", {})
    if kind not in SECTIONS or not isinstance(params, Mapping):
        return dict(updates)
    section, name = section_of(updates, kind), f"{kind}_specific"
    new = {"connection_params": {**said_in(section, params_type(kind)), **params}}
    new[name] = {**section, **said_in(params, SECTIONS[kind])}
    return {**updates, **{key: value for key, value in new.items() if value}}
