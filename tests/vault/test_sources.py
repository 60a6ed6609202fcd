"""Where the wrapping key may come from, in which order, and that sealing refuses rather than do with less."""

from __future__ import annotations

import base64
import logging
import os
import stat
import warnings
from pathlib import Path

import pytest

from siege_nb.errors import TamperedError, VaultError
from siege_nb.masking import mask
from siege_nb.vault import VaultWarning
from siege_nb.vault.ring import Ring
from tests.vault.conftest import BAD, CANARY, KEY, RAW, MakeVault, opened, put_key, seal


def kept(tmp_path: Path) -> tuple[str, str]:
    ring = Ring.parse((tmp_path / "config" / "ring.json").read_bytes())
    return ring.kept.source, ring.kept.place


def test_auto_without_anything_makes_a_key_file_and_says_so_once(
    make_vault: MakeVault, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "data" / "vault.key"
    with pytest.warns(VaultWarning, match="SIEGE_VAULT=keyring") as caught:
        sealed = seal(make_vault("auto"))
    assert len(caught) == 1
    assert str(file) in str(caught[0].message)
    assert "SIEGE_VAULT_KEY_FILE" in str(caught[0].message)
    assert [r.levelno for r in caplog.records if r.levelno >= logging.WARNING] == [logging.WARNING]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert kept(tmp_path) == ("keyfile", str(file))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert opened(make_vault("auto"), sealed) == CANARY
        seal(make_vault("auto", "second"))  # another directory, the same key file: nothing new was made


def test_a_warning_turned_into_an_error_leaves_nothing_half_done(make_vault: MakeVault, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(VaultWarning):
            seal(make_vault("auto"))
        assert opened(make_vault("auto"), seal(make_vault("auto"))) == CANARY


@pytest.mark.parametrize("name", ["SIEGE_VAULT_KEY", "ENCRYPTION_KEY"])
def test_auto_takes_a_key_from_the_environment_and_warns_once(
    make_vault: MakeVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, KEY)
    with pytest.warns(VaultWarning, match=f"{name}, which %env and every child process show") as caught:
        sealed = seal(make_vault("auto"))
    assert len(caught) == 1
    assert opened(make_vault("auto"), sealed) == CANARY  # a second warning would be an error
    seal(make_vault("auto"))
    assert KEY not in str(caught[0].message)
    assert kept(tmp_path) == ("env", name)
    assert not (tmp_path / "data").exists()
    assert mask(f"{name}={KEY}") == f"{name}=***"


def test_our_own_variable_goes_before_the_common_one(
    make_vault: MakeVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENCRYPTION_KEY", "somebody else's, of another form")
    monkeypatch.setenv("SIEGE_VAULT_KEY", KEY)
    assert opened(make_vault("env"), seal(make_vault("env"))) == CANARY
    assert kept(tmp_path) == ("env", "SIEGE_VAULT_KEY")


SAME = bytes(range(1, 33))


@pytest.mark.parametrize("text", [
    SAME.hex(), SAME.hex().upper(), base64.b64encode(SAME).decode(), base64.urlsafe_b64encode(SAME).decode(),
    base64.b64encode(SAME).decode().rstrip("="), SAME.hex() + "\n",
])  # fmt: skip
def test_one_key_in_every_spelling(make_vault: MakeVault, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("SIEGE_VAULT_KEY", SAME.hex())
    sealed = seal(make_vault("env"))
    monkeypatch.setenv("SIEGE_VAULT_KEY", text)
    assert opened(make_vault("env"), sealed) == CANARY


def test_32_characters_are_a_key(make_vault: MakeVault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCRYPTION_KEY", RAW)
    assert opened(make_vault("env"), seal(make_vault("env"))) == CANARY


@pytest.mark.parametrize("text", BAD)
@pytest.mark.parametrize("policy", ["auto", "env"])
def test_a_misshapen_key_in_the_environment_is_refused_and_not_shown(
    make_vault: MakeVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, policy: str
) -> None:
    monkeypatch.setenv("ENCRYPTION_KEY", text)
    with pytest.raises(VaultError, match="ENCRYPTION_KEY") as caught:
        seal(make_vault(policy))
    assert text not in str(caught.value)
    assert "64 hex digits" in str(caught.value)
    assert not (tmp_path / "config" / "ring.json").exists()
    assert not (tmp_path / "data").exists()


def test_an_empty_variable_is_none(make_vault: MakeVault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCRYPTION_KEY", "")
    with pytest.raises(VaultError, match="is set"):
        seal(make_vault("env"))


@pytest.mark.parametrize(("policy", "says"), [
    ("keyring", "keyring of the operating system"), ("env", "SIEGE_VAULT_KEY"),
])  # fmt: skip
def test_a_policy_allows_its_source_only(make_vault: MakeVault, tmp_path: Path, policy: str, says: str) -> None:
    put_key(tmp_path / "data" / "vault.key")
    with pytest.raises(VaultError, match=says) as caught:
        seal(make_vault(policy))
    assert caught.value.hint
    assert "No secret can be sealed" in caught.value.message
    assert not (tmp_path / "config").exists()


def test_policy_keyring_does_not_take_the_environment(make_vault: MakeVault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCRYPTION_KEY", KEY)
    with pytest.raises(VaultError):
        seal(make_vault("keyring"))


def test_policy_keyfile_does_not_take_the_environment(
    make_vault: MakeVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENCRYPTION_KEY", "misshapen")
    seal(make_vault("keyfile"))
    assert kept(tmp_path)[0] == "keyfile"


@pytest.mark.parametrize("policy", ["auto", "keyfile"])
def test_a_named_key_file_comes_first(
    make_vault: MakeVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    monkeypatch.setenv("ENCRYPTION_KEY", KEY)
    named = put_key(tmp_path / "keys" / "mine", os.urandom(32))
    vault = make_vault(policy, vault_key_file=named)
    assert opened(vault, seal(vault)) == CANARY
    assert kept(tmp_path) == ("keyfile", str(named))
    assert not (tmp_path / "data").exists()


def test_the_source_in_the_ring_goes_before_the_policys_first(
    make_vault: MakeVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable set later by somebody else must not lock the user out of what a key file sealed."""
    sealed = seal(make_vault("keyfile"))
    monkeypatch.setenv("ENCRYPTION_KEY", KEY)
    assert opened(make_vault("auto"), sealed) == CANARY
    again = seal(make_vault("auto"))
    assert kept(tmp_path)[0] == "keyfile"
    monkeypatch.setenv("ENCRYPTION_KEY", "misshapen")
    assert opened(make_vault("auto"), again) == CANARY


def test_the_same_key_moved_elsewhere_by_hand_still_opens(
    make_vault: MakeVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENCRYPTION_KEY", KEY)
    sealed = seal(make_vault("env"))
    monkeypatch.delenv("ENCRYPTION_KEY")
    vault = make_vault("auto", vault_key_file=put_key(tmp_path / "mine"))
    assert opened(vault, sealed) == CANARY
    assert str(tmp_path / "mine") in vault.describe()


def test_a_missing_key_says_where_it_was(
    make_vault: MakeVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENCRYPTION_KEY", KEY)
    sealed = seal(make_vault("env"))
    ring = (tmp_path / "config" / "ring.json").read_bytes()
    monkeypatch.delenv("ENCRYPTION_KEY")
    for policy in ("auto", "env", "keyfile", "keyring"):
        with pytest.raises(VaultError, match="ENCRYPTION_KEY") as caught:
            opened(make_vault(policy), sealed)
        assert caught.value.hint
        with pytest.raises(VaultError, match="ENCRYPTION_KEY"):
            seal(make_vault(policy))
    assert (tmp_path / "config" / "ring.json").read_bytes() == ring
    assert not (tmp_path / "data").exists()


def test_the_error_is_of_the_source_in_the_ring(
    make_vault: MakeVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another key that happens to lie about is not what the user should look at."""
    monkeypatch.setenv("SIEGE_VAULT_KEY", KEY)
    sealed = seal(make_vault("env"))
    monkeypatch.delenv("SIEGE_VAULT_KEY")
    put_key(tmp_path / "data" / "vault.key", SAME.hex())
    with pytest.raises(VaultError, match="SIEGE_VAULT_KEY, which holds their key, is not set") as caught:
        opened(make_vault("auto"), sealed)
    assert not isinstance(caught.value, TamperedError)


def test_a_wrong_key_says_so(make_vault: MakeVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCRYPTION_KEY", KEY)
    sealed = seal(make_vault("env"))
    for wrong in (SAME.hex(), RAW, KEY[::-1]):
        monkeypatch.setenv("ENCRYPTION_KEY", wrong)
        with pytest.raises(TamperedError, match="ENCRYPTION_KEY") as caught:
            opened(make_vault("env"), sealed)
        assert wrong not in str(caught.value)


def test_an_insisted_source_takes_the_key_over_at_the_next_save(
    make_vault: MakeVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """key file → variable → named file → key file: what was sealed before opens at every step."""
    sealed = [seal(make_vault("keyfile"), "pass-word-0")]
    monkeypatch.setenv("SIEGE_VAULT_KEY", SAME.hex())
    named = put_key(tmp_path / "mine")
    steps = [("env", None), ("auto", named), ("keyfile", None), ("keyfile", named), ("env", None)]
    for n, (policy, file) in enumerate(steps, 1):
        vault = make_vault(policy, vault_key_file=file)
        before = kept(tmp_path)
        assert opened(vault, sealed[0]) == "pass-word-0"
        assert kept(tmp_path) == before  # opening moves nothing
        sealed.append(seal(vault, f"pass-word-{n}"))
        place = str(file) if file else "SIEGE_VAULT_KEY" if policy == "env" else kept(tmp_path)[1]
        assert kept(tmp_path) == ("env" if policy == "env" else "keyfile", place)
        assert [opened(make_vault(policy, vault_key_file=file), each) for each in sealed] == [
            f"pass-word-{k}" for k in range(n + 1)
        ]
    (tmp_path / "mine").unlink()
    (tmp_path / "data" / "vault.key").unlink(missing_ok=True)
    assert opened(make_vault("env"), sealed[0]) == "pass-word-0"
    monkeypatch.delenv("SIEGE_VAULT_KEY")
    with pytest.raises(VaultError, match="SIEGE_VAULT_KEY"):
        opened(make_vault("auto"), sealed[0])


def test_an_insisted_source_that_cannot_be_had_changes_nothing(make_vault: MakeVault, tmp_path: Path) -> None:
    sealed = seal(make_vault("keyfile"))
    ring = (tmp_path / "config" / "ring.json").read_bytes()
    for policy in ("keyring", "env"):
        with pytest.raises(VaultError, match="No secret can be sealed"):
            seal(make_vault(policy))
        assert opened(make_vault(policy), sealed) == CANARY
    assert (tmp_path / "config" / "ring.json").read_bytes() == ring
