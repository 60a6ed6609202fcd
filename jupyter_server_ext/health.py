"""GET siege/api/health: whether it can do its work here, for whoever runs the server."""

from __future__ import annotations

import os
from functools import partial
from importlib.metadata import version
from typing import Any

from jupyter_server_ext.handler import Handler
from siege_nb.settings import Settings

# Read once: what runs, and not what was installed since.
VERSION = version("siege-nb")


class HealthHandler(Handler):
    """Version, and what an operator should mend."""

    # A monitor that asks every minute must not keep an idle server from being stopped.
    _track_activity = False

    async def get(self) -> None:
        """`status` is ok or degraded; `problems` says what to mend."""
        self.finish(await self.off_loop(partial(health, self.workspace.settings)))


def health(settings: Settings) -> dict[str, Any]:
    """How things stand on this machine. It looks and touches nothing, and names neither paths nor secrets."""
    place = settings.config_dir
    nearest = next(step for step in (place, *place.parents) if os.path.exists(step))
    writable = os.path.isdir(nearest) and os.access(nearest, os.W_OK | os.X_OK)
    # Windows keeps no such bits; there the answer is unknown. A directory still to be made will be private.
    private = None if os.name == "nt" else nearest != place or not os.stat(place).st_mode & 0o077
    problems = []
    if not writable:
        problems.append("The config directory cannot be written: saved connections can be used, but not changed.")
    if private is False:
        problems.append("Other users of this machine can look into the config directory: chmod 700 closes it.")
    return {
        "status": "degraded" if problems else "ok",
        "version": VERSION,
        "config_dir_writable": writable,
        "config_dir_private": private,
        "vault": settings.vault,
        "problems": problems,
    }
