"""The operating system's keyring: used where it is one, refused where it only looks like one, never waited for."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from siege_nb.vault import os_keyring, os_keyring_child
from tests.vault.conftest import CANARY, DEAD_BUS, ROOT, plain_bytes
from tests.vault.desktop import secret_service

#: A program in a clean process: seals the canary under each policy it is given, and tells what happened as JSON.
SEALS = """
import json, sys, time, warnings
from pathlib import Path
from siege_nb.declare import Part, Secret, unstructure
from siege_nb.errors import VaultError
from siege_nb.settings import Settings
from siege_nb.state import Directory
from siege_nb.vault import Vault, os_keyring
class Login(Part):
    password: Secret
login, told = Login(password=Secret(sys.stdin.read())), {}
for policy in sys.argv[2:]:
    base = Path(sys.argv[1], policy)
    began = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            vault = Vault(Settings(base / "config", base / "data", vault=policy), Directory(base / "config"))
            sealed = vault.seal(login, kind="connection", ident="prod")
            Path(base / "config" / "profile.json").write_text(json.dumps(unstructure(sealed)))
            told[policy] = {"sealed": True, "keeper": vault.describe()}
        except VaultError as error:
            told[policy] = {"sealed": False, "error": str(error)}
    told[policy]["seconds"] = time.perf_counter() - began
    told[policy]["reason"] = os_keyring.usable().reason
    told[policy]["warnings"] = [type(w.message).__name__ for w in caught]
print(json.dumps(told))
"""


@dataclass
class Told:
    sealed: bool
    seconds: float
    reason: str
    warnings: list[str]
    keeper: str = ""
    error: str = ""


def seal_apart(home: Path, *policies: str, **environment: str) -> list[Told]:
    """What a fresh process with nothing but this environment makes of sealing a secret, under each policy."""
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment}
    ran = subprocess.run(
        [sys.executable, "-c", SEALS, str(home), *policies],
        input=CANARY, capture_output=True, text=True, env=environment, cwd=home, timeout=60, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return [Told(**told) for told in json.loads(ran.stdout).values()]


FAKE_ALT = '''
"""What keyrings.alt is: a back end of high priority that writes base64."""
import base64, os
from keyring.backend import KeyringBackend

class PlaintextKeyring(KeyringBackend):
    priority = 9
    def _file(self, service, user):
        return os.path.expanduser(f"~/plain-{service}-{user}".replace(" ", "_"))
    def set_password(self, service, user, password):
        open(self._file(service, user), "wb").write(base64.b64encode(password.encode()))
    def get_password(self, service, user):
        try:
            return base64.b64decode(open(self._file(service, user), "rb").read()).decode()
        except FileNotFoundError:
            return None
    def delete_password(self, service, user):
        os.unlink(self._file(service, user))

class AskingKeyring(PlaintextKeyring):
    """What keyrings.cryptfile is: asks for a passphrase on standard input."""
    def set_password(self, service, user, password):
        input("passphrase: ")
        super().set_password(service, user, password)
'''


def headless() -> dict[str, dict[str, str]]:
    named = {
        "null": "keyring.backends.null.Keyring", "chainer": "keyring.backends.chainer.ChainerBackend",
        "fail": "keyring.backends.fail.Keyring", "libsecret": "keyring.backends.libsecret.Keyring",
        "plain text": "keyrings_fake.PlaintextKeyring", "asks": "keyrings_fake.AskingKeyring",
        "not there": "keyrings.alt.file.PlaintextKeyring", "nonsense": "no such; class",
    }  # fmt: skip
    cases = {name: {"PYTHON_KEYRING_BACKEND": backend} for name, backend in named.items()}
    cases |= {
        "clean": {}, "dead bus": {"DBUS_SESSION_BUS_ADDRESS": DEAD_BUS},
        "no bus": {"DBUS_SESSION_BUS_ADDRESS": "nonsense"},
        "secret service named, dead bus": {
            "PYTHON_KEYRING_BACKEND": "keyring.backends.SecretService.Keyring", "DBUS_SESSION_BUS_ADDRESS": DEAD_BUS,
        },
    }  # fmt: skip
    return cases


@pytest.mark.parametrize("case", headless())
def test_without_a_keyring(tmp_path: Path, case: str) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "keyrings_fake.py").write_text(FAKE_ALT)
    environment = headless()[case] | {"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path / 'lib'}"}
    if case == "clean":
        environment["XDG_RUNTIME_DIR"] = str(tmp_path / "run")  # a desktop's real bus is not clean
    auto, keyring = seal_apart(tmp_path, "auto", "keyring", **environment)
    assert max(auto.seconds, keyring.seconds) <= 5
    if "PYTHON_KEYRING_BACKEND" in environment and "dead bus" not in case:
        assert "which is no keyring of the operating system" in auto.reason
    assert auto.reason
    assert auto.sealed
    assert "vault.key" in auto.keeper
    assert auto.warnings == ["VaultWarning"]
    assert not keyring.sealed
    assert "No secret can be sealed" in keyring.error
    assert "SIEGE_VAULT" in keyring.error
    assert not (tmp_path / "keyring").exists()
    assert plain_bytes(tmp_path) == []
    assert not list(tmp_path.glob("plain-*"))


def test_the_search_for_plain_bytes_can_find(tmp_path: Path) -> None:
    for n, written in enumerate([CANARY, base64.b64encode(CANARY.encode()).decode(), CANARY.encode().hex()]):
        (tmp_path / f"{n}").write_text(f"x{written}x" if n != 1 else written)
    (tmp_path / "utf16").write_bytes(CANARY.encode("utf-16"))
    assert len(plain_bytes(tmp_path)) == 4


@pytest.mark.parametrize("backend", ["keyring.backends.null.Keyring", "keyrings_fake.PlaintextKeyring"])
def test_a_choice_in_the_users_keyring_configuration_is_respected(tmp_path: Path, backend: str) -> None:
    """`keyring --disable` writes the null back end there: the user wants no keyring, and gets none."""
    (tmp_path / "conf" / "python_keyring").mkdir(parents=True)
    (tmp_path / "conf" / "python_keyring" / "keyringrc.cfg").write_text(f"[backend]\ndefault-keyring={backend}\n")
    with secret_service(tmp_path) as bus:
        (told,) = seal_apart(tmp_path, "keyring", DBUS_SESSION_BUS_ADDRESS=bus, XDG_CONFIG_HOME=str(tmp_path / "conf"))
    assert not told.sealed
    assert f"names {backend}, which is no keyring of the operating system" in told.reason


def test_only_four_back_ends_are_allowed() -> None:
    assert sorted(os_keyring_child.ALLOWED) == [
        "keyring.backends.SecretService.Keyring", "keyring.backends.Windows.WinVaultKeyring",
        "keyring.backends.kwallet.DBusKeyring", "keyring.backends.macOS.Keyring",
    ]  # fmt: skip


def test_a_module_in_the_working_directory_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "keyring.py").write_text("open('was-run', 'w').close()")
    (tmp_path / "json.py").write_text("open('was-run', 'w').close()")
    monkeypatch.chdir(tmp_path)
    assert os_keyring.usable().reason
    assert not (tmp_path / "was-run").exists()


def test_the_outcome_is_kept_for_the_process() -> None:
    first = os_keyring.usable()
    began = time.perf_counter()
    assert os_keyring.usable() is first
    assert time.perf_counter() - began < 0.01


def test_what_the_child_prints_or_dies_of_is_no_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for program in ("import sys; sys.exit(3)", "print('noise')", "import os; os.abort()", "raise EOFError"):
        (tmp_path / "child.py").write_text(program)
        monkeypatch.setattr(os_keyring, "_CHILD", tmp_path / "child.py")
        os_keyring.usable.cache_clear()
        assert os_keyring.usable().reason
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    os_keyring.usable.cache_clear()
    assert os_keyring.usable().reason


def test_a_child_that_never_answers_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Standard input is closed, the limit is 3 seconds, and no process is left."""
    (tmp_path / "child.py").write_text(textwrap.dedent(f"""
        import os, sys, threading
        open({str(tmp_path / "pid")!r}, "w").write(str(os.getpid()))
        assert sys.stdin.read() == ""
        threading.Event().wait()
    """))  # fmt: skip
    monkeypatch.setattr(os_keyring, "_CHILD", tmp_path / "child.py")
    began = time.perf_counter()
    usable = os_keyring.usable()
    took = time.perf_counter() - began
    assert 2.5 < took < 5
    assert "3 seconds" in usable.reason
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_bus_that_accepts_and_never_answers(tmp_path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "hung"))
        server.listen()
        (told,) = seal_apart(tmp_path, "auto", DBUS_SESSION_BUS_ADDRESS=f"unix:path={tmp_path / 'hung'}")
    assert told.sealed
    assert told.seconds <= 5
    assert "Secret Service" in told.reason
    assert plain_bytes(tmp_path) == []


