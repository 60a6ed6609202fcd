"""GET siege/api/health."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from jupyter_server_ext.health import health
from siege_nb.settings import Settings
from tests.server_ext.conftest import told


async def test_a_sound_installation(ask):
    answer = await ask("siege/api/health")
    assert answer.code == 200
    assert told(answer) == {
        "status": "ok",
        "version": version("siege-nb"),
        "config_dir_writable": True,
        "config_dir_private": True,
        "vault": "keyfile",
        "problems": [],
    }
    assert not Path(os.environ["SIEGE_CONFIG_DIR"]).exists(), "asking has made the directory"


async def test_others_may_look_in(ask):
    directory = Path(os.environ["SIEGE_CONFIG_DIR"])
    directory.mkdir(mode=0o700)
    directory.chmod(0o750)
    said = told(await ask("siege/api/health"))
    assert (said["status"], said["config_dir_private"]) == ("degraded", False)
    assert "chmod 700" in said["problems"][0]
    assert str(directory) not in str(said)
    directory.chmod(0o700)
    assert told(await ask("siege/api/health"))["status"] == "ok"


async def test_asking_keeps_no_idle_server_alive(ask, jp_serverapp):
    settings = jp_serverapp.web_app.settings
    before = settings.get("api_last_activity")
    await ask("siege/api/health")
    assert settings.get("api_last_activity") == before
    await ask("siege/api/kinds")
    assert settings.get("api_last_activity") != before


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "config").write_text("")
    (tmp_path / "config").chmod(0o700)
    said = health(replace(Settings.from_environment(), config_dir=tmp_path / "config" / "siege_nb"))
    assert (said["status"], said["config_dir_writable"]) == ("degraded", False)


@pytest.mark.skipif(os.name == "nt" or not os.geteuid(), reason="needs a user whom permissions bind: not root")
def test_a_directory_that_cannot_be_written(tmp_path):
    place = tmp_path / "config"
    place.mkdir(mode=0o500)
    said = health(replace(Settings.from_environment(), config_dir=place))
    assert (said["status"], said["config_dir_writable"], said["config_dir_private"]) == ("degraded", False, True)
    place.chmod(0o700)
    shutil.rmtree(place)
