"""What was weak in the first system, each row of the list of its weaknesses by a name of its own."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
import warnings
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

import siege_nb
from siege_nb.errors import ConflictError, DamagedError, NotFoundError
from siege_nb.store import files
from tests.profiles.conftest import CONTACT, on_disk
from tests.servers import Postgres


def saved(name: str, kind: str, params: dict[str, Any], **values: Any) -> str:
    """The id of a connection that is saved."""
    profile = siege_nb.create_connection_profile(name, kind, params, **values)
    siege_nb.save_connection_profile(profile)
    return str(profile["connection_id"])


def test_plaintext_secrets() -> None:
    saved("A", "database", {"connection_string": "postgresql://user:pass-canary@localhost:5432/db"})
    saved("B", "notebook", {"url": "http://localhost:8888", "token": "token-canary"})
    saved("C", "api", {"url": "https://a", "token": "api-canary"})
    siege_nb.save_database_config(siege_nb.create_database_config("d", "mysql", "h", 1, "d", "u", "db-canary"))
    assert b"canary" not in on_disk(Path("config"))
    files = [path for path in Path("config").rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o077 for path in files} == {0}


def test_connection_save_not_atomic() -> None:
    profile = siege_nb.create_connection_profile("W", "sqlite", {"database": "x.db"}, notes="n" * 200_000)
    ident, stop, missed, reads, writes = profile["connection_id"], threading.Event(), 0, 0, 0
    siege_nb.save_connection_profile(profile)

    def write() -> None:
        nonlocal writes
        while not stop.is_set():
            siege_nb.save_connection_profile(profile | {"tags": [str(writes)]})
            writes += 1

    writer = threading.Thread(target=write)
    writer.start()
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        missed += siege_nb.load_connection_profile(ident) is None
        reads += 1
    stop.set()
    writer.join()
    assert missed == 0
    assert reads > 100
    assert writes > 10


def test_database_test_always_fails(postgres: Postgres, here: Path) -> None:
    sqlite3.connect(here / "there.db").close()
    ident = saved("Lite", "database", {"connection_string": f"sqlite:///{here}/there.db"})
    result = siege_nb.test_connection(ident, "config")
    assert result["success"], result
    login = f"{postgres.username}:{quote(postgres.password, safe='')}"
    url = f"postgresql://{login}@{postgres.host}:{postgres.port}/{postgres.database}"
    result = siege_nb.test_connection(saved("PG", "database", {"connection_string": url}), "config")
    assert result["success"], result


def test_listing_and_finding_reads_every_file(monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(60):
        saved(f"C{n}", "sqlite", {"database": "x.db"})
    siege_nb.list_connection_profiles("config")
    parsed = []
    parse = files.Files.parse
    monkeypatch.setattr(files.Files, "parse", lambda self, raw, file: parsed.append(file) or parse(self, raw, file))
    assert len(siege_nb.list_connection_profiles("config")) == 60
    assert siege_nb.find_connection_by_name("nobody") is None
    assert parsed == []
    assert siege_nb.find_connection_by_name("c33") is not None
    assert len(set(parsed)) <= 1


def test_duplicate_connection_names() -> None:
    ident = saved("Warehouse", "sqlite", {"database": "x.db"})
    with pytest.raises(ConflictError, match="warehouse"):
        saved("warehouse", "sqlite", {"database": "y.db"})
    file = Path(f"config/connections/connection_{ident}.json")
    twin = json.loads(file.read_text()) | {"connection_id": "twin"}
    file.with_name("connection_twin.json").write_text(json.dumps(twin))
    assert siege_nb.find_connection_by_name("Warehouse") is None
    assert isinstance(siege_nb.last_error(), ConflictError)
    assert len(siege_nb.list_connection_profiles()) == 2


def test_update_of_client_code_leaves_a_twin() -> None:
    siege_nb.save_client_profile(siege_nb.create_client_profile("Acme", "ACME001", CONTACT))
    ident = saved("W", "sqlite", {"database": "x.db"}, client_code="ACME001")
    assert siege_nb.update_client_profile("ACME001", {"client_code": "NEW1", "metadata": {"industry": "x"}})
    assert [path.name for path in Path("config").glob("client_*")] == ["client_NEW1.json"]
    client = siege_nb.load_client_profile("NEW1")
    assert client is not None
    assert client["metadata"]["industry"] == "x"
    connection = siege_nb.load_connection_profile(ident)
    assert connection is not None
    assert connection["client_code"] == "NEW1"


@pytest.mark.parametrize("ident", ["../../etc/passwd", "a/b", "", "x" * 65, "CON", "a\x00b", "é"])
def test_connection_id_never_validated(ident: str) -> None:
    profile = siege_nb.create_connection_profile("W", "sqlite", {"database": "x.db"})
    for door in (siege_nb.load_connection_profile, siege_nb.open_profile):
        with pytest.raises(ValueError, match="connection_id"):
            door(ident if door is siege_nb.load_connection_profile else profile | {"connection_id": ident})  # type: ignore[operator]
    with pytest.raises(ValueError, match="connection_id"):
        siege_nb.save_connection_profile(profile | {"connection_id": ident})
    with pytest.raises(ValueError, match="connection_id"):
        siege_nb.clone_connection_profile(ident, "New")
    assert siege_nb.update_connection_profile(ident, {"notes": "x"}) is False
    assert siege_nb.delete_connection_profile(ident) is False
    assert siege_nb.test_connection(ident)["success"] is False
    assert siege_nb.get_connection_status(ident)["status"] == "not_found"
    assert not Path("config").exists()


def test_no_delete_no_rename_no_disassociate() -> None:
    siege_nb.save_client_profile(siege_nb.create_client_profile("Acme", "A1", CONTACT))
    siege_nb.save_project_config(siege_nb.create_project_config("One", "P1"))
    ident = saved("W", "sqlite", {"database": "x.db"}, client_code="A1")
    assert siege_nb.associate_client_with_project("A1", "P1")
    assert siege_nb.delete_client_profile("A1") is False
    assert "W" in str(siege_nb.last_error())
    assert "P1" in str(siege_nb.last_error())
    assert siege_nb.rename_client_profile("A1", "B2")
    assert siege_nb.disassociate_client_from_project("B2", "P1")
    assert siege_nb.disassociate_client_from_project("B2", "P1") is False
    client = siege_nb.load_client_profile("B2")
    assert client is not None
    assert client["metadata"]["project_count"] == 0
    assert siege_nb.rename_connection_profile(ident, "V")
    assert siege_nb.delete_connection_profile(ident)
    assert siege_nb.delete_client_profile("B2")
    assert siege_nb.delete_project_config("P1")
    for there in (siege_nb.list_client_profiles, siege_nb.list_connection_profiles, siege_nb.list_projects):
        assert there() == []  # type: ignore[operator]


def test_corrupt_file_is_taken_for_a_missing_one() -> None:
    for code in ("A1", "B2"):
        siege_nb.save_client_profile(siege_nb.create_client_profile("Acme", code, CONTACT))
    path = Path("config/client_A1.json")
    path.write_text(path.read_text()[:-20])
    with pytest.warns(siege_nb.ProfileWarning, match=r"client_A1\.json"):
        assert siege_nb.load_client_profile("A1") is None
    assert isinstance(siege_nb.last_error(), DamagedError)
    with pytest.warns(siege_nb.ProfileWarning, match=r"client_A1\.json"):
        assert [row["code"] for row in siege_nb.list_client_profiles()] == ["B2"]
    with pytest.warns(siege_nb.ProfileWarning, match=r"client_A1\.json"):
        assert len(siege_nb.search_client_profiles("acme")) == 1
    with pytest.warns(siege_nb.ProfileWarning, match=r"client_A1\.json"):
        assert siege_nb.update_client_profile("A1", {"metadata": {}}) is False
    with warnings.catch_warnings():  # a missing one is no damage
        warnings.simplefilter("error")
        assert siege_nb.load_client_profile("NOBODY") is None
    assert isinstance(siege_nb.last_error(), NotFoundError)


def test_naive_times_and_last_used_bumped_by_every_save() -> None:
    ident = saved("W", "sqlite", {"database": "x.db"})
    before = siege_nb.load_connection_profile(ident)
    assert before is not None
    assert siege_nb.update_connection_profile(ident, {"notes": "x"})
    siege_nb.save_connection_profile(dict(before))
    after = siege_nb.load_connection_profile(ident)
    assert after is not None
    for stamp in ("created_date", "last_used"):
        assert after["metadata"][stamp] == before["metadata"][stamp]
        assert datetime.fromisoformat(after["metadata"][stamp]).tzinfo


def test_project_created_date_is_the_working_directory() -> None:
    config = siege_nb.create_project_config("One", "P1")
    assert datetime.fromisoformat(config["created_date"]).tzinfo


def test_unknown_kwargs_silently_dropped() -> None:
    ident = saved("W", "sqlite", {"database": "x.db"}, region="EU")
    found = siege_nb.load_connection_profile(ident)
    assert found is not None
    assert found["metadata"]["region"] == "EU"


def test_the_callers_dict_is_kept_and_changed() -> None:
    contact = {**CONTACT, "more": ["a"]}
    client = siege_nb.create_client_profile("Acme", "A1", contact)
    contact["email"], contact["more"][0] = "x", "b"  # type: ignore[index]
    assert (client["contact_info"]["email"], client["contact_info"]["more"]) == (CONTACT["email"], ["a"])
    before = json.dumps(client)
    siege_nb.save_client_profile(client)
    assert json.dumps(client) == before
    params = {"url": "u", "deep": {"a": 1}}
    profile = siege_nb.create_connection_profile("W", "api", params)
    params["deep"]["a"] = 2  # type: ignore[index]
    assert profile["connection_params"]["deep"] == {"a": 1}


def test_spark_specific_ignores_the_parameters_and_they_ignore_it() -> None:
    profile = siege_nb.create_connection_profile(
        "S", "spark", {"master_url": "spark://m:7077", "app_name": "x"}, driver_memory="4g"
    )
    assert profile["spark_specific"]["master_url"] == "spark://m:7077"
    siege_nb.save_connection_profile(profile)
    ident = profile["connection_id"]

    def both(field: str) -> set[str]:
        found = siege_nb.load_connection_profile(ident)
        assert found is not None
        return {found["connection_params"][field], found["spark_specific"][field]}

    assert both("driver_memory") == {"4g"}
    assert siege_nb.update_connection_profile(ident, {"spark_specific": {"master_url": "local[2]"}})
    assert both("master_url") == {"local[2]"}
    assert siege_nb.update_connection_profile(ident, {"connection_params": {"master_url": "local[3]"}})
    assert both("master_url") == {"local[3]"}
    assert both("driver_memory") == {"4g"}


def test_a_save_undid_what_others_had_changed() -> None:
    """What was loaded is saved over the version it was loaded from only; a dict of one's own is, as ever, over all."""
    siege_nb.save_client_profile(siege_nb.create_client_profile("Acme", "A1", CONTACT))
    siege_nb.save_project_config(siege_nb.create_project_config("One", "P1"))
    siege_nb.save_database_config(siege_nb.create_database_config("d", "mysql", "h", 1, "d", "u", ""))
    ident = saved("W", "sqlite", {"database": "x.db"})
    kinds: list[tuple[Any, Any, Any, str, str]] = [
        (siege_nb.load_client_profile, siege_nb.update_client_profile, siege_nb.save_client_profile,
         "A1", "client_name"),
        (siege_nb.load_project_config, siege_nb.update_project_config, siege_nb.save_project_config,
         "P1", "description"),
        (siege_nb.load_database_config, siege_nb.update_database_config, siege_nb.save_database_config,
         "d", "team"),
        (siege_nb.load_connection_profile, siege_nb.update_connection_profile, siege_nb.save_connection_profile,
         ident, "notes"),
    ]  # fmt: skip
    for load, update, save, key, field in kinds:
        mine, again = load(key), load(key)
        assert mine == again == json.loads(json.dumps(mine)), "a dict as every other"
        mine[field] = "first"
        save(mine)
        mine[field] = "second"
        save(mine)
        assert load(key)[field] == "second", "one's own saves are no conflict"
        assert update(key, {field: "theirs"})
        mine[field] = "mine"
        with pytest.raises(ConflictError, match=f"changed by someone else.*{field}"):
            save(mine)
        assert load(key)[field] == "theirs"
        save(dict(mine))
        assert load(key)[field] == "mine"
    mine = siege_nb.load_client_profile("A1")
    assert siege_nb.delete_client_profile("A1")
    assert mine is not None
    siege_nb.save_client_profile(mine)
    assert siege_nb.load_client_profile("A1") is not None, "what is gone can be put back"
