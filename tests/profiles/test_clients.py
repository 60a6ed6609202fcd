"""Each function for clients keeps the first system's contract."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import siege_nb
from siege_nb.errors import ConflictError, InvalidError, NotFoundError
from tests.profiles.conftest import CONTACT


def made(code: str = "ACME001", name: str = "Acme Corporation", **values: Any) -> dict[str, Any]:
    """A client that is saved."""
    client = siege_nb.create_client_profile(name, code, CONTACT, **values)
    siege_nb.save_client_profile(client)
    return client


def test_create_gives_the_documented_dict() -> None:
    client = siege_nb.create_client_profile(
        "Premium", "PREMIUM001", CONTACT, industry="Finance", project_count=5, notes="n", status="prospect",
        logo_path="/l.png", brand_colors=["#0066CC"], style_guide="/g.pdf", templates=["t.html"], data_format="csv",
        report_style="executive", notification_preferences={"email": True}, region="EU",
    )  # fmt: skip
    assert list(client) == [
        "client_id", "client_name", "client_code", "contact_info", "metadata", "design_artifacts", "preferences",
        "project_associations",
    ]  # fmt: skip
    metadata = client["metadata"]
    assert {k: metadata[k] for k in ("status", "industry", "project_count", "notes", "region")} == {
        "status": "prospect", "industry": "Finance", "project_count": 5, "notes": "n", "region": "EU",
    }  # fmt: skip
    assert client["design_artifacts"] == {
        "logo_path": "/l.png", "brand_colors": ["#0066CC"], "style_guide": "/g.pdf", "templates": ["t.html"],
    }  # fmt: skip
    assert client["preferences"] == {
        "data_format": "csv", "report_style": "executive", "notification_preferences": {"email": True},
    }  # fmt: skip
    assert client["project_associations"] == []
    json.dumps(client)


def test_create_has_the_documented_defaults() -> None:
    client = siege_nb.create_client_profile("A", "A1", CONTACT)
    said = {k: v for k, v in client["metadata"].items() if not k.endswith(("date", "updated"))}
    assert said == {"status": "active", "industry": "", "project_count": 0, "notes": ""}
    assert client["preferences"] == {
        "data_format": "parquet", "report_style": "standard", "notification_preferences": {},
    }  # fmt: skip


def test_create_asks_for_a_contact_and_refuses_a_code_that_can_be_none() -> None:
    with pytest.raises(ValueError, match=r"^Missing required contact fields: \['primary_contact', 'email'\]$"):
        siege_nb.create_client_profile("A", "A1", {"phone": "1"})
    with pytest.raises(ValueError, match="client_code"):
        siege_nb.create_client_profile("A", "../A1", CONTACT)


def test_save_gives_the_path_of_a_private_file() -> None:
    client = siege_nb.create_client_profile("A", "A1", CONTACT)
    path = siege_nb.save_client_profile(client, "config")
    assert path == "config/client_A1.json"
    assert Path(path).stat().st_mode & 0o777 == 0o600
    assert json.loads(Path(path).read_text())["client_id"] == client["client_id"]
    assert siege_nb.save_client_profile(client, Path("config").absolute()) == str(Path(path).absolute())
    with pytest.raises(ValueError, match="client_code"):
        siege_nb.save_client_profile(client | {"client_code": "../x"})
    with pytest.raises(ValueError, match="client_code: is required"):
        siege_nb.save_client_profile({k: v for k, v in client.items() if k != "client_code"})


def test_load_gives_the_dict_none_or_a_value_error() -> None:
    client = made(industry="Technology")
    loaded = siege_nb.load_client_profile("ACME001")
    assert loaded is not None
    for changed in (client, loaded):
        changed["metadata"].pop("last_updated")
    assert loaded == client
    assert siege_nb.load_client_profile("NOBODY") is None
    assert isinstance(siege_nb.last_error(), NotFoundError)
    with pytest.raises(ValueError, match="client_code"):
        siege_nb.load_client_profile("../ACME001")


def test_update_merges_at_every_level() -> None:
    made(industry="Technology", notification_preferences={"email": True, "slack": False})
    updates = {
        "contact_info": {"phone": "+1"}, "metadata": {"project_count": 10},
        "preferences": {"notification_preferences": {"slack": True}},
    }  # fmt: skip
    assert siege_nb.update_client_profile("ACME001", updates, "config") is True
    client = siege_nb.load_client_profile("ACME001")
    assert client is not None
    assert client["contact_info"] == CONTACT | {"phone": "+1", "address": ""}
    assert (client["metadata"]["industry"], client["metadata"]["project_count"]) == ("Technology", 10)
    assert client["preferences"]["notification_preferences"] == {"email": True, "slack": True}


def test_update_gives_false_and_changes_nothing_where_it_cannot() -> None:
    made()
    before = Path("config/client_ACME001.json").read_bytes()
    assert siege_nb.update_client_profile("NOBODY", {}) is False
    assert siege_nb.update_client_profile("../x", {}) is False
    assert siege_nb.update_client_profile("ACME001", {"metadata": {"project_count": "many"}}) is False
    assert isinstance(siege_nb.last_error(), InvalidError)
    assert "project_count" in str(siege_nb.last_error())
    assert siege_nb.update_client_profile("ACME001", {"client_code": "NEW", "client_name": 7}) is False
    assert Path("config/client_ACME001.json").read_bytes() == before


def test_list_gives_rows_by_code() -> None:
    assert siege_nb.list_client_profiles() == []
    made("B2", "Beta", industry="Finance", project_count=3)
    made("A1", "Alpha")
    assert siege_nb.list_client_profiles("config") == [
        {"code": "A1", "name": "Alpha", "status": "active", "industry": "", "project_count": 0,
         "config_file": "config/client_A1.json"},
        {"code": "B2", "name": "Beta", "status": "active", "industry": "Finance", "project_count": 3,
         "config_file": "config/client_B2.json"},
    ]  # fmt: skip


def test_list_leaves_out_no_client_that_says_little() -> None:
    made()
    Path("config/client_BARE.json").write_text(
        json.dumps({"client_name": "Bare", "client_code": "BARE", "contact_info": CONTACT, "metadata": {}})
    )
    assert [(row["code"], row["status"]) for row in siege_nb.list_client_profiles()] == [
        ("ACME001", "active"), ("BARE", "active"),
    ]  # fmt: skip


def test_search_finds_text_however_it_is_cased_in_the_fields_named() -> None:
    made("A1", "Alpha", industry="Technology", notes="vip")
    made("B2", "Beta", industry="Finance")

    def codes(*asked: Any) -> list[str]:
        return [client["client_code"] for client in siege_nb.search_client_profiles(*asked)]

    assert codes("techno", ["metadata.industry"]) == ["A1"]
    assert codes("BETA") == ["B2"]
    assert codes("john doe") == ["A1", "B2"]
    assert codes("vip") == []
    assert codes("vip", ["metadata.notes"], "config") == ["A1"]
    assert codes("alpha", ["client_code", "no.such.field"]) == []
    assert siege_nb.search_client_profiles("alpha")[0]["contact_info"]["email"] == CONTACT["email"], "whole profiles"


def test_associate_needs_the_project_and_counts() -> None:
    made(project_count=5)
    assert siege_nb.associate_client_with_project("ACME001", "PROJ001", "config") is False
    assert isinstance(siege_nb.last_error(), NotFoundError)
    assert siege_nb.get_client_project_associations("ACME001") == []
    Path("config/project_PROJ001.json").write_text('{"project_name": "One", "project_code": "PROJ001"}')
    for _ in range(2):
        assert siege_nb.associate_client_with_project("ACME001", "PROJ001", "config") is True
    assert siege_nb.get_client_project_associations("ACME001", "config") == ["PROJ001"]
    client = siege_nb.load_client_profile("ACME001")
    assert client is not None
    assert client["metadata"]["project_count"] == 1
    assert siege_nb.get_client_project_associations("NOBODY") == []
    assert isinstance(siege_nb.last_error(), NotFoundError)


def test_validate_names_every_issue_and_warns() -> None:
    client = siege_nb.create_client_profile("A", "A1", CONTACT)
    assert siege_nb.validate_client_profile(client) == {
        "is_valid": True, "issues": [],
        "warnings": ["No projects associated with client", "No logo path specified"],
    }  # fmt: skip
    client["project_associations"], client["design_artifacts"]["logo_path"] = ["P"], "/l.png"
    assert siege_nb.validate_client_profile(client)["warnings"] == []
    for missing in ("client_name", "client_code", "contact_info"):
        found = siege_nb.validate_client_profile({k: v for k, v in client.items() if k != missing})
        assert not found["is_valid"]
        assert any(missing in issue for issue in found["issues"])
    for missing in CONTACT:
        contact = {k: v for k, v in CONTACT.items() if k != missing}
        found = siege_nb.validate_client_profile(client | {"contact_info": contact})
        assert any(missing in issue for issue in found["issues"])


@pytest.mark.parametrize("wrong", [
    {"contact_info": CONTACT | {"email": "nope"}}, {"contact_info": CONTACT | {"primary_contact": " "}},
    {"client_code": "!!bad code/.."}, {"contact_info": []}, {"metadata": 7},
])  # fmt: skip
def test_validate_does_not_take_nonsense(wrong: dict[str, Any]) -> None:
    client = siege_nb.create_client_profile("A", "A1", CONTACT)
    assert not siege_nb.validate_client_profile(client | wrong)["is_valid"]


def test_a_clone_is_a_client_of_its_own(here: Path) -> None:
    first = made(brand_colors=["#0066CC"], region="EU", project_count=4)
    Path("config/project_P.json").write_text('{"project_code": "P"}')
    siege_nb.associate_client_with_project("ACME001", "P")
    clone = siege_nb.clone_client_profile("ACME001", "NEW", client_name="New")
    assert clone == siege_nb.load_client_profile("NEW")
    assert clone is not None
    assert clone["client_id"] != first["client_id"]
    assert (clone["client_name"], clone["metadata"]["region"]) == ("New", "EU")
    assert clone["design_artifacts"]["brand_colors"] == ["#0066CC"]
    assert (clone["project_associations"], clone["metadata"]["project_count"]) == ([], 0)
    assert siege_nb.clone_client_profile("ACME001", "NEW") is None
    file = here / "config/client_HURT.json"
    file.write_text("{")
    assert siege_nb.clone_client_profile("ACME001", "HURT") is None, "a damaged file is there, too"
    assert isinstance(siege_nb.last_error(), ConflictError)
    assert file.read_text() == "{"
    assert len(list(here.glob("config/client_HURT*"))) == 1
    assert isinstance(siege_nb.last_error(), ConflictError)
