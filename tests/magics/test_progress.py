"""How far a cell is: when it is shown, what it says, and that it goes away."""

from __future__ import annotations

import io
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from siege_nb.magics.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def screen(self) -> str:
        """What stands in the line after all that was written."""
        line: list[str] = []
        for part in self.getvalue().split("\r"):
            line[: len(part)] = part
        return "".join(line).rstrip()


def test_a_line_of_a_terminal_is_written_over_and_at_last_wiped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", terminal := Terminal())
    with Progress("wh") as progress:
        progress.statement(2, 3)
        progress.tick(1.9, 0.1)
        assert terminal.getvalue() == ""
        progress.tick(2.0, 0.25)
        assert terminal.screen() == "wh · statement 2 of 3 · 2 s · 25%"
        progress.statement(1, 1)
        progress.tick(3725.0, None)
        assert terminal.screen() == "wh · 1 h 02 min"
        progress.tick(90.0, 7.0)
        assert terminal.screen() == "wh · 1 min 30 s · 100%"
    assert terminal.screen() == ""
    assert terminal.getvalue().endswith("\r")


@pytest.mark.parametrize(("after", "shown"), [(0.0, True), (0.5, True), (2.0, False), (-1.0, False)])
def test_when_it_begins_is_said_and_negative_is_never(
    monkeypatch: pytest.MonkeyPatch, after: float, shown: bool
) -> None:
    monkeypatch.setattr("sys.stderr", terminal := Terminal())
    with Progress("wh", after) as progress:
        progress.tick(0.6, None)
        assert bool(terminal.getvalue()) == shown


def test_nothing_is_written_to_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr("sys.stderr", file)
    with Progress("wh") as progress:
        progress.tick(3.0, None)
    assert file.getvalue() == ""


def test_one_display_of_a_notebook_is_changed_and_at_last_empty(
    ip: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(ip, "kernel", object(), raising=False)
    monkeypatch.setattr("IPython.core.getipython.get_ipython", lambda: ip)
    monkeypatch.setattr(InteractiveShell, "instance", lambda: ip)
    monkeypatch.setattr(ip.display_pub, "publish", lambda **message: sent.append(message))
    with Progress("<b>wh</b>") as progress:
        progress.tick(2.0, None)
        progress.tick(2.5, 0.5)
    assert [message.get("update", False) for message in sent] == [False, True, True]
    assert len({message["transient"]["display_id"] for message in sent}) == 1
    assert [message["data"]["text/plain"] for message in sent] == ["<b>wh</b> · 2 s", "<b>wh</b> · 2 s · 50%", ""]
    assert "&lt;b&gt;" in sent[0]["data"]["text/html"]
    assert sent[-1]["data"]["text/html"] == ""
