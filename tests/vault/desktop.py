"""A private session bus, and a Secret Service on it as on a desktop."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def session_bus(folder: Path) -> Iterator[str]:
    """The address of a private session bus."""
    if not shutil.which("dbus-daemon"):
        lack = "no dbus-daemon here: apt-get install -y dbus-daemon"
        pytest.fail(lack) if os.environ.get("CI") == "true" else pytest.skip(lack)
    command = ["dbus-daemon", "--session", "--nofork", "--nosyslog", "--print-address=1"]
    place = f"--address=unix:dir={folder}"
    with subprocess.Popen([*command, place], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as daemon:
        assert daemon.stdout
        try:
            yield daemon.stdout.readline().strip()
        finally:
            daemon.terminate()


@contextmanager
def secret_service(folder: Path, mood: str = "works") -> Iterator[str]:
    """A bus with a Secret Service on it, as on a desktop; gives the bus's address."""
    if sys.platform != "linux":
        pytest.skip("the Secret Service is Linux's")
    with session_bus(folder) as address:
        command = [sys.executable, str(Path(__file__).with_name("secret_service.py")), mood]
        environment = os.environ | {"DBUS_SESSION_BUS_ADDRESS": address}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as service:
            assert service.stdout
            try:
                assert service.stdout.readline() == "ready\n"
                yield address
            finally:
                service.terminate()
