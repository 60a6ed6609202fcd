"""One line under a cell that takes its time: for how long, and how far; gone when it has ended."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any
from uuid import uuid4

from siege_nb.show import Shown, note


class Progress:
    """Watches one cell, and shows how far it is once it has run for a while; a context manager around the cell.

    Nothing is shown before `after` seconds, and nothing ever where that is negative.
    """

    def __init__(self, connection: str, after: float = 2.0) -> None:
        self._connection, self._after = connection, after
        self._statement = (1, 1)
        self._place: _Notebook | _Terminal | None = None

    def statement(self, number: int, total: int) -> None:
        """One of so many statements begins."""
        self._statement = (number, total)

    def tick(self, seconds: float, done: float | None) -> None:
        """Show it anew; called in the thread that runs the cell, which alone may."""
        if not 0 <= self._after <= seconds:
            return
        number, total = self._statement
        shown = note(
            self._connection,
            f"statement {number} of {total}" if total > 1 else "",
            _elapsed(seconds),
            f"{min(max(done, 0.0), 1.0):.0%}" if done is not None else "",
        )
        if self._place is None:
            self._place = _Notebook() if _is_notebook() else _Terminal()
        self._place.show(shown)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        place, self._place = self._place, None
        if place is not None:
            place.clear()


class _Notebook:
    """A display of the cell's, changed in place. No front end can take one away again: it is left empty."""

    def __init__(self) -> None:
        self._ident = uuid4().hex
        self._is_there = False

    def show(self, shown: Shown) -> None:
        self._send({"text/plain": shown.text, "text/html": shown.html})

    def clear(self) -> None:
        self._send({"text/plain": "", "text/html": ""})

    def _send(self, data: dict[str, Any]) -> None:
        from IPython.display import publish_display_data

        update, self._is_there = self._is_there, True
        publish_display_data(data=data, transient={"display_id": self._ident}, update=update)


class _Terminal:
    """A line of stderr, written over and over; nothing where stderr is a file."""

    def __init__(self) -> None:
        self._width = 0

    def show(self, shown: Shown) -> None:
        self._write(shown.text)

    def clear(self) -> None:
        self._write("")

    def _write(self, text: str) -> None:
        if sys.stderr.isatty():
            sys.stderr.write("\r" + text.ljust(self._width) + ("" if text else "\r"))
            sys.stderr.flush()
            self._width = len(text)


def _is_notebook() -> bool:
    from IPython.core.getipython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None


def _elapsed(seconds: float) -> str:
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"
