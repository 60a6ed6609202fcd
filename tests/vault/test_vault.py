"""Models sealed and opened over one config directory."""

from __future__ import annotations

import itertools
import json
import stat
from pathlib import Path

import pytest

from siege_nb.declare import Reference, Secret, secrets_of, structure, unstructure
from siege_nb.errors import DamagedError, InvalidError, NotFoundError, SealedError, TamperedError, VaultError
from siege_nb.vault import Vault
from tests.vault.conftest import IDENT, KIND, Login, MakeVault, Params, full, shown


def reread(vault: Vault, model: Params, kind: str = KIND, ident: str = IDENT) -> Params:
    """The model as it comes back from a file."""
    document = json.loads(json.dumps(unstructure(vault.seal(model, kind=kind, ident=ident))))
    return structure(Params, document, at_rest=True)


def test_what_is_sealed_opens_again(vault: Vault, make_vault: MakeVault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADER_Y", "from-environment")
    sealed = reread(vault, full())
    assert {type(secret) for _, secret in secrets_of(sealed)} == {Reference}
    assert unstructure(sealed)["headers"]["y"] == {"$secret": "env:HEADER_Y"}
    assert "pass-word" not in str(unstructure(sealed))
    for other in (vault, make_vault()):
        assert shown(other.open(sealed, kind=KIND, ident=IDENT)) == {
            "authentication.password": "pass-word-1", "token": "token-2", "headers.x": "header-3",
            "headers.y": "from-environment", "hops.0.password": "pass-word-1", "hops.1.password": "hop-4",
        }  # fmt: skip


def test_sealing_leaves_the_model_and_what_is_sealed_alone(vault: Vault) -> None:
    model = full()
    once = vault.seal(model, kind=KIND, ident=IDENT)
    assert shown(model)["token"] == "token-2"
    twice = vault.seal(once, kind=KIND, ident=IDENT)
    assert unstructure(twice) == unstructure(once)
    assert unstructure(vault.seal(model, kind=KIND, ident=IDENT)) != unstructure(once)  # a fresh nonce each time


def test_an_unsealed_model_cannot_be_written(vault: Vault) -> None:
    with pytest.raises(SealedError):
        unstructure(full())


@pytest.mark.parametrize("typed", [
    "encrypted:v2.abcdefgh." + "0" * 24 + ":" + "ab" * 6 + ":" + "0" * 32, "encrypted:v2.", "encrypted:abc123",
    "env:HOME", "keyring:x", "vault:x", '{"$secret": "env:HOME"}', "", " ", "*a*", "p***d", "\ud800",
    "日本€😀", "x" * 10_000,
])  # fmt: skip
def test_what_is_typed_comes_back_as_itself(vault: Vault, typed: str) -> None:
    model = structure(Params, {"authentication": {"password": typed}})
    opened = vault.open(reread(vault, model), kind=KIND, ident=IDENT)
    assert shown(opened) == {"authentication.password": typed}


def test_a_token_typed_into_another_profile_stays_text(vault: Vault) -> None:
    stolen = unstructure(vault.seal(full(), kind=KIND, ident=IDENT))["token"]
    model = structure(Params, {"authentication": {"password": stolen}})
    opened = vault.open(reread(vault, model, ident="mine"), kind=KIND, ident="mine")
    assert shown(opened) == {"authentication.password": stolen}


@pytest.mark.parametrize("stars", ["***", "*", "••••"])
def test_a_mask_is_not_sealed(vault: Vault, stars: str) -> None:
    with pytest.raises(VaultError, match=r"authentication\.password is a mask") as caught:
        vault.seal(Params(authentication=Login(password=Secret(stars))), kind=KIND, ident=IDENT)
    assert not isinstance(caught.value, TamperedError)


def test_two_secrets_of_one_path_are_refused_rather_than_confused(vault: Vault) -> None:
    class Odd(Params):
        deep: dict[str, Secret | dict[str, Secret]] = {}

    odd = Odd(authentication=Login(password=Secret("p-1")), deep={"a.b": Secret("p-2"), "a": {"b": Secret("p-3")}})
    with pytest.raises(VaultError, match=r"deep\.a\.b"):
        vault.seal(odd, kind=KIND, ident=IDENT)


def test_no_moved_secret_opens(make_vault: MakeVault) -> None:
    """Every ciphertext, moved to every other account, kind, profile and field."""
    vaults = {name: make_vault(name=name) for name in ("one", "two", "three")}
    kinds, idents = ("connection", "database", "conn"), ("prod", "test", "ectionprod", "")
    paths = [path for path, secret in secrets_of(full()) if not isinstance(secret, Reference)]
    places = list(itertools.product(vaults, kinds, idents, paths))
    tokens: dict[tuple[str, ...], Secret] = {}
    for name, kind, ident in itertools.product(vaults, kinds, idents):
        sealed = dict(secrets_of(vaults[name].seal(full(), kind=kind, ident=ident)))
        tokens |= {(name, kind, ident, path): sealed[path] for path in paths}
    opened, tried = [], 0
    for source, target in itertools.product(places, places):
        name, kind, ident, path = target
        reference = tokens[source]
        assert isinstance(reference, Reference)
        tried += source != target
        try:
            vaults[name].resolve(reference, kind=kind, ident=ident, path=path)
        except TamperedError:
            pass
        else:
            opened.append((source, target))
    moved = [pair for pair in opened if pair[0] != pair[1]]
    print(f"{tried} moves, {len(moved)} opened")
    assert tried >= 200
    assert len(opened) - len(moved) == len(places)
    assert moved == []


def test_the_error_names_the_field_and_not_the_token(vault: Vault) -> None:
    sealed = vault.seal(full(), kind=KIND, ident=IDENT)
    with pytest.raises(TamperedError) as caught:
        vault.open(sealed, kind=KIND, ident="copy")
    written = str(sealed.authentication.password.at_rest())
    assert "authentication.password does not open" in str(caught.value)
    assert written[20:40] not in str(caught.value)


@pytest.mark.parametrize("written", ["encrypted:abc123", "encrypted:" + "0" * 32 + ":" + "ab" * 4 + ":" + "0" * 32])
def test_older_ciphertext_is_kept_and_does_not_open(vault: Vault, written: str) -> None:
    model = structure(Params, {"authentication": {"password": written}}, at_rest=True)
    assert unstructure(vault.seal(model, kind=KIND, ident=IDENT))["authentication"]["password"] == written
    with pytest.raises(TamperedError, match="Enter it again"):
        vault.open(model, kind=KIND, ident=IDENT)


def resolve(vault: Vault, written: str) -> str:
    return vault.resolve(Reference(written), kind=KIND, ident=IDENT, path="token").reveal()


def test_a_reference_to_the_environment(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROD_PASSWORD", "from-env")
    assert resolve(vault, "env:PROD_PASSWORD") == "from-env"
    assert vault.resolve("env:PROD_PASSWORD", kind=KIND, ident=IDENT, path="").reveal() == "from-env"
    monkeypatch.delenv("PROD_PASSWORD")
    with pytest.raises(VaultError, match="PROD_PASSWORD is not set") as caught:
        resolve(vault, "env:PROD_PASSWORD")
    assert isinstance(caught.value, NotFoundError)
    assert isinstance(caught.value, LookupError)


@pytest.mark.parametrize("name", ["ENCRYPTION_KEY", "SIEGE_VAULT_KEY"])
def test_no_profile_reads_the_vaults_own_key(vault: Vault, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "k" * 32)
    with pytest.raises(VaultError, match=name) as caught:
        resolve(vault, f"env:{name}")
    assert "kkkk" not in str(caught.value)


def test_opening_references_makes_no_key(vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROD_PASSWORD", "from-env")
    resolve(vault, "env:PROD_PASSWORD")
    assert not (tmp_path / "data").exists()
    assert not (tmp_path / "config").exists()


@pytest.mark.parametrize("written", ["http://x", "encrypted:v2.abc", "plain"])
def test_text_that_is_no_reference_is_refused(vault: Vault, written: str) -> None:
    with pytest.raises(VaultError):
        vault.resolve(written, kind=KIND, ident=IDENT, path="token")


def test_a_shared_credential(vault: Vault, make_vault: MakeVault, tmp_path: Path) -> None:
    reference = vault.share("warehouse", Secret("shared-secret"))
    assert reference.at_rest() == {"$secret": "vault:warehouse"}
    file = tmp_path / "config" / "credentials" / "warehouse.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "shared-secret" not in file.read_text()
    assert resolve(make_vault(), "vault:warehouse") == "shared-secret"
    vault.share("warehouse", Secret("rotated-secret"))
    assert resolve(make_vault(), "vault:warehouse") == "rotated-secret"

    file.rename(file.with_name("other.json"))
    with pytest.raises(TamperedError):
        resolve(vault, "vault:other")
    with pytest.raises(NotFoundError, match="warehouse"):
        resolve(vault, "vault:warehouse")
    for text in ("", "{}", "[]", '{"secret": 5}', '{"secret": "plain text"}', "\xff"):
        file.write_text(text)
        with pytest.raises((DamagedError, TamperedError)):
            resolve(vault, "vault:warehouse")


@pytest.mark.parametrize("name", ["", "..", "a/b", "../ring", "a.b", "x" * 65, "CON", "a\0", "ä"])
def test_a_shared_credentials_name_is_no_path(vault: Vault, name: str) -> None:
    with pytest.raises(InvalidError):
        vault.share(name, Secret("shared-secret"))
    if name:
        with pytest.raises(InvalidError):
            resolve(vault, f"vault:{name}")


def test_memory_opens_here_and_nowhere_else(make_vault: MakeVault, tmp_path: Path) -> None:
    memory = make_vault("memory")
    model = full().model_copy(update={"headers": {}})
    sealed = memory.seal(model, kind=KIND, ident=IDENT)
    assert shown(make_vault("memory").open(sealed, kind=KIND, ident=IDENT)) == shown(model)
    assert not (tmp_path / "data").exists()
    assert not (tmp_path / "config" / "ring.json").exists()
    assert "memory" in memory.describe()
    with pytest.raises(TamperedError):
        make_vault("memory", "other").open(sealed, kind=KIND, ident=IDENT)
    with pytest.raises(VaultError):
        make_vault("keyfile").open(sealed, kind=KIND, ident=IDENT)


def test_describe_looks_and_makes_nothing(vault: Vault, tmp_path: Path) -> None:
    assert "nothing is sealed yet" in vault.describe()
    assert not (tmp_path / "config").exists()
    vault.seal(full(), kind=KIND, ident=IDENT)
    assert str(tmp_path / "data" / "vault.key") in vault.describe()
    assert "AES-256-GCM" in vault.describe()
    (tmp_path / "data" / "vault.key").unlink()
    with pytest.raises(VaultError, match=r"vault\.key"):
        Vault(vault._keys.settings, vault._directory).describe()


def test_a_vault_shows_no_key(vault: Vault, tmp_path: Path) -> None:
    import pprint
    import traceback

    vault.seal(full(), kind=KIND, ident=IDENT)
    shown_as = pprint.pformat(vars(vault)) + pprint.pformat(vars(vault._keys)) + repr(vault._keys._opened)
    try:
        vault.open(vault.seal(full(), kind=KIND, ident=IDENT), kind=KIND, ident="other")
    except TamperedError as error:
        # As a verbose traceback would: with the locals of every frame.
        shown_as += "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    key = (tmp_path / "data" / "vault.key").read_text().strip()  # read late: our own locals are shown too
    assert "pass-word-1" not in shown_as
    assert key not in shown_as
    assert repr(bytes.fromhex(key))[2:-1] not in shown_as
