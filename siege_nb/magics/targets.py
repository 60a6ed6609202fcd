"""Where a cell's SQL goes: a saved connection, a URL, or an object that the notebook holds.

A URL and an object are guests of this kernel: nothing of them is written down, and they are gone when they are closed.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from siege_nb import adapters
from siege_nb.adapters import objects, urls
from siege_nb.adapters.files import FileParams
from siege_nb.declare import endpoints_of, fields, structure, suggest
from siege_nb.errors import InvalidError, NotFoundError, QueryError, SiegeError
from siege_nb.magics.grammar import Options, Request
from siege_nb.magics.guests import Guest, ObjectParams, Visit, spoken_url, unsaved
from siege_nb.magics.shell import Shell
from siege_nb.magics.words import refuse_secrets
from siege_nb.models.connection import ConnectionProfile
from siege_nb.query.session import Session

logger = logging.getLogger(__name__)

_TEMPLATE = re.compile(r"\{\{.*?\}\}", re.DOTALL)


def target(shell: Shell, request: Request, namespace: Mapping[str, Any]) -> tuple[ConnectionProfile, bool]:
    """The connection that a cell means, and whether it is in use from then on."""
    word, options = request.target, request.options
    made = bool(options.creator) or _is_address(word)
    if options.connection_arguments is not None and not made and not options.section:
        raise _usage("--connection_arguments say more about a URL, and there is none.")
    if options.creator:
        return _welcomed(shell, _of_creator(namespace, word, options)), True
    if options.section:
        return _section(shell, options)
    if _is_address(word):
        found = of_url(_address(word, namespace), options)
        return _welcomed(shell, replace(found, profile=_as_careful(shell, found.profile))), True
    if not word:
        if options.alias:
            raise _usage("--alias names a new connection, and there is none: give a URL or an object.")
        return shell.needed(), False
    if (guest := _of_object(shell, word, namespace, options)) is not None:
        known = shell.workspace.guest(guest.profile.name)
        is_new = known is None or known.subject is not guest.subject
        return _welcomed(shell, guest), is_new or shell.config.sticky
    if options.alias:
        raise _usage(f"{word} has its name already: --alias is for a URL or an object.")
    return shell.named(word), shell.config.sticky


def _as_careful(shell: Shell, profile: ConnectionProfile) -> ConnectionProfile:
    """The profile, in the environment of the most careful saved one that leads to the same place."""
    connections, places = shell.workspace.store.connections, dict(endpoints_of(profile.connection_params))
    order = {"prod": 0, "test": 1, "dev": 2}
    rows = [row for row in connections.rows() if row.summary["environment"] in order
            and row.summary["connection_type"] == profile.connection_type]  # fmt: skip
    for row in sorted(rows, key=lambda row: order[row.summary["environment"]]) if places else ():
        with suppress(SiegeError):  # one that cannot be read leads nowhere
            saved = connections.find(row.key).item
            if dict(endpoints_of(saved.connection_params)) == places:
                return profile.model_copy(update={"environment": saved.environment})
    return profile


def is_target(shell: Shell, word: str, namespace: Mapping[str, Any]) -> bool:
    """Whether a word that is no address names a connection."""
    return shell.known(word) or (word.isidentifier() and objects.kind_of(namespace.get(word)) != "")


def of_url(url: str, options: Options) -> Guest:
    """A guest behind a URL: of a kind of ours, or else of SQLAlchemy's."""
    name, more = options.alias or spoken_url(url), options.connection_arguments or {}
    if adapters.by_scheme(url.partition(":")[0].partition("+")[0]) is None:
        return _of_engine(url, name, more)
    pasted = urls.from_url(url)
    if more.keys() - {described.path for described in fields(adapters.load(pasted.kind).params_type)}:
        return _of_engine(url, name, more)
    return _of_fields(name, pasted, more)


def _of_fields(name: str, pasted: urls.Pasted, more: Mapping[str, Any]) -> Guest:
    """A guest of one of our kinds; a database in a file is made if there is none, as SQLAlchemy would."""
    adapter = adapters.load(pasted.kind)
    secret = [described.path for described in fields(adapter.params_type) if described.secret]
    _refuse_secret(*("password" if field in secret else field for field in more))
    document = pasted.document()
    if issubclass(adapter.params_type, FileParams):
        document.setdefault("create", not more.get("read_only"))
    params = structure(adapter.params_type, document | dict(more), what=name)
    if pasted.leftover:
        logger.warning("not acted on in %s: %s", name, ", ".join(pasted.leftover))
    shown = params.model_copy(update=dict.fromkeys(secret))
    return Guest(unsaved(name, adapter.kind, shown), lambda visit: adapter(params).open(visit), params)


