"""%client: whom one works for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from siege_nb.declare import structure, suggest
from siege_nb.errors import InvalidError
from siege_nb.magics.shell import Shell, Verb, damaged
from siege_nb.magics.words import document, none, one, pairs, words
from siege_nb.models.client import ClientProfile
from siege_nb.show import Shown, count, facts, listing, note, preformatted

HELP = """\
%client                      the current client
%client use CODE             work for this client
%client list [TEXT]          all clients, or those in which TEXT occurs
%client show [CODE]          what is known about a client
%client new CODE NAME key=value …   e.g. primary_contact=… email=… brand_colors=#0066CC,#FF6600
%client close                work for nobody
%client dir [PATH]           where profiles are kept; with PATH, this kernel uses another place
%client help                 this list"""


def run(shell: Shell, line: str) -> Any:
    """What one %client line asks for."""
    verb, *rest = words(line) or ["show"]
    if verb not in VERBS:
        near = suggest(verb, list(VERBS))
        raise InvalidError(f"%client knows no {verb!r}.{near}", hint=HELP)
    return VERBS[verb](shell, rest)


def help_(shell: Shell, rest: list[str]) -> Shown:
    """The verbs of %client."""
    none(rest, "%client help")
    return preformatted(HELP)


def use(shell: Shell, rest: list[str]) -> Shown:
    """Make a client the current one; a connection of another client is no longer in use."""
    profile = shell.workspace.store.clients.find(one(rest, "%client use CODE")).item
    shell.client_code = profile.client_code
    connections = [kept.item for kept in shell.workspace.store.connections.list()]
    theirs = [p.name for p in connections if p.client_code == profile.client_code]
    if shell.connection not in theirs:
        shell.connection = theirs[0] if len(theirs) == 1 else None
    return note(f"{profile.client_code} · {profile.client_name} · {_named(theirs)}{_in_use(shell)}")


def _named(names: list[str]) -> str:
    return f"connections: {', '.join(names)}" if names else "no connections yet"


def _in_use(shell: Shell) -> str:
    return f" · in use: {shell.connection}" if shell.connection else ""


def overview(shell: Shell, rest: list[str]) -> Shown:
    """All clients, or those in whose name, code or industry a text occurs."""
    text = " ".join(rest).casefold()
    clients = shell.workspace.store.clients
    rows = [
        (p.client_code, p.client_name, p.metadata.status, p.metadata.industry, len(p.project_associations))
        for p in (kept.item for kept in clients.list())
        if text in f"{p.client_code} {p.client_name} {p.metadata.industry}".casefold()
    ]
    return listing(
        ("code", "name", "status", "industry", "projects"), rows, count(len(rows), "client") + damaged(clients)
    )


def show(shell: Shell, rest: list[str]) -> Shown:
    """What is known about one client, or about the current one."""
    p = shell.workspace.store.clients.find(one(rest, "%client show CODE")).item if rest else shell.client
    if p is None:
        return note("No client is chosen. %client use CODE chooses one, %client list shows them.")
    known = {
        "contact": f"{p.contact_info.primary_contact} <{p.contact_info.email}>",
        "industry": p.metadata.industry,
        "status": p.metadata.status,
        "projects": ", ".join(p.project_associations),
        "data format": p.preferences.data_format,
        "brand colours": ", ".join(p.design_artifacts.brand_colors),
        "notes": p.metadata.notes,
    }
    title = f"{p.client_code} · {p.client_name}"
    return facts(title, {k: v for k, v in known.items() if v}, colors=p.design_artifacts.brand_colors)


def new(shell: Shell, rest: list[str]) -> Shown:
    """Make a client and choose it."""
    bare, values, _ = pairs(rest)
    if len(bare) != 2:
        there = f", and here is {' '.join(bare)!r}" if bare else ""
        raise InvalidError(f"A client needs a code and a name{there}.", hint="%client new CODE 'The Name' email=… …")
    what = f"Client {bare[0]}"
    typed = document(ClientProfile, values | {"client_code": bare[0], "client_name": bare[1]}, what)
    profile = structure(ClientProfile, typed, what=what)
    shell.workspace.store.clients.put(profile, expected="")
    return use(shell, [profile.client_code])


def close(shell: Shell, rest: list[str]) -> Shown:
    """Work for nobody; a client's connection is no longer in use."""
    none(rest, "%client close")
    shell.client_code = shell.connection = None
    return note("No client is chosen.")


def directory(shell: Shell, rest: list[str]) -> Shown:
    """Where profiles are kept; with a path, this kernel uses that place from now on."""
    if rest:
        path = one(rest, "%client dir PATH")
        if not path.strip():
            raise InvalidError("A directory needs a path.", hint="%client dir PATH")
        shell.move(Path(path).expanduser().absolute())
    return note(f"Profiles are kept in {shell.workspace.settings.config_dir}")


VERBS: dict[str, Verb] = {
    "use": use,
    "list": overview,
    "show": show,
    "new": new,
    "close": close,
    "dir": directory,
    "help": help_,
}
