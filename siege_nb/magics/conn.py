"""%conn: where one works."""

from __future__ import annotations

import time
import warnings
from typing import Any

from siege_nb import adapters
from siege_nb.adapters.base import TestResult
from siege_nb.declare import fields, suggest, table
from siege_nb.errors import InvalidError
from siege_nb.magics.adding import drafted, filled
from siege_nb.magics.shell import Shell, Verb, damaged
from siege_nb.magics.words import none, one, pairs, words
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
        there = f", and here is {' '.join(bare)!r}" if bare else ""
        raise InvalidError(f"A connection needs a name and a kind{there}.", hint="%conn add NAME KIND key=value …")
    name, kind = bare
    if name in VERBS:
        raise InvalidError(f"A connection cannot be named {name!r}: that is a verb of %conn.")
    adapter = adapters.load(kind)
    client = shell.workspace.store.clients.find(values.pop("client")).item if "client" in values else shell.client
    draft = drafted(name, adapter, client.client_code if client else None)
    params = filled(name, adapter, values, references)
    with warnings.catch_warnings(record=True) as told:  # where the key is kept: said once, and as a sentence
        warnings.simplefilter("always", VaultWarning)
        shell.workspace.save(draft.model_copy(update={"connection_params": params}), expected="")
    news = "".join(f" · {warning.message}" for warning in told)
    return note(f"{name} is saved · {adapter.title} · %conn test {name} · %conn {name}{news}")


def overview(shell: Shell, rest: list[str]) -> Shown:
    """Every connection, whose it is, and whether a session is open."""
    none(rest, "%conn list")
    rows = []
    connections = shell.workspace.store.connections
    for profile in sorted((kept.item for kept in connections.list()), key=lambda p: p.name.casefold()):
        current = "●" if profile.name == shell.connection else ""
        state = shell.workspace.state(profile.connection_id)
        rows.append((current, profile.name, profile.connection_type, profile.client_code or "", state))
    summary = count(len(rows), "connection") + damaged(connections)
    return listing(("", "name", "kind", "client", "session"), rows, summary)


def test(shell: Shell, rest: list[str]) -> TestResult:
    """Try a connection step by step, with a session of its own."""
    return shell.workspace.test(one(rest, "%conn test NAME") if rest else shell.current())


def close(shell: Shell, rest: list[str]) -> Shown:
    """Close a connection's session; its temporary tables and open transaction go with it."""
    name = one(rest, "%conn close NAME, or %conn close --all")
    if name == "--all":
        shell.workspace.close()
        shell.connection = None
        return note("All sessions are closed.")
    profile = shell.workspace.store.connections.find_named(name).item
    pending = shell.workspace.state(profile.connection_id) == "in transaction"
    ended = shell.workspace.disconnect(name)
    shell.put_away(name)
    rolled_back = " Its open transaction was rolled back." if pending else ""
    if not ended:
        return note(f"{profile.name} had no open session.")
    if not all(ended):
        return note(f"{profile.name} was given up: what ran in it did not stop when told to.")
    return note(f"{profile.name} is closed.{rolled_back}")


def remove(shell: Shell, rest: list[str]) -> Shown:
    """Forget a connection and its secrets."""
    name = one(rest, "%conn rm NAME")
    shell.workspace.remove(name)
    shell.put_away(name)
    return note(f"{name} is forgotten, and its secrets with it.")


def kinds(shell: Shell, rest: list[str]) -> Shown:
    """Every kind of connection, and whether its driver is here."""
    none(rest, "%conn kinds")
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
