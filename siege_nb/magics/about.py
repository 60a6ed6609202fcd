"""What a line may say of any connection besides the parameters of its kind, and how a profile is told."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from siege_nb.declare import Part, Reference, Secret, suggest
from siege_nb.errors import InvalidError, Issue
from siege_nb.magics.shell import Shell
from siege_nb.magics.words import document
from siege_nb.models.connection import ConnectionMetadata, ConnectionProfile

#: The words, and what they are in a profile. Where a kind has a parameter of the same name, that one is meant:
#: `profile.workspace=` then means ours.
FIELDS: Mapping[str, str] = {
    "client": "client_code", "environment": "environment", "workspace": "workspace", "visibility": "visibility",
    "owner": "owner", "tags": "tags", "notes": "notes", "auto_connect": "metadata.auto_connect",
    "timeout": "metadata.timeout", "retry_attempts": "metadata.retry_attempts",
}  # fmt: skip
_OURS = "profile."


def sorted_out(
    what: str, known: Collection[str], values: Mapping[str, str], ours: Mapping[str, str] = FIELDS
) -> tuple[dict[str, str], dict[str, str]]:
    """What is said of the profile, by its place there, and of its parameters; an unknown word is an error."""
    own: dict[str, str] = {}
    of_kind: dict[str, str] = {}
    issues: list[Issue] = []
    for word, text in values.items():
        if word in known:
            of_kind[word] = text
        elif (name := word.removeprefix(_OURS)) in ours:
            own[ours[name]] = text
        else:
            near = suggest(word, [*known, *ours]) or f" There are: {', '.join([*known, *ours])}."
            issues.append(Issue(word, f"there is no such field.{near}"))
    if issues:
        raise InvalidError(what, issues)
    return own, of_kind


def placed(shell: Shell, own: Mapping[str, str], what: str) -> dict[str, Any]:
    """What was said of a profile as part of its document; nothing after the = means the default."""
    said = {path: text for path, text in own.items() if text}
    if "client_code" in said:
        said["client_code"] = shell.workspace.store.clients.find(said["client_code"]).item.client_code
    found = document(ConnectionProfile, said, what)
    for path in own.keys() - said.keys():
        *folders, last = path.split(".")
        declared = ConnectionMetadata if folders else ConnectionProfile
        spot_in(found, folders)[last] = declared.model_fields[last].get_default(call_default_factory=True)
    return found


def parameters(value: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """Every parameter with its path, as one may see it: of a secret only where it is."""
    if isinstance(value, Part):
        for name in type(value).model_fields:
            yield from parameters(getattr(value, name), f"{at}.{name}" if at else name)
        # Nobody has declared what these are, so they may be secrets.
        yield from ((f"{at}.{name}" if at else name, "(kept, not known here)") for name in value.model_extra or {})
    elif isinstance(value, Secret):
        yield at, whereabouts(value)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from parameters(inner, f"{at}.{key}")
    elif isinstance(value, list | tuple) and any(isinstance(item, Part | Secret) for item in value):
        for number, item in enumerate(value):
            yield from parameters(item, f"{at}.{number}")
    elif value not in (None, "", [], ()):
        yield at, ", ".join(map(str, value)) if isinstance(value, list | tuple) else _spelled(value)


def whereabouts(secret: Secret) -> str:
    """Where a secret is, never what: sealed, env:VARIABLE, missing."""
    if not isinstance(secret, Reference) or secret.source == "encrypted":
        return "sealed"
    return "missing" if secret.source == "missing" else secret.written


def told(params: Part) -> str:
    """The parameters in one line."""
    return ", ".join(f"{path}={text}" for path, text in parameters(params))


def _spelled(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def spot_in(said: dict[str, Any], folders: list[str]) -> dict[str, Any]:
    """The mapping below these keys, made where there is none."""
    for folder in folders:
        inner = said.get(folder)
        said[folder] = inner if isinstance(inner, dict) else {}
        said = said[folder]
    return said


def merge(said: dict[str, Any], changes: Mapping[str, Any]) -> None:
    """Put the changes into the mapping, section by section."""
    for key, value in changes.items():
        if isinstance(value, Mapping) and isinstance(said.get(key), dict):
            merge(said[key], value)
        else:
            said[key] = value


def tree(value: Any) -> Any:
    """A model as mappings and lists, its secrets as they are and with keys that nobody declared."""
    if isinstance(value, Part):
        names = (*type(value).model_fields, *(value.model_extra or {}))
        return {name: tree(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {key: tree(inner) for key, inner in value.items()}
    return [tree(inner) for inner in value] if isinstance(value, list | tuple) else value


def leaves(said: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, Any]]:
    """Every value with its dotted path."""
    for key, value in said.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{at}{key}.")
        else:
            yield f"{at}{key}", value
