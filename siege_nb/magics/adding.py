"""A connection from what is typed after %conn add: checked, and its secrets asked for or referred to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from siege_nb.adapters.base import Adapter, Params
from siege_nb.declare import Described, Reference, Secret, fields, structure, suggest
from siege_nb.errors import InvalidError, Issue
from siege_nb.magics.words import document
from siege_nb.models.connection import ConnectionProfile


def drafted(name: str, adapter: type[Adapter[Any]], client_code: str | None) -> ConnectionProfile:
    """The profile without its parameters: a wrong name is told before anything is asked."""
    typed = {"name": name, "connection_type": adapter.kind, "connection_params": Params(), "client_code": client_code}
    return structure(ConnectionProfile, typed, what=f"Connection {name!r}")


def filled(name: str, adapter: type[Adapter[Any]], values: Mapping[str, str], references: Mapping[str, str]) -> Params:
    """The parameters of a connection; each secret is one that was referred to, or is asked for."""
    what = f"Connection {name}"
    secret = [field for field in fields(adapter.params_type) if field.secret]
    issues = [*_typed_secrets(values, secret), *_bad_references(references, secret, adapter)]
    if issues:
        hint = "Leave a secret out to be asked for it, or name its place: password:=env:VARIABLE"
        raise InvalidError(what, issues, hint=hint)
    typed = document(adapter.params_type, values, what)
    for field in secret:
        *folders, last = field.path.split(".")
        spot = typed
        for folder in folders:
            spot = spot.setdefault(folder, {})
        if field.variant and spot.get("type") != field.variant:
            continue
        place = references.get(field.path) or references.get(last)
        given = Reference.parse(place) if place else _asked(f"{field.title} for {name}: ")
        if given is not None:
            spot[last] = given
    return structure(adapter.params_type, typed, what=what)


def _names(secret: list[Described]) -> set[str]:
    return {name for field in secret for name in (field.path, field.path.rpartition(".")[2])}


def _typed_secrets(values: Mapping[str, str], secret: list[Described]) -> list[Issue]:
    message = "must not be typed on the line: it would stay in the notebook and its history"
    return [Issue(key, message) for key in values if key in _names(secret)]


def _bad_references(references: Mapping[str, str], secret: list[Described], adapter: type[Adapter[Any]]) -> list[Issue]:
    issues = []
    known = {name for f in fields(adapter.params_type) for name in (f.path, f.path.rpartition(".")[2])}
    for key, text in references.items():
        if key in _names(secret):
            try:
                Reference.parse(text)
            except ValueError as error:
                issues.append(Issue(key, str(error)))
        elif key in known:
            issues.append(Issue(key, f"is no secret; write {key}={text}"))
        else:
            issues.append(Issue(key, f"there is no such field.{suggest(key, sorted(known))}"))
    return issues


def _asked(prompt: str) -> Secret | None:
    import getpass

    try:
        typed = getpass.getpass(prompt)
    except (NotImplementedError, EOFError):  # no one is there to answer: a notebook that is run by a program
        typed = None
    if typed is None:
        raise InvalidError(
            f"{prompt.rstrip(': ')} cannot be asked for here.", hint="Name its place instead: password:=env:VARIABLE"
        )
    return Secret(typed) if typed else None
