"""siege_nb: clients, connections and SQL, at home in a notebook.

Public names are loaded when first asked for: importing this package costs a few milliseconds and no driver.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False  # typing's own costs its import; type checkers know this one too
if TYPE_CHECKING:
    from typing import Any

    from IPython.core.interactiveshell import InteractiveShell

    from siege_nb.declare import Reference as Reference
    from siege_nb.declare import Secret as Secret
    from siege_nb.errors import SiegeError as SiegeError
    from siege_nb.models.client import ClientProfile as ClientProfile
    from siege_nb.models.connection import ConnectionProfile as ConnectionProfile
    from siege_nb.profiles import *  # noqa: F403
    from siege_nb.query.result import Result as Result
    from siege_nb.settings import Settings as Settings
    from siege_nb.workspace import Workspace as Workspace

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
# As profiles.__all__ has them, which to ask would import it.
_PROFILES = """
    ProfileWarning associate_client_with_project cleanup_old_connections clone_client_profile
    clone_connection_profile create_client_profile create_connection_profile create_database_config
    create_project_config create_spark_session_with_databases delete_client_profile delete_connection_profile
    delete_database_config delete_project_config disassociate_client_from_project find_connection_by_name
    get_client_project_associations get_connection_status get_project_path get_spark_database_options last_error
    list_client_profiles list_connection_profiles list_database_configs list_projects load_client_profile
    load_connection_profile load_database_config load_project_config open_profile rename_client_profile
    rename_connection_profile save_client_profile save_connection_profile save_database_config save_project_config
    search_client_profiles setup_project_directories test_connection test_database_connection update_client_profile
    update_connection_profile update_database_config update_project_config validate_client_profile
    verify_connection_profile
"""
_HOMES |= dict.fromkeys(_PROFILES.split(), "siege_nb.profiles")

__all__ = [*_HOMES, "__version__", "load_ipython_extension", "unload_ipython_extension"]
__all__.sort(key=lambda name: (not name[0].isupper(), name))


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
