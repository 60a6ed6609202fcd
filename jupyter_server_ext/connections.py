"""GET siege/api/connections: what there is to connect to, for whoever may see it."""

from __future__ import annotations

from functools import partial
from typing import Any

from jupyter_server_ext.handler import Handler
from siege_nb.models.access import ALLOWED, Role, may
from siege_nb.store import Row
from siege_nb.workspace import Workspace

# What a list shows of a connection. Its parameters are not among it: the answer for a form is another one's matter.
_SHOWN = ("connection_type", "status", "client_code", "workspace", "environment", "visibility", "tags")


class ConnectionsHandler(Handler):
    """The connections that one may see, without their parameters, and the files that cannot be read."""

    async def get(self) -> None:
        """Every change made by a kernel is seen at once."""
        self.finish(await self.off_loop(partial(connections, self.workspace, self.current_user.username)))


def connections(workspace: Workspace, username: str) -> dict[str, Any]:
    """A line of each connection that this user may see."""
    seen = [row for row in workspace.store.connections.rows() if sees(username, row)]
    return {
        "connections": [
            {"id": row.key, "name": row.name} | {field: row.summary[field] for field in _SHOWN} for row in seen
        ],
        "problems": [damaged.path.name for damaged in workspace.store.connections.problems()],
    }


def sees(username: str, row: Row) -> bool:
    """Whether a user of the server may see a connection. Whoever is not its owner is a member, as far as is known."""
    visibility = row.summary["visibility"]  # a hand may have written anything there: then it is private
    owner = row.summary["owner"]
    role: Role = "owner" if owner in ("", username) else "member"
    known = isinstance(visibility, str) and visibility in ALLOWED
    return may(role, "see", visibility if known else "private")
