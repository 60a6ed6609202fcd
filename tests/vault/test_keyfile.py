"""A key file is its owner's alone, is made once, and is refused rather than half trusted."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from siege_nb.errors import VaultError
from siege_nb.vault import Vault, keyfile
from tests.vault.conftest import BAD, CANARY, KEY, RAW, Login, MakeVault, opened, put_key, seal


def test_a_named_key_file_that_is_not_there_is_not_made(make_vault: MakeVault, tmp_path: Path) -> None:
    with pytest.raises(VaultError, match=r"keys/mine") as caught:
        seal(make_vault("auto", vault_key_file=tmp_path / "keys" / "mine"))
    assert "openssl rand" in caught.value.hint
    assert not (tmp_path / "keys").exists()
    assert not (tmp_path / "data").exists()


def test_a_relative_key_file_is_found_from_elsewhere(
    make_vault: MakeVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_key(tmp_path / "here" / "mine")
    monkeypatch.chdir(tmp_path / "here")
    sealed = seal(make_vault(vault_key_file=Path("mine")))
    monkeypatch.chdir("/")
    assert opened(make_vault(), sealed) == CANARY


@pytest.mark.parametrize("content", [KEY, KEY + "\n", KEY + "\r\n", RAW, RAW + "\n", bytes(31) + b"\n"])
def test_what_a_key_file_may_hold(tmp_path: Path, content: str | bytes) -> None:
    assert keyfile.read(put_key(tmp_path / "k", content)) is not None


@pytest.mark.parametrize("content", ["", "\n", *BAD, b"\0" * 31, b"\0" * 33, b"\0" * 5000])
def test_what_a_key_file_may_not_hold(tmp_path: Path, content: str | bytes) -> None:
    with pytest.raises(VaultError, match="no usable key"):
        keyfile.read(put_key(tmp_path / "k", content))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o660, 0o666, 0o777, 0o601])
def test_a_key_file_that_others_can_touch_is_refused(make_vault: MakeVault, tmp_path: Path, mode: int) -> None:
    put_key(tmp_path / "data" / "vault.key", mode=mode)
    with pytest.raises(VaultError, match=f"{mode:04o}") as caught:
        seal(make_vault())
    assert "chmod 600" in caught.value.hint


def test_a_key_file_that_became_loose_no_longer_opens(make_vault: MakeVault, tmp_path: Path) -> None:
    sealed = seal(make_vault())
    (tmp_path / "data" / "vault.key").chmod(0o644)
    with pytest.raises(VaultError, match="0644"):
        opened(make_vault(), sealed)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can give a file away")
def test_a_key_file_of_another_user_is_refused(make_vault: MakeVault, tmp_path: Path) -> None:
    os.chown(put_key(tmp_path / "data" / "vault.key"), 65534, -1)
    with pytest.raises(VaultError, match="another user"):
        seal(make_vault())


def test_what_is_no_file_is_refused_without_waiting(make_vault: MakeVault, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    os.mkfifo(tmp_path / "data" / "vault.key", 0o600)
    with pytest.raises(VaultError, match="is no regular file"):
        seal(make_vault())
    with pytest.raises(VaultError, match="is no regular file"):
        keyfile.read(tmp_path / "data")


def test_a_key_file_that_cannot_be_made_refuses(make_vault: MakeVault, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file in the way")
    with pytest.raises(VaultError, match=r"vault\.key") as caught:
        seal(make_vault())
    assert caught.value.hint
    assert not (tmp_path / "config").exists()


def test_a_link_to_nowhere_is_not_followed(make_vault: MakeVault, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "vault.key").symlink_to(tmp_path / "victim")
    with pytest.raises(VaultError):
        seal(make_vault())
    assert not (tmp_path / "victim").exists()


def test_many_make_one_key_file(tmp_path: Path) -> None:
    path = tmp_path / "data" / "vault.key"
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(keyfile.make, [path] * 64))
    assert made.count(True) == 1
    assert list(path.parent.iterdir()) == [path]
    assert keyfile.read(path) is not None


def test_several_processes_share_one_ring(tmp_path: Path) -> None:
    """Five programs seal in a fresh directory at once; all of it opens with the one ring that came of it."""
    program = """
import sys
from pathlib import Path
from siege_nb.declare import Part, Secret, unstructure
from siege_nb.settings import Settings
from siege_nb.state import Directory
from siege_nb.vault import Vault
class Login(Part):
    password: Secret
base = Path(sys.argv[1])
vault = Vault(Settings(base / "config", base / "data", vault="keyfile"), Directory(base / "config", fsync=False))
sys.stdin.readline()
print(unstructure(vault.seal(Login(password=Secret(sys.argv[2])), kind="connection", ident="prod"))["password"])
"""
    command = [sys.executable, "-c", program, str(tmp_path), CANARY]
    root = Path(__file__).parents[2]
    pipe = subprocess.PIPE
    children = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=root) for _ in range(5)]
    for child in children:
        assert child.stdin
        child.stdin.write("go\n")
        child.stdin.flush()
    tokens = [child.communicate()[0].strip() for child in children]
    assert [child.returncode for child in children] == [0] * 5
    from siege_nb.declare import Reference
    from siege_nb.settings import Settings
    from siege_nb.state import Directory

    vault = Vault(Settings(tmp_path / "config", tmp_path / "data", vault="keyfile"), Directory(tmp_path / "config"))
    assert len({token.split(".")[1] for token in tokens}) == 1
    assert {opened(vault, Login(password=Reference(token))) for token in tokens} == {CANARY}
