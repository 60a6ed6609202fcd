"""Each function for connections keeps the first system's contract."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

import siege_nb
from siege_nb.errors import AccessError, ConflictError, InvalidError, NotFoundError
from siege_nb.profiles.places import at
from siege_nb.workspace import Workspace


def made(name: str = "Warehouse", kind: str = "sqlite", **values: Any) -> dict[str, Any]:
    """A connection that is saved."""
    profile = siege_nb.create_connection_profile(name, kind, {"database": "here.db", "create": True}, **values)
    siege_nb.save_connection_profile(profile)
    return profile


def loaded(ident: str) -> dict[str, Any]:
    found = siege_nb.load_connection_profile(ident)
    assert found is not None, siege_nb.last_error()
    return found


def test_create_gives_the_documented_dict() -> None:
    params = {"url": "http://localhost:8888", "token": "abc123def456", "workspace": "/home"}
    profile = siege_nb.create_connection_profile(
        "Lab", "notebook", params, auto_connect=True, kernel_type="python3", preferred_browser="chrome", tags=["a"]
    )
    assert list(profile) == [
        "connection_id", "name", "connection_type", "connection_params", "metadata", "security", "tags", "notes",
        "notebook_specific",
    ]  # fmt: skip
    assert profile["connection_params"] == params, "what was given, as it was given"
    stamps = {key: profile["metadata"].pop(key) for key in ("created_date", "last_used")}
    assert all(stamp.endswith("+00:00") for stamp in stamps.values())
    assert profile["metadata"] == {
        "last_connected": None, "connection_count": 0, "status": "active", "auto_connect": True, "timeout": 30,
        "retry_attempts": 3,
    }  # fmt: skip
    assert profile["security"] == {"encrypted": False, "encryption_method": "", "credentials_stored": False}
    assert profile["notebook_specific"] == {
        "kernel_type": "python3", "auto_start": True, "workspace_path": "", "preferred_browser": "chrome",
    }  # fmt: skip
    assert (profile["tags"], profile["notes"]) == (["a"], "")
    json.dumps(profile)


def test_create_has_a_section_by_type() -> None:
    spark = siege_nb.create_connection_profile("S", "spark", {"app_name": "x"}, driver_memory="4g")
    assert spark["spark_specific"] == {
        "master_url": "local[*]", "app_name": "x", "driver_memory": "4g", "executor_memory": "2g", "spark_home": "",
        "hadoop_conf_dir": "",
    }  # fmt: skip
    database = siege_nb.create_connection_profile(
        "D", "database", {"connection_string": "sqlite://"}, connection_pool_size=10, ssl_mode="require"
    )
    assert database["database_specific"] == {
        "connection_pool_size": 10, "ssl_mode": "require", "read_timeout": 30, "write_timeout": 30,
    }  # fmt: skip
    plain = siege_nb.create_connection_profile("A", "api", {"url": "https://a"})
    assert not [key for key in plain if key.endswith("_specific")]


def test_create_asks_for_parameters() -> None:
    with pytest.raises(ValueError, match=r"^Connection parameters cannot be empty$"):
        siege_nb.create_connection_profile("A", "api", {})
    with pytest.raises(ValueError, match="name"):
        siege_nb.create_connection_profile("", "api", {"url": "u"})


def test_save_gives_the_path_of_a_private_file() -> None:
    profile = siege_nb.create_connection_profile("Warehouse", "sqlite", {"database": "here.db"})
    path = siege_nb.save_connection_profile(profile, "config")
    assert path == f"config/connections/connection_{profile['connection_id']}.json"
    assert Path(path).stat().st_mode & 0o777 == 0o600
    assert json.loads(Path(path).read_text())["name"] == "Warehouse"


def test_what_is_wrong_with_the_parameters_is_told_with_its_path() -> None:
    profile = siege_nb.create_connection_profile("W", "postgres", {"host": "h", "port": "no", "username": "u"})
    with pytest.raises(InvalidError, match=r"connection_params\.port") as caught:
        siege_nb.save_connection_profile(profile)
    assert "connection_params.database" in str(caught.value)
    assert not Path("config").exists()


def test_load_gives_the_dict_none_or_a_value_error() -> None:
    profile = made(notes="n")
    found = loaded(profile["connection_id"])
    assert found == profile | {"connection_params": found["connection_params"]}
    assert found["connection_params"]["database"].endswith("here.db")
    assert siege_nb.load_connection_profile("nobody") is None
    assert isinstance(siege_nb.last_error(), NotFoundError)


def test_find_by_name_however_it_is_cased() -> None:
    profile = made("Jupyter Lab")
    found = siege_nb.find_connection_by_name("jupyter lab", "config")
    assert found == loaded(profile["connection_id"])
    assert siege_nb.find_connection_by_name("Lab") is None
    made("Jupyter Lab", client_code="ACME001")
    found = siege_nb.find_connection_by_name("ACME001/Jupyter Lab")
    assert found is not None
    assert found["client_code"] == "ACME001"


def test_list_takes_a_type_a_directory_or_both(here: Path) -> None:
    assert siege_nb.list_connection_profiles("config") == []
    first, second = made("Zeta"), made("alpha", "duckdb", status="inactive")
    rows = [
        {"connection_id": p["connection_id"], "name": p["name"], "type": p["connection_type"],
         "status": p["metadata"]["status"], "last_used": p["metadata"]["last_used"], "connection_count": 0,
         "config_file": f"config/connections/connection_{p['connection_id']}.json"}
        for p in (second, first)
    ]  # fmt: skip
    assert siege_nb.list_connection_profiles() == rows
    assert siege_nb.list_connection_profiles("config") == rows
    assert siege_nb.list_connection_profiles(config_directory="config") == rows
    assert siege_nb.list_connection_profiles("duckdb", "config") == rows[:1]
    assert siege_nb.list_connection_profiles("SQLite") == rows[1:]
    assert siege_nb.list_connection_profiles("notebook") == []
    assert len(siege_nb.list_connection_profiles(here / "config")) == 2
    assert len(siege_nb.list_connection_profiles("./config")) == 2
    (here / "duckdb").mkdir()  # a type is a type, also where a directory is called so
    assert siege_nb.list_connection_profiles("duckdb") == rows[:1]


def test_what_has_happened_since_is_in_the_dict_and_counts_once() -> None:
    ident = made()["connection_id"]
    workspace = at("config")
    workspace.query("Warehouse", "SELECT 1", {})
    workspace.close()
    found = loaded(ident)
    assert found["metadata"]["connection_count"] == 1
    assert found["metadata"]["last_connected"]
    for _ in range(3):
        siege_nb.save_connection_profile(loaded(ident))
        siege_nb.update_connection_profile(ident, {"notes": "x"})
    assert loaded(ident) == found | {"notes": "x"}
    (row,) = siege_nb.list_connection_profiles()
    assert (row["connection_count"], row["last_used"]) == (1, found["metadata"]["last_used"])


def test_update_merges_and_leaves_the_rest() -> None:
    ident = made(notes="n", status="active")["connection_id"]
    before = loaded(ident)
    assert siege_nb.update_connection_profile(ident, {"metadata": {"status": "inactive"}}, "config") is True
    assert loaded(ident) == before | {"metadata": before["metadata"] | {"status": "inactive"}}
    assert siege_nb.update_connection_profile("nobody", {}) is False
    assert siege_nb.update_connection_profile("../x", {}) is False
    assert siege_nb.update_connection_profile(ident, {"metadata": {"timeout": 0}}) is False
    assert "metadata.timeout" in str(siege_nb.last_error())
    assert siege_nb.update_connection_profile(ident, {"connection_type": "duckdb"}) is False
    assert siege_nb.update_connection_profile(ident, {"connection_id": "another"}) is False
    assert "secrets are bound to it" in str(siege_nb.last_error())
    assert [row["connection_id"] for row in siege_nb.list_connection_profiles()] == [ident]


def test_a_type_that_is_none_costs_no_other(here: Path) -> None:
    ident = made("W")["connection_id"]
    file = here / f"config/connections/connection_{ident}.json"
    for odd in (["x"], {"a": 1}):
        hand = json.loads(file.read_text()) | {"connection_id": "hand", "name": "hand", "connection_type": odd}
        (here / "config/connections/connection_hand.json").write_text(json.dumps(hand))
        assert [row["name"] for row in siege_nb.list_connection_profiles("config")][-1] == "W"


def test_rename_delete_and_clone() -> None:
    ident, other = made("One")["connection_id"], made("Two")["connection_id"]
    assert siege_nb.rename_connection_profile(ident, "two") is False
    assert isinstance(siege_nb.last_error(), ConflictError)
    assert siege_nb.rename_connection_profile(ident, "-one") is False
    assert siege_nb.rename_connection_profile(ident, "Three") is True
    assert siege_nb.find_connection_by_name("Three") is not None
    clone = siege_nb.clone_connection_profile(ident, "Four")
    assert clone is not None
    assert clone == loaded(clone["connection_id"])
    assert clone["connection_params"] == loaded(ident)["connection_params"]
    assert siege_nb.clone_connection_profile(ident, "Four") is None
    assert siege_nb.delete_connection_profile("Two") is False, "an id, not a name"
    assert siege_nb.delete_connection_profile(other) is True
    assert siege_nb.delete_connection_profile(other) is False
    assert [row["name"] for row in siege_nb.list_connection_profiles()] == ["Four", "Three"]


def test_a_locked_connection_is_neither_changed_nor_deleted() -> None:
    ident = made()["connection_id"]
    at("config").share("Warehouse", "locked")
    assert siege_nb.update_connection_profile(ident, {"notes": "x"}) is False
    assert siege_nb.delete_connection_profile(ident) is False
    assert isinstance(siege_nb.last_error(), AccessError)
    assert loaded(ident)["notes"] == ""


def test_unknown_keys_survive_at_every_level() -> None:
    profile = made()
    path = Path(siege_nb.save_connection_profile(profile))
    document = json.loads(path.read_text()) | {"mine": {"deep": [1]}}
    document["connection_params"]["pragma"] = {"a": 1}
    path.write_text(json.dumps(document))
    siege_nb.save_connection_profile(loaded(profile["connection_id"]))
    siege_nb.update_connection_profile(profile["connection_id"], {"notes": "x"})
    found = loaded(profile["connection_id"])
    assert found["mine"] == {"deep": [1]}
    assert found["connection_params"]["pragma"] == {"a": 1}


def test_the_dict_that_is_saved_stays_as_it_is() -> None:
    profile = siege_nb.create_connection_profile(
        "PG", "postgres", {"host": "h", "database": "d", "username": "u", "password": "hunter2-typed"}
    )
    before = copy.deepcopy(profile)
    siege_nb.save_connection_profile(profile)
    assert profile == before
    found = loaded(profile["connection_id"])
    before = copy.deepcopy(found)
    siege_nb.save_connection_profile(found)
    siege_nb.update_connection_profile(profile["connection_id"], found)
    assert found == before


def test_workspaces_are_one_per_directory(here: Path) -> None:
    assert at("config") is at(here / "config") is at(str(here / "config"))
    assert at("other") is not at("config")
    assert isinstance(at("config"), Workspace)
