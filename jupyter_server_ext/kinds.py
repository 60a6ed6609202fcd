"""GET siege/api/kinds: what kinds of connection there are, and what a form for each must ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_server_ext.handler import Handler
from siege_nb.errors import MissingDriverError
from siege_nb.masking import mask

if TYPE_CHECKING:
    from siege_nb.adapters.base import Adapter


class KindsHandler(Handler):
    """Every kind with its declaration, and the plug-ins that do not load."""

    async def get(self) -> None:
        """Drivers are imported to know whether they can be: the first answer of a server takes longer."""
        self.finish(await self.off_loop(kinds))


def kinds() -> dict[str, Any]:
    """What there is, what lacks a driver and how to install it, and what is broken."""
    from siege_nb import adapters

    loaded, reasons = adapters.load_all()
    described = []
    for adapter in loaded:
        try:
            described.append(_describe(adapter))
        except Exception as error:  # a stranger's plug-in may break in any way; the rest must still be told of
            reasons[adapter.kind] = f"{type(error).__name__}: {error}"
    broken = [{"kind": kind, "reason": mask(reason)} for kind, reason in reasons.items()]
    return {"kinds": described, "broken": broken}


def _describe(adapter: type[Adapter[Any]]) -> dict[str, Any]:
    from siege_nb.declare import schema

    reason = install = ""
    try:
        adapter.require_driver()
    except MissingDriverError as error:
        reason, install = mask(error.message), error.install
    return {
        "kind": adapter.kind,
        "title": adapter.title,
        "aliases": list(adapter.aliases),
        "usable": not reason,
        "reason": reason,
        "install": install,
        "schema": schema(adapter.params_type),
    }
