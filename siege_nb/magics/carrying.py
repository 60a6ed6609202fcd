"""%conn export, import, snippet, credential: what is carried elsewhere, and what several connections share."""

from __future__ import annotations

from pathlib import Path

from siege_nb.bundle import Unpacked, bundle, read, unbundle, write
from siege_nb.declare import Reference, secrets_of
from siege_nb.errors import ConflictError, InvalidError, Issue
from siege_nb.magics.adding import asked, saying
from siege_nb.magics.shell import Shell
from siege_nb.magics.words import none, one, options
from siege_nb.models.stamps import safe_code
from siege_nb.show import Shown, count, listing, note, preformatted
from siege_nb.snippets import snippet as code


def export(shell: Shell, rest: list[str]) -> Shown:
    """Write profiles to a file, without their secrets."""
    usage = "%conn export [NAME …] [--client CODE] PATH"
    words, said = options(rest, {"--client": "client=CODE"}, usage)
    if not words:
        raise InvalidError("A path is needed for the file.", hint=usage)
    *names, path = words
    if names and said:
        raise InvalidError("Either connections are exported by name, or all of a client's.", hint=usage)
    idents = [shell.named(name).connection_id for name in names]
    document = bundle(shell.workspace, said.get("client"), idents)
    place = Path(path).expanduser().absolute()
    write(document, place)
    parts = [count(len(document[f"{noun}s"]), noun) for noun in ("client", "connection", "project", "database")]
    left = [f"left out: {message}" for message in document.get("left_out", [])]
    return note(f"{place} is written, without secrets", ", ".join(parts), *left)


def import_(shell: Shell, rest: list[str]) -> Shown:
    """Add the profiles of a file; what is there already stays as it is, and is named."""
    usage = "%conn import PATH [--dry-run]"
    words, said = options(rest, {"--dry-run": "dry"}, usage)
    path = Path(one(words, usage)).expanduser().absolute()
    return unpacked(unbundle(shell.workspace, read(path), dry_run="dry" in said))


def unpacked(result: Unpacked) -> Shown:
    """What came of an import, a line each."""
    return preformatted("\n".join(result.lines))


def snippet(shell: Shell, rest: list[str]) -> Shown:
    """Code that connects with the same parameters elsewhere; it asks for the secrets."""
    profile = shell.named(one(rest, "%conn snippet NAME")) if rest else shell.needed()
    return preformatted(code(profile))


def credential(shell: Shell, rest: list[str]) -> Shown:
    """Keep a secret under a name that many connections refer to: password:=vault:NAME."""
    usage = "%conn credential NAME, or %conn credential rm NAME"
    if rest[:1] == ["rm"] and len(rest) == 2:
        return _forgotten(shell, rest[1])
    name = one(rest, usage)
    _refuse_bad(name)
    secret = asked(f"The secret to be kept as {name}: ")
    if secret is None:
        raise InvalidError("Nothing was entered, so nothing is kept.")
    with saying() as news:
        shell.workspace.vault.share(name, secret)
    return note(f"{name} is kept", f"password:=vault:{name} refers to it", *news)


def credentials(shell: Shell, rest: list[str]) -> Shown:
    """The shared secrets by name, and who refers to each."""
    none(rest, "%conn credentials")
    users = _users(shell)
    kept = set(shell.workspace.vault.shared())
    names = sorted({*kept, *users})
    rows = [(name, "sealed" if name in kept else "missing", ", ".join(sorted(users.get(name, [])))) for name in names]
    return listing(("credential", "state", "used by"), rows, count(len(rows), "credential"))


def _forgotten(shell: Shell, name: str) -> Shown:
    if users := _users(shell).get(name):
        there = f"The credential {name!r} is used by {', '.join(users)}."
        raise ConflictError(there, hint="Edit or remove them first.")
    shell.workspace.vault.unshare(name)
    return note(f"{name} is forgotten.")


def _users(shell: Shell) -> dict[str, list[str]]:
    """The connections and databases that refer to each shared secret."""
    store, found = shell.workspace.store, dict[str, list[str]]()
    holders = [(kept.item.qualified, kept.item.connection_params) for kept in store.connections.list()]
    databases = [(f"database {kept.item.name}", kept.item) for kept in store.databases.list()]
    for name, holder in [*holders, *databases]:
        for _, secret in secrets_of(holder):
            if isinstance(secret, Reference) and secret.source == "vault":
                found.setdefault(secret.name, []).append(name)
    return found


def _refuse_bad(name: str) -> None:
    """A bad name is told before anything is asked."""
    problem = ""
    try:
        safe_code(name)
    except ValueError as error:
        problem = str(error)
    if problem:
        # Not quoted: it may be the secret itself.
        raise InvalidError("The name of a shared credential", [Issue("NAME", problem)])
