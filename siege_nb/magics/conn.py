"""%conn: where one works."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from siege_nb import adapters
from siege_nb.declare import fields, suggest, table
from siege_nb.errors import InvalidError
from siege_nb.magics.about import FIELDS
from siege_nb.magics.adding import add, is_url, offers
from siege_nb.magics.shell import Shell, Verb
from siege_nb.magics.showing import history, overview, show, tests
from siege_nb.magics.using import close, test, tx, use
from siege_nb.magics.words import none, one, refuse_secrets, words
from siege_nb.show import Shown, count, listing, preformatted

__all__ = ["HELP", "VERBS", "close", "overview", "run", "use"]

HELP = f"""\
%conn                        the connections there are, ● the current one; %conn list TEXT those with TEXT in them
%conn NAME                   use this connection (also: %conn use NAME; SCOPE/NAME for another client's)
%conn URL [as NAME]          save it and use it; its password is asked for
%conn show [NAME]            all that is known of it, but its secrets

%conn add NAME KIND key=value …   save a connection; secrets are asked for, or taken: password:=env:PGPASSWORD
%conn add NAME               paste a URL or DSN where nobody sees it; also: %conn add NAME URL, without a password
%conn add NAME from PROPOSAL make one of those that %conn proposals lists: PG*, DATABASE_URL, connections.ini, …
                             every kind takes also: {", ".join(f"{word}=" for word in FIELDS)}
%conn edit NAME key=value …  change it; field=? asks, key= puts the default back
%conn secret NAME            enter its secrets again
%conn rename NAME NEW | clone NAME NEW
%conn lock NAME | unlock NAME | share NAME public|private
%conn rm NAME                forget it
%conn kinds | help KIND      what kinds there are, and what one needs

%conn test [NAME | --all]    can it be reached? step by step; %conn tests [NAME] how it went so far
%conn history [NAME]         who changed or used it, and when
%conn close NAME | --all     close its session
%conn tx [begin|commit|rollback]  the transaction of the current one

%conn tables [PATTERN] [-s SCHEMA] | columns TABLE | sample TABLE [N] | profile TABLE    … [--conn NAME] [--refresh]

%conn snippet [NAME]         code that connects without siege_nb, and without the secrets
%conn export [NAME … | --client CODE] PATH    profiles in one file, without secrets
%conn import PATH [--dry-run]     add what is not there yet
%conn credential NAME        keep a secret for several connections: password:=vault:NAME
                             credential rm NAME forgets it, %conn credentials lists them"""


def run(shell: Shell, line: str) -> Any:
    """What one %conn line asks for."""
    verb, *rest = words(line) or ["list"]
    refuse_secrets([verb, *rest])
    if verb in VERBS:
        return VERBS[verb](shell, rest)
    if rest and not shell.known(verb) and not is_url(verb):
        near = suggest(verb, [*VERBS, *shell.names()])
        raise InvalidError(f"%conn knows no {verb!r}.{near}", hint=HELP)
    return use(shell, [verb, *rest])


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


def _later(room: str, name: str) -> Verb:
    """A verb whose room is opened when it is first asked for: %sql needs none of them, and they take their time."""

    def verb(shell: Shell, rest: list[str]) -> Any:
        return getattr(import_module(f"siege_nb.magics.{room}"), name)(shell, rest)

    return verb


VERBS: dict[str, Verb] = {
    "use": use, "add": add, "list": overview, "show": show, "test": test, "tests": tests, "history": history,
    "close": close, "tx": tx, "proposals": offers, "kinds": kinds, "help": help_,
    "rm": _later("editing", "remove"), "import": _later("carrying", "import_"),
    **{verb: _later("editing", verb) for verb in ("edit", "rename", "clone", "secret", "lock", "unlock", "share")},
    **{verb: _later("browsing", verb) for verb in ("tables", "columns", "sample", "profile")},
    **{verb: _later("carrying", verb) for verb in ("snippet", "export", "credential", "credentials")},
}  # fmt: skip
