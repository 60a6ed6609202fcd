"""A secret in a dict: typed, kept, referred to; never readable anywhere but in the hand of who opens it."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

import siege_nb
from siege_nb.errors import InvalidError
from siege_nb.profiles.places import at
from tests.profiles.conftest import CONTACT, on_disk

TYPED = "hunter2-typed-canary"
LOGIN = {"host": "h", "port": 5432, "database": "d", "username": "u", "password": TYPED}


def made(name: str = "PG", kind: str = "postgres", **params: Any) -> str:
    """The id of a saved connection with a password."""
    profile = siege_nb.create_connection_profile(name, kind, LOGIN | params)
    siege_nb.save_connection_profile(profile)
    return str(profile["connection_id"])


def loaded(ident: str) -> dict[str, Any]:
    found = siege_nb.load_connection_profile(ident)
    assert found is not None, siege_nb.last_error()
    return found


def password(ident: str) -> Any:
    return loaded(ident)["connection_params"]["password"]


def holds(ident: str, text: str) -> bool:
    """The stored password is this text."""
    opened = siege_nb.open_profile(loaded(ident))["connection_params"]["password"]
    assert text not in repr(opened)
    return bool(opened == siege_nb.Secret(text))


def test_what_is_typed_is_sealed_and_read_back_as_a_reference() -> None:
    ident = made()
    assert password(ident).startswith("encrypted:v2.")
    assert holds(ident, TYPED)
    assert TYPED.encode() not in on_disk(Path("config"))
    assert loaded(ident)["security"] == {
        "encrypted": True, "encryption_method": "aes-256-gcm", "credentials_stored": True,
    }  # fmt: skip


def test_what_was_loaded_is_kept() -> None:
    ident = made()
    before = password(ident)
    siege_nb.save_connection_profile(loaded(ident) | {"notes": "n"})
    assert siege_nb.update_connection_profile(ident, {"connection_params": {"username": "v"}})
    assert password(ident) == before


@pytest.mark.parametrize("stars", ["***", "••••••"])
def test_a_mask_is_no_password(stars: str) -> None:
    ident = made()
    before = password(ident)
    assert siege_nb.update_connection_profile(ident, {"connection_params": {"password": stars}})
    assert password(ident) == before
    with pytest.raises(InvalidError, match="mask"):
        made("Other", password=stars)


@pytest.mark.parametrize("odd", ["env:HOME", "vault:x", "encrypted:v2.0.1.2.3", "encrypted:abc123", "$secret"])
def test_what_is_typed_is_a_password_whatever_it_looks_like(odd: str) -> None:
    ident = made(password=odd)
    assert holds(ident, odd)
    other = made("Other")
    assert siege_nb.update_connection_profile(other, {"connection_params": {"password": odd}})
    assert holds(other, odd)


def test_another_profiles_token_is_but_a_password() -> None:
    first, second = made("One"), made("Two", password="another-canary")
    stolen = password(first)
    assert siege_nb.update_connection_profile(second, {"connection_params": {"password": stolen}})
    assert holds(second, stolen)
    assert not holds(second, TYPED)


def test_a_reference_is_a_choice_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    ident = made(password={"$secret": "env:SOME_PASSWORD"})
    assert password(ident) == {"$secret": "env:SOME_PASSWORD"}
    siege_nb.save_connection_profile(loaded(ident))
    assert password(ident) == {"$secret": "env:SOME_PASSWORD"}
    monkeypatch.setenv("SOME_PASSWORD", "from-outside-canary")
    assert holds(ident, "from-outside-canary")
    clone = siege_nb.clone_connection_profile(ident, "Clone")
    assert clone is not None
    assert clone["connection_params"]["password"] == {"$secret": "env:SOME_PASSWORD"}
    assert siege_nb.update_connection_profile(ident, {"connection_params": {"password": {"$secret": "env:OTHER"}}})
    assert password(ident) == {"$secret": "env:OTHER"}
    with pytest.raises(InvalidError, match=r"connection_params\.password"):
        made("Bad", password={"$secret": "nowhere:x"})


def test_a_clones_secret_is_sealed_for_it() -> None:
    ident = made()
    clone = siege_nb.clone_connection_profile(ident, "Clone")
    assert clone is not None
    assert password(clone["connection_id"]) != password(ident)
    assert siege_nb.delete_connection_profile(ident)
    assert holds(clone["connection_id"], TYPED)


def test_a_stored_secret_does_not_follow_to_another_server() -> None:
    ident = made()
    assert siege_nb.update_connection_profile(ident, {"connection_params": {"host": "evil"}}) is False
    assert "must be entered again" in str(siege_nb.last_error())
    moved = {"host": "new", "password": "new-typed-canary"}
    assert siege_nb.update_connection_profile(ident, {"connection_params": moved})
    assert holds(ident, "new-typed-canary")


def test_an_old_files_open_secret_is_shown_as_stars_and_sealed_by_the_next_save() -> None:
    ident = made()
    file = Path(f"config/connections/connection_{ident}.json")
    document = json.loads(file.read_text())
    document["connection_params"]["password"] = "old-open-canary"
    file.write_text(json.dumps(document))
    assert password(ident) == "***"
    siege_nb.save_connection_profile(loaded(ident))
    assert b"old-open-canary" not in on_disk(Path("config"))
    assert holds(ident, "old-open-canary")


def test_a_kind_that_is_not_installed_has_its_secrets_sealed_too() -> None:
    profile = siege_nb.create_connection_profile(
        "Far", "elsewhere", {"url": "https://far", "token": TYPED, "n": 1, "deep": {"key": ["k-canary"]}}
    )
    siege_nb.save_connection_profile(profile)
    ident = profile["connection_id"]
    found = loaded(ident)["connection_params"]
    assert (found["url"], found["n"]) == ("https://far", 1)
    assert found["token"].startswith("encrypted:v2.")
    assert not [word for word in (TYPED, "k-canary") if word.encode() in on_disk(Path("config"))]
    given = loaded(ident)
    before = copy.deepcopy(given)
    siege_nb.save_connection_profile(given)
    assert given == before
    assert loaded(ident)["connection_params"] == found
    opened = siege_nb.open_profile(loaded(ident))["connection_params"]
    assert opened["token"] == siege_nb.Secret(TYPED)
    assert opened["deep"]["key"] == [siege_nb.Secret("k-canary")]


def test_an_old_file_of_such_a_kind_shows_stars() -> None:
    file = Path("config/connections/connection_old.json")
    file.parent.mkdir(parents=True)
    params = {"url": "https://far", "token": "old-open-canary"}
    file.write_text(json.dumps({"name": "Far", "connection_type": "elsewhere", "connection_params": params}))
    assert loaded("old")["connection_params"] == {"url": "https://far", "token": "***"}
    assert siege_nb.update_connection_profile("old", {"notes": "n"})
    assert b"old-open-canary" not in on_disk(Path("config"))
    assert siege_nb.open_profile(loaded("old"))["connection_params"]["token"] == siege_nb.Secret("old-open-canary")


def test_a_secret_object_may_stand_in_a_dict() -> None:
    ident = made(password=siege_nb.Secret(TYPED))
    assert holds(ident, TYPED)
    opened = siege_nb.open_profile(loaded(ident))
    with pytest.raises(TypeError):
        json.dumps(opened)
    siege_nb.save_connection_profile(opened)
    assert holds(ident, TYPED)


def test_opening_is_on_record() -> None:
    ident = made()
    siege_nb.open_profile(loaded(ident))
    assert "seen" in [record.outcome for record in at("config").history(ident)]


@pytest.mark.parametrize("name", ["password", "api_key", "dbPassword", "auth_token", "clientSecret"])
def test_a_secret_is_refused_where_it_would_be_written_readable(name: str) -> None:
    with pytest.raises(InvalidError, match=name) as caught:
        siege_nb.create_connection_profile("A", "api", {"url": "u"}, **{name: TYPED})
    assert TYPED not in str(caught.value)
    with pytest.raises(InvalidError, match=rf"extra\.{name}"):
        siege_nb.create_connection_profile("A", "api", {"url": "u"}, extra={name: TYPED})
    with pytest.raises(InvalidError, match=name):
        siege_nb.create_client_profile("A", "A1", CONTACT, **{name: TYPED})
    with pytest.raises(InvalidError, match=name):
        siege_nb.create_project_config("A", "A1", **{name: TYPED})


SPOTS: list[tuple[dict[str, Any], str]] = [
    ({"metadata": {"api_key": TYPED}}, "metadata.api_key"),
    ({"connection_params": {"clientSecret": TYPED}}, "connection_params.clientSecret"),
    ({"connection_params": {"ssl_password": TYPED}}, "connection_params.ssl_password"),
    ({"connection_params": {"auth": {"secret.key": TYPED}}}, "connection_params.auth.secret.key"),
    ({"connection_params": {"pin": 12345678}}, "connection_params.pin"),
    ({"metadata": {"wiki": f"https://u:{TYPED}@h/"}}, "metadata.wiki"),
    ({"notes": f"host=h password={TYPED}"}, "notes"),
    ({"database_specific": {"extra": {"dbPassword": TYPED}}}, "database_specific.extra.dbPassword"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "path"), SPOTS)
def test_what_looks_like_a_secret_is_refused_wherever_it_is_put(change: dict[str, Any], path: str) -> None:
    ident = made()
    assert siege_nb.update_connection_profile(ident, change) is False
    error = siege_nb.last_error()
    assert isinstance(error, InvalidError)
    assert [issue.path for issue in error.issues] == [path]
    assert "$secret" in error.hint
    assert TYPED not in f"{error}{error.hint}"
    profile = siege_nb.create_connection_profile("Other", "postgres", LOGIN | change.get("connection_params", {}))
    profile |= {field: value for field, value in change.items() if field != "connection_params"}
    with pytest.raises(InvalidError, match="looks like a secret"):
        siege_nb.save_connection_profile(profile)
    assert TYPED.encode() not in on_disk(Path("config"))


def test_a_spark_sections_own_keys_are_judged_too() -> None:
    profile = siege_nb.create_connection_profile("S", "spark", {"master_url": "spark://m:7077"})
    siege_nb.save_connection_profile(profile)
    ident = str(profile["connection_id"])
    assert siege_nb.update_connection_profile(ident, {"spark_specific": {"hadoop_secret": TYPED}}) is False
    assert siege_nb.update_connection_profile(ident, {"spark_specific": {"hadoop_user": "u"}}), siege_nb.last_error()


def test_an_old_files_readable_secret_stays_and_does_not_multiply() -> None:
    ident = made()
    file = Path(f"config/connections/connection_{ident}.json")
    document = json.loads(file.read_text())
    document["metadata"] |= {"api_key": "old-open", "list": [{"token": "old-open"}]}
    file.write_text(json.dumps(document))
    found = loaded(ident)
    assert found["metadata"]["api_key"] == "old-open"
    assert siege_nb.update_connection_profile(ident, {"notes": "n"}), siege_nb.last_error()
    siege_nb.save_connection_profile(loaded(ident) | {"tags": ["t"]})
    assert siege_nb.update_connection_profile(ident, {"metadata": {"api_key": "another"}}) is False
    assert siege_nb.update_connection_profile(ident, {"metadata": {"api_key": ""}}), siege_nb.last_error()
    with pytest.raises(InvalidError, match=r"metadata\.list\.0\.token"):
        siege_nb.clone_connection_profile(ident, "Clone")


def test_clients_and_projects_keep_no_secret_either() -> None:
    siege_nb.save_client_profile(siege_nb.create_client_profile("A", "A1", CONTACT))
    siege_nb.save_project_config(siege_nb.create_project_config("P", "P1"))
    tastes = {"notification_preferences": {"sasToken": TYPED}}
    for change in ({"contact_info": {"password": TYPED}}, {"preferences": tastes}):
        assert siege_nb.update_client_profile("A1", change) is False
        assert "looks like a secret" in str(siege_nb.last_error())
    with pytest.raises(InvalidError, match=r"contact_info\.password"):
        siege_nb.create_client_profile("B", "B2", {**CONTACT, "password": TYPED})
    found = siege_nb.load_client_profile("A1") or {}
    found["metadata"]["dbPassword"] = TYPED
    assert any("metadata.dbPassword" in said for said in siege_nb.validate_client_profile(found)["warnings"])
    with pytest.raises(InvalidError, match=r"metadata\.dbPassword"):
        siege_nb.save_client_profile(found)
    assert siege_nb.update_project_config("P1", {"settings": {"clientSecret": TYPED}}) is False
    folder = {"secrets": "projects/P1/secrets"}
    assert siege_nb.update_project_config("P1", {"directories": folder}), siege_nb.last_error()
    assert TYPED.encode() not in on_disk(Path("config"))


def test_what_is_no_secret_passes() -> None:
    ident = made()
    harmless = {"password_policy": "strong", "token_count": 5000, "secret": "", "api_key": "***", "has_token": True,
                "login": {"$secret": "env:API_KEY"}, "token": {"$secret": "env:API_TOKEN"}}  # fmt: skip
    change = {"notes": "the token ring", "metadata": harmless}
    assert siege_nb.update_connection_profile(ident, change), siege_nb.last_error()
    assert loaded(ident)["metadata"].items() >= harmless.items()


def test_numbers_of_a_kind_that_is_not_installed_are_sealed() -> None:
    given = {"account": "acme", "password": 12345678, "pin": 998877, "endpoint": f"Endpoint=sb://x;SharedAccessKey={TYPED}",
             "uri": f"snowflake://{TYPED}:x/", "deep": {"list": [{"password": 87654321}]}}  # fmt: skip
    profile = siege_nb.create_connection_profile("Far", "elsewhere", given)
    siege_nb.save_connection_profile(profile)
    written = on_disk(Path("config/connections"))
    assert not [word for word in ("12345678", "998877", TYPED, "87654321") if word.encode() in written]
    opened = siege_nb.open_profile(loaded(profile["connection_id"]))["connection_params"]
    assert opened["password"] == siege_nb.Secret("12345678")
    assert opened["account"] == "acme"


def test_no_error_or_log_tells_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    ident = made()
    caplog.set_level("DEBUG")
    for wrong in ({"port": "no port", "password": "typed-canary"}, {"password": ["listed-canary"]}):
        assert siege_nb.update_connection_profile(ident, {"connection_params": wrong}) is False
        assert "canary" not in f"{siege_nb.last_error()}{caplog.text}"
