"""%client edit, clone, rm, default and prefs: what is known about a client, and how it is changed."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping

from siege_nb.declare import suggest
from siege_nb.errors import InvalidError, Issue, NotFoundError, SiegeError
from siege_nb.magics.changes import changed, known, plain_pairs, spelled
from siege_nb.magics.shell import Shell
from siege_nb.magics.words import one
from siege_nb.models.client import ClientProfile, ClientTastes
from siege_nb.models.stamps import now
from siege_nb.show import Shown, facts, note, safe_colors


def show(shell: Shell, rest: list[str]) -> Shown:
    """What is known about one client, or about the current one."""
    client = _found(shell, one(rest, "%client show CODE")) if rest else shell.chosen()
    title = f"{client.client_code} · {client.client_name}"
    about = known(client, "client_code", "client_name", "default_connection")
    if client.default_connection:
        about["Default connection"] = _default(shell, client)
    return facts(title, about, colors=client.design_artifacts.brand_colors)


def edit(shell: Shell, rest: list[str]) -> Shown:
    """Change what is known about a client; with client_code= everything that is theirs goes along."""
    usage = "%client edit CODE key=value …"
    bare, values = plain_pairs(rest, usage)
    code = one(bare, usage)
    if not values:
        raise InvalidError("There is nothing to change.", hint=usage)
    refuse_unsuited(values)
    moved = values.pop("client_code", code)
    client = _found(shell, code)
    changed(ClientProfile, client, values, f"Client {code}")  # a mistake is told before anything is done
    if name := values.get("default_connection"):
        values["default_connection"] = ident(shell, code, name)
    if moved != code:
        shell.workspace.rename_client(code, moved)
        if shell.client_code == code:
            shell.work_for(moved)
    if values:
        _update(shell, moved, lambda there: changed(ClientProfile, there, values, f"Client {code}"))
    return show(shell, [moved])


def refuse_unsuited(values: Mapping[str, str]) -> None:
    """Raise for what is typed and is no such thing, and for fields that nobody writes. Files may hold what they do."""
    if "project_associations" in values:
        raise InvalidError("Projects are linked, not written.", hint="%client link PROJECT … [--client CODE]")
    issues = []
    for key, text in values.items():
        match key:
            case "client_id":
                issues.append(Issue(key, "stays as it is: the client is known by it"))
            case "email" | "contact_info.email" if text and not re.fullmatch(r"[^@\s]+@[^@\s]+", text):
                issues.append(Issue(key, "is no e-mail address, such as name@example.com"))
            case "brand_colors" | "design_artifacts.brand_colors":
                colors = [color.strip() for color in text.split(",") if color.strip()]
                if strange := [color for color in colors if not safe_colors([color])]:
                    issues.append(Issue(key, f"should be #rrggbb or #rgb, not {', '.join(map(repr, strange))}"))
    if issues:
        raise InvalidError("The client", issues)


def clone(shell: Shell, rest: list[str]) -> Shown:
    """Another client like this one, with contact, brand and preferences; projects and connections stay behind."""
    if len(rest) not in (2, 3):
        raise InvalidError("A clone needs the code of a client and a new one.", hint="%client clone CODE NEW [NAME]")
    client, (code, *named) = _found(shell, rest[0]), rest[1:]
    metadata = client.metadata.model_copy(update={"created_date": now(), "last_updated": now(), "project_count": 0})
    fresh = {
        "client_id": str(uuid.uuid4()), "client_code": code, "client_name": named[0] if named else client.client_name,
        "metadata": metadata, "default_connection": None, "project_associations": [],
    }  # fmt: skip
    twin = changed(ClientProfile, client.model_copy(update=fresh), {}, f"Client {code}")
    shell.workspace.store.clients.put(twin, expected="")
    return note(f"{code} is a client like {client.client_code}", f"%client use {code}", f"%client edit {code} …")


def remove(shell: Shell, rest: list[str]) -> Shown:
    """Forget a client; refused while connections or projects are theirs."""
    code = one(rest, "%client rm CODE")
    shell.workspace.remove_client(code)
    if shell.client_code == code:
        shell.work_for(None)
    return note(f"The client {code} is forgotten.")


def default(shell: Shell, rest: list[str]) -> Shown:
    """Choose the connection that is in use when the current client is chosen, or say which it is."""
    client = shell.chosen()
    if rest:
        choice = {"default_connection": ident(shell, client.client_code, one(rest, "%client default [CONNECTION]"))}
        client = _update(shell, client.client_code, lambda there: there.model_copy(update=choice))
    code = client.client_code
    if not client.default_connection:
        return note(f"The default connection of {code} is not chosen", "%client default CONNECTION")
    forget = f"%client edit {code} default_connection= forgets it"
    return note(f"The default connection of {code} is {_default(shell, client)}", forget)


def ident(shell: Shell, code: str, name: str) -> str:
    """The id of a connection that may be a client's default one: a name may change."""
    profile = shell.workspace.store.connections.find_named(name, code).item
    if profile.client_code not in (None, code):
        raise InvalidError(f"The connection {profile.qualified} belongs to the client {profile.client_code}.")
    return profile.connection_id


def forget_default(shell: Shell, gone: str) -> list[str]:
    """The clients whose default connection this id was; it is nobody's any more."""

    def without(there: ClientProfile) -> ClientProfile:
        is_it = there.default_connection == gone  # still
        return there.model_copy(update={"default_connection": None}) if is_it else there

    found = shell.workspace.store.clients.search(gone, ("default_connection",))
    codes = [kept.item.client_code for kept in found if kept.item.default_connection == gone]
    for code in codes:
        _update(shell, code, without)
    return codes


def _default(shell: Shell, client: ClientProfile) -> str:
    wanted = client.default_connection or ""
    try:
        profile = shell.workspace.store.connections.find_named(wanted, client.client_code).item
        return shell.spoken(profile.scope, profile.name)
    except SiegeError:
        return f"{wanted}, which is not there (any more)"


def prefs(shell: Shell, rest: list[str]) -> Shown:
    """The current client's preferences: all, some by name, or changed ones."""
    bare, values = plain_pairs(rest, "%client prefs [key[=value] …]")
    client = shell.chosen()
    what = f"The preferences of {client.client_code}"
    if values:

        def work(there: ClientProfile) -> ClientProfile:
            return there.model_copy(update={"preferences": changed(ClientTastes, there.preferences, values, what)})

        client = _update(shell, client.client_code, work)
    held = spelled(client.preferences)
    for key in bare:
        if key not in held:
            near = suggest(key, list(held)) or f" There are: {', '.join(held)}."
            raise NotFoundError(f"There is no preference {key!r}.{near}")
    return facts(what, {key: value for key, value in held.items() if not bare or key in bare})


def _found(shell: Shell, code: str) -> ClientProfile:
    return shell.workspace.store.clients.find(code).item


def _update(shell: Shell, code: str, work: Callable[[ClientProfile], ClientProfile]) -> ClientProfile:
    """Change a client in one step; what is changed has been updated now."""

    def stamped(there: ClientProfile) -> ClientProfile:
        wanted = work(there)
        if wanted == there:
            return there
        return wanted.model_copy(update={"metadata": wanted.metadata.model_copy(update={"last_updated": now()})})

    return shell.workspace.store.clients.update(code, stamped).item
