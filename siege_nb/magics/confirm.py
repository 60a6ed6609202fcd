"""Before a cell writes on a prod connection, somebody types its name."""

from __future__ import annotations

from siege_nb.errors import QueryError
from siege_nb.pool import Lease
from siege_nb.query.writes import announced
from siege_nb.show import badge


def confirm(name: str, lease: Lease, sql: str) -> None:
    """Return when nothing in a cell writes, or when the connection's name was typed; else raise before anything ran.

    The name says whose connection it is where that is not the current client's: just that is to be typed.
    """
    session = lease.queryable
    kinds = lease.call(lambda: announced(session, sql)) if session else []
    if not kinds:
        return
    what = ", ".join(dict.fromkeys(kinds))
    typed = _typed(f"{badge('prod').text} · {name} · {what}\nType the connection's name to go on: ")
    if typed is None:
        raise QueryError(
            f"{name} is a prod connection, this cell would write there ({what}), and nobody can be asked here.",
            kind="usage",
            hint=f"If it may: %%sql --write {name}",
        )
    if typed.strip().casefold() != name.casefold():
        raise QueryError(f"That is not the name of the connection ({what}); nothing was run.", kind="usage")


def _typed(prompt: str) -> str | None:
    try:
        return input(prompt)
    except (RuntimeError, EOFError):  # no one is there to answer: a notebook that is run by a program
        return None
