"""Credentials that several profiles share, and secrets that could not be brought along."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from siege_nb.declare import Reference, Secret, structure, unstructure
from siege_nb.errors import NotFoundError, VaultError
from siege_nb.masking import mask
from siege_nb.vault import Vault
from tests.vault.conftest import IDENT, KIND, Login, MakeVault, Params, plain_bytes


def test_one_credential_serves_many_connections(vault: Vault, make_vault: MakeVault, tmp_path: Path) -> None:
    reference = vault.share("warehouse", Secret("shared-secret-1"))
    profiles = []
    for n in range(20):
        sealed = vault.seal(Login(password=reference), kind=KIND, ident=f"c{n}")
        profiles.append(structure(Login, json.loads(json.dumps(unstructure(sealed))), at_rest=True))
    for written in ("shared-secret-1", "shared-secret-2"):
        found = {make_vault().open(p, kind=KIND, ident=f"c{n}").password.reveal() for n, p in enumerate(profiles)}
        assert found == {written}
        vault.share("warehouse", Secret("shared-secret-2"))
    assert plain_bytes(tmp_path, canary="shared-secret-2") == []


def test_they_are_listed_and_removed(vault: Vault, tmp_path: Path) -> None:
    assert vault.shared() == []
    with pytest.raises(NotFoundError):
        vault.unshare("warehouse")
    assert not (tmp_path / "config").exists()
    for name in ("warehouse", "api", "Lake-1"):
        vault.share(name, Secret("shared-secret-3"))
    assert vault.shared() == ["Lake-1", "api", "warehouse"]
    vault.unshare("api")
    assert vault.shared() == ["Lake-1", "warehouse"]
    for act in (lambda: vault.unshare("api"), lambda: vault.resolve("vault:api", kind=KIND, ident=IDENT, path="x")):
        with pytest.raises(NotFoundError, match="no shared credential named 'api'"):
            act()


def test_a_replaced_one_is_no_longer_masked(vault: Vault, make_vault: MakeVault) -> None:
    vault.share("warehouse", Secret("shared-old-4"))
    make_vault().share("warehouse", Secret("shared-new-4"))
    assert mask("shared-old-4 shared-new-4") == "shared-old-4 ***"
    vault.share("warehouse", Secret("shared-new-4"))
    assert mask("shared-new-4") == "***"


def test_one_that_does_not_open_is_replaced_all_the_same(vault: Vault, tmp_path: Path) -> None:
    vault.share("warehouse", Secret("shared-secret-5"))
    (tmp_path / "config" / "credentials" / "warehouse.json").write_text("{")
    vault.share("warehouse", Secret("shared-secret-6"))
    assert vault.resolve("vault:warehouse", kind=KIND, ident=IDENT, path="x") == Secret("shared-secret-6")


def test_what_was_not_brought_along_says_so(vault: Vault) -> None:
    login = structure(Login, {"password": {"$secret": "missing:password"}}, at_rest=True)
    sealed = vault.seal(login, kind=KIND, ident=IDENT)
    assert unstructure(sealed)["password"] == {"$secret": "missing:password"}
    with pytest.raises(VaultError, match="password was not part of what was imported") as caught:
        vault.open(sealed, kind=KIND, ident=IDENT)
    assert isinstance(caught.value, NotFoundError)
    assert caught.value.hint == "%conn edit NAME password=?"


def test_nobody_is_told_to_type_missing() -> None:
    with pytest.raises(ValueError, match=r"should begin with env:, keyring:, vault:$"):
        Reference.parse("elsewhere:x")


def test_who_refers_to_it_is_told_its_file(vault: Vault) -> None:
    """So that whoever opens a profile can put on record what else it opened."""
    named = Params(
        authentication=Login(password=Reference("vault:warehouse")), token=Reference("vault:api"),
        headers={"x": Reference("env:X"), "y": Reference("vault:api"), "z": Secret("own-secret-9")},
    )  # fmt: skip
    assert vault.credentials(named) == ["credentials/api.json", "credentials/warehouse.json"]
    assert vault.credentials(Login(password=Secret("own-secret-9"))) == []
