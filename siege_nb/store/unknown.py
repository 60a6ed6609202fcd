"""The parameters of a kind that is not installed: nobody can tell which of them are secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ConfigDict, ValidationInfo, model_validator

from siege_nb.adapters.base import Params
from siege_nb.declare import Reference, Secret, suspect
from siege_nb.declare.secret import REFERENCE_KEY, SEALED_PREFIX

# What these are called gives nothing away. Every other text is taken for a secret: sealing a harmless one costs its
# readability in the file, writing a password costs the password.
_HARMLESS = frozenset(
    """
    account app_name base_url catalog charset client_id database db dialect domain driver encoding endpoint environment
    format host hostname http_path instance instance_url kind master_url method mode name namespace path port project
    region role schema scheme server service tenant tenant_id timezone type uri url user username version warehouse
    workspace workspace_url
    """.split()
)


class UnknownParams(Params):
    """Kept as they stand in a file, so that the profile lists and survives; what is typed is sealed, but for names."""

    model_config = ConfigDict(extra="allow")

    @model_validator(mode="before")
    @classmethod
    def _closed(cls, data: Any, info: ValidationInfo) -> Any:
        at_rest = bool(info.context and info.context.get("at_rest"))
        if not isinstance(data, dict):
            return data
        return {key: _closed(str(key), value, at_rest) for key, value in data.items()}

    def open_texts(self) -> set[tuple[str, str]]:
        """What stands in it readable and may be a secret, with its path: files of other systems hold such."""
        return set(_open_texts(self.model_extra or {}))

    def texts(self) -> Iterator[tuple[str, Any]]:
        """Every value that is no secret, with its path."""
        return _texts(self.model_extra or {})

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        # Which of them are secrets only the missing kind knows.
        return [(key, ...) for key in self.model_extra or {}]


def _closed(name: str, value: Any, at_rest: bool) -> Any:
    match value:
        case {**reference} if set(reference) == {REFERENCE_KEY}:
            return Reference.parse(str(reference[REFERENCE_KEY]))
        case Mapping():
            return {key: _closed(f"{name}.{key}", inner, at_rest) for key, inner in value.items()}
        case list() | tuple():
            return [_closed(name, inner, at_rest) for inner in value]
        case str() if at_rest and value.startswith(SEALED_PREFIX):
            return Reference(value)
        case str() | int() | float() if not at_rest and not _harmless(name, value):
            return Secret(str(value))
    return value


def _texts(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    steps: Iterator[tuple[str, Any]]
    if isinstance(value, Mapping):
        steps = ((str(key), inner) for key, inner in value.items())
    elif isinstance(value, list | tuple):
        steps = ((str(n), inner) for n, inner in enumerate(value))
    else:
        if not isinstance(value, Secret):
            yield path, value
        return
    for step, inner in steps:
        yield from _texts(inner, f"{path}.{step}" if path else step)


def _open_texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _open_texts(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _open_texts(inner, path)
    elif isinstance(value, str | int | float) and not _harmless(path, value):
        yield path, str(value)


def _harmless(path: str, value: str | float) -> bool:
    if not value or suspect.suspect(path, value):
        return not value
    # A URL may carry a password before its host, or a key behind its question mark.
    name = path.rpartition(".")[2].casefold()
    return not isinstance(value, str) or (name in _HARMLESS and "@" not in value and "?" not in value)
