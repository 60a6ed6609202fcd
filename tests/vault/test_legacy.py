"""The old service's face: its format, its key, and a clear word where it silently did something else."""

from __future__ import annotations

import re

import pytest

from siege_nb.errors import VaultError
from siege_nb.masking import mask
from siege_nb.vault import EncryptionService
from tests.vault.conftest import BAD, RAW

SAMPLE = f"encrypted:{'0' * 32}:{'ab' * 4}:{'0' * 32}"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCRYPTION_KEY", RAW)


@pytest.mark.parametrize("text", ["", "a", "pass:word", "äöü€😀", "x" * 300, "\0\n", "encrypted:abc123"])
def test_what_is_encrypted_decrypts(text: str) -> None:
    written = EncryptionService.encrypt(text)
    assert re.fullmatch(r"encrypted:[0-9a-f]{32}:([0-9a-f]{2})*:[0-9a-f]{32}", written)
    assert EncryptionService.decrypt(written) == text
    assert EncryptionService.encrypt(text) != written
    assert EncryptionService().decrypt(written) == text


def test_half_a_character_becomes_what_node_makes_of_it() -> None:
    assert EncryptionService.decrypt(EncryptionService.encrypt("a\ud800b")) == "a\ufffdb"


def test_what_is_decrypted_is_masked_from_then_on() -> None:
    assert mask(EncryptionService.decrypt(EncryptionService.encrypt("legacy-pass-1"))) == "***"


@pytest.mark.parametrize("key", ["", *BAD, RAW[:31], RAW + "x", "ä" * 31])
def test_a_key_has_exactly_32_bytes(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    written = EncryptionService.encrypt("x")
    monkeypatch.setenv("ENCRYPTION_KEY", key)
    length = len(key.encode())
    if length == 32:
        pytest.skip("that one is a key")
    said = f"ENCRYPTION_KEY has {length} bytes" if key else "ENCRYPTION_KEY is not set"
    for act in (lambda: EncryptionService.encrypt("x"), lambda: EncryptionService.decrypt(written)):
        with pytest.raises(VaultError, match=said) as caught:
            act()
        assert type(caught.value) is VaultError
        assert not key or key not in str(caught.value)


def test_wrong_missing_and_misshapen_keys_are_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    written = EncryptionService.encrypt("legacy-pass-2")
    for key in (RAW[::-1], "", RAW[:31], RAW + "x"):
        monkeypatch.setenv("ENCRYPTION_KEY", key)
        with pytest.raises(VaultError) as caught:
            EncryptionService.decrypt(written)
        assert type(caught.value) is VaultError
        assert "legacy-pass-2" not in str(caught.value)


@pytest.mark.parametrize("written", ["encrypted:abc123", "", "plain", "encrypted:", SAMPLE.upper(), SAMPLE[:-2]])
def test_what_is_no_ciphertext_is_refused(written: str) -> None:
    with pytest.raises(VaultError, match="This is no encrypted value"):
        EncryptionService.decrypt(written)
