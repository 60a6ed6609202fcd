"""%conn edit and its like: only what was said changes, and no stored secret follows to another place."""

from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from siege_nb.errors import AccessError, ConflictError, InvalidError, NotFoundError
from tests.magics.asked import Asked
from tests.magics.conftest import Run
from tests.magics.test_conn import ACME, OTHER, folder
from tests.magics.test_conn_add import kept, where
from tests.servers import Postgres


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(monkeypatch)


@pytest.fixture
def pg(run: Run, postgres: Postgres, asked: Asked) -> dict[str, Any]:
    """A connection named pg, as it stands in its file."""
    asked.answers = [postgres.password]
    run(f"%conn add pg postgres {where(postgres)} tags=a,b notes=old environment=test")
    asked.prompts.clear()
    return document(run, "pg")


def document(run: Run, name: str) -> dict[str, Any]:
    """A connection as it stands in its file."""
    for file in (folder(run) / "connections").iterdir():
        found: dict[str, Any] = json.loads(file.read_text())
        if found["name"] == name:
            return found
    raise AssertionError(name)


def test_only_what_was_said_changes(run: Run, pg: dict[str, Any], asked: Asked) -> None:
    shown = repr(run("%conn edit pg application_name=report notes='all new' timeout=9 tags=c"))
    assert "pg is saved · changed: " in shown
    for word in ("application_name", "notes", "metadata.timeout", "tags"):
        assert word in shown
    after = document(run, "pg")
    assert (after["notes"], after["tags"], after["metadata"]["timeout"]) == ("all new", ["c"], 9)
    changed = {"application_name": "report"}
    assert after["connection_params"] == pg["connection_params"] | changed  # the very same token, not sealed again
    assert {k: v for k, v in after.items() if v != pg.get(k)}.keys() == {
        "notes", "tags", "metadata", "connection_params", "_siege"}  # fmt: skip
    assert asked.prompts == []
    assert run("%sql pg SELECT current_setting('application_name') AS a") == [("report",)]


def test_nothing_after_the_sign_is_the_default(run: Run, pg: dict[str, Any]) -> None:
    run("%conn edit pg application_name= tags= notes= environment= timeout=9")
    run("%conn edit pg timeout=")
    after = document(run, "pg")
    assert (after["connection_params"]["application_name"], after["tags"], after["notes"]) == ("siege_nb", [], "")
    assert "environment" not in after
    assert after["metadata"]["timeout"] == 30
    with pytest.raises(InvalidError, match="username: is required"):
        run("%conn edit pg username=")


def test_nothing_new_is_nothing_written(run: Run, pg: dict[str, Any]) -> None:
    assert "pg stays as it is" in repr(run("%conn edit pg notes=old port=" + str(pg["connection_params"]["port"])))
    assert document(run, "pg") == pg


def test_a_secret_is_entered_again_and_blank_keeps_it(
    run: Run, pg: dict[str, Any], asked: Asked, postgres: Postgres
) -> None:
    asked.answers = [""]
    assert "stays as it is" in repr(run("%conn edit pg password=?"))
    assert asked.prompts == ["Password of pg (empty keeps it): "]
    asked.answers = ["wr0ng-canary"]
    run("%conn edit pg password=?")
    assert not run("%conn test pg").ok
    asked.answers = [postgres.password]
    run("%conn secret pg")
    assert run("%conn test pg").ok
    assert "wr0ng-canary" not in kept(run)


