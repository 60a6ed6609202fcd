"""%conn use, close, tx and test: the session that cells talk over, and how a connection answers."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from siege_nb.adapters.base import TestResult
from siege_nb.errors import ConnectError, InvalidError, SiegeError
from siege_nb.magics.adding import add, is_url
from siege_nb.magics.shell import Shell
from siege_nb.magics.words import one, pairs
from siege_nb.models.connection import ConnectionProfile
from siege_nb.show import Shown, badge, count, inline, listing, note

#: So many connections are tested at once.
AT_ONCE = 8


def use(shell: Shell, rest: list[str]) -> Shown:
    """Open a connection and make it the current one; a URL is saved first."""
    if rest and is_url(rest[0]):
        return _use_url(shell, rest)
    profile = shell.named(one(rest, "%conn use NAME"))
    began = time.perf_counter()
    shell.workspace.lease(profile)
    shell.use(profile)
    took = f"{(time.perf_counter() - began) * 1000:.0f} ms"
    return note(f"{shell.spoken(profile.scope, profile.name)} is in use", badge(profile.environment), took)


def _use_url(shell: Shell, rest: list[str]) -> Shown:
    from siege_nb.adapters.urls import from_url

    url, *more = rest
    bare, values, references = pairs(more)
    match bare:
        case ["as", name]:
            pass
        case []:
            found = from_url(url)
            told = found.values.get("database", "").rpartition("/")[2].partition(".")[0]
            name = told or found.values.get("host", "") or found.kind
        case _:
            raise InvalidError(f"Nothing is known of {' '.join(bare)!r} here.", hint="%conn URL as NAME")
    said = [f"{key}={value}" for key, value in values.items()] + [f"{k}:={v}" for k, v in references.items()]
    saved = add(shell, [name, url, *said])
    return inline(saved, use(shell, [name]))


def test(shell: Shell, rest: list[str]) -> TestResult | Shown:
    """Try a connection step by step, with a session of its own; or all of them at once."""
    if rest == ["--all"]:
        return _test_all(shell)
    profile = shell.named(one(rest, "%conn test NAME, or %conn test --all")) if rest else shell.needed()
    return shell.workspace.test(profile)


def _test_all(shell: Shell) -> Shown:
    profiles = [kept.item for kept in shell.workspace.store.connections.list()]
    shell.workspace.vault.unlock()  # a passphrase can be asked for in this thread only
    import pyarrow  # noqa: F401 - half a second or more, which would count as the latency of each
    workers = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="siege-test")
    try:
        tested = [(profile, workers.submit(_tested, shell, profile)) for profile in profiles]
        rows = [(shell.spoken(p.scope, p.name), p.connection_type, *later.result()) for p, later in tested]
    finally:  # a Ctrl-C too: who has begun ends at its deadline, with nobody waiting
        workers.shutdown(wait=False, cancel_futures=True)
    well = sum(row[2] == "ok" for row in rows)
    head = ("name", "kind", "ok", "latency", "server", "problem")
    return listing(head, sorted(rows), f"{well} of {count(len(rows), 'connection')} ok")


def _tested(shell: Shell, profile: ConnectionProfile) -> tuple[str, str, str, str]:
    """Whether it is reached, in how many milliseconds, who answered and what is wrong."""
    try:
        result = shell.workspace.test(profile)
    except SiegeError as error:  # a kind that is not installed, a secret that is missing
        return "failed", "", "", error.message
    problem = f"{_problem(result.error)}{result.error.message}" if result.error else ""
    verdict = "ok" if result.ok else "failed"
    return verdict, f"{result.response_time_ms:.0f} ms", result.server.get("version", ""), problem


def _problem(error: SiegeError) -> str:
    return f"{error.problem}: " if isinstance(error, ConnectError) and error.problem else ""


def close(shell: Shell, rest: list[str]) -> Shown:
    """Close a connection's session; its temporary tables and open transaction go with it."""
    word = one(rest, "%conn close NAME, or %conn close --all")
    if word == "--all":
        shell.workspace.close()
        shell.connection = None
        return note("All sessions are closed.")
    profile = shell.named(word)
    ident, name = profile.connection_id, shell.spoken(profile.scope, profile.name)
    pending = shell.workspace.state(ident) == "in transaction"
    ended = shell.workspace.disconnect(profile)
    shell.put_away(ident)
    rolled_back = " Its open transaction was rolled back." if pending else ""
    if not ended:
        return note(f"{name} had no open session.")
    if not all(ended):
        return note(f"{name} was given up: what ran in it did not stop when told to.")
    return note(f"{name} is closed.{rolled_back}")


#: Act of %conn tx: what is sent, and in which state it makes sense.
_ACTS = {"begin": ("BEGIN", False), "commit": ("COMMIT", True), "rollback": ("ROLLBACK", True)}


def tx(shell: Shell, rest: list[str]) -> Shown:
    """The transaction of the current connection: how it stands, or begun, committed, rolled back."""
    profile = shell.needed()
    name, workspace = shell.spoken(profile.scope, profile.name), shell.workspace
    if rest:
        act = one(rest, "%conn tx [begin|commit|rollback]").casefold()
        if act not in _ACTS:
            raise InvalidError(f"%conn tx knows no {act!r}.", hint="%conn tx [begin|commit|rollback]")
        statement, needs = _ACTS[act]
        if (workspace.state(profile.connection_id) == "in transaction") != needs:
            raise InvalidError(f"{name} is {'not' if needs else 'already'} in a transaction; nothing was done.")
        workspace.query(profile, statement, {})
    pending = workspace.state(profile.connection_id) == "in transaction"
    state = "in transaction" if pending else "no transaction is open: each statement counts at once"
    return note(name, badge(profile.environment), state)
