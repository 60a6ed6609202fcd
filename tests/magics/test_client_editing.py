"""%client edit, clone, rm, prefs, project, export: what is known of a client is changed, and nothing else with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from siege_nb.errors import ConflictError, InvalidError, NotFoundError
from tests.magics.conftest import Run
from tests.magics.test_client import ACME


def test_a_client_is_changed_field_by_field(run: Run) -> None:
    run(ACME + " brand_colors=#0B6E4F,#FA9F42 metadata.notes=old")
    typed = "email=new@a.example industry=Farming brand_colors=#111111 notification_preferences.email=yes"
    run(f"%client edit ACME001 {typed}")
    shown = repr(run("%client show ACME001"))
    for said in ("new@a.example", "Farming", "#111111", "Jane Doe", "old", "notification_preferences.email"):
        assert said in shown
    run("%client edit ACME001 notes= notification_preferences.email=")
    shown = repr(run("%client show"))
    assert "old" not in shown
    assert "notification_preferences" not in shown
    assert "Farming" in shown


def test_what_a_client_file_says_besides_is_kept(run: Run) -> None:
    import json

    run(ACME)
    folder = Path(repr(run("%client dir")).removeprefix("Profiles are kept in "))
    file = folder / "client_ACME001.json"
    data = json.loads(file.read_text())
    data["metadata"]["account_manager"] = "Kim"
    file.write_text(json.dumps(data))
    run("%client edit ACME001 industry=Farming")
    run("%client clone ACME001 TWIN")
    for code in ("ACME001", "TWIN"):
        assert json.loads((folder / f"client_{code}.json").read_text())["metadata"]["account_manager"] == "Kim"
        assert "Kim" in repr(run(f"%client show {code}"))


def test_a_client_is_renamed_with_all_that_is_theirs(run: Run) -> None:
    run(ACME)
    run("%conn add wh duckdb")
    run("%conn wh")
    run("%sql CREATE TEMP TABLE t AS SELECT 1 AS a")
    run("%client edit ACME001 client_code=ACME industry=Farming")
    assert "ACME · Acme Corporation" in repr(run("%client"))
    assert run("%sql FROM t") == [(1,)]
    assert run("%sql ACME/wh FROM t") == [(1,)]
    with pytest.raises(NotFoundError):
        run("%client show ACME001")
    run("%client new OTHER Other primary_contact=x email=y@z")
    with pytest.raises(ConflictError, match="taken"):
        run("%client edit ACME client_code=other industry=Fishing")
    assert "Farming" in repr(run("%client show ACME"))


def test_a_clone_is_another_client(run: Run) -> None:
    run(ACME + " brand_colors=#0B6E4F")
    run("%conn add wh duckdb")
    run("%client default wh")
    run("%client project new P1 One")
    run("%client link P1")
    assert "TWIN is a client like ACME001" in repr(run("%client clone ACME001 TWIN 'The Twin'"))
    shown = repr(run("%client show TWIN"))
    assert "The Twin" in shown
    assert "#0B6E4F" in shown
    assert "P1" not in shown
    assert "Default connection" not in shown
    idents = {repr(run(f"%client show {code}")).partition("Client id")[2].split()[0] for code in ("TWIN", "ACME001")}
    assert len(idents) == 2
    with pytest.raises(ConflictError, match="there already"):
        run("%client clone ACME001 TWIN")
    with pytest.raises(InvalidError, match="1 to 64 letters"):
        run("%client clone ACME001 'a b'")


def test_a_client_to_whom_something_belongs_is_not_forgotten(run: Run) -> None:
    run(ACME)
    run("%conn add wh duckdb")
    run("%client project new P1 One")
    run("%client link P1")
    with pytest.raises(ConflictError, match="connections wh; projects P1"):
        run("%client rm ACME001")
    run("%conn rm wh")
    run("%client unlink P1")
    assert "is forgotten" in repr(run("%client rm ACME001"))
    assert "No client is chosen" in repr(run("%client"))


def test_preferences_are_shown_and_changed(run: Run) -> None:
    run(ACME)
    assert "parquet" in repr(run("%client prefs"))
    run("%client prefs data_format=csv notification_preferences.email=yes notification_preferences.every=week")
    assert "csv" in repr(run("%client prefs data_format"))
    assert "standard" not in repr(run("%client prefs data_format"))
    shown = repr(run("%client prefs"))
    assert "notification_preferences.email  yes" in shown
    assert "notification_preferences.every  week" in shown
    run("%client prefs notification_preferences.email= data_format=")
    assert "parquet" in repr(run("%client prefs"))
    assert "email" not in repr(run("%client prefs"))


def test_projects_are_made_linked_and_let_go(run: Run) -> None:
    run(ACME)
    run("%client project new P1 'Project One' description='what it is' log_level=DEBUG directories.raw=/data/raw")
    shown = repr(run("%client project show P1"))
    for said in ("P1 · Project One", "what it is", "DEBUG", "/data/raw"):
        assert said in shown
    run("%client project new P2 Two")
    assert "2 projects for ACME001" in repr(run("%client link P1 P2"))
    assert "ACME001" in repr(run("%client project show P2"))
    assert "Project One" in repr(run("%client projects"))
    assert "1 project for ACME001" in repr(run("%client unlink P1 --client ACME001"))
    run("%client project edit P2 project_name=Deux")
    assert "Deux" in repr(run("%client projects ACME001"))
    run("%client project rm P2")
    assert "0 projects for ACME001" in repr(run("%client projects"))
    assert "1 project" in repr(run("%client project"))


def test_a_client_goes_to_another_place_without_a_secret(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import getpass

    monkeypatch.setattr(getpass, "getpass", lambda prompt: "hunter22")
    run(ACME)
    run("%client project new P1 One")
    run("%client link P1")
    run("%conn add pg postgres host=h database=d username=u")
    run("%client default pg")
    assert "no secret is in it" in repr(run(f"%client export ACME001 {tmp_path}/acme.json"))
    assert "hunter22" not in (tmp_path / "acme.json").read_text()
    with pytest.raises(InvalidError, match="is there already"):
        run(f"%client export {tmp_path}/acme.json")
    run(f"%client dir {tmp_path}/elsewhere")
    told = repr(run(f"%client import {tmp_path}/acme.json"))
    assert "added: client ACME001" in told
    assert "enter again" in told
    assert "In use" in repr(run("%client use ACME001"))
    assert "One" in repr(run("%client projects"))
