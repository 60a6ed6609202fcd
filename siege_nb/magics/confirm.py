"""Before a cell writes on a prod connection, somebody types its name."""

from __future__ import annotations

from siege_nb.errors import QueryError
from siege_nb.models.connection import ConnectionProfile
from siege_nb.pool import Lease
from siege_nb.query.session import Queryable
from siege_nb.query.writes import writing
from siege_nb.show import badge, plain


def confirm(profile: ConnectionProfile, lease: Lease, sql: str) -> None:
    """Return when nothing in a cell writes, or when the connection's name was typed; else raise before anything ran."""
    session = lease.queryable
    # In the session's thread, and cut by its own rules: what is looked at is what will be sent.
    kinds = lease.call(lambda: _kinds(session, sql)) if session else []
    if not kinds:
        return
    name, what = plain(profile.name), ", ".join(dict.fromkeys(kinds))
    typed = _typed(f"{badge(profile.environment).text} · {name} · {what}\nType the connection's name to go on: ")
    if typed is None:
        raise QueryError(
            f"{name} is a prod connection, this cell would write there ({what}), and nobody can be asked here.",
            kind="usage",
            hint=f"If it may: %%sql --write {name}",
        )
    if typed.strip().casefold() not in (profile.name.casefold(), profile.qualified.casefold()):
        raise QueryError(f"That is not the name of the connection ({what}); nothing was run.", kind="usage")


def _kinds(session: Queryable, sql: str) -> list[str]:
    return [kind for statement in session.split(sql) for kind in writing(statement, session.grammar)]


def _typed(prompt: str) -> str | None:
    try:
        return input(prompt)
    except (RuntimeError, EOFError):  # no one is there to answer: a notebook that is run by a program
        return None
