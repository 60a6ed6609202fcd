"""Each function for projects keeps the first system's contract."""

from __future__ import annotations

from pathlib import Path

import pytest

import siege_nb
from siege_nb.errors import NotFoundError, SiegeError
from tests.profiles.conftest import CONTACT


def test_create_gives_the_documented_dict() -> None:
    config = siege_nb.create_project_config("One", "P1", "work", description="d", log_level="DEBUG", team=["a"])
    assert list(config) == [
        "project_name", "project_code", "description", "created_date", "directories", "settings",
    ]  # fmt: skip
    assert (config["project_name"], config["project_code"], config["description"]) == ("One", "P1", "d")
    folders = ("input", "output", "data", "reports", "logs", "config")
    assert config["directories"] == {"base": "work/P1", **{name: f"work/P1/{name}" for name in folders}}
    assert config["settings"] == {
        "data_format": "parquet", "log_level": "DEBUG", "backup_enabled": True, "team": ["a"],
    }  # fmt: skip
    with pytest.raises(ValueError, match="project_code"):
        siege_nb.create_project_config("One", "../P1")


def test_save_load_and_list() -> None:
    config = siege_nb.create_project_config("One", "P1", description="d")
    assert siege_nb.save_project_config(config) == "config/project_P1.json"
    assert siege_nb.load_project_config("P1", "config") == config
    assert siege_nb.load_project_config("P2") is None
    Path("config/project_A0.json").write_text('{"project_code": "A0"}')
    assert siege_nb.list_projects() == [
        {"code": "A0", "name": "", "description": "", "config_file": "config/project_A0.json"},
        {"code": "P1", "name": "One", "description": "d", "config_file": "config/project_P1.json"},
    ]  # fmt: skip
    with pytest.raises(ValueError, match="project_code"):
        siege_nb.load_project_config("../P1")


def test_update_merges_one_level() -> None:
    siege_nb.save_project_config(siege_nb.create_project_config("One", "P1", owner={"a": 1, "b": 2}))
    updates = {"settings": {"log_level": "DEBUG", "owner": {"a": 3}}, "description": "new"}
    assert siege_nb.update_project_config("P1", updates) is True
    config = siege_nb.load_project_config("P1")
    assert config is not None
    assert config["description"] == "new"
    assert config["settings"] == {
        "data_format": "parquet", "log_level": "DEBUG", "backup_enabled": True, "owner": {"a": 3},
    }  # fmt: skip
    assert siege_nb.update_project_config("P2", updates) is False
    assert siege_nb.update_project_config("P1", {"directories": 7}) is False
    assert siege_nb.update_project_config("P1", {"project_code": "P9"}) is False
    assert [row["code"] for row in siege_nb.list_projects()] == ["P1"]


def test_directories_are_made_each_with_a_gitkeep(here: Path) -> None:
    config = siege_nb.create_project_config("One", "P1")
    assert siege_nb.setup_project_directories(config) is True
    for directory in config["directories"].values():
        assert (here / directory / ".gitkeep").is_file()
    (here / "projects/P1/data/kept").write_text("x")
    assert siege_nb.setup_project_directories(config) is True
    assert (here / "projects/P1/data/kept").read_text() == "x"
    config["directories"]["more"] = "projects/P1/data/kept/below"
    assert siege_nb.setup_project_directories(config) is False
    assert type(siege_nb.last_error()) is SiegeError


def test_a_path_is_given_by_what_it_is_for() -> None:
    config = siege_nb.create_project_config("One", "P1")
    assert siege_nb.get_project_path(config) == "projects/P1"
    assert siege_nb.get_project_path(config, "output") == "projects/P1/output"
    assert siege_nb.get_project_path(config, "nowhere") is None
    assert isinstance(siege_nb.last_error(), NotFoundError)
    assert "output" in str(siege_nb.last_error())


def test_a_deleted_project_is_no_clients_any_more() -> None:
    siege_nb.save_client_profile(siege_nb.create_client_profile("A", "A1", CONTACT))
    siege_nb.save_project_config(siege_nb.create_project_config("One", "P1"))
    assert siege_nb.associate_client_with_project("A1", "P1")
    assert siege_nb.delete_project_config("P1") is True
    assert siege_nb.get_client_project_associations("A1") == []
    assert siege_nb.list_projects() == []
    assert siege_nb.delete_project_config("P1") is False
