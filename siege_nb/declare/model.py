"""The base of every declaration, and the ways in and out of it."""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from enum import Enum
from functools import cache
from typing import Any, Literal, TypeVar, cast, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from siege_nb.declare.secret import Secret
from siege_nb.errors import InvalidError, Issue

P = TypeVar("P", bound="Part")


class Part(BaseModel):
    """What a declaration is made of: frozen, and nothing in it that was not declared."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)


def ui(
    default: Any = ...,
    *,
    group: str = "main",
    endpoint: bool = False,
    advanced: bool = False,
    placeholder: str = "",
    multiline: bool = False,
    **field: Any,
) -> Any:
    """A field with hints for those who draw it; `endpoint` marks what a stored secret must not follow elsewhere."""
    hints: dict[str, Any] = {"x-group": group}
    hints |= {f"x-{k}": v for k, v in (("endpoint", endpoint), ("advanced", advanced), ("multiline", multiline)) if v}
    if placeholder:
        hints["x-placeholder"] = placeholder
    return Field(default, json_schema_extra=hints, **field)


def structure(declared: type[P], data: Mapping[str, Any], *, what: str = "", at_rest: bool = False) -> P:
    """The data as its model, or an InvalidError with every wrong field.

    At rest (read from our own files) ciphertext and references are understood and unknown keys are kept;
    otherwise text is a password whatever it looks like, and unknown keys are refused.
    """
    try:
        return declared.model_validate(data, extra="allow" if at_rest else None, context={"at_rest": at_rest})
    except ValidationError as error:
        # Never error.errors() with its input, nor the error itself as a context: both carry the secrets.
        found = error.errors(include_input=False, include_context=False, include_url=False)
    issues = [_issue(declared, data, e["loc"], e["type"], e["msg"]) for e in found]
    raise InvalidError(what or declared.__name__, issues)


def unstructure(value: Any) -> Any:
    """A model as plain JSON values; an open secret in it is refused (SealedError)."""
    match value:
        case None | Enum() | str() | int() | float():  # first, for most are
            return value.value if isinstance(value, Enum) else value
        case Part():
            known = {name: unstructure(getattr(value, name)) for name in type(value).model_fields}
            return known | {key: unstructure(item) for key, item in (value.__pydantic_extra__ or {}).items()}
        case Secret():
            return value.at_rest()
        case datetime() | date() | time():
            return value.isoformat()
        case Mapping():
            return {str(key): unstructure(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [unstructure(item) for item in value]
    return value


def secrets_of(value: Any, at: str = "") -> Iterator[tuple[str, Secret]]:
    """Every secret in a model with its dotted path: password, authentication.password, headers.0.value."""
    if value is None or isinstance(value, str):  # first, for most are
        return
    if isinstance(value, Secret):
        yield at, value
        return
    steps: Iterator[tuple[str, Any]]
    if isinstance(value, Part):
        steps = ((name, getattr(value, name)) for name in (*type(value).model_fields, *(value.model_extra or {})))
    elif isinstance(value, Mapping):
        steps = ((str(key), item) for key, item in value.items())
    elif isinstance(value, list | tuple):
        steps = ((str(n), item) for n, item in enumerate(value))
    else:
        return
    for name, item in steps:
        yield from secrets_of(item, f"{at}.{name}" if at else name)


def with_secrets(value: Any, secrets: Mapping[str, Secret], at: str = "") -> Any:
    """A copy of the model in which the secrets at these paths are replaced."""
    if isinstance(value, Secret):
        return secrets.get(at, value)
    below = f"{at}." if at else ""
    if not any(path.startswith(below) for path in secrets):
        return value
    if isinstance(value, Part):
        names = (*type(value).model_fields, *(value.model_extra or {}))
        return value.model_copy(update={n: with_secrets(getattr(value, n), secrets, below + n) for n in names})
    if isinstance(value, Mapping):
        return {key: with_secrets(item, secrets, f"{below}{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(with_secrets(item, secrets, f"{below}{n}") for n, item in enumerate(value))
    return value


def endpoints_of(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Every field that says where something is sent, with its path: a stored secret must not follow it elsewhere."""
    if not isinstance(value, Part):
        return
    for name, field in type(value).model_fields.items():
        inner, path = getattr(value, name), f"{at}{name}"
        hints = field.json_schema_extra
        if isinstance(hints, dict) and hints.get("x-endpoint"):
            yield path, inner
        yield from endpoints_of(inner, f"{path}.")


