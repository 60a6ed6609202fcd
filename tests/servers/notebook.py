"""A private Jupyter server."""

import ssl
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.servers.process import Server

# Without the extensions that are installed beside it: JupyterLab alone takes seconds.
_SERVE = (
    "import sys; from jupyter_server.serverapp import ServerApp as App; app = App.instance();"
    " app.initialize(sys.argv[1:], find_extensions=False); app.start()"
)


class Jupyter(Server):
    """A Jupyter server that asks for a token; `files` is what it shows."""

    program, package, accounts = "python3", "python3", ("root",)
    password = "a-t0ken-of-48-letters"

    def __init__(self, *options: str) -> None:
        super().__init__(*options)
        self.account = None  # it runs from where we are installed, where nobody else may look
        self.scheme = "https" if any("certfile" in option for option in options) else "http"

    @property
    def files(self) -> Path:
        """The folder it was started in."""
        return self.base / "files"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"

    def prepare(self) -> None:
        self.files.mkdir()

    def command(self) -> list[str]:
        return [
            sys.executable, "-c", _SERVE, "--allow-root", "--no-browser", f"--ServerApp.ip={self.host}",
            f"--ServerApp.port={self.port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={self.files}",
            f"--IdentityProvider.token={self.password}",
        ]  # fmt: skip

    def answers(self) -> bool:
        asked = urllib.request.Request(f"{self.url}/api/status", headers={"Authorization": f"token {self.password}"})
        try:
            with urllib.request.urlopen(asked, timeout=5, context=ssl._create_unverified_context()) as reply:
                return bool(reply.status == 200)
        except urllib.error.HTTPError as refusal:
            refusal.close()
            raise
        except OSError:
            return False

    def database_for(self, name: str) -> Any:
        raise NotImplementedError
