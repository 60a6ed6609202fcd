"""The key ring of a config directory: its file, several keys, damage, and many who make it at once."""

from __future__ import annotations

import json
import os
import stat
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from siege_nb.declare import unstructure
from siege_nb.errors import DamagedError, TamperedError, VaultError
from siege_nb.vault import Vault
from siege_nb.vault.ring import Ring, Wrapped
from siege_nb.vault.token import Key, new_kid, place
from tests.vault.conftest import IDENT, KIND, MakeVault, Params, full, shown


def test_the_ring_file(vault: Vault, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        vault.seal(full(), kind=KIND, ident=IDENT)
    finally:
        os.umask(before)
    file = tmp_path / "config" / "ring.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    ring = json.loads(file.read_bytes())
    assert set(ring) == {"format", "account", "primary", "kept", "keys"}
    assert ring["format"] == 1
    assert str(uuid.UUID(ring["account"])) == ring["account"]
    assert ring["kept"] == {"source": "keyfile", "place": str(tmp_path / "data" / "vault.key")}
    assert set(ring["keys"]) == {ring["primary"]}
    assert set(ring["keys"][ring["primary"]]) == {"wrapped", "created", "state", "used"}
    key = (tmp_path / "data" / "vault.key").read_text().strip()
    assert key not in file.read_text()
    assert "active" in file.read_text()
    assert Ring.parse(file.read_bytes()).dump() == file.read_bytes()


def test_a_ring_of_several_keys(vault: Vault, make_vault: MakeVault, tmp_path: Path) -> None:
    """A second key becomes primary in another process; both open, only the new one seals."""
    old = vault.seal(full(), kind=KIND, ident=IDENT)
    file = tmp_path / "config" / "ring.json"
    ring = Ring.parse(file.read_bytes())
    wrapping = Key(bytes.fromhex((tmp_path / "data" / "vault.key").read_text()))
    kid, gone = new_kid(), new_kid()
    wrapped = wrapping.encrypt(os.urandom(32), place("ring", ring.account, kid)).hex()
    keys = {
        ring.primary: replace(ring.keys[ring.primary], state="decrypt-only"),
        kid: Wrapped(wrapped, "2030-01-01T00:00:00+00:00"), gone: Wrapped("", "2020-01-01T00:00:00+00:00", "destroyed"),
    }  # fmt: skip
    file.write_bytes(replace(ring, primary=kid, keys=keys).dump())
    for other in (vault, make_vault()):
        new = other.seal(full(), kind=KIND, ident=IDENT)
        assert f"v2.{kid}." in str(unstructure(new)["token"])
        assert shown(other.open(new.model_copy(update={"headers": {}}), kind=KIND, ident=IDENT))["token"] == "token-2"
        assert shown(other.open(old.model_copy(update={"headers": {}}), kind=KIND, ident=IDENT))["token"] == "token-2"


@pytest.mark.parametrize("text", [
    "", "{", "[]", "{}", "null", '{"format": 1}',
    '{"format": 1, "account": "x", "primary": "k", "kept": {}, "keys": {}}',
])  # fmt: skip
def test_a_damaged_ring_is_kept_and_refused(vault: Vault, tmp_path: Path, text: str) -> None:
    sealed = vault.seal(full(), kind=KIND, ident=IDENT)
    file = tmp_path / "config" / "ring.json"
    file.write_text(text)
    with pytest.raises(DamagedError, match=r"ring\.json"):
        vault.seal(full(), kind=KIND, ident=IDENT)
    with pytest.raises(DamagedError):
        Vault(vault._keys.settings, vault._directory).open(sealed, kind=KIND, ident=IDENT)
    assert file.read_text() == text


@pytest.mark.parametrize(("field", "wrong"), [
    ("account", "no-uuid"), ("primary", "12345678"), ("kept", {"source": "cloud"}), ("kept", {"source": "env", "x": 1}),
    ("keys", []), ("keys", {"k": {"wrapped": "zz", "created": "", "state": "active"}}), ("format", "1"),
])  # fmt: skip
def test_a_ring_with_a_wrong_field_is_refused(vault: Vault, tmp_path: Path, field: str, wrong: object) -> None:
    vault.seal(full(), kind=KIND, ident=IDENT)
    file = tmp_path / "config" / "ring.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {field: wrong}))
    with pytest.raises((DamagedError, VaultError)):
        vault.seal(full(), kind=KIND, ident=IDENT)


def test_a_ring_of_a_newer_version_is_refused(vault: Vault, tmp_path: Path) -> None:
    vault.seal(full(), kind=KIND, ident=IDENT)
    file = tmp_path / "config" / "ring.json"
    file.write_text(json.dumps({"format": 2, "anything": "else"}))
    with pytest.raises(VaultError, match="format 2"):
        vault.seal(full(), kind=KIND, ident=IDENT)


def test_a_ring_with_a_changed_account_or_key_does_not_open(
    vault: Vault, make_vault: MakeVault, tmp_path: Path
) -> None:
    vault.seal(full(), kind=KIND, ident=IDENT)
    file = tmp_path / "config" / "ring.json"
    ring = json.loads(file.read_text())
    kid = ring["primary"]
    other = json.loads(json.dumps(ring))
    other["account"] = str(uuid.uuid4())
    renamed = json.loads(json.dumps(ring)) | {"primary": "AAAAAAAA", "keys": {"AAAAAAAA": ring["keys"][kid]}}
    flipped = json.loads(json.dumps(ring))
    wrapped = flipped["keys"][kid]["wrapped"]
    flipped["keys"][kid]["wrapped"] = f"{int(wrapped[0], 16) ^ 1:x}{wrapped[1:]}"
    for wrong in (other, renamed, flipped):
        file.write_text(json.dumps(wrong))
        with pytest.raises(TamperedError, match=r"does not open this config directory's ring"):
            make_vault().seal(full(), kind=KIND, ident=IDENT)


def test_sealed_secrets_without_a_ring(vault: Vault, make_vault: MakeVault, tmp_path: Path) -> None:
    sealed = vault.seal(full(), kind=KIND, ident=IDENT)
    (tmp_path / "config" / "ring.json").unlink()
    with pytest.raises(VaultError, match=r"no ring\.json"):
        make_vault().open(sealed, kind=KIND, ident=IDENT)


def test_many_threads_and_vaults_make_one_ring(make_vault: MakeVault, tmp_path: Path) -> None:
    vaults = [make_vault() for _ in range(8)]

    def work(n: int) -> Params:
        return vaults[n % 8].seal(full().model_copy(update={"headers": {}}), kind=KIND, ident=IDENT)

    with ThreadPoolExecutor(8) as pool:
        sealed = list(pool.map(work, range(64)))
    assert {shown(make_vault().open(model, kind=KIND, ident=IDENT))["token"] for model in sealed} == {"token-2"}
    assert len(json.loads((tmp_path / "config" / "ring.json").read_text())["keys"]) == 1
    assert list((tmp_path / "data").iterdir()) == [tmp_path / "data" / "vault.key"]
