"""%client: whom one works for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from siege_nb.declare import suggest
from siege_nb.errors import InvalidError, SiegeError
from siege_nb.magics import client_editing, projects
from siege_nb.magics.changes import changed, known, plain_pairs
from siege_nb.magics.shell import Shell, Verb, damaged
from siege_nb.magics.words import none, one, words
from siege_nb.models.client import ClientProfile
from siege_nb.show import Shown, badge, count, facts, inline, listing, note, preformatted, some, stacked

HELP = """\
%client                      the current client, its connections and preferences
%client use CODE             work for this client: its connections by their short names, its default one in use
%client list [TEXT]          all clients, or those with TEXT in their name, code, industry, contact or e-mail
%client show [CODE]          all that is known about a client
%client new CODE NAME key=value …   e.g. primary_contact=… email=… brand_colors=#0066CC,#FF6600
%client edit CODE key=value …   change it; key= gives a field its default back, client_code=NEW renames the client
%client clone CODE NEW [NAME]   another one like it, without its projects and connections
%client rm CODE              forget a client to whom nothing belongs any more
%client default [CONNECTION] the connection that is in use when this client is chosen
%client prefs [key[=value] …]   e.g. data_format=csv report_style=short notification_preferences.email=yes
%client projects [CODE]      what is worked on for a client
%client link PROJECT … [--client CODE]   say that projects are for a client; unlink takes it back
%client project new CODE NAME key=value … | edit | show | list | rm   the projects themselves
%client export [CODE] [PATH] a client with connections and projects as one file, without secrets
%client import PATH          what such a file holds, so far as it is not here yet
%client close                work for nobody
%client dir [PATH]           where profiles are kept; with PATH, this kernel uses another place
%client help                 this list"""


def run(shell: Shell, line: str) -> Any:
    """What one %client line asks for."""
    if not (spoken := words(line)):
        return status(shell)
    verb, *rest = spoken
    if verb not in VERBS:
        near = suggest(verb, list(VERBS))
        raise InvalidError(f"%client knows no {verb!r}.{near}", hint=HELP)
    return VERBS[verb](shell, rest)


def help_(shell: Shell, rest: list[str]) -> Shown:
    """The verbs of %client."""
    none(rest, "%client help")
    return preformatted(HELP)


def status(shell: Shell) -> Shown:
    """The current client, its connections and preferences; or how to choose one."""
    client = shell.client
    if client is None:
        there = [row.key for row in shell.workspace.store.clients.rows()]
        which = f"There are: {some(there)}" if there else ""
        how = "%client use CODE chooses one" if there else "%client new CODE NAME key=value … makes one"
        return note("No client is chosen.", how, which)
    profile = shell.in_use()
    about: dict[str, Any] = {"Contact": f"{client.contact_info.primary_contact} <{client.contact_info.email}>"}
    said = {
        "Industry": client.metadata.industry,
        "Brand colours": ", ".join(client.design_artifacts.brand_colors),
        "Projects": ", ".join(client.project_associations),
    }
    about |= {what: text for what, text in said.items() if text}
    if profile:
        about["In use"] = inline(badge(profile.environment), shell.spoken(profile.scope, profile.name))
    about |= known(client.preferences)
    title = f"{client.client_code} · {client.client_name}"
    return stacked(facts(title, about, colors=client.design_artifacts.brand_colors), _connections(shell, client))


def use(shell: Shell, rest: list[str]) -> Shown:
    """Make a client the current one; a connection of another client is no longer in use."""
    client = shell.workspace.store.clients.find(one(rest, "%client use CODE")).item
    shell.work_for(client.client_code)
    warning = _take_connection(shell, client)
    return stacked(status(shell), note(warning) if warning else Shown("", ""))


def _take_connection(shell: Shell, client: ClientProfile) -> str:
    """Use the client's default connection, else its only one; what stood in the way is returned and no error.

    Only one that is the client's, or nobody's: a file may say anything.
    """
    connections = shell.workspace.store.connections
    owners = {row.key: row.summary["client_code"] for row in connections.rows()}
    theirs = [key for key, owner in owners.items() if owner == client.client_code]
    wanted = client.default_connection or (theirs[0] if len(theirs) == 1 else "")
    if not wanted:
        if owners.get(shell.connection or "", "?") not in (None, "", client.client_code):
            shell.connection = None
        return ""
    shell.connection = None
    another = f"%client default CONNECTION chooses another for {client.client_code}"
    try:
        if not shell.known(wanted):
            return f"The default connection is not there any more; {another}."
        profile = shell.named(wanted)
        if profile.client_code not in (None, client.client_code):
            return f"The default connection is another client's, {profile.qualified}, and not used; {another}."
        shell.use(profile)
        if profile.metadata.auto_connect:
            shell.workspace.lease(profile)
    except SiegeError as error:  # a client can be worked for while its database is down
        return f"The client's connection is not open: {error.message}"
    return ""


def _connections(shell: Shell, client: ClientProfile) -> Shown:
    rows = [
        ("●" if row.key == shell.connection else "", shell.spoken(row.scope, row.name), row.summary["connection_type"],
         badge(row.summary["environment"]), shell.workspace.state(row.key))
        for row in shell.workspace.store.connections.rows()
        if row.summary["client_code"] == client.client_code
    ]  # fmt: skip
    if not rows:
        return note("No connections yet", "%conn add NAME KIND key=value … makes one for the client")
    rows.sort(key=lambda row: row[1].casefold())
    return listing(("", "name", "kind", "environment", "session"), rows, count(len(rows), "connection"))


def overview(shell: Shell, rest: list[str]) -> Shown:
    """All clients, or those in whose name, code, industry, contact or e-mail a text occurs."""
    clients, text = shell.workspace.store.clients, " ".join(rest)
    found = {kept.item.client_code for kept in clients.search(text)} if text else None
    rows = [
        ("●" if row.key == shell.client_code else "", row.key, row.name, *_gist(row.summary))
        for row in clients.rows()
        if found is None or row.key in found
    ]
    columns = ("", "code", "name", "status", "industry", "projects")
    return listing(columns, rows, count(len(rows), "client") + damaged(clients))


def _gist(summary: Any) -> tuple[Any, ...]:
    return summary["status"], summary["industry"], summary["projects"]


def new(shell: Shell, rest: list[str]) -> Shown:
    """Make a client and choose it."""
    usage = "%client new CODE 'The Name' email=… …"
    bare, values = plain_pairs(rest, usage)
    if len(bare) != 2:
        there = f", and here is {' '.join(bare)!r}" if bare else ""
        raise InvalidError(f"A client needs a code and a name{there}.", hint=usage)
    code, name = bare
    client_editing.refuse_unsuited(values)
    if default := values.get("default_connection"):
        values["default_connection"] = client_editing.ident(shell, code, default)
    client = changed(ClientProfile, None, values | {"client_code": code, "client_name": name}, f"Client {code}")
    shell.workspace.store.clients.put(client, expected="")
    return use(shell, [client.client_code])


def export(shell: Shell, rest: list[str]) -> Shown:
    """Write a client with connections and projects to a file that holds no secret."""
    from siege_nb import bundle

    if len(rest) > 2:
        raise InvalidError(f"Nothing is known of {rest[2]!r} here.", hint="%client export [CODE] [PATH]")
    there = {row.key for row in shell.workspace.store.clients.rows()}
    code = rest.pop(0) if rest and (len(rest) == 2 or rest[0] in there) else shell.chosen().client_code
    path = Path(rest[0] if rest else f"siege-{code}.json").expanduser().absolute()
    bundle.write(bundle.bundle(shell.workspace, code), path)
    return note(f"{code} is in {path}", "no secret is in it", f"%client import {path.name}")


def import_(shell: Shell, rest: list[str]) -> Shown:
    """Add what a file holds; what is there already stays as it is."""
    from siege_nb import bundle

    path = Path(one(rest, "%client import PATH")).expanduser().absolute()
    return preformatted("\n".join(bundle.unbundle(shell.workspace, bundle.read(path)).lines))


def close(shell: Shell, rest: list[str]) -> Shown:
    """Work for nobody; a client's connection is no longer in use."""
    none(rest, "%client close")
    shell.work_for(None)
    shell.connection = None
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
    "use": use, "list": overview, "show": client_editing.show, "new": new, "edit": client_editing.edit,
    "clone": client_editing.clone, "rm": client_editing.remove, "default": client_editing.default,
    "prefs": client_editing.prefs, "projects": projects.of_client, "link": projects.link, "unlink": projects.unlink,
    "project": projects.run, "export": export, "import": import_, "close": close, "dir": directory, "help": help_,
}  # fmt: skip
