"""A keyring that works, one that is gone, and those that only seem to work."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from siege_nb.declare import Reference
from siege_nb.errors import NotFoundError, VaultError
from siege_nb.vault import Vault, os_keyring
from siege_nb.vault.ring import Ring
from tests.vault.conftest import CANARY, DEAD_BUS, IDENT, KIND, MakeVault, opened, plain_bytes, seal
from tests.vault.desktop import secret_service


def test_noise_before_the_answer_is_passed_over(
    start_service: StartService, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    start_service("works")
    (tmp_path / "sitecustomize.py").write_text("print('[1, 2]', end='')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert os_keyring.usable().name == "Secret Service"


StartService = Callable[[str], None]


@pytest.fixture
def start_service(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[StartService]:
    """`start_service("works")` makes this process's session bus one with such a Secret Service."""
    monkeypatch.delenv("PYTHON_KEYRING_BACKEND")
    with ExitStack() as stack:

        def start(mood: str) -> None:
            bus = stack.enter_context(secret_service(tmp_path_factory.mktemp("bus"), mood))
            monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus)
            os_keyring.usable.cache_clear()

        yield start


@pytest.mark.parametrize("policy", ["auto", "keyring"])
def test_a_key_in_the_keyring(
    make_vault: MakeVault, tmp_path: Path, start_service: StartService, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    start_service("works")
    monkeypatch.setenv("ENCRYPTION_KEY", "k" * 32)  # the keyring goes before it, without a warning
    sealed = seal(make_vault(policy))
    ring = Ring.parse((tmp_path / "config" / "ring.json").read_bytes())
    assert (ring.kept.source, ring.kept.place) == ("keyring", "Secret Service")
    assert opened(make_vault(policy), sealed) == CANARY
    assert "Secret Service" in make_vault(policy).describe()
    assert not (tmp_path / "data").exists()
    assert plain_bytes(tmp_path) == []
    key = os_keyring.key(ring.account)
    assert key is not None
    assert plain_bytes(tmp_path, canary=key) == []
    other = seal(make_vault(policy, "second"))
    assert opened(make_vault(policy, "second"), other) == CANARY


def test_a_keyring_that_is_gone_says_where_the_key_was(
    make_vault: MakeVault, tmp_path: Path, start_service: StartService, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_service("works")
    sealed = seal(make_vault("auto"))
    ring = (tmp_path / "config" / "ring.json").read_bytes()
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", DEAD_BUS)
    os_keyring.usable.cache_clear()
    for act in (lambda: opened(make_vault("auto"), sealed), lambda: seal(make_vault("auto"))):
        with pytest.raises(VaultError, match="keyring of the operating system") as caught:
            act()
        assert "Secret Service" in str(caught.value)
    start_service("works")  # another desktop's: it does not hold this key
    with pytest.raises(VaultError, match="no key for this config directory"):
        opened(make_vault("auto"), sealed)
    assert (tmp_path / "config" / "ring.json").read_bytes() == ring
    assert not (tmp_path / "data").exists()


def test_the_key_moves_from_a_file_into_the_keyring(
    make_vault: MakeVault, tmp_path: Path, start_service: StartService
) -> None:
    before = seal(make_vault("keyfile"))
    start_service("works")
    after = seal(make_vault("keyring"))
    (tmp_path / "data" / "vault.key").unlink()
    assert [opened(make_vault("auto"), each) for each in (before, after)] == [CANARY, CANARY]


@pytest.mark.parametrize(("mood", "says"), [
    ("forgetful", "Secret Service"), ("locked", "3 seconds"), ("garbled", "does not give back"),
])  # fmt: skip
def test_a_keyring_that_keeps_nothing_is_not_used(
    make_vault: MakeVault, tmp_path: Path, start_service: StartService, mood: str, says: str
) -> None:
    start_service(mood)
    began = time.perf_counter()
    with pytest.raises(VaultError, match=says):
        seal(make_vault("keyring"))
    with pytest.warns(UserWarning, match=r"vault\.key"):
        assert opened(make_vault("auto"), seal(make_vault("auto"))) == CANARY
    assert time.perf_counter() - began < 5


def test_a_reference_to_the_keyring(vault: Vault, start_service: StartService, monkeypatch: pytest.MonkeyPatch) -> None:
    start_service("works")
    command = [sys.executable, "-m", "keyring", "set", "siege_nb", "warehouse"]
    subprocess.run(command, input=f"{CANARY}\n", text=True, check=True, capture_output=True)
    reference = Reference.parse("keyring:warehouse")
    assert vault.resolve(reference, kind=KIND, ident=IDENT, path="password").reveal() == CANARY
    with pytest.raises(NotFoundError, match="elsewhere") as caught:
        vault.resolve(Reference.parse("keyring:elsewhere"), kind=KIND, ident=IDENT, path="password")
    assert "keyring set siege_nb elsewhere" in caught.value.hint
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", DEAD_BUS)
    with pytest.raises(VaultError, match="cannot be used"):
        vault.resolve(reference, kind=KIND, ident=IDENT, path="password")


def test_a_reference_does_not_reach_the_vaults_own_keys(
    make_vault: MakeVault, tmp_path: Path, start_service: StartService
) -> None:
    start_service("works")
    vault = make_vault("keyring")
    seal(vault)
    account = Ring.parse((tmp_path / "config" / "ring.json").read_bytes()).account
    with pytest.raises(NotFoundError):
        vault.resolve(Reference.parse(f"keyring:{account}"), kind=KIND, ident=IDENT, path="password")
