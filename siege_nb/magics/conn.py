"""%conn: where one works."""

from __future__ import annotations

import time
import warnings
from typing import Any

from siege_nb import adapters
from siege_nb.adapters.base import Adapter, TestResult
from siege_nb.declare import Reference, Secret, fields, structure, suggest, table
from siege_nb.errors import InvalidError, Issue
from siege_nb.magics.shell import Shell, Verb
from siege_nb.magics.words import document, one, pairs, words
from siege_nb.models.connection import ConnectionProfile
from siege_nb.show import Shown, count, listing, note, preformatted
from siege_nb.vault import VaultWarning

HELP = """\
%conn                        the connections there are (also: %conn list)
%conn NAME                   use this connection (also: %conn use NAME)
%conn add NAME KIND key=value …   save a connection; secrets are asked for, or taken: password:=env:PGPASSWORD
%conn test [NAME]            can it be reached? step by step
%conn close NAME | --all     close its session
%conn rm NAME                forget it
%conn kinds | help KIND      what kinds there are, and what one needs"""


def run(shell: Shell, line: str) -> Any:
    """What one %conn line asks for."""
    verb, *rest = words(line) or ["list"]
    if verb in VERBS:
        return VERBS[verb](shell, rest)
    if rest and not shell.known(verb):
        near = suggest(verb, [*VERBS, *shell.names()])
        raise InvalidError(f"%conn knows no {verb!r}.{near}", hint=HELP)
    return use(shell, [verb, *rest])


def use(shell: Shell, rest: list[str]) -> Shown:
    """Open a connection and make it the current one."""
    name = one(rest, "%conn use NAME")
    began = time.perf_counter()
    lease = shell.workspace.lease(name)
    shell.connection = lease.name
    return note(f"{lease.name} is in use · {(time.perf_counter() - began) * 1000:.0f} ms")


def add(shell: Shell, rest: list[str]) -> Shown:
    """Save a connection from what is typed; what must not be typed is asked for."""
    bare, values, references = pairs(rest)
    if len(bare) != 2:
        raise InvalidError("A connection needs a name and a kind.", hint="%conn add NAME KIND key=value …")
    name, kind = bare
    adapter = adapters.load(kind)
    client = values.pop("client", shell.client_code)
    if client is not None:
        client = shell.workspace.store.clients.find(client).item.client_code
    typed = _without_secrets(adapter, name, values)
    secrets = {path: _reference(name, path, text) for path, text in references.items()}
    params = structure(adapter.params_type, _ask_secrets(adapter, name, typed, secrets), what=f"Connection {name}")
    profile = ConnectionProfile(name=name, connection_type=adapter.kind, connection_params=params, client_code=client)
    with warnings.catch_warnings(record=True) as told:  # where the key is kept: said once, and as a sentence
        warnings.simplefilter("always", VaultWarning)
        shell.workspace.save(profile, expected="")
    news = "".join(f" · {warning.message}" for warning in told)
    return note(f"{name} is saved · {adapter.title} · %conn test {name} · %conn {name}{news}")


def _reference(name: str, path: str, text: str) -> Reference:
    try:
        return Reference.parse(text)
    except ValueError as error:
        issue = Issue(path, str(error))
    raise InvalidError(f"Connection {name}", [issue])


def _without_secrets(adapter: type[Adapter[Any]], name: str, values: dict[str, str]) -> dict[str, str]:
    secret = {f.path for f in fields(adapter.params_type) if f.secret}
    last = {path.rpartition(".")[2] for path in secret}
    for key in values:
        if key in secret | last:
            raise InvalidError(
                f"Connection {name}",
                [Issue(key, "must not be typed on the line: it would stay in the notebook and its history")],
                hint=f"Leave it out to be asked for it, or name its place: {key}:=env:VARIABLE",
            )
    return values


def _ask_secrets(
    adapter: type[Adapter[Any]], name: str, values: dict[str, str], secrets: dict[str, Reference]
) -> dict[str, Any]:
    """The document of the parameters, with the secrets that were not named asked for one by one."""
    params = document(adapter.params_type, values, f"Connection {name}")
    for field in fields(adapter.params_type):
        if not field.secret:
            continue
        *folders, last = field.path.split(".")
        spot = params
        for folder in folders:
            spot = spot.setdefault(folder, {})
        if field.variant and spot.get("type") != field.variant:
            continue
        given: Secret | None = secrets.get(field.path) or secrets.get(last) or _asked(f"{field.title} for {name}: ")
        if given is not None:
            spot[last] = given
    return params


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


def overview(shell: Shell, rest: list[str] | None = None) -> Shown:
    """Every connection, whose it is, and whether a session is open."""
    rows = []
    connections = shell.workspace.store.connections
    for profile in sorted((kept.item for kept in connections.list()), key=lambda p: p.name.casefold()):
        current = "●" if profile.name == shell.connection else ""
        state = shell.workspace.state(profile.connection_id)
        rows.append((current, profile.name, profile.connection_type, profile.client_code or "", state))
    damaged = "".join(f" · {file.error.message}" for file in connections.damaged())
    summary = f"{count(len(rows), 'connection')}{damaged}"
    return listing(("", "name", "kind", "client", "session"), rows, summary)


def test(shell: Shell, rest: list[str]) -> TestResult:
    """Try a connection step by step, with a session of its own."""
    return shell.workspace.test(one(rest, "%conn test NAME") if rest else shell.current())


def close(shell: Shell, rest: list[str]) -> Shown:
    """Close a connection's session; its temporary tables and open transaction go with it."""
    name = one(rest, "%conn close NAME, or %conn close --all")
    if name == "--all":
        shell.workspace.pool.close_all()
        shell.connection = None
        return note("All sessions are closed.")
    open_ = shell.workspace.disconnect(name)
    if shell.connection == name:
        shell.connection = None
    return note(f"{name} is closed." if open_ else f"{name} had no open session.")


def remove(shell: Shell, rest: list[str]) -> Shown:
    """Forget a connection and its secrets."""
    name = one(rest, "%conn rm NAME")
    shell.workspace.remove(name)
    if shell.connection == name:
        shell.connection = None
    return note(f"{name} is forgotten, and its secrets with it.")


def kinds(shell: Shell, rest: list[str]) -> Shown:
    """Every kind of connection, and whether its driver is here."""
    found, broken = adapters.load_all()
    rows = [(a.kind, a.title, ", ".join(a.aliases), a.missing_driver() or "ready") for a in found]
    rows += [(name, "", "", why) for name, why in broken.items()]
    return listing(("kind", "title", "also", "driver"), sorted(rows), count(len(rows), "kind"))


def help_(shell: Shell, rest: list[str]) -> Shown:
    """What %conn knows, or what one kind needs."""
    if not rest:
        return preformatted(HELP)
    adapter = adapters.load(one(rest, "%conn help KIND"))
    about = [(f.path, f.type, "required" if f.required else f.default, f.about or f.title)
             for f in fields(adapter.params_type)]  # fmt: skip
    shown = listing(("field", "type", "default", "about"), about, f"{adapter.title} · %conn add NAME {adapter.kind} …")
    return Shown(f"{adapter.title}\n\n{table(adapter.params_type)}", shown.html)


VERBS: dict[str, Verb] = {
    "use": use, "add": add, "list": overview, "test": test, "close": close, "rm": remove, "kinds": kinds, "help": help_,
}  # fmt: skip
