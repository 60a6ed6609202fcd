"""The magics: %client, %conn, %sql and %%sql; loaded and unloaded without a trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def load(ip: InteractiveShell) -> None:
    """Register the magics; loading twice is loading once."""
    unload(ip)
    _load_mysql_first()
    from siege_nb.magics.shell import SiegeMagics

    ip.register_magics(SiegeMagics)


def unload(ip: InteractiveShell) -> None:
    """Close every session and take the magics away again."""
    manager = ip.magics_manager
    magics = manager.registry.pop("SiegeMagics", None)
    if magics is None:
        return
    magics.close()
    for spoken in manager.magics.values():
        for name in [name for name, method in spoken.items() if getattr(method, "__self__", None) is magics]:
            del spoken[name]
    if magics in ip.configurables:
        ip.configurables.remove(magics)


def _load_mysql_first() -> None:
    """Load MySQL's C extension while it still can be: after pyarrow or pandas it no longer loads (2 ms)."""
    try:
        import ssl  # noqa: F401 - before the extension, so that Python keeps its own OpenSSL

        import _mysql_connector  # noqa: F401
    except ImportError:
        pass  # not installed, or too late; the mysql adapter says so when it matters
