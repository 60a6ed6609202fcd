"""Two kernels and a server over one config directory: each sees the others' changes, and none overwrites them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from siege_nb.settings import Settings
from tests.kernel.kernel import Kernel, kernel
from tests.servers.ports import free_port

SOON = 1.5
TOKEN = "a-token-of-this-test"


@contextmanager
def server(folder: Path) -> Iterator[Callable[[], list[str]]]:
    """A Jupyter server with the extension; what it gives lists the connections that it knows."""
    port = free_port()
    log = folder / "server.log"
    command = [sys.executable, "-m", "jupyter_server", f"--ServerApp.port={port}", "--ServerApp.open_browser=False",
               f"--ServerApp.root_dir={folder}", "--ServerApp.allow_root=True", "--ServerApp.port_retries=0",
               "--ServerApp.ip=127.0.0.1"]  # fmt: skip
    with open(log, "wb") as out:
        process = subprocess.Popen(command, env=os.environ | {"JUPYTER_TOKEN": TOKEN}, stdout=out, stderr=out)

    def names() -> list[str]:
        asked = urllib.request.Request(f"http://127.0.0.1:{port}/siege/api/connections")
        asked.add_header("Authorization", f"token {TOKEN}")
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return sorted(found["name"] for found in json.load(answer)["connections"])

    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                names()
                break
            except OSError:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
        yield names
    finally:
        process.terminate()
        process.wait(30)


def listed(kernel: Kernel) -> list[str]:
    ran = kernel.run("import json; print(json.dumps(sorted(r.name for r in w.store.connections.rows())))")
    assert ran.status == "ok", ran.error
    found: list[str] = json.loads(ran.text)
    return found


def within(seconds: float, see: Callable[[], object], expected: object) -> float:
    """How long it took until this is what is seen."""
    began = time.monotonic()
    while (found := see()) != expected:
        assert time.monotonic() - began < seconds, f"after {seconds} s still {found}"
    return time.monotonic() - began


@pytest.fixture
def three(tmp_path: Path) -> Iterator[tuple[Kernel, Kernel, Callable[[], list[str]]]]:
    prepare = "%load_ext siege_nb\nfrom siege_nb import Workspace\nw = Workspace()"
    with ExitStack() as stack:
        one, two = (stack.enter_context(kernel(tmp_path, prepare)) for _ in range(2))
        yield one, two, stack.enter_context(server(tmp_path))


def test_each_sees_what_the_others_do(three: tuple[Kernel, Kernel, Callable[[], list[str]]]) -> None:
    one, two, names = three
    assert (listed(one), listed(two), names()) == ([], [], [])
    one.run("%conn add here sqlite")
    within(SOON, lambda: listed(two), ["here"])
    within(SOON, names, ["here"])
    two.run("%conn rename here there")
    within(SOON, lambda: listed(one), ["there"])
    within(SOON, names, ["there"])
    # By hand: a new file, and one that is written over where it stands.
    folder = Settings.from_environment().config_dir / "connections"
    (path,) = folder.glob("connection_*.json")
    document = json.loads(path.read_text()) | {"connection_id": "by-hand", "name": "by hand"}
    (folder / "connection_by-hand.json").write_text(json.dumps(document))
    for see in (lambda: listed(one), lambda: listed(two), names):
        within(SOON, see, ["by hand", "there"])
    path.write_text(path.read_text().replace('"name": "there"', '"name": "where"'))
    for see in (lambda: listed(one), lambda: listed(two), names):
        within(5, see, ["by hand", "where"])


def test_none_overwrites_what_another_changed(three: tuple[Kernel, Kernel, Callable[[], list[str]]]) -> None:
    one, two, _ = three
    one.run("%conn add shared sqlite")
    reading = "kept = w.store.connections.find_named('shared')"
    for each in (one, two):
        assert each.run(reading).status == "ok"
    change = "w.save(kept.item.model_copy(update={{'notes': '{}'}}), expected=kept.version)"
    assert one.run(change.format("the first")).status == "ok"
    refused = two.run(change.format("the second"))
    assert refused.name == "ConflictError"
    assert "notes" in refused.error  # what was changed
    assert "@kernel" in refused.error  # and by whom
    seen = two.run("print(w.find('shared').notes)")
    assert seen.text.strip() == "the first"
