"""%conn edit, rename, clone, lock, unlock, share, secret and rm: what becomes of a saved connection."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from siege_nb import adapters
from siege_nb.adapters.base import Adapter, Params
from siege_nb.declare import Part, Reference, Secret, endpoints_of, secrets_of, structure, with_secrets
from siege_nb.errors import InvalidError, Issue
from siege_nb.magics.about import FIELDS, leaves, merge, placed, sorted_out, spot_in, tree
from siege_nb.magics.adding import asked, refuse_name, refuse_typed, written
from siege_nb.magics.client_editing import forget_default
from siege_nb.magics.shell import Shell
from siege_nb.magics.words import by_name, document, one, pairs
from siege_nb.models.access import Visibility, may
from siege_nb.models.connection import ConnectionMetadata, ConnectionProfile, checked_name
from siege_nb.show import Shown, note
from siege_nb.store import UnknownParams
from siege_nb.store.edits import locked, moved
from siege_nb.workspace import Workspace

USAGE = "%conn edit NAME key=value … field=? password:=env:VARIABLE; key= puts the default back"
ASK = "?"


def edit(shell: Shell, rest: list[str]) -> Shown:
    """Change fields of a saved connection; `field=?` asks, and an empty answer keeps what there is."""
    bare, values, references = pairs(rest)
    if len(bare) != 1:
        there = f"here is {' '.join(bare)!r}" if bare else "none is named"
        raise InvalidError(f"One connection is edited at a time, and {there}.", hint=USAGE)
    if not values and not references:
        raise InvalidError("Nothing is to be changed.", hint=USAGE)
    return _changed(shell, shell.named(bare[0]), values, references)


def rename(shell: Shell, rest: list[str]) -> Shown:
    """Give a connection another name; its session, its secrets and its history stay its own."""
    name, new = _two(rest, "%conn rename NAME NEW")
    return _changed(shell, shell.named(name), {"name": new}, {})


def secret(shell: Shell, rest: list[str]) -> Shown:
    """Ask again for the secrets of a connection; an empty answer keeps what there is."""
    profile = shell.named(one(rest, "%conn secret NAME"))
    paths = [path for path, _ in secrets_of(profile.connection_params)]
    if adapter := _adapter(profile):
        paths += [f.path for f in by_name(adapter.params_type).values() if f.secret and not f.variant]
    if not paths:
        raise InvalidError(f"{profile.name} has no secrets.")
    return _changed(shell, profile, dict.fromkeys(paths, ASK), {})


def clone(shell: Shell, rest: list[str]) -> Shown:
    """Another connection of the same parameters; its secrets are sealed anew, for it alone."""
    name, new = _two(rest, "%conn clone NAME NEW")
    profile = shell.named(name)
    refuse_name(new)
    _, news = written(shell, cloned(shell.workspace, profile, checked_name(new)), expected="")
    return note(f"{new} is saved", f"as {shell.spoken(profile.scope, profile.name)}", f"%conn {new}", *news)


def cloned(workspace: Workspace, profile: ConnectionProfile, name: str) -> ConnectionProfile:
    """A new profile with the parameters of another: what is sealed there is in the hand, the rest is referred to."""
    params = workspace.opened(profile, act="clone", sealed_only=True).connection_params
    said = profile.metadata
    fresh = ConnectionMetadata(auto_connect=said.auto_connect, timeout=said.timeout, retry_attempts=said.retry_attempts)
    changes = {
        "connection_id": str(uuid.uuid4()),
        "name": name,
        "connection_params": params,
        "metadata": fresh,
        "visibility": "private",
    }
    return profile.model_copy(update=changes)


def lock(shell: Shell, rest: list[str]) -> Shown:
    """Keep a connection as it is: nobody edits or removes it until it is unlocked."""
    return _shared(shell, shell.named(one(rest, "%conn lock NAME")), "locked")


def unlock(shell: Shell, rest: list[str]) -> Shown:
    """Let a locked connection be edited again; it is its owner's alone."""
    name = one(rest, "%conn unlock NAME")
    profile = shell.named(name)
    if profile.visibility != "locked":
        raise InvalidError(f"{shell.spoken(profile.scope, profile.name)} is not locked; it is {profile.visibility}.")
    return _shared(shell, profile, "private")


def share(shell: Shell, rest: list[str]) -> Shown:
    """Say who of the account may see and use a connection."""
    name, visibility = _two(rest, "%conn share NAME public|private")
    if visibility == "public":
        return _shared(shell, shell.named(name), "public")
    if visibility == "private":
        return _shared(shell, shell.named(name), "private")
    raise InvalidError(f"A connection is public or private, not {visibility!r}.", hint="%conn lock NAME locks it.")


def remove(shell: Shell, rest: list[str]) -> Shown:
    """Forget a connection and its secrets."""
    profile = shell.named(one(rest, "%conn rm NAME"))
    shell.workspace.remove(profile)
    shell.put_away(profile.connection_id)
    whose = forget_default(shell, profile.connection_id)
    news = f"it was the default connection of {', '.join(whose)}" if whose else ""
    return note(f"{shell.spoken(profile.scope, profile.name)} is forgotten, and its secrets with it.", news)


def _shared(shell: Shell, profile: ConnectionProfile, visibility: Visibility) -> Shown:
    profile = shell.workspace.share(profile, visibility)
    return note(f"{shell.spoken(profile.scope, profile.name)} is {profile.visibility}.")


