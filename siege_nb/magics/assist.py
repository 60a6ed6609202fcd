"""Tab and Shift-Tab in our cells: asked of IPython from here, answered by rooms that are opened when first asked."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from IPython.core.completer import context_matcher

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult
    from IPython.core.interactiveshell import InteractiveShell

#: In a text without one of these nothing can be ours, and nothing is opened.
_OURS = re.compile(r"%(?:sql|siege_sql|conn|client|sqlcmd)\s")


@dataclass(frozen=True, slots=True)
class _Installed:
    """What was put into a shell, and what stood there."""

    matcher: Any
    do_inspect: Any
    theirs: Any
    shell: Any


_installed: WeakKeyDictionary[InteractiveShell, _Installed] = WeakKeyDictionary()


def install(ip: InteractiveShell) -> None:
    """Answer in our cells from now on; Python cells are left to others. Installing twice is installing once."""
    uninstall(ip)

    # Before jedi, which takes its time over what is no Python.
    @context_matcher(identifier="siege_nb", priority=100)
    def matcher(context: CompletionContext) -> SimpleMatcherResult:
        if not _OURS.search(context.full_text):
            return {"completions": [], "suppress": False}
        from siege_nb.magics import complete

        return complete.match(ip, context)

    ip.Completer.custom_matchers.insert(0, matcher)
    kernel = getattr(ip, "kernel", None)  # a terminal has no Shift-Tab
    theirs = vars(kernel).get("do_inspect") if kernel is not None else None
    do_inspect = None if kernel is None else _wrap(ip, kernel)
    magics = ip.magics_manager.registry.get("SiegeMagics")
    _installed[ip] = _Installed(matcher, do_inspect, theirs, magics and magics.siege)


def uninstall(ip: InteractiveShell) -> None:
    """Leave all as it was found."""
    ours = _installed.pop(ip, None)
    if ours is None:
        return
    ip.Completer.custom_matchers[:] = [one for one in ip.Completer.custom_matchers if one is not ours.matcher]
    kernel: Any = getattr(ip, "kernel", None)
    if ours.do_inspect is not None and vars(kernel).get("do_inspect") is ours.do_inspect:  # nobody put theirs over it
        del kernel.do_inspect
        if ours.theirs is not None:
            kernel.do_inspect = ours.theirs
    if (lookup := sys.modules.get("siege_nb.magics.lookup")) is not None and ours.shell is not None:
        lookup.of(ours.shell).close()


def _wrap(ip: InteractiveShell, kernel: Any) -> Any:
    inner = kernel.do_inspect

    def do_inspect(code: str, cursor_pos: int, *args: Any, **more: Any) -> Any:
        if _OURS.search(code):
            from siege_nb.magics import inspect

            if (shown := inspect.about(ip, code, cursor_pos)) is not None:
                data = {"text/plain": shown.text, "text/html": shown.html}
                return {"status": "ok", "found": True, "data": data, "metadata": {}}
        return inner(code, cursor_pos, *args, **more)

    kernel.do_inspect = do_inspect
    return do_inspect
