"""What kinds of connection there are; one is loaded when it is first asked for.

Three grains: `kinds()` reads names and imports nothing, `load()` imports one, `load_all()` imports all and tells of
those that cannot be.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from siege_nb.declare import suggest
from siege_nb.errors import UnknownKindError

if TYPE_CHECKING:
    from siege_nb.adapters.base import Adapter

GROUP = "siege_nb.adapters"


@cache
def _registered() -> dict[str, EntryPoint]:
    # Sorted, so that two plug-ins of one name are settled the same way each time.
    return {point.name: point for point in sorted(entry_points(group=GROUP), key=lambda p: (p.name, p.value))}


def kinds() -> list[str]:
    """The names of all kinds, ours and third parties'."""
    return sorted(_registered())


@cache
def load(kind: str) -> type[Adapter[Any]]:
    """The adapter of a kind, by its name or an alias; UnknownKindError lists those there are."""
    found = _registered()
    wanted = kind.casefold()
    if wanted in found:
        return _import(found[wanted])
    for name in found:
        adapter = _try(name)
        if adapter is not None and wanted in (alias.casefold() for alias in adapter.aliases):
            return adapter
    near = suggest(kind, sorted(found))
    raise UnknownKindError(f"There is no kind of connection named {kind!r}.{near}", hint=f"Kinds: {', '.join(found)}")


def by_scheme(scheme: str) -> type[Adapter[Any]] | None:
    """The adapter that addresses beginning with this word mean, if there is one."""
    try:
        return load(scheme)
    except UnknownKindError:
        return next((adapter for adapter in load_all()[0] if scheme.casefold() in adapter.schemes), None)


def load_all() -> tuple[list[type[Adapter[Any]]], dict[str, str]]:
    """Every adapter that can be imported, and why the others cannot."""
    adapters, broken = [], {}
    for name, point in _registered().items():
        try:
            adapters.append(_import(point))
        except Exception as error:  # a stranger's plug-in may break in any way; the rest must still work
            broken[name] = error.message if isinstance(error, UnknownKindError) else f"{type(error).__name__}: {error}"
    return adapters, broken


def _try(name: str) -> type[Adapter[Any]] | None:
    try:
        return _import(_registered()[name])
    except Exception:  # told by load_all(); a broken stranger hides no kind of ours
        return None


def _import(point: EntryPoint) -> type[Adapter[Any]]:
    from siege_nb.adapters.base import Adapter

    try:
        adapter = point.load()
    except Exception as error:  # a stranger's plug-in may break in any way; it is confined to its own kind
        raise _broken(point, f"{type(error).__name__}: {error}") from None
    if not (isinstance(adapter, type) and issubclass(adapter, Adapter)):
        raise _broken(point, f"{point.value} is no Adapter")
    if (said := getattr(adapter, "kind", None)) != point.name:
        raise _broken(point, f"{point.value} calls itself {said!r}")
    return adapter


def _broken(point: EntryPoint, reason: str) -> UnknownKindError:
    package = point.dist.name if point.dist else point.module
    return UnknownKindError(
        f"The kind {point.name!r} cannot be loaded: {reason}.", hint=f"It comes with {package}; update or uninstall it."
    )
