"""What Tab offers behind %conn, %client and %sqlcmd: their verbs, and the names that each takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from siege_nb.errors import SiegeError
from siege_nb.magics import lookup
from siege_nb.magics.complete_sql import Offer, Offers
from siege_nb.magics.shell import Shell

_OF_TABLE = ("columns", "sample", "profile")
_BROWSING = ("--conn", "--schema", "--refresh")
#: The options of a verb.
_OPTIONS = {
    "test": ("--all",), "close": ("--all",), "export": ("--client",), "import": ("--dry-run",),
    **dict.fromkeys(("tables", *_OF_TABLE), _BROWSING),
}  # fmt: skip
#: The words that stand behind a verb, or behind its name.
_WORDS = {"tx": ("begin", "commit", "rollback"), "credential": ("rm",)}
_SECOND = {"share": ("public", "private")}
_NAMELESS = ("list", "kinds", "proposals", "credentials", "tx", "help", "add", "import", "tables", *_OF_TABLE)


def of_conn(shell: Shell, before: str) -> Offers:
    """What may stand where a %conn line ends so far."""
    from siege_nb.magics.conn import VERBS

    words, fragment = _cut(before)
    if not words:
        return _begun(fragment, [*_offers(VERBS, "verb"), *_named(shell.names())])
    verb = words[0]
    if words[-1] == "--conn":
        return _begun(fragment, _named(shell.names()))
    if words[-1] in ("-s", "--schema"):
        return _begun(fragment, _schemas(shell))
    if words[-1] == "--client":
        return _begun(fragment, _clients(shell))
    found: list[Offer] = []
    if verb in ("add", "help"):
        found += _kinds(words)
    elif verb in _OF_TABLE and len(words) == 1:
        found += _tables(shell, words)
    elif len(words) == 1 and verb not in _NAMELESS:
        found += _named(shell.names())
    found += _offers((_WORDS if len(words) == 1 else _SECOND).get(verb, ()), "value")
    found += _offers([word for word in _OPTIONS.get(verb, ()) if word not in words], "option")
    return _begun(fragment, found)


def of_client(shell: Shell, before: str) -> Offers:
    """What may stand where a %client line ends so far."""
    from siege_nb.magics.client import VERBS

    words, fragment = _cut(before)
    if not words:
        return _begun(fragment, _offers(VERBS, "verb"))
    if words[-1] == "--client" or (len(words) == 1 and words[0] in ("use", "show", "edit", "clone", "rm", "export",
                                                                    "projects")):  # fmt: skip
        return _begun(fragment, _clients(shell))
    if words == ["default"]:
        return _begun(fragment, _named(shell.names()))
    if words[0] in ("link", "unlink"):
        return _begun(fragment, _offers([row.key for row in shell.workspace.store.projects.rows()], "project"))
    return Offers(fragment)


def of_sqlcmd(shell: Shell, before: str) -> Offers:
    """What may stand where a %sqlcmd line ends so far."""
    from siege_nb.magics.sqlcmd import VERBS

    words, fragment = _cut(before)
    if not words:
        return _begun(fragment, _offers(VERBS, "verb"))
    is_table = words in (["columns"], ["profile"]) and not fragment.startswith("-")
    if is_table or words[-1] in ("-t", "--table"):
        return _begun(fragment, _tables(shell, words))
    if words[-1] == "--conn":
        return _begun(fragment, _named(shell.names()))
    if words[0] == "snippets":
        return _begun(fragment, _offers(shell.saved.names(), "saved"))
    return _begun(fragment, _offers(("--table", "--schema", "--conn"), "option"))


def _cut(before: str) -> tuple[list[str], str]:
    """The words that are typed, and the one that is being typed."""
    found = re.findall(r"""(?:"[^"]*"?|'[^']*'?|[^\s"'])+""", before)
    fragment = found.pop() if found and not before[-1:].isspace() else ""
    return [word.strip("\"'") for word in found], fragment


def _begun(fragment: str, found: Iterable[Offer]) -> Offers:
    typed = fragment.lstrip("\"'").casefold()
    return Offers(fragment, [offer for offer in found if offer.text.lstrip("\"'").casefold().startswith(typed)])


def _offers(words: Iterable[str] | Mapping[str, Callable[..., object]], type_: str) -> list[Offer]:
    return [Offer(word, type_) for word in words]


def _named(names: Sequence[str]) -> list[Offer]:
    return [Offer(_word(name), "connection") for name in names]


def _word(name: str) -> str:
    return f'"{name}"' if re.search(r"[\s']", name) else name


def _clients(shell: Shell) -> list[Offer]:
    return _offers([row.key for row in shell.workspace.store.clients.rows()], "client")


def _kinds(words: Sequence[str]) -> list[Offer]:
    """Behind the name the kind, behind the kind its fields."""
    from siege_nb import adapters
    from siege_nb.declare import fields
    from siege_nb.magics.about import FIELDS

    if len(words) < (2 if words[0] == "add" else 1):
        return []
    if len(words) == (2 if words[0] == "add" else 1):
        return _offers(adapters.kinds(), "kind")
    if words[0] != "add" or words[2] not in adapters.kinds():
        return []
    given = {word.partition("=")[0].rstrip(":") for word in words}
    declared = [(field.path, field.secret) for field in fields(adapters.load(words[2]).params_type)]
    # A secret is asked for; on the line only its place may stand.
    known = [(f"{path}:=" if is_secret else f"{path}=") for path, is_secret in declared if path not in given]
    return _offers([*known, *(f"{name}=" for name in FIELDS if name not in given)], "field")


def _view(shell: Shell, words: Sequence[str]) -> lookup.View:
    try:
        named = words[words.index("--conn") + 1] if "--conn" in words[:-1] else ""
        conn = shell.named(named) if named else shell.needed()
    except SiegeError:  # there is none, or none is in use
        return lookup.NOTHING
    return lookup.of(shell).view(shell.workspace, conn)


def _tables(shell: Shell, words: Sequence[str]) -> list[Offer]:
    view = _view(shell, words)
    return [
        Offer(_word(t.name if t.schema.casefold() == view.home else f"{t.schema}.{t.name}"), t.kind)
        for t in view.tables
    ]


def _schemas(shell: Shell) -> list[Offer]:
    return _offers(_view(shell, ()).schemas, "schema")
