"""A passphrase as the key: derived at a price, asked for once, and refused when it is wrong or cheap."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from siege_nb.errors import DamagedError, TamperedError, VaultError
from siege_nb.masking import mask
from siege_nb.vault import Vault, passphrase
from tests.vault.conftest import CANARY, IDENT, KEY, KIND, MakeVault, opened, plain_bytes, seal

PHRASE = "five random words, say"


class Person:
    """Someone who answers, and counts how often they were asked."""

    def __init__(self, *answers: str) -> None:
        self.answers, self.asked = list(answers), list[str]()

    def __call__(self, prompt: str) -> str:
        self.asked.append(prompt)
        return self.answers.pop(0)


def nobody(prompt: str) -> str:
    raise EOFError


@pytest.fixture
def asking(make_vault: MakeVault) -> Callable[..., tuple[Vault, Person]]:
    def make(*answers: str) -> tuple[Vault, Person]:
        person, vault = Person(*answers), make_vault("passphrase")
        vault.ask_with(person)
        return vault, person

    return make


Asking = Callable[..., tuple[Vault, Person]]


def later() -> None:
    """As in another process: nothing is remembered."""
    passphrase._derived.clear()


def test_it_is_asked_for_once_per_process(asking: Asking, make_vault: MakeVault, tmp_path: Path) -> None:
    vault, person = asking(PHRASE, PHRASE)
    sealed = seal(vault)
    assert opened(vault, sealed) == CANARY
    assert opened(asking()[0], sealed) == CANARY
    assert person.asked == ["New passphrase of the vault: ", "Once more: "]
    assert "wrapped by a passphrase" in vault.describe()
    later()
    vault, person = asking(PHRASE)
    assert [opened(vault, sealed), opened(make_vault("passphrase"), sealed)] == [CANARY] * 2
    assert person.asked == ["Passphrase of the vault: "]
    assert plain_bytes(tmp_path, canary=PHRASE) == []
    assert mask(f"it is {PHRASE}.") == "it is ***."
    assert not (tmp_path / "data").exists()


def test_what_it_is_derived_with_stands_in_the_ring(asking: Asking, tmp_path: Path) -> None:
    seal(asking(PHRASE, PHRASE)[0])
    kept = json.loads((tmp_path / "config" / "ring.json").read_bytes())["kept"]
    assert kept["source"] == "passphrase"
    assert {k: v for k, v in kept["scrypt"].items() if k != "salt"} == {"n": 65536, "r": 8, "p": 1}
    assert len(bytes.fromhex(kept["scrypt"]["salt"])) == 16


def test_the_environment_answers_for_a_person(
    make_vault: MakeVault, monkeypatch: pytest.MonkeyPatch, asking: Asking
) -> None:
    monkeypatch.setenv("SIEGE_VAULT_PASSPHRASE", PHRASE)
    sealed = seal(make_vault("passphrase"))
    later()
    vault, person = asking()
    assert opened(vault, sealed) == CANARY
    assert person.asked == []
    with pytest.raises(VaultError, match="vault's own key"):
        vault.resolve("env:SIEGE_VAULT_PASSPHRASE", kind=KIND, ident=IDENT, path="x")


def test_without_anybody_to_ask_nothing_hangs_and_nothing_is_made(make_vault: MakeVault, tmp_path: Path) -> None:
    silent, absent = make_vault("passphrase"), make_vault("passphrase")
    absent.ask_with(nobody)
    for vault in (silent, absent):
        with pytest.raises(VaultError, match="nobody is here to give it") as caught:
            seal(vault)
        assert "SIEGE_VAULT_PASSPHRASE" in caught.value.hint
    assert not (tmp_path / "config").exists()


def test_a_wrong_one_is_one_error_and_changes_nothing(asking: Asking, tmp_path: Path) -> None:
    sealed = seal(asking(PHRASE, PHRASE)[0])
    ring = (tmp_path / "config" / "ring.json").read_bytes()
    later()
    vault, person = asking("another passphrase", "yet another one", PHRASE)
    with pytest.raises(TamperedError, match="This passphrase does not open") as caught:
        opened(vault, sealed)
    assert "another passphrase" not in str(caught.value)
    with pytest.raises(TamperedError, match="This passphrase does not open"):
        seal(vault)
    assert (tmp_path / "config" / "ring.json").read_bytes() == ring
    assert opened(vault, sealed) == CANARY  # it is asked for again, and taken
    assert len(person.asked) == 3


@pytest.mark.parametrize(("answers", "says"), [
    (("short", "short"), "at least 8 characters"), ((PHRASE, PHRASE + "!"), "not the same"),
    (("", ""), "nobody is here"),
])  # fmt: skip
def test_a_new_one_is_checked_before_anything_is_made(
    asking: Asking, tmp_path: Path, answers: tuple[str, ...], says: str
) -> None:
    with pytest.raises(VaultError, match=says):
        seal(asking(*answers)[0])
    assert not (tmp_path / "config").exists()


CHEAP: list[dict[str, object]] = [
    {"n": 2}, {"n": 1 << 15}, {"r": 1}, {"p": 0}, {"n": 65537}, {"n": 1 << 30}, {"p": 1 << 20}, {"salt": ""},
    {"salt": "ab" * 15},
]  # fmt: skip
DAMAGED: list[dict[str, object]] = [
    {"source": "passphrase"}, {"source": "passphrase", "scrypt": {"salt": "zz" * 16}},
    {"source": "keyfile", "scrypt": {}}, {"source": "passphrase", "scrypt": {"salt": "ab" * 16, "n": "65536"}},
]  # fmt: skip


def test_a_ring_that_makes_guessing_cheap_or_endless_is_refused_before_anyone_is_asked(
    asking: Asking, tmp_path: Path
) -> None:
    sealed = seal(asking(PHRASE, PHRASE)[0])
    file = tmp_path / "config" / "ring.json"
    ring = json.loads(file.read_bytes())
    for cheap in CHEAP:
        kept = ring["kept"] | {"scrypt": ring["kept"]["scrypt"] | cheap}
        file.write_text(json.dumps(ring | {"kept": kept}))
        vault, person = asking(PHRASE)
        with pytest.raises(VaultError, match="not what we write"):
            opened(vault, sealed)
        assert person.asked == []
    for kept in DAMAGED:
        file.write_text(json.dumps(ring | {"kept": kept}))
        with pytest.raises(DamagedError):
            opened(asking()[0], sealed)


def test_unlock_asks_at_once_where_it_will_be_needed(asking: Asking, make_vault: MakeVault) -> None:
    vault, person = asking(PHRASE, PHRASE)
    vault.unlock()
    assert person.asked == []  # nothing is sealed yet
    sealed = seal(vault)
    later()
    vault, person = asking(PHRASE)
    vault.unlock()
    vault.unlock()
    assert len(person.asked) == 1
    assert opened(vault, sealed) == CANARY
    assert len(person.asked) == 1
    later()
    make_vault("passphrase").unlock()  # a server, in which nobody is asked


def test_the_key_moves_from_place_to_place(
    make_vault: MakeVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIEGE_VAULT_KEY", KEY)
    vault = make_vault("keyfile")
    vault.ask_with(Person(*[PHRASE] * 4))
    sealed = seal(vault)
    keys = json.loads((tmp_path / "config" / "ring.json").read_bytes())["keys"]
    for to in ("passphrase", "env", "passphrase", "keyfile"):
        assert vault.move(to).source == to
        assert opened(vault, sealed) == CANARY
    after = json.loads((tmp_path / "config" / "ring.json").read_bytes())["keys"]
    assert after.keys() == keys.keys()
    assert after != keys  # the same key, wrapped anew
    with pytest.raises(VaultError, match="No secret can be sealed"):
        vault.move("keyring")
    assert opened(make_vault("keyfile"), sealed) == CANARY


def test_the_first_secret_finds_the_key_where_it_was_moved_to(make_vault: MakeVault) -> None:
    vault = make_vault("auto")
    vault.ask_with(Person(PHRASE, PHRASE))
    assert vault.move("passphrase").source == "passphrase"
    assert opened(vault, seal(vault)) == CANARY
    assert "a passphrase" in vault.describe()


def test_a_key_in_memory_does_not_move(make_vault: MakeVault) -> None:
    for vault, to in ((make_vault("memory"), "keyfile"), (make_vault("keyfile"), "memory")):
        with pytest.raises(VaultError, match="memory of one process"):
            vault.move(to)
