"""%conn add: a connection from what is typed, pasted or offered; secrets are asked for or referred to."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siege_nb import adapters, masking
from siege_nb.adapters.base import Adapter, Params
from siege_nb.declare import Described, Reference, Secret, fields, structure, suggest
from siege_nb.errors import InvalidError, Issue, NotFoundError
from siege_nb.magics.about import FIELDS, placed, sorted_out, told
from siege_nb.magics.guard_history import redact
from siege_nb.magics.shell import Shell
from siege_nb.magics.words import NOT_TYPED, by_name, document, none, pairs
from siege_nb.models.connection import ConnectionProfile
from siege_nb.show import Shown, count, listing, note
from siege_nb.vault import VaultWarning

if TYPE_CHECKING:
    from siege_nb.proposals import Proposal

USAGE = "%conn add NAME KIND key=value …, %conn add NAME URL, or %conn add NAME to paste one"


def add(shell: Shell, rest: list[str]) -> Shown:
    """Save a connection from what is typed; what must not be typed is asked for."""
    if len(rest) > 1 and _DSN.match(rest[1]):
        name, dsn, *rest = rest
        bare, values, references = pairs(rest)
        bare = [name, dsn, *bare]
    else:
        bare, values, references = pairs(rest)
    match bare:
        case [name] | [name, "paste"]:
            _refuse_kindless([*values, *references])
            return pasted(shell, name, _asked_for_url(name), values, references)
        case [name, "from", offered]:
            return accepted(shell, name, _offered(offered), values, references)
        case [name, word] if is_url(word):
            return pasted(shell, name, word, values, references, typed=True)
        case [name, kind]:
            return saved(shell, name, kind, values, references, {})
    if any(re.fullmatch("passw(?:or)?d|pwd|passphrase", word, re.IGNORECASE) for word in bare[1:]):
        raise InvalidError(f"A password {NOT_TYPED}.", hint=USAGE)
    there = f", and here is {' '.join(bare)!r}" if bare else ""
    raise InvalidError(f"A connection needs a name and a kind{there}.", hint=USAGE)


def is_url(word: str) -> bool:
    """The word says where something is, and is no kind."""
    return "://" in word or word.startswith("local[") or _DSN.match(word) is not None


def pasted(
    shell: Shell, name: str, text: str, values: Mapping[str, str], references: Mapping[str, str], *, typed: bool = False
) -> Shown:
    """A connection from a URL or DSN. One that was typed on the line must have no secret in it."""
    from siege_nb.adapters.urls import from_url

    found = from_url(text)
    if not typed and not found.secrets:
        masking.forget(text)  # the whole of it is no secret, and may be a field
    if typed and found.secrets:
        hint = f"%conn add {name} asks for the URL where nobody sees it."
        raise InvalidError(f"The {' and '.join(found.secrets)} in a URL {NOT_TYPED}.", hint=hint)
    return saved(shell, name, found.kind, {**found.values, **values}, references, found.secrets,
                 full=True, left=found.leftover)  # fmt: skip


def offers(shell: Shell, rest: list[str]) -> Shown:
    """What the surroundings offer, by name; no value of theirs is shown."""
    none(rest, "%conn proposals")
    found = _surroundings()
    kinds = adapters.kinds()
    rows = [(p.name, p.kind if p.kind in kinds else f"{p.kind} (not installed)", p.source) for p in found]
    summary = f"{count(len(rows), 'proposal')} · %conn add NAME from PROPOSAL" if rows else "Nothing is offered here."
    return listing(("proposal", "kind", "found in"), rows, summary)


def accepted(
    shell: Shell, name: str, proposal: Proposal, values: Mapping[str, str], references: Mapping[str, str]
) -> Shown:
    """A connection from what is offered; what is typed besides goes before."""
    given, there = {**proposal.values, **values}, {**proposal.references, **references}
    return saved(shell, name, proposal.kind, given, there, proposal.secrets, full=True, left=proposal.leftover)


def saved(
    shell: Shell,
    name: str,
    kind: str,
    values: Mapping[str, str],
    references: Mapping[str, str],
    secrets: Mapping[str, Secret],
    *,
    full: bool = False,
    left: tuple[str, ...] = (),
) -> Shown:
    """A new connection, checked, its secrets asked for where there are none, and written."""
    refuse_name(name)
    adapter, what = adapters.load(kind), f"Connection {name}"
    own, of_kind = sorted_out(what, by_name(adapter.params_type), values)
    draft = drafted(shell, name, adapter, own)
    params = filled(name, adapter, of_kind, references, secrets)
    profile, news = written(shell, draft.model_copy(update={"connection_params": params}), expected="")
    known = told(profile.connection_params) if full else ""
    rest = f"not understood: {', '.join(left)}" if left else ""
    return note(f"{name} is saved", adapter.title, known, rest, f"%conn test {name}", f"%conn {name}", *news)


def written(
    shell: Shell, profile: ConnectionProfile, *, expected: str, entered: Collection[str] = ()
) -> tuple[ConnectionProfile, list[str]]:
    """The profile as it was saved, and what is to be said of where its key is kept, once and as a sentence."""
    with saying() as news:
        return shell.workspace.save(profile, expected=expected, entered=entered), news


@contextmanager
def saying() -> Iterator[list[str]]:
    """The vault's warnings as sentences, to be shown with the answer instead of beside it."""
    news: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", VaultWarning)
        try:
            yield news
        finally:
            news += [str(warning.message) for warning in caught]


