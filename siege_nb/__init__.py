"""siege_nb: clients, connections and SQL, at home in a notebook.

Public names are loaded when first asked for: importing this package costs a few milliseconds and no driver.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False  # typing's own costs its import; type checkers know this one too
if TYPE_CHECKING:
    from typing import Any

    from IPython.core.interactiveshell import InteractiveShell

__version__ = "0.1.0"

_HOMES = {
    "ClientProfile": "siege_nb.models.client",
    "ConnectionProfile": "siege_nb.models.connection",
    "Reference": "siege_nb.declare.secret",
    "Result": "siege_nb.query.result",
    "Secret": "siege_nb.declare.secret",
    "Settings": "siege_nb.settings",
    "SiegeError": "siege_nb.errors",
    "Workspace": "siege_nb.workspace",
}

__all__ = [*_HOMES, "__version__", "load_ipython_extension", "unload_ipython_extension"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


def load_ipython_extension(ip: InteractiveShell) -> None:
    """What %load_ext siege_nb calls."""
    from siege_nb import magics

    magics.load(ip)


def unload_ipython_extension(ip: InteractiveShell) -> None:
    """What %unload_ext siege_nb calls."""
    from siege_nb import magics

    magics.unload(ip)
