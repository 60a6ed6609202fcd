"""The magics: %client, %conn, %sqlcmd, %sql and %%sql; loaded and unloaded without a trace."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from siege_nb.magics.guard import Guard

_guards: dict[InteractiveShell, Guard] = {}
#: Names that other extensions have too; who came first keeps them.
_SHARED = ("sql", "sqlcmd")


def load(ip: InteractiveShell) -> None:
    """Register the magics and guard the shell's doors; loading twice is loading once."""
    unload(ip)
    _load_mysql_first()
    from siege_nb.magics.guard import Guard
    from siege_nb.magics.shell import SiegeMagics

    magics = SiegeMagics(ip)
    spoken = ip.magics_manager.magics
    _leave_taken(magics.magics, spoken)
    magics.replaced = {kind: {name: spoken[kind].get(name) for name in names} for kind, names in magics.magics.items()}
    ip.register_magics(magics)
    ip.configurables.append(magics.settings)  # type: ignore[arg-type]  # IPython's own holds all sorts
    _guards[ip] = Guard(ip)
    _complete(ip, magics.settings.completion)
    magics.settings.observe(lambda change: _complete(ip, change["new"]), "completion")


def unload(ip: InteractiveShell) -> None:
    """Close every session, take the magics away again, and give back what they and the guard replaced."""
    if guard := _guards.pop(ip, None):
        guard.close()
    manager = ip.magics_manager
    magics = manager.registry.pop("SiegeMagics", None)
    if magics is None:
        return
    _complete(ip, "off")
    magics.close()
    for kind, replaced in magics.replaced.items():
        for name, predecessor in replaced.items():
            if getattr(manager.magics[kind].get(name), "__self__", None) is not magics:
                continue  # somebody has taken the name since
            if predecessor is None:
                del manager.magics[kind][name]
            else:
                manager.magics[kind][name] = predecessor
    ip.configurables[:] = [one for one in ip.configurables if one is not magics and one is not magics.settings]


def _complete(ip: InteractiveShell, how: str) -> None:
    from siege_nb.magics import assist

    if how == "off":
        assist.uninstall(ip)
    else:
        assist.install(ip)


def _leave_taken(ours: dict[str, dict[str, Any]], spoken: dict[str, dict[str, Any]]) -> None:
    """Leave a name to whom it belongs already, and say so; on Databricks %sql is the platform's own."""
    taken = [name for name in _SHARED if any(name in spoken[kind] for kind in ours)]
    if "DATABRICKS_RUNTIME_VERSION" in os.environ:
        taken = list({*taken, "sql"})
    elif "sql" in taken:
        sys.stderr.write("siege_nb: %sql and %%sql belong to another extension here; use %siege_sql and %%siege_sql.\n")
    for kind in ours:
        for name in taken:
            ours[kind].pop(name, None)


def _load_mysql_first() -> None:
    """Load MySQL's C extension while it still can be: after pyarrow or pandas it no longer loads (2 ms)."""
    try:
        import ssl  # noqa: F401 - before the extension, so that Python keeps its own OpenSSL

        import _mysql_connector  # noqa: F401
    except ImportError:
        pass  # not installed, or too late; the mysql adapter says so when it matters
