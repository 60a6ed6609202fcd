"""A real JupyterLab, and a Chromium that looks at it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Route

from tests.servers.ports import free_port

CHROMIUM = Path(shutil.which("chromium") or "/usr/bin/chromium")
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip

_SETTINGS = {
    # Else a notification about news covers the page, and cells out of sight are not in it.
    "@jupyterlab/apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
}
# The indicator says "idle" before there is a session: wait for the kernel's own answer.
_READY = """async () => { const app = jupyterapp, panel = app.shell.currentWidget; await app.restored;
    await panel.context.ready; await panel.sessionContext.ready; await panel.sessionContext.session.kernel.info; }"""


@dataclass
class Seen:
    """What went wrong on a page without anybody saying so."""

    offsite: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


class Lab:
    """One JupyterLab server over a folder of notebooks."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.home = home
        self.token = secrets.token_hex(16)
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        for name, setting in _SETTINGS.items():
            self.set(name, setting)
        places = {f"JUPYTER_{name}_DIR": str(home / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
        places |= {f"JUPYTERLAB_{name}_DIR": str(home / name.lower()) for name in ("SETTINGS", "WORKSPACES")}
        options = {
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": self.port,
            "ServerApp.port_retries": 0,
            "ServerApp.root_dir": folder,
            "LabApp.extension_manager": "readonly",
            "LabApp.news_url": None,
            "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
            "LabApp.expose_app_in_browser": True,
        }
        self._log = (home / "lab.log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
            + [f"--{name}={value}" for name, value in options.items()],
            env={**os.environ, **places, "JUPYTER_TOKEN": self.token},
            start_new_session=True,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        try:
            self._wait()
        except BaseException:
            self.close()
            raise

    def set(self, name: str, setting: dict[str, Any]) -> None:
        """Write one of Lab's settings, as its own editor would."""
        file = self.home / "settings" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(setting))

    def _wait(self) -> None:
        request = urllib.request.Request(f"{self.base}/api/status", headers={"Authorization": f"token {self.token}"})
        until = time.monotonic() + 90
        while time.monotonic() < until and self._process.poll() is None:
            try:
                with urllib.request.urlopen(request, timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise AssertionError((self.home / "lab.log").read_text()[-3000:])

    @contextmanager
    def notebook(self, browser: Browser, name: str, *, height: int = 4600) -> Iterator[tuple[Page, Seen]]:
        """A notebook opened, its kernel ready. Nothing that is not ours to fetch is fetched."""
        page, seen = browser.new_page(viewport={"width": 1000, "height": height}), Seen()

        def answer(route: Route) -> None:
            if route.request.url.startswith((self.base, "data:", "blob:")):
                route.continue_()
            else:
                seen.offsite.append(route.request.url)
                route.abort()

        page.route("**/*", answer)
        page.on("pageerror", lambda error: seen.errors.append(str(error)))
        page.goto(f"{self.base}/lab/tree/{name}?reset&token={self.token}", wait_until="domcontentloaded")
        page.wait_for_function("window.jupyterapp?.shell?.currentWidget?.sessionContext", timeout=90_000)
        page.evaluate(_READY)
        try:
            yield page, seen
        finally:
            page.close()

    def close(self) -> None:
        """Stop the server and its kernels."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        self._log.close()
