"""A declaration as JSON Schema and as a Markdown table."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, cast, get_args, get_origin

from pydantic.fields import FieldInfo

from siege_nb.declare.model import Part, parts_of, tag_of
from siege_nb.declare.secret import Secret


@dataclass(frozen=True, slots=True)
class Described:
    """One field of a declaration, as a form, a help text or a table shows it."""

    path: str
    title: str
    type: str
    default: str
    required: bool
    secret: bool
    about: str
    variant: str = ""


def schema(declared: type[Part]) -> dict[str, Any]:
    """The declaration as JSON Schema 2020-12; secrets are writeOnly, variants oneOf."""
    return declared.model_json_schema()


def fields(declared: type[Part], at: str = "", variant: str = "") -> Iterator[Described]:
    """Every field with its dotted path; fields of a variant name the variant they belong to."""
    for name, field in declared.model_fields.items():
        path = f"{at}{name}"
        parts = parts_of(cast(Hashable, field.annotation))
        if parts and field.discriminator:
            tag = str(field.discriminator)
            tags = [tag_of(part, tag)[0] for part in parts]
            yield Described(f"{path}.{tag}", _title(name, field), " | ".join(tags), _default(field, tag), False, False,
                            field.description or "", variant)  # fmt: skip
            for part, value in zip(parts, tags, strict=True):
                yield from (f for f in fields(part, f"{path}.", value) if f.path != f"{path}.{tag}")
        elif len(parts) == 1 and get_origin(field.annotation) not in (list, tuple, dict):
            yield from fields(parts[0], f"{path}.", variant)
        else:
            secret = _type(field.annotation) == "secret"
            yield Described(path, _title(name, field), _type(field.annotation), _default(field), field.is_required(),
                            secret, field.description or "", variant)  # fmt: skip


def table(declared: type[Part]) -> str:
    """The declaration as a Markdown table."""
    rows = ["| field | type | default | about |", "|---|---|---|---|"]
    for field in fields(declared):
        name = f"`{field.path}`" + (f" ({field.variant})" if field.variant else "")
        default = "*required*" if field.required else f"`{field.default}`" if field.default else ""
        about = ": ".join(text for text in (field.title, field.about) if text)
        rows.append(f"| {name} | {field.type.replace('|', chr(92) + '|')} | {default} | {about} |")
    return "\n".join(rows)


def _title(name: str, field: FieldInfo) -> str:
    return field.title or name.replace("_", " ").capitalize()


def _default(field: FieldInfo, tag: str = "") -> str:
    default = field.get_default(call_default_factory=False)
    if tag and isinstance(default, Part):
        default = getattr(default, tag)
    if (
        field.is_required()
        or field.default_factory
        or isinstance(default, Part | Secret)
        or default in (None, "", [], {})
    ):
        return ""
    return str(default.value if isinstance(default, Enum) else default)


def _type(annotation: Any) -> str:
    if annotation is Secret:
        return "secret"
    if get_origin(annotation) is Literal:
        return " | ".join(str(value) for value in get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " | ".join(str(member.value) for member in annotation)
    inner = [_type(arg) for arg in get_args(annotation) if arg is not type(None)]
    if inner and get_origin(annotation) in (list, tuple):
        return f"list of {inner[0]}"
    if inner and get_origin(annotation) is dict:
        return "mapping"
    if inner:
        return " | ".join(dict.fromkeys(inner))
    names = {"str": "text", "int": "whole number", "float": "number", "bool": "yes or no", "Any": "any"}
    name = getattr(annotation, "__name__", str(annotation))
    return names.get(name, name.casefold())
