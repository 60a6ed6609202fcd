"""A shell with the extension in it, in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

Run = Callable[..., Any]


@pytest.fixture
def ip() -> Iterator[InteractiveShell]:
    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell(config=config)
    shell.run_line_magic("load_ext", "siege_nb")
    yield shell
    shell.run_line_magic("unload_ext", "siege_nb")
    shell.restore_sys_module_state()


@pytest.fixture
def run(ip: InteractiveShell) -> Run:
    """run("%conn add …") or run("%%sql\\nSELECT 1"): what the magic gives, or the error it raises."""

    def run(source: str) -> Any:
        head, _, body = source.partition("\n")
        name, _, line = head.lstrip("%").partition(" ")
        if head.startswith("%%"):
            return ip.run_cell_magic(name, line, body)
        return ip.run_line_magic(name, line)

    return run
