"""Who may do what with a connection.

An account is one config directory, which is its owner's alone. Within it, visibility says who of the account's people
may do what; in a kernel one is always the owner, so there it keeps nobody out and prevents accidents only.
"""

from __future__ import annotations

from typing import Literal, get_args

Visibility = Literal["public", "private", "locked"]
Role = Literal["owner", "admin", "member"]
#: See it in lists; run queries and tests; change its fields; remove it; change who may see it, or unlock it.
Act = Literal["see", "use", "edit", "remove", "share"]

#: What each role may do under each visibility. Whoever is none of these has another account, and sees nothing at all.
ALLOWED: dict[Visibility, dict[Role, frozenset[Act]]] = {
    "private": {
        "owner": frozenset(get_args(Act)),
        "admin": frozenset(),
        "member": frozenset(),
    },
    "public": {
        "owner": frozenset(get_args(Act)),
        "admin": frozenset(get_args(Act)),
        "member": frozenset({"see", "use"}),
    },
    "locked": {
        "owner": frozenset({"see", "use", "share"}),
        "admin": frozenset({"see", "use", "share"}),
        "member": frozenset({"see", "use"}),
    },
}

#: What an HTTP request on a connection does.
VERBS: dict[str, Act] = {"GET": "see", "POST": "use", "PATCH": "edit", "PUT": "edit", "DELETE": "remove"}


def may(role: Role, act: Act, visibility: Visibility) -> bool:
    """Whether somebody of this role may do this with a connection of this visibility."""
    return act in ALLOWED[visibility][role]


def table() -> str:
    """Role, visibility and HTTP verb as a Markdown table."""
    verbs = [*VERBS, "share"]
    rows = ["| visibility | role | " + " | ".join(verbs) + " |", "|---|---|" + "---|" * len(verbs)]
    for visibility, roles in ALLOWED.items():
        for role, acts in roles.items():
            cells = ["yes" if VERBS.get(verb, "share") in acts else "no" for verb in verbs]
            rows.append(f"| {visibility} | {role} | " + " | ".join(cells) + " |")
    return "\n".join(rows)
