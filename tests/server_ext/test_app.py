"""The extension in a server: found, loaded, and gone without a trace when the server stops."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from jupyter_core.paths import ENV_CONFIG_PATH
from jupyter_server.extension.config import ExtensionConfigManager

import jupyter_server_ext
from jupyter_server_ext.app import SiegeServerApp
from jupyter_server_ext.handler import THREADS, WORKSPACE, Handler
from siege_nb import adapters
from siege_nb.declare import Secret
from siege_nb.errors import ConnectError
from siege_nb.models.connection import ConnectionProfile
from siege_nb.workspace import Workspace


def test_installing_enables_it():
    installed = ExtensionConfigManager(read_config_path=ENV_CONFIG_PATH).get_jpserver_extensions()
    assert installed["jupyter_server_ext"] is True
    # What is installed is a copy, also by an editable install.
    file = "jupyter_server_config.d/siege_nb.json"
    ours = Path(jupyter_server_ext.__file__).parent / "jupyter-config" / file
    assert (Path(ENV_CONFIG_PATH[0]) / file).read_text() == ours.read_text(), "changed since; install again"


def test_a_server_without_it_pays_for_no_part_of_it():
    code = "import sys, jupyter_server_ext; print(sorted(m for m in sys.modules if m.split('.')[0] in sys.argv))"
    heavy = ["siege_nb", "pydantic", "tornado", "jupyter_server", "pandas", "pyarrow", "duckdb"]
    ran = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.strip() == "[]"


async def test_its_state_stands_under_its_own_keys(jp_serverapp):
    settings = jp_serverapp.web_app.settings
    # Jupyter keeps the extension itself there; anything else breaks every static_url().
    assert isinstance(settings["siege_nb"], SiegeServerApp)
    assert isinstance(settings[WORKSPACE], Workspace)
    assert settings[WORKSPACE].settings.config_dir == Path(os.environ["SIEGE_CONFIG_DIR"])
    assert not settings[WORKSPACE].settings.config_dir.exists(), "a server that starts writes nothing"


async def test_stopping_ends_its_threads_and_drops_what_waits(jp_serverapp, serve, ask):
    released, waiting = threading.Event(), threading.Semaphore(0)

    class Slow(Handler):
        async def get(self) -> None:
            await self.off_loop(self.work)
            self.finish({})

        def work(self) -> None:
            waiting.release()
            assert released.wait(20)

    path = serve(Slow, name="siege_nb")
    asked = [asyncio.create_task(ask(path)) for _ in range(10)]
    for _ in range(8):
        assert await asyncio.to_thread(waiting.acquire, timeout=20)
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("siege_")]
    async with asyncio.timeout(10):
        await jp_serverapp.extension_manager.stop_all_extensions()  # waits for no handler
    released.set()
    answers = await asyncio.gather(*asked)
    assert sorted(answer.code for answer in answers) == [200] * 8 + [500] * 2
    for thread in threads:
        thread.join(10)
    assert len(threads) == 8
    assert not any(thread.is_alive() for thread in threads)
    await jp_serverapp.web_app.settings["siege_nb"].stop_extension()  # twice is once


async def test_stopping_closes_the_sessions(jp_serverapp):
    workspace = jp_serverapp.web_app.settings[WORKSPACE]
    memory = adapters.load("duckdb").params_type()
    workspace.save(ConnectionProfile(name="warehouse", connection_type="duckdb", connection_params=memory))
    session = workspace.lease("warehouse").session
    session.ping()
    await jp_serverapp.extension_manager.stop_all_extensions()
    with pytest.raises(ConnectError, match="closed"):
        session.ping()


async def test_a_wrong_environment_is_told_and_stops_no_server(
    monkeypatch, jp_server_config, jp_configurable_serverapp, caplog, capsys
):
    monkeypatch.setenv("SIEGE_DEADLINE", "soon")
    jp_server_config.ServerApp.reraise_server_extension_failures = False
    server = jp_configurable_serverapp()
    assert "SIEGE_DEADLINE: should be seconds, not 'soon'" in capsys.readouterr().err
    assert THREADS not in server.web_app.settings
    await server.extension_manager.stop_all_extensions()
    assert "stopped" in caplog.text


async def test_the_servers_log_hides_known_secrets_until_it_stops(jp_serverapp: Any) -> None:
    Secret("tr0ub4dor-canary")
    heard = logging.StreamHandler(io.StringIO())
    jp_serverapp.log.addHandler(heard)
    try:
        (extension,) = jp_serverapp.extension_manager.extension_apps["jupyter_server_ext"]
        extension.initialize_settings()
        logging.getLogger(jp_serverapp.log.name).warning("signed in with %s", "tr0ub4dor-canary")
        assert heard.stream.getvalue() == "signed in with ***\n"
        await extension.stop_extension()
        assert heard.filters == []
    finally:
        jp_serverapp.log.removeHandler(heard)