def test_a_field_may_be_asked_for(run: Run, pg: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    answers = ["asked for", ""]
    monkeypatch.setattr(builtins, "input", lambda prompt: answers.pop(0))
    run("%conn edit pg application_name=?")
    assert document(run, "pg")["connection_params"]["application_name"] == "asked for"
    assert "stays as it is" in repr(run("%conn edit pg application_name=?"))


def test_a_secret_may_become_a_reference(
    run: Run, pg: dict[str, Any], postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_PASSWORD", postgres.password)
    run("%conn edit pg password:=env:MY_PASSWORD")
    assert document(run, "pg")["connection_params"]["password"] == {"$secret": "env:MY_PASSWORD"}
    assert run("%conn test pg").ok


@pytest.mark.parametrize("moved", ["host=localhost", "sslmode=disable", "database=template1", "port=1"])
def test_a_stored_secret_does_not_follow_to_another_place(
    run: Run, pg: dict[str, Any], asked: Asked, moved: str, postgres: Postgres
) -> None:
    asked.answers = [""]
    with pytest.raises(InvalidError, match="password: must be entered again: it was meant for another"):
        run(f"%conn edit pg {moved}")
    assert document(run, "pg") == pg
    asked.answers = [postgres.password]
    run(f"%conn edit pg {moved}")
    assert asked.prompts == [f"Password of pg for the new {moved.partition('=')[0]}: "] * 2
    if moved != "port=1":
        assert run("%conn test pg").ok


def test_a_rename_keeps_the_session_the_secret_and_the_history(run: Run, pg: dict[str, Any]) -> None:
    run("%conn pg")
    run("%sql CREATE TEMP TABLE t AS SELECT 1 AS a")
    run("%conn rename pg warehouse")
    assert run("%sql SELECT * FROM t") == [(1,)]
    assert "●  warehouse" in repr(run("%conn"))
    assert run("%conn test warehouse").ok
    assert "save" in repr(run("%conn history warehouse"))
    with pytest.raises(NotFoundError):
        run("%conn pg")


def test_a_clone_has_secrets_of_its_own(run: Run, pg: dict[str, Any], postgres: Postgres) -> None:
    run("%conn clone pg twin")
    twin = document(run, "twin")
    assert twin["connection_id"] != pg["connection_id"]
    token, other = twin["connection_params"]["password"], pg["connection_params"]["password"]
    assert token.startswith("encrypted:v2.")
    assert token != other
    assert twin["connection_params"] == pg["connection_params"] | {"password": token}
    run("%conn rm pg")
    assert run("%sql twin SELECT 1 AS a") == [(1,)]
    assert postgres.password not in kept(run)


def test_a_clone_of_what_is_referred_to_refers_to_it_too(run: Run) -> None:
    run("%conn add pg postgres host=h database=d username=u password:=env:NOT_SET_HERE")
    run("%conn lock pg")
    run("%conn clone pg twin")
    twin = document(run, "twin")
    assert twin["connection_params"]["password"] == {"$secret": "env:NOT_SET_HERE"}
    assert "visibility" not in twin  # private, so that it can be edited


def test_what_is_locked_stays_as_it_is(run: Run, pg: dict[str, Any], asked: Asked) -> None:
    assert "pg is locked" in repr(run("%conn lock pg"))
    for line in ("edit pg notes=x", "edit pg visibility=public", "edit pg visibility=private notes=x",
                 "rename pg other", "rm pg", "secret pg"):  # fmt: skip
        with pytest.raises(AccessError, match="'pg' is locked"):
            run(f"%conn {line}")
    assert asked.prompts == []  # in vain
    assert run("%sql pg SELECT 1 AS a") == [(1,)]
    assert "pg is private" in repr(run("%conn unlock pg"))
    assert "pg is public" in repr(run("%conn share pg public"))
    run("%conn edit pg notes=x")
    assert document(run, "pg")["visibility"] == "public"
    with pytest.raises(InvalidError, match="pg is not locked; it is public"):
        run("%conn unlock pg")
    assert document(run, "pg")["visibility"] == "public"


def test_an_edit_may_move_a_connection_to_another_client(run: Run, ip: InteractiveShell) -> None:
    run(ACME)
    run("%conn add wh duckdb")
    run(OTHER)
    run("%conn add wh sqlite")
    with pytest.raises(ConflictError, match="wh"):
        run("%conn edit ACME001/wh client=OTHER")
    run("%conn edit ACME001/wh client=OTHER name=old")
    assert document(run, "old")["client_code"] == "OTHER"
    with pytest.raises(NotFoundError, match="NOBODY"):
        run("%conn edit old client=NOBODY")


def test_keys_of_one_s_own_survive_an_edit(run: Run, pg: dict[str, Any]) -> None:
    (file,) = (folder(run) / "connections").iterdir()
    said = json.loads(file.read_text())
    said["team"], said["metadata"]["cost_centre"], said["connection_params"]["later"] = "blue", 12, "kept"
    del said["_siege"]
    file.write_text(json.dumps(said))
    run(f"%client dir {folder(run)}")
    run("%conn edit pg notes=edited")
    after = document(run, "pg")
    assert (after["team"], after["metadata"]["cost_centre"]) == ("blue", 12)
    assert after["connection_params"]["later"] == "kept"
    assert "later             (kept, not known here)" in repr(run("%conn show pg"))


def test_of_a_kind_that_is_not_installed_the_rest_can_be_edited(run: Run, asked: Asked, tmp_path: Path) -> None:
    ident = "11111111-2222-3333-4444-555555555555"
    (folder(run) / "connections").mkdir(parents=True)
    said = {"connection_id": ident, "name": "odd", "connection_type": "nosuch",
            "connection_params": {"host": "h", "password": {"$secret": "env:ODD"}}}  # fmt: skip
    (folder(run) / f"connections/connection_{ident}.json").write_text(json.dumps(said))
    run("%conn edit odd notes=x name=odder")
    assert document(run, "odder")["connection_params"] == said["connection_params"]
    asked.answers = ["s3cret-for-odd"]
    run("%conn edit odder password=?")
    assert document(run, "odder")["connection_params"]["password"].startswith("encrypted:")
    assert "s3cret-for-odd" not in kept(run)
    with pytest.raises(InvalidError, match="host: there is no such field"):
        run("%conn edit odder host=other")
