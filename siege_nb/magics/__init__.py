"""The magics: %client, %conn, %sql and %%sql; loaded and unloaded without a trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from siege_nb.magics.guard import Guard

_guards: dict[InteractiveShell, Guard] = {}


def load(ip: InteractiveShell) -> None:
    """Register the magics and guard the shell's doors; loading twice is loading once."""
    unload(ip)
    _load_mysql_first()
    from siege_nb.magics.guard import Guard
    from siege_nb.magics.shell import SiegeMagics

    magics = SiegeMagics(ip)
    spoken = ip.magics_manager.magics
    magics.replaced = {kind: {name: spoken[kind].get(name) for name in names} for kind, names in magics.magics.items()}
    ip.register_magics(magics)
    _guards[ip] = Guard(ip)


def unload(ip: InteractiveShell) -> None:
    """Close every session, take the magics away again, and give back what they and the guard replaced."""
    if guard := _guards.pop(ip, None):
        guard.close()
    manager = ip.magics_manager
    magics = manager.registry.pop("SiegeMagics", None)
    if magics is None:
        return
    magics.close()
    for kind, replaced in magics.replaced.items():
        for name, predecessor in replaced.items():
            if getattr(manager.magics[kind].get(name), "__self__", None) is not magics:
                continue  # somebody has taken the name since
            if predecessor is None:
                del manager.magics[kind][name]
            else:
                manager.magics[kind][name] = predecessor
    if magics in ip.configurables:
        ip.configurables.remove(magics)


def _load_mysql_first() -> None:
    """Load MySQL's C extension while it still can be: after pyarrow or pandas it no longer loads (2 ms)."""
    try:
        import ssl  # noqa: F401 - before the extension, so that Python keeps its own OpenSSL

        import _mysql_connector  # noqa: F401
    except ImportError:
        pass  # not installed, or too late; the mysql adapter says so when it matters
