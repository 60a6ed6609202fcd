"""%client: made, chosen, shown, listed; every mistake is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from siege_nb.errors import ConflictError, InvalidError, NotFoundError
from siege_nb.magics.errors import SqlError
from tests.magics.conftest import Run

ACME = "%client new ACME001 'Acme Corporation' primary_contact='Jane Doe' email=j@a.example industry=Retail"


def folder(run: Run) -> Path:
    return Path(repr(run("%client dir")).removeprefix("Profiles are kept in "))


def test_a_client_is_made_chosen_and_shown(run: Run) -> None:
    assert "No client is chosen" in repr(run("%client"))
    assert "ACME001 · Acme Corporation" in repr(run(ACME + " brand_colors=#0B6E4F,#FA9F42 metadata.notes='a b'"))
    assert "Jane Doe <j@a.example>" in repr(run("%client"))
    shown = run("%client show")
    for text in ("Jane Doe", "j@a.example", "Retail", "#0B6E4F, #FA9F42", "a b"):
        assert text in repr(shown)
    assert "background:#0B6E4F" in shown._repr_mimebundle_()["text/html"]


def test_what_is_made_is_on_disk_in_the_known_layout(run: Run, ip: InteractiveShell) -> None:
    run(ACME)
    folder = Path(repr(run("%client dir")).removeprefix("Profiles are kept in "))
    document = json.loads((folder / "client_ACME001.json").read_text())
    assert list(document)[:8] == [
        "client_id", "client_name", "client_code", "contact_info", "metadata", "design_artifacts", "preferences",
        "project_associations",
    ]  # fmt: skip
    assert document["contact_info"]["email"] == "j@a.example"


def test_clients_are_listed_and_searched(run: Run) -> None:
    run(ACME)
    run("%client new OTHER Other primary_contact=x email=y@z industry=Finance")
    assert "2 clients" in repr(run("%client list"))
    assert "1 client" in repr(run("%client list retail"))
    assert "OTHER" not in repr(run("%client list retail"))


def test_choosing_another_client_puts_the_last_ones_connection_away(run: Run) -> None:
    run(ACME)
    run("%conn add duck duckdb")
    run("%conn duck")
    assert run("%sql SELECT 1 AS a") == [(1,)]
    run("%client new OTHER Other primary_contact=x email=y@z")
    with pytest.raises(SqlError, match="No connection is in use"):
        run("%sql SELECT 1")
    assert "●  duck" in repr(run("%client use ACME001"))
    assert run("%sql SELECT 1 AS a") == [(1,)]


@pytest.mark.parametrize(
    ("line", "error", "text"),
    [
        ("%client use ACM001", NotFoundError, "Did you mean ACME001"),
        ("%client uze ACME001", InvalidError, "knows no 'uze'. Did you mean use"),
        ("%client use", InvalidError, "One word is needed here, not 0"),
        ("%client new X", InvalidError, "needs a code and a name"),
        ("%client new X Y", InvalidError, "contact_info: is required, with primary_contact and email"),
        ("%client new 'X Y' Z primary_contact=a email=b@c", InvalidError, "client_code: should be 1 to 64 letters"),
        ("%client new CON Z primary_contact=a email=b@c", InvalidError, "name of a device"),
        (
            "%client new X Z primary_contact=a emial=b",
            InvalidError,
            "emial: there is no such field. Did you mean email",
        ),
        (
            "%client new X Z primary_contact=a email=b@c project_count=many",
            InvalidError,
            "should be a whole number, not 'many'",
        ),
        ("%client new X 'A=B Corp'", InvalidError, "contact_info: is required"),
        ("%client show A B", InvalidError, "One word is needed here, not 2"),
        ("%client help me", InvalidError, "Nothing is known of 'me'"),
        ("%client new X Z email=a email=b", InvalidError, "email is given twice"),
        ("%client use 'ACME001", InvalidError, "cannot be read: no closing quotation"),
        (ACME, ConflictError, "is there already"),
        ("%client edit ACME001", InvalidError, "There is nothing to change"),
        ("%client edit NOBODY industry=x", NotFoundError, "NOBODY"),
        ("%client edit ACME001 industri=x", InvalidError, "industri: there is no such field. Did you mean industry"),
        ("%client edit ACME001 email=", InvalidError, "contact_info.email: is required"),
        ("%client edit ACME001 client_code='a b' industry=x", InvalidError, "1 to 64 letters"),
        ("%client edit ACME001 project_associations=P1", InvalidError, "Projects are linked"),
        ("%client edit ACME001 default_connection=nosuch", NotFoundError, "nosuch"),
        ("%client edit ACME001 email:=env:X", InvalidError, "Nothing here is a secret: write email=…"),
        ("%client default nosuch", NotFoundError, "nosuch"),
        ("%client prefs data_fromat=csv", InvalidError, "there is no such field. Did you mean data_format"),
        ("%client prefs data_fromat", NotFoundError, "Did you mean data_format"),
        ("%client clone ACME001", InvalidError, "needs the code of a client and a new one"),
        ("%client rm NOBODY", NotFoundError, "NOBODY"),
        ("%client link P9", NotFoundError, "There is no project P9"),
        ("%client link", InvalidError, "Which project?"),
        ("%client unlink P9", NotFoundError, "P9 is no project of ACME001; theirs: none"),
        ("%client project nwe P1 One", InvalidError, "Did you mean new"),
        ("%client project new P1", InvalidError, "needs a code and a name"),
        ("%client project show P9", NotFoundError, "P9"),
        ("%client project rm P9", NotFoundError, "P9"),
        ("%client export A B C", InvalidError, "Nothing is known of 'C'"),
        ("%client import /no/such/file", InvalidError, "cannot be read"),
        (ACME.replace("ACME001", "acme001"), ConflictError, "ACME001"),
    ],
)
def test_a_mistake_is_named(run: Run, line: str, error: type[Exception], text: str) -> None:
    run(ACME)
    with pytest.raises(error) as caught:
        run(line)
    assert text in str(caught.value)
    assert "1 client" in repr(run("%client list"))


def test_help_names_every_verb(run: Run) -> None:
    from siege_nb.magics import client, conn

    for magic, verbs in (("client", client.VERBS), ("conn", conn.VERBS)):
        text = repr(run(f"%{magic} help"))
        for verb in verbs:
            assert verb in text


def test_the_current_client_shows_its_connections_and_preferences(run: Run) -> None:
    run(ACME + " data_format=csv")
    assert "No connections yet" in repr(run("%client"))
    run("%conn add wh duckdb environment=prod")
    run("%conn add scratch sqlite database=:memory: environment=dev")
    run("%conn wh")
    shown = run("%client")
    text = repr(shown)
    for said in ("ACME001 · Acme Corporation", "▲ prod", "○ dev", "2 connections", "csv", "●  wh", "open"):
        assert said in text
    assert "▲ prod" in shown._repr_mimebundle_()["text/html"]


def test_using_a_client_makes_its_short_names_and_its_default_connection_current(run: Run) -> None:
    run(ACME)
    run("%conn add wh sqlite database=:memory:")
    run("%conn add other sqlite database=:memory:")
    run("%client new OTHER Other primary_contact=x email=y@z")
    run("%conn add wh duckdb")
    assert "wh" in repr(run("%client use OTHER"))
    assert run("%sql SELECT 'duck' AS a FROM range(1)") == [("duck",)], "the only one is not in use"
    shown = repr(run("%client use ACME001"))
    assert "In use" not in shown, "another client's connection is still in use"
    with pytest.raises(SqlError, match="No connection is in use") as caught:
        run("%sql SELECT 1")
    assert "There are: other, wh, OTHER/wh" in str(caught.value)
    assert "is wh" in repr(run("%client default wh"))
    assert "In use" in repr(run("%client use ACME001"))
    assert run("%sql SELECT sqlite_version() IS NOT NULL AS a") == [(1,)]
    assert run("%sql OTHER/wh SELECT 'duck' AS a FROM range(1)") == [("duck",)]
    assert run("%sql wh SELECT sqlite_version() IS NOT NULL AS a") == [(1,)]


def test_a_default_connection_keeps_its_place_when_it_is_renamed(run: Run) -> None:
    run(ACME)
    run("%conn add wh duckdb")
    run("%client default wh")
    run("%conn rename wh lake")
    assert "is lake" in repr(run("%client default"))
    assert "lake" in repr(run("%client use ACME001"))
    run("%conn rm lake")
    assert "is not chosen" in repr(run("%client default"))


def test_a_default_connection_that_is_forgotten_is_nobodys_default(run: Run) -> None:
    run("%conn add wh duckdb")
    run(ACME)
    run("%client default wh")
    run("%client new OTHER Other primary_contact=x email=y@z default_connection=wh")
    assert run("%sql SELECT 1") == [(1,)]
    assert "it was the default connection of ACME001, OTHER" in repr(run("%conn rm wh"))
    for code in ("ACME001", "OTHER"):
        assert "default" not in repr(run(f"%client use {code}"))
        assert "is not chosen" in repr(run("%client default"))


def test_a_default_connection_that_is_gone_or_anothers_is_said_in_words(run: Run) -> None:
    run(ACME)
    run("%conn add wh duckdb")
    run("%client new OTHER Other primary_contact=x email=y@z")
    file = folder(run) / "client_OTHER.json"
    for written, said in (
        ("11111111-2222-3333-4444-555555555555", "The default connection is not there any more; %client default"),
        ("wh", "The default connection is not there any more; %client default"),
        ("ACME001/wh", "The default connection is another client's, ACME001/wh, and not used; %client default"),
    ):
        known = json.loads(file.read_text())
        known["default_connection"] = written
        known.pop("_siege", None)
        file.write_text(json.dumps(known))
        run(f"%client dir {folder(run)}")  # an own change is known; another's is looked for every two seconds
        assert said in repr(run("%client use OTHER"))
        with pytest.raises(SqlError, match="No connection is in use"):
            run("%sql SELECT 1")


def test_a_short_name_never_means_another_clients_connection(run: Run) -> None:
    run(ACME)
    run("%conn add wh duckdb")
    run("%conn add common duckdb client=")
    run("%client new OTHER Other primary_contact=x email=y@z")
    for line in ("%conn wh", "%conn show wh", "%conn rm wh", "%conn edit wh notes=x", "%conn test wh", "%conn lock wh"):
        with pytest.raises(NotFoundError, match=r"There is no connection 'wh'. Did you mean ACME001/wh\?"):
            run(line)
    with pytest.raises(SqlError, match=r"There is no connection named 'wh'. Did you mean ACME001/wh\?"):
        run("%sql wh SELECT 1")
    assert run("%sql common SELECT 1") == [(1,)]
    assert run("%sql ACME001/wh SELECT 2") == [(2,)]
    run("%client close")
    assert run("%sql wh SELECT 3") == [(3,)], "with nobody chosen the only one there is"


@pytest.mark.parametrize(("typed", "said"), [
    ("email=jane", "email: is no e-mail address"),
    ("contact_info.email='a b@c'", "contact_info.email: is no e-mail address"),
    ("brand_colors=#0B6E4F,red,#12345", "brand_colors: should be #rrggbb or #rgb, not 'red', '#12345'"),
    ("client_id=mine", "client_id: stays as it is"),
])  # fmt: skip
def test_what_is_typed_of_a_client_is_looked_at(run: Run, typed: str, said: str) -> None:
    run(ACME)
    known = (folder(run) / "client_ACME001.json").read_text()
    contact = "primary_contact=a" if "email" in typed else "primary_contact=a email=a@b"
    for line in (f"%client edit ACME001 {typed}", f"%client new X Ex {contact} {typed}"):
        with pytest.raises(InvalidError) as caught:
            run(line)
        assert said in str(caught.value)
    assert (folder(run) / "client_ACME001.json").read_text() == known
    assert "1 client" in repr(run("%client list"))


def test_a_default_connection_that_connects_by_itself_may_fail(run: Run, tmp_path: Path) -> None:
    run(ACME)
    run(f"%conn add lost duckdb database={tmp_path}/lost.duckdb auto_connect=true")
    run("%conn add duck duckdb auto_connect=true")
    run("%client default lost")
    assert "is not open: There is no DuckDB file" in repr(run("%client use ACME001"))
    assert "open" not in repr(run("%conn list duck")).splitlines()[2], "a connection was opened that is not the default"
    run("%client default duck")
    shown = repr(run("%client use ACME001"))
    assert "is not open" not in shown
    assert "open" in shown


def test_nobodys_connection_stays_in_use(run: Run) -> None:
    run("%conn add duck duckdb")
    run("%conn duck")
    run("%sql CREATE TEMP TABLE t AS SELECT 1 AS a")
    run(ACME)
    assert run("%sql FROM t") == [(1,)]


def test_a_connection_whose_file_is_gone_is_told_once(run: Run) -> None:
    run("%conn add duck duckdb")
    run("%conn duck")
    folder = Path(repr(run("%client dir")).removeprefix("Profiles are kept in "))
    (file,) = (folder / "connections").glob("*.json")
    file.unlink()
    with pytest.raises(SqlError, match="duck is no longer there"):
        run("%sql SELECT 1")
    with pytest.raises(SqlError, match="No connection is in use"):
        run("%sql SELECT 1")


def test_a_client_is_found_by_name_contact_and_address(run: Run) -> None:
    run(ACME)
    run("%client new OTHER Other primary_contact=x email=boss@other.example")
    for text, code in (("acme corp", "ACME001"), ("doe", "ACME001"), ("boss@", "OTHER"), ("other", "OTHER")):
        shown = repr(run(f"%client list {text}"))
        assert code in shown
        assert "1 client" in shown
    assert "●  OTHER" in repr(run("%client list"))


def test_a_client_whose_file_is_gone_is_told_once_and_wedges_nothing(run: Run) -> None:
    run(ACME)
    folder = Path(repr(run("%client dir")).removeprefix("Profiles are kept in "))
    (folder / "client_ACME001.json").unlink()
    with pytest.raises(NotFoundError, match="ACME001 is no longer there"):
        run("%client")
    assert "No client is chosen" in repr(run("%client"))
    assert "duck is saved" in repr(run("%conn add duck duckdb"))


def test_one_may_work_for_nobody(run: Run) -> None:
    run(ACME)
    run("%conn add duck duckdb")
    run("%conn duck")
    run("%client close")
    assert "No client is chosen" in repr(run("%client"))
    with pytest.raises(SqlError, match="No connection is in use"):
        run("%sql SELECT 1")


def test_another_place_is_checked_before_anything_is_closed(run: Run, tmp_path: Path) -> None:
    run("%conn add duck duckdb")
    run("%conn duck")
    run("%sql CREATE TEMP TABLE t AS SELECT 1 AS a")
    (tmp_path / "file").touch()
    for path in (str(tmp_path / "file"), "''"):
        with pytest.raises(InvalidError):
            run(f"%client dir {path}")
    assert run("%sql FROM t") == [(1,)]
