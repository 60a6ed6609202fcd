"""siege_nb's endpoints in the Jupyter server: `siege/api/…`."""

from __future__ import annotations

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Where Jupyter finds the extension; imported only by a server that starts it."""
    from jupyter_server_ext.app import SiegeServerApp

    return [{"module": "jupyter_server_ext", "app": SiegeServerApp}]