def _refuse_secret(*names: str) -> None:
    refuse_secrets(f"--{name.replace('_', '-')}" for name in names)


def _of_engine(url: str, name: str, arguments: Mapping[str, Any]) -> Guest:
    """A guest that SQLAlchemy connects, for only its driver knows these arguments."""
    _refuse_secret(*arguments)

    def make(visit: Visit) -> Session:
        return objects.made(url, visit, connect_args=dict(arguments))

    return Guest(unsaved(name, "sqlalchemy", ObjectParams()), _foreign(make), (url, dict(arguments)))


def _of_creator(namespace: Mapping[str, Any], word: str, options: Options) -> Guest:
    """A guest that a function of the notebook's makes; what it makes for us we also close."""
    name, create = options.creator, namespace.get(options.creator)
    if not callable(create):
        near = suggest(name, [key for key, value in namespace.items() if callable(value) and not key.startswith("_")])
        raise _usage(f"There is no function {name!r} that could make a connection.{near}")
    url = _address(word, namespace) if word else ""

    def make(visit: Visit) -> Session:
        if url:
            return objects.made(url, visit, creator=create)
        return objects.taken(create(), visit)

    return Guest(unsaved(options.alias or name, "creator", ObjectParams()), _foreign(make), create)


def _of_object(shell: Shell, word: str, namespace: Mapping[str, Any], options: Options) -> Guest | None:
    """A guest for the connection in a variable, unless the word names a saved one, or a guest of another origin."""
    value = namespace.get(word)
    kind = objects.kind_of(value)
    known = shell.workspace.guest(word)
    if not kind or (known is not None and not isinstance(known.profile.connection_params, ObjectParams)):
        return None
    if known is None and shell.known(word):
        return None
    make = _foreign(lambda visit: objects.lend(value, visit))
    return Guest(unsaved(options.alias or word, kind, ObjectParams()), make, value)


def _foreign(make: Callable[[Visit], Session]) -> Callable[[Visit], Session]:
    """What opens a connection by code that is not ours, with its failures in our words."""

    def opened(visit: Visit) -> Session:
        try:
            return make(visit)
        except SiegeError as error:
            failure = error.with_traceback(None)
        except Exception as error:  # the border: no driver's exception passes
            failure = objects.explained(error)
        raise failure

    return opened


def _section(shell: Shell, options: Options) -> tuple[ConnectionProfile, bool]:
    """A saved connection, or a section of jupysql's file, which is a guest by that name."""
    from siege_nb.proposals import aliases

    name, path = options.section, Path(shell.config.dsn_filename).expanduser()
    if shell.known(name):
        return shell.named(name), True
    found = {proposal.name.removeprefix("section:"): proposal for proposal in aliases(path, "section")}
    if name not in found:
        near = suggest(name, [*shell.names(), *found])
        there = f"{path} has: {', '.join(found)}." if found else f"{path} has no sections."
        raise NotFoundError(f"There is no connection or section {name!r}.{near}", hint=there)
    proposal = found[name]
    pasted = urls.Pasted(proposal.kind, proposal.values, proposal.secrets, proposal.leftover)
    return _welcomed(shell, _of_fields(name, pasted, options.connection_arguments or {})), True


def _welcomed(shell: Shell, guest: Guest) -> ConnectionProfile:
    """The profile of a guest that was let in and reached; one that cannot be reached is not kept."""
    workspace = shell.workspace
    profile = workspace.welcome(guest).profile
    try:
        workspace.lease(profile)
    except BaseException:
        workspace.disconnect(profile)
        raise
    return profile


def _is_address(word: str) -> bool:
    return "://" in word or word.startswith("$")


def _address(word: str, namespace: Mapping[str, Any]) -> str:
    """The URL that a word is, names in the environment, or is a template of; a password that was typed is refused."""
    if word.startswith("$"):
        url = os.environ.get(word[1:], "")
        if not url:
            raise _usage(f"There is no variable {word[1:]} in the environment.", hint="It should hold a URL.")
        return url
    refuse_typed(word)
    if "{{" not in word:
        return word
    from siege_nb.query.template import Template

    return Template(namespace).render(word)


def refuse_typed(word: str) -> None:
    """Raise for a URL with a password in it, which would stay in the notebook; the error does not quote it."""
    try:
        refuse_secrets([_TEMPLATE.sub("", word)])
    except InvalidError as error:
        hint = f"Put the URL into a variable of the environment and write $VARIABLE. Or save it: {error.hint}"
        problem = _usage(error.message, hint=hint)
    else:
        return
    raise problem


def _usage(message: str, *, hint: str = "") -> QueryError:
    return QueryError(message, kind="usage", hint=hint)
