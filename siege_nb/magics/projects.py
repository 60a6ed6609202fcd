"""%client project: what is worked on, and for whom."""

from __future__ import annotations

from typing import Any

from siege_nb.declare import suggest
from siege_nb.errors import InvalidError, NotFoundError
from siege_nb.magics.changes import changed, known, plain_pairs
from siege_nb.magics.shell import Shell, Verb, damaged
from siege_nb.magics.words import none, one, options
from siege_nb.models.client import ClientProfile
from siege_nb.models.project import ProjectProfile
from siege_nb.show import Shown, count, facts, listing, note

USAGE = "%client project new CODE NAME key=value … | edit CODE key=value … | show CODE | list | rm CODE"


def run(shell: Shell, rest: list[str]) -> Any:
    """What one %client project line asks for."""
    verb, *rest = rest or ["list"]
    if verb not in VERBS:
        raise InvalidError(f"%client project knows no {verb!r}.{suggest(verb, list(VERBS))}", hint=USAGE)
    return VERBS[verb](shell, rest)


def new(shell: Shell, rest: list[str]) -> Shown:
    """Make a project."""
    bare, values = plain_pairs(rest, USAGE)
    if len(bare) != 2:
        there = f", and here is {' '.join(bare)!r}" if bare else ""
        raise InvalidError(f"A project needs a code and a name{there}.", hint=USAGE)
    code, name = bare
    profile = changed(ProjectProfile, None, values | {"project_code": code, "project_name": name}, f"Project {code}")
    shell.workspace.store.projects.put(profile, expected="")
    return note(f"{code} · {name}", f"%client link {code} says for whom it is")


def edit(shell: Shell, rest: list[str]) -> Shown:
    """Change what is known of a project; its code stays."""
    bare, values = plain_pairs(rest, USAGE)
    code = one(bare, USAGE)
    if not values:
        raise InvalidError("There is nothing to change.", hint=USAGE)
    if values.get("project_code", code) != code:
        raise InvalidError("The code of a project stays: clients refer to it.", hint=USAGE)
    projects = shell.workspace.store.projects
    projects.update(code, lambda profile: changed(ProjectProfile, profile, values, f"Project {code}"))
    return show(shell, [code])


def show(shell: Shell, rest: list[str]) -> Shown:
    """What is known of a project, and for whom it is."""
    profile = shell.workspace.store.projects.find(one(rest, USAGE)).item
    about = known(profile, "project_code", "project_name")
    if clients := _clients_of(shell, profile.project_code):
        about["Clients"] = ", ".join(clients)
    return facts(f"{profile.project_code} · {profile.project_name}", about)


def overview(shell: Shell, rest: list[str]) -> Shown:
    """Every project there is."""
    none(rest, USAGE)
    projects = shell.workspace.store.projects
    rows = [(row.key, row.name, row.summary["description"] or "") for row in projects.rows()]
    return listing(("code", "name", "description"), rows, count(len(rows), "project") + damaged(projects))


def remove(shell: Shell, rest: list[str]) -> Shown:
    """Forget a project; no client has it any more."""
    code = one(rest, USAGE)
    shell.workspace.remove_project(code)
    return note(f"The project {code} is forgotten.")


VERBS: dict[str, Verb] = {"new": new, "edit": edit, "show": show, "list": overview, "rm": remove}


def of_client(shell: Shell, rest: list[str]) -> Shown:
    """The projects of a client."""
    code = one(rest, "%client projects [CODE]") if rest else shell.chosen().client_code
    client = shell.workspace.store.clients.find(code).item
    there = {row.key: row for row in shell.workspace.store.projects.rows()}
    rows = [
        (project, there[project].name, there[project].summary["description"] or "")
        if project in there
        else (project, "", "is not there (any more)")
        for project in client.project_associations
    ]
    return listing(("code", "name", "description"), rows, f"{count(len(rows), 'project')} for {client.client_code}")


def link(shell: Shell, rest: list[str]) -> Shown:
    """Say that projects are for a client."""
    usage = "%client link PROJECT… [--client CODE]"
    client, codes = _client_and_projects(shell, rest, usage)
    there = [row.key for row in shell.workspace.store.projects.rows()]
    if missing := [code for code in codes if code not in there]:
        near = "".join(suggest(code, there, most=1) for code in missing)
        raise NotFoundError(
            f"There is no project {', '.join(missing)}.{near}", hint=f"%client project new {missing[0]} NAME makes it."
        )
    for code in codes:
        client = shell.workspace.associate(client.client_code, code)
    return of_client(shell, [client.client_code])


def unlink(shell: Shell, rest: list[str]) -> Shown:
    """Say that projects are no longer for a client."""
    client, codes = _client_and_projects(shell, rest, "%client unlink PROJECT… [--client CODE]")
    if strange := [code for code in codes if code not in client.project_associations]:
        theirs = ", ".join(client.project_associations) or "none"
        raise NotFoundError(f"{', '.join(strange)} is no project of {client.client_code}; theirs: {theirs}.")
    for code in codes:
        client = shell.workspace.dissociate(client.client_code, code)
    return of_client(shell, [client.client_code])


def _client_and_projects(shell: Shell, rest: list[str], usage: str) -> tuple[ClientProfile, list[str]]:
    codes, found = options(rest, {"--client": "client=CODE"}, usage)
    if not codes:
        raise InvalidError("Which project?", hint=usage)
    return shell.workspace.store.clients.find(found["client"]).item if found else shell.chosen(), codes


def _clients_of(shell: Shell, project: str) -> list[str]:
    found = shell.workspace.store.clients.search(project, ("project_associations",))
    return [kept.item.client_code for kept in found if project in kept.item.project_associations]
