"""A secret that went through the vault stands nowhere in the clear: not in a file, not in a log, not in an error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.vault.conftest import CANARY, DEAD_BUS, ROOT, plain_bytes

#: Everything that the vault offers and everything that can go wrong with it, logged at the lowest level without a mask.
PROGRAM = """
import json, logging, os, sys, traceback, warnings
from pathlib import Path
logging.basicConfig(filename=os.environ["HOME"] + "/all.log", level=1)
logging.captureWarnings(True)
from siege_nb.declare import Part, Reference, Secret, structure, unstructure
from siege_nb.errors import InvalidError
from siege_nb.settings import Settings
from siege_nb.state import Directory
from siege_nb.vault import Vault

class Login(Part):
    password: Secret
    others: dict[str, Secret] = {}

home, canary = Path(os.environ["HOME"]), sys.stdin.read()
directory = Directory(home / "config")

def vault(policy="auto", **more):
    return Vault(Settings(home / "config", home / "data", vault=policy, **more), directory)

login = Login(password=Secret(canary), others={"a.b": Secret(canary), "c": Secret(canary)})
sealed = vault().seal(login, kind="connection", ident="prod")
directory.change(lambda change: change.write("connections/prod.json", json.dumps(unstructure(sealed)).encode()))
read = structure(Login, json.loads(directory.read("connections/prod.json")), at_rest=True)
assert vault().open(read, kind="connection", ident="prod").password == Secret(canary)
shared = vault().share("shared", Secret(canary))
assert vault().resolve(shared, kind="x", ident="y", path="z") == Secret(canary)
os.environ["SIEGE_VAULT_KEY"] = "ab" * 32
vault("env").seal(login, kind="connection", ident="prod")
assert vault().open(read, kind="connection", ident="prod").password == Secret(canary)
print(vault().describe(), login, sealed, vars(vault()))

failures = [
    lambda: unstructure(login),
    lambda: login.model_dump_json(),
    lambda: vault().open(read, kind="connection", ident="moved"),
    lambda: vault("keyring").seal(login, kind="connection", ident="prod"),
    lambda: vault(vault_key_file=home / "none").seal(login, kind="connection", ident="prod"),
    lambda: structure(Login, {"password": canary, "others": canary, "password2": canary}),
    lambda: structure(Login, {"password": {"$secret": canary}}, at_rest=True),
    lambda: vault().share("a/b", Secret(canary)),
]
failed = 0
for act in failures:
    try:
        act()
    except Exception as error:
        failed += 1
        logging.exception("as expected")
        error.__traceback__ = error.__traceback__.tb_next  # this program's own frame does hold the canary
        # With the locals of every frame; only structure's hold the typed data itself, being what reads it.
        local = not isinstance(error, InvalidError)
        text = "".join(traceback.TracebackException.from_exception(error, capture_locals=local).format())
        (home / f"failure-{failed}.txt").write_text(text)
assert failed == len(failures), failed
"""


def test_a_canary_is_in_no_file(tmp_path: Path) -> None:
    environment = {
        "HOME": str(tmp_path), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path / "tmp"),
        "DBUS_SESSION_BUS_ADDRESS": DEAD_BUS, "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    (tmp_path / "tmp").mkdir()
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=CANARY, capture_output=True, text=True, env=environment, cwd=tmp_path,
        timeout=120, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    (tmp_path / "output").write_text(ran.stdout + ran.stderr)
    files = sorted(file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*") if file.is_file())
    written = {"ring.json", "credentials/shared.json", "connections/prod.json"}
    assert {f"config/{name}" for name in written} | {"all.log"} <= set(files)
    assert (tmp_path / "all.log").stat().st_size > 1000
    found = plain_bytes(tmp_path)
    print(f"{len(files)} files searched, {len(found)} with the secret in the clear")
    assert found == []
