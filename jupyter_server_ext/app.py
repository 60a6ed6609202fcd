"""The extension: what it serves, and what it keeps while the server runs."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

from jupyter_server.extension.application import ExtensionApp
from traitlets import Int

from jupyter_server_ext.connections import ConnectionsHandler
from jupyter_server_ext.handler import THREADS, WORKSPACE
from jupyter_server_ext.health import HealthHandler
from jupyter_server_ext.kinds import KindsHandler
from siege_nb.masking import MaskingFilter
from siege_nb.settings import Settings

#: Every route of ours.
ROUTES = (
    (r"/siege/api/health", HealthHandler),
    (r"/siege/api/kinds", KindsHandler),
    (r"/siege/api/connections", ConnectionsHandler),
)


class SiegeServerApp(ExtensionApp):
    """siege_nb in the Jupyter server: one workspace over one config directory, and the threads that may block."""

    name = "siege_nb"

    threads = Int(8, min=1, help="How many requests may wait for a disk, a driver or a key at once.").tag(config=True)

    #: Known secrets stay out of the server's own log, whoever writes it.
    _masking = MaskingFilter()

    def initialize_settings(self) -> None:
        """Keep the workspace and its threads for the handlers. settings["siege_nb"] is Jupyter's own: not for state."""
        from siege_nb.workspace import Workspace

        self.settings[WORKSPACE] = Workspace(Settings.from_environment())
        for handler in self._log_handlers():
            handler.addFilter(self._masking)
        self.settings[THREADS] = ThreadPoolExecutor(self.threads, thread_name_prefix="siege")

    def initialize_handlers(self) -> None:
        self.handlers.extend(ROUTES)

    def _log_handlers(self) -> set[logging.Handler]:
        # Handlers, not loggers: a logger's filter does not see what its children log.
        return {*logging.getLogger().handlers, *self.log.handlers, *(self.serverapp or self).log.handlers}

    async def stop_extension(self) -> None:
        """Drop what waits for a thread, and close every session: that ends what still runs in one."""
        for handler in self._log_handlers():
            handler.removeFilter(self._masking)
        if THREADS not in self.settings:  # it failed to load; Jupyter stops it all the same
            return
        self.settings[THREADS].shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self.settings[WORKSPACE].close)
