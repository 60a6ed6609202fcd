"""The environment, read once: what makes no sense is named, and nothing is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from siege_nb.errors import InvalidError
from siege_nb.settings import Settings


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """Two places that are not there yet."""
    return {"SIEGE_CONFIG_DIR": str(tmp_path / "config"), "SIEGE_DATA_DIR": str(tmp_path / "data")}


def test_an_empty_variable_is_an_unset_one(env: dict[str, str]) -> None:
    empty = dict.fromkeys(("SIEGE_VAULT", "SIEGE_DEADLINE", "SIEGE_VAULT_KEY_FILE"), "")
    assert Settings.from_environment(env | empty) == Settings.from_environment(env)
    nowhere = Settings.from_environment({"SIEGE_CONFIG_DIR": "", "SIEGE_DATA_DIR": ""})
    assert nowhere == Settings.from_environment({})
    assert nowhere.config_dir.is_absolute()


def test_paths_know_the_home(env: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    places = dict.fromkeys(("SIEGE_VAULT_KEY_FILE", "SIEGE_CONFIG_DIR", "SIEGE_DATA_DIR"), "~/x")
    found = Settings.from_environment(env | places)
    assert [found.vault_key_file, found.config_dir, found.data_dir] == [tmp_path / "x"] * 3
    Settings.from_environment(env | {"SIEGE_CONFIG_DIR": "~nobody-of-that-name/x"})


@pytest.mark.parametrize("variable", ["SIEGE_CONFIG_DIR", "SIEGE_DATA_DIR"])
@pytest.mark.parametrize("below", ["", "/siege", "/a/b/c"])
def test_what_is_no_directory_is_refused(env: dict[str, str], tmp_path: Path, variable: str, below: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidError) as caught:
        Settings.from_environment(env | {variable: f"{tmp_path}/file{below}"})
    assert caught.value.message == f"The environment is not valid: {variable}: {tmp_path}/file is no directory"


def test_a_link_to_nowhere_is_no_directory_and_one_to_a_directory_is(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "config").symlink_to(tmp_path / "there")
    with pytest.raises(InvalidError, match="config is no directory"):
        Settings.from_environment(env)
    (tmp_path / "there").mkdir()
    assert Settings.from_environment(env).config_dir == tmp_path / "config"


def test_a_directory_given_by_hand_is_looked_at_instead(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "config").write_text("")
    assert Settings.from_environment(env, config_dir=tmp_path / "else").config_dir == tmp_path / "else"
    with pytest.raises(InvalidError, match=r"config_dir: .*/config is no directory"):
        Settings.from_environment({}, config_dir=tmp_path / "config")


@pytest.mark.parametrize("policy", ["auto", "keyring", "env", "keyfile", "passphrase", "memory"])
def test_the_policies_there_are(env: dict[str, str], policy: str) -> None:
    assert Settings.from_environment(env | {"SIEGE_VAULT": policy}).vault == policy


def test_nothing_is_made(env: dict[str, str], tmp_path: Path) -> None:
    Settings.from_environment(env)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("variable", "value"), [
    ("SIEGE_VAULT", "cloud"), ("SIEGE_DEADLINE", "soon"), ("SIEGE_DEADLINE", "0"), ("SIEGE_DEADLINE", "nan"),
    ("SIEGE_DEADLINE", "601"), ("SIEGE_DEADLINE", "inf"),
])  # fmt: skip
def test_a_variable_that_makes_no_sense_is_named(env: dict[str, str], variable: str, value: str) -> None:
    with pytest.raises(InvalidError, match=f"{variable}: should be"):
        Settings.from_environment(env | {variable: value})
