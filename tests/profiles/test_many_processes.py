"""Many processes update one profile: 4 of them, 50 times each, and nothing is lost."""

from __future__ import annotations

import subprocess
import sys

import pytest

import siege_nb
from tests.profiles.conftest import CONTACT

WRITERS, UPDATES = 4, 50
WRITE = f"""
import sys, siege_nb
update, key, me = getattr(siege_nb, sys.argv[1]), sys.argv[2], sys.argv[3]
print("ready", flush=True)
sys.stdin.readline()
for n in range({UPDATES}):
    assert update(key, {{"metadata": {{f"{{me}}_{{n}}": n}}}}), siege_nb.last_error()
"""


@pytest.mark.fault
@pytest.mark.parametrize("what", ["client", "connection"])
def test_lost_updates(what: str) -> None:
    if what == "client":
        siege_nb.save_client_profile(siege_nb.create_client_profile("Acme", "KEY", CONTACT))
        key, load = "KEY", siege_nb.load_client_profile
    else:
        profile = siege_nb.create_connection_profile("W", "postgres", {
            "host": "h", "database": "d", "username": "u", "password": "hunter2-canary",
        })  # fmt: skip
        siege_nb.save_connection_profile(profile)
        key, load = profile["connection_id"], siege_nb.load_connection_profile
    command = [sys.executable, "-c", WRITE, f"update_{what}_profile", key]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    writers = [subprocess.Popen([*command, f"w{n}"], **pipes) for n in range(WRITERS)]  # type: ignore[call-overload]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    assert [writer.communicate()[1] for writer in writers] == [""] * WRITERS
    found = load(key)
    assert found is not None
    kept = [name for name in found["metadata"] if name.startswith("w")]
    assert len(kept) == WRITERS * UPDATES