def test_inside_a_kernel_nothing_asks_and_nothing_is_plain(tmp_path: Path) -> None:
    """In a kernel input() raises an error that keyring takes for 'try the next back end', which writes base64."""
    import nbformat
    from nbclient import NotebookClient

    (tmp_path / "keyrings_fake.py").write_text(FAKE_ALT)
    cell = f"""
        import os, sys
        os.environ |= {{"HOME": {str(tmp_path)!r}, "PYTHON_KEYRING_BACKEND": "keyrings_fake.AskingKeyring"}}
        os.environ["PYTHONPATH"] = {str(tmp_path)!r}
        sys.path[:0] = [{str(ROOT)!r}, {str(tmp_path)!r}]
        from pathlib import Path
        from siege_nb.declare import Secret, unstructure
        from siege_nb.settings import Settings
        from siege_nb.state import Directory
        from siege_nb.vault import Vault
        from tests.vault.conftest import Login
        base = Path({str(tmp_path)!r})
        vault = Vault(Settings(base / "config", base / "data"), Directory(base / "config"))
        secret = Secret("".join(["c4nary", "-pass-", "w0rd"]))
        sealed = vault.seal(Login(password=secret), kind="connection", ident="prod")
        (base / "config" / "profile.json").write_text(str(unstructure(sealed)))
        print(vault.describe(), sealed, vars(vault))
        """
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(textwrap.dedent(cell))])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    outputs = str(notebook.cells[0].outputs)
    assert "vault.key" in outputs
    assert CANARY not in outputs
    assert plain_bytes(tmp_path) == []
    assert not list(tmp_path.glob("plain-*"))