def suggest(word: str, known: Sequence[str], *, most: int = 3) -> str:
    """' Did you mean …?' for a misspelt word, or nothing."""
    lowered = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), lowered, n=most, cutoff=0.6)
    return f" Did you mean {' or '.join(lowered[name] for name in close)}?" if close else ""


@cache
def parts_of(annotation: Hashable) -> tuple[type[Part], ...]:
    """The models a field may hold, looked for through Optional, unions, lists and Annotated."""
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return (annotation,)
    if get_origin(annotation) is Literal:
        return ()
    return tuple(part for inner in get_args(annotation) for part in parts_of(inner))


def tag_of(part: type[Part], discriminator: str) -> tuple[str, ...]:
    """The values of the tag that pick this variant of a union, its own name first."""
    return tuple(str(value) for value in get_args(part.model_fields[discriminator].annotation))


# pydantic's own sentences name Python's types; people know these.
_PLAIN = {
    "int": "should be a whole number",
    "float": "should be a number",
    "bool": "should be true or false",
    "string": "should be text",
    "list": "should be a list",
    "dict": "should be a mapping",
    "model": "should be a mapping",
}


def _issue(declared: type[Part], data: Any, loc: tuple[int | str, ...], code: str, message: str) -> Issue:
    """One finding of pydantic in our words: the path a user knows, and what stands there if that is no secret."""
    path: list[str] = []
    known: tuple[type[Part], ...] = (declared,)
    field: FieldInfo | None = None
    for step in loc:
        here = next((part for part in known if step in part.model_fields), None)
        if here is not None:
            field = here.model_fields[str(step)]
            known = parts_of(cast(Hashable, field.annotation))
        elif len(known) > 1 and field is not None and field.discriminator:
            # pydantic puts the tag of a union into the path; nobody typed it there.
            tag = str(field.discriminator)
            known = tuple(part for part in known if step in tag_of(part, tag))
            continue
        elif not isinstance(step, int):
            field = None
        path.append(str(step))
        data = _below(data, step)
    dotted = ".".join(path)
    if code == "extra_forbidden":
        names = sorted({name for part in known for name in part.model_fields})
        near = suggest(path[-1] if path else "", names)
        return Issue(dotted, f"there is no such field.{near or ' There are: ' + ', '.join(names) + '.'}")
    if code == "missing":
        part = known[0] if len(known) == 1 and field is not None and known != (declared,) else None
        needs = [name for name, inner in part.model_fields.items() if inner.is_required()] if part else []
        return Issue(dotted, "is required" + (f", with {' and '.join(needs)}" if needs else ""))
    if code.startswith("union_tag") and field is not None:
        tag = str(field.discriminator)
        tags = ", ".join(tag_of(part, tag)[0] for part in known)
        there = f", not {_below(data, tag)!r}" if _below(data, tag) is not None else ""
        return Issue(f"{dotted}.{tag}", f"should be one of {tags}{there}")
    said = _PLAIN.get(code.removesuffix("_parsing").removesuffix("_type").removesuffix("_from_float"), "")
    if not said:
        said = message.removeprefix("Value error, ").removeprefix("Input ")
        said = said[:1].lower() + said[1:]
    if field is not None and _may_be_shown(field, data):
        shown = repr(data)
        said += f", not {shown if len(shown) <= 60 else shown[:57] + '…'}"
    return Issue(dotted, said)


def _below(data: Any, step: int | str) -> Any:
    if isinstance(data, Mapping):
        return data.get(step)
    if isinstance(data, list | tuple) and isinstance(step, int) and step < len(data):
        return data[step]
    return None


def _may_be_shown(field: FieldInfo, value: Any) -> bool:
    """A plain value, but no secret, nor the text of an endpoint: whole addresses are pasted there, with passwords."""
    hints = field.json_schema_extra
    if isinstance(value, str) and isinstance(hints, dict) and hints.get("x-endpoint"):
        return False
    return isinstance(value, str | int | float | bool | None) and not _holds_secret(field)


def _holds_secret(field: FieldInfo) -> bool:
    def holds(annotation: Any) -> bool:
        return annotation is Secret or any(holds(inner) for inner in get_args(annotation))

    return holds(field.annotation)