def drafted(shell: Shell, name: str, adapter: type[Adapter[Any]], own: Mapping[str, str]) -> ConnectionProfile:
    """The profile without its parameters: what is wrong with it is told before anything is asked."""
    what = f"Connection {name!r}"
    typed: dict[str, Any] = {"name": name, "connection_type": adapter.kind, "connection_params": Params()}
    typed |= placed(shell, own, what)
    if "client_code" not in typed and shell.client is not None:
        typed["client_code"] = shell.client.client_code
    return structure(ConnectionProfile, typed, what=what)


def filled(
    name: str,
    adapter: type[Adapter[Any]],
    values: Mapping[str, str],
    references: Mapping[str, str],
    secrets: Mapping[str, Secret],
) -> Params:
    """The parameters of a connection; each secret is one that was given or referred to, or is asked for."""
    what = f"Connection {name}"
    refuse_typed(what, adapter, values, references)
    secret = [field for field in fields(adapter.params_type) if field.secret]
    typed = document(adapter.params_type, {k: v for k, v in values.items() if k not in _names(secret)}, what)
    for field in secret:
        *folders, last = field.path.split(".")
        spot = typed
        for folder in folders:
            spot = spot.setdefault(folder, {})
        if field.variant and spot.get("type") != field.variant:
            continue
        place = references.get(field.path) or references.get(last)
        given = Reference.parse(place) if place else secrets.get(field.path) or asked(f"{field.title} for {name}: ")
        if given is not None:
            spot[last] = given
    return structure(adapter.params_type, typed, what=what)


def refuse_typed(
    what: str, adapter: type[Adapter[Any]], values: Mapping[str, str], references: Mapping[str, str]
) -> None:
    """Raise for secrets that were typed as they are, and for references that are none or stand at no secret."""
    secret = [field for field in fields(adapter.params_type) if field.secret]
    issues = [Issue(key, NOT_TYPED) for key, text in values.items() if key in _names(secret) and text != "?"]
    if issues := [*issues, *_bad_references(references, secret, adapter)]:
        hint = "Leave a secret out to be asked for it, or name its place: password:=env:VARIABLE"
        raise InvalidError(what, issues, hint=hint)


def asked(prompt: str) -> Secret | None:
    """A secret that somebody types where it is not shown; None for an empty answer."""
    typed = _unseen(prompt)
    if typed is None:
        raise InvalidError(
            f"{prompt.rstrip(': ')} cannot be asked for here.", hint="Name its place instead: password:=env:VARIABLE"
        )
    return Secret(typed) if typed else None


def _asked_for_url(name: str) -> str:
    typed = _unseen(f"Paste the URL or DSN of {name}: ")
    if typed is None:
        hint = "%conn add NAME KIND key=value … password:=env:VARIABLE"
        raise InvalidError("A connection needs a name and a kind; a URL cannot be asked for here.", hint=hint)
    if not (typed := typed.strip()):
        raise InvalidError("Nothing was pasted, so nothing is saved.", hint=USAGE)
    # Before it is read: a Ctrl-C meanwhile has a traceback show every variable, of the whole and of its parts.
    masking.know(typed)
    redact(f"%conn {typed}")
    return typed


def _unseen(prompt: str) -> str | None:
    """What is typed where it is not shown; None where nobody can answer, or only for all to see."""
    import getpass

    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return getpass.getpass(prompt)
        except (NotImplementedError, EOFError, getpass.GetPassWarning):  # such as a notebook that is run by a program
            return None


def _surroundings() -> list[Proposal]:
    from siege_nb.proposals import proposals

    return proposals(os.environ, Path.home(), Path.cwd())


def _offered(word: str) -> Proposal:
    found = {proposal.name.casefold(): proposal for proposal in _surroundings()}
    if word.casefold() in found:
        return found[word.casefold()]
    names = [proposal.name for proposal in found.values()]
    there = f"There are: {', '.join(names)}." if names else "Nothing is offered here."
    raise NotFoundError(f"There is no proposal {word!r}.{suggest(word, names)}", hint=there)


def refuse_name(name: str) -> None:
    """Raise for a new name that %conn would take for one of its verbs, or for another's of a client."""
    from siege_nb.magics.conn import VERBS

    if "/" in name:
        raise InvalidError(f"A connection cannot be named {name!r}: before a / stands whose it is.")
    if name in VERBS:
        raise InvalidError(f"A connection cannot be named {name!r}: that is a verb of %conn.")


def _refuse_kindless(keys: list[str]) -> None:
    """Raise where parameters are given and no kind: then it is no URL that is wanted."""
    if any(re.search("passw|token|secret", key) for key in keys):
        raise InvalidError(f"A password {NOT_TYPED}.", hint=USAGE)
    if strange := [key for key in keys if key.removeprefix("profile.") not in FIELDS]:
        raise InvalidError(f"A connection needs a name and a kind, and here is only {', '.join(strange)}.", hint=USAGE)


# How a DSN of libpq's begins, in one word because it was quoted.
_DSN = re.compile(r"(?:host|hostaddr|dbname|user|port|service|password|sslmode)\s*=\s*\S+\s+\w+\s*=")


def _names(secret: list[Described]) -> set[str]:
    return {name for field in secret for name in (field.path, field.path.rpartition(".")[2])}


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