def _changed(
    shell: Shell, profile: ConnectionProfile, values: Mapping[str, str], references: Mapping[str, str]
) -> Shown:
    """The profile with what was typed, asked for and referred to, saved whole or not at all."""
    before = shell.workspace.store.connections.find(profile.connection_id)
    what, adapter = f"Connection {profile.name!r}", _adapter(before.item)
    stored = dict(secrets_of(before.item.connection_params))
    known = by_name(adapter.params_type) if adapter else stored
    own, of_kind = sorted_out(what, known, values, {"name": "name", **FIELDS})
    if not may("owner", "edit", before.item.visibility):
        raise locked(before.item)  # before anything is asked for in vain
    after = _profile(shell, before.item, own, what)
    params = _params(before.item, adapter, of_kind, references, what)
    after = after.model_copy(update={"connection_params": params})
    name = shell.spoken(after.scope, after.name)
    if after == before.item:
        return note(f"{name} stays as it is.")
    named = [by_name(adapter.params_type)[key].path for key in references] if adapter else [*references]
    saved, news = written(shell, after, expected=before.version, entered=named)
    if shell.connection == saved.connection_id:
        shell.use(saved)
    return note(f"{name} is saved", f"changed: {', '.join(_differences(before.item, saved))}", *news)


def _differences(before: ConnectionProfile, after: ConnectionProfile) -> list[str]:
    """The fields that are not what they were."""
    old, new = (dict(leaves(tree(profile))) for profile in (before, after))
    changed = [path for path in dict.fromkeys([*old, *new]) if old.get(path) != new.get(path)]
    return [path.removeprefix("connection_params.") for path in changed if not path.startswith("security.")]


def _profile(shell: Shell, before: ConnectionProfile, own: Mapping[str, str], what: str) -> ConnectionProfile:
    """The profile with what was said of it besides its parameters."""
    if "name" in own and own["name"] != before.name:
        refuse_name(own["name"])
        checked_name(own["name"])
    said = tree(before)
    merge(said, placed(shell, own, what))
    # As at rest: what stands in the file already, like keys of one's own, is let be.
    return structure(ConnectionProfile, said | {"connection_params": Params()}, what=what, at_rest=True)


def _params(
    before: ConnectionProfile,
    adapter: type[Adapter[Any]] | None,
    values: Mapping[str, str],
    references: Mapping[str, str],
    what: str,
) -> Part:
    """The parameters with what was typed, asked for and referred to."""
    params = before.connection_params
    if adapter is None:
        return _of_unknown_kind(before, values, references, what)
    refuse_typed(what, adapter, values, references)
    known = by_name(adapter.params_type)
    entered: dict[str, Secret] = {known[key].path: Reference.parse(text) for key, text in references.items()}
    typed: dict[str, str] = {}
    for key, text in values.items():
        field = known[key]
        if text != ASK:
            typed[field.path] = text
        elif field.secret:
            entered |= _entered(field.path, asked(f"{field.title} of {before.name} (empty keeps it): "))
        elif answer := _answer(f"{field.title} of {before.name} (empty keeps it): "):
            typed[field.path] = answer
    changed = _structured(params, adapter, typed, entered, what)
    places = moved(dict(endpoints_of(params)), dict(endpoints_of(changed)))
    for path, secret in secrets_of(changed) if places else ():
        # A stored secret never follows to another place; one that is referred to by name is left to who saves.
        if path not in entered and isinstance(secret, Reference) and secret.source in ("encrypted", "missing"):
            title = known[path].title if path in known else path
            entered |= _entered(path, asked(f"{title} of {before.name} for the new {' and '.join(places)}: "))
    return _structured(params, adapter, typed, entered, what)


def _structured(
    params: Part, adapter: type[Adapter[Any]], typed: Mapping[str, str], entered: Mapping[str, Secret], what: str
) -> Params:
    said = tree(params)
    for path, text in typed.items():
        *folders, last = path.split(".")
        spot = spot_in(said, folders)
        if not text:
            spot.pop(last, None)
        elif last == "type" and folders and spot.get("type") != text:
            spot.clear()  # another variant: what belonged to the one before is no field of it
    merge(said, document(adapter.params_type, {path: text for path, text in typed.items() if text}, what))
    for path, secret in entered.items():
        *folders, last = path.split(".")
        spot_in(said, folders)[last] = secret
    # As at rest, so that keys of one's own are kept; what was typed as a secret is one object, whatever it looks like.
    return structure(adapter.params_type, said, what=what, at_rest=True)


def _of_unknown_kind(
    before: ConnectionProfile, values: Mapping[str, str], references: Mapping[str, str], what: str
) -> Part:
    """Of a kind that is not installed only the secrets can be entered again: nobody knows what else it takes."""
    if issues := [Issue(key, "cannot be changed without its kind") for key, text in values.items() if text != ASK]:
        kind = before.connection_type
        raise InvalidError(what, issues, hint=f"Install the kind {kind!r} first; `field=?` enters a secret again.")
    entered: dict[str, Secret] = {key: Reference.parse(text) for key, text in references.items()}
    for key in values:
        entered |= _entered(key, asked(f"{key} of {before.name} (empty keeps it): "))
    changed: Part = with_secrets(before.connection_params, entered)
    return changed


def _adapter(profile: ConnectionProfile) -> type[Adapter[Any]] | None:
    """The adapter of a profile whose kind is installed."""
    if isinstance(profile.connection_params, UnknownParams):
        return None
    return adapters.load(profile.connection_type)


def _entered(path: str, given: Secret | None) -> dict[str, Secret]:
    return {} if given is None else {path: given}


def _answer(prompt: str) -> str:
    problem = f"{prompt.rstrip(': ')} cannot be asked for here."
    try:
        return input(prompt).strip()
    except (NotImplementedError, EOFError):  # a notebook that is run by a program
        pass
    raise InvalidError(problem, hint="Type it: key=value")


def _two(rest: list[str], usage: str) -> tuple[str, str]:
    if len(rest) != 2:
        raise InvalidError(f"Two words are needed here, not {len(rest)}.", hint=usage)
    return rest[0], rest[1]
