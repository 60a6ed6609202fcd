"""%client: made, chosen, shown, listed; every mistake is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from siege_nb.errors import ConflictError, InvalidError, NotFoundError
from siege_nb.magics.errors import SqlError
from tests.magics.conftest import Run

ACME = "%client new ACME001 'Acme Corporation' primary_contact='Jane Doe' email=j@a.example industry=Retail"


def test_a_client_is_made_chosen_and_shown(run: Run) -> None:
    assert "No client is chosen" in repr(run("%client"))
    assert "ACME001 · Acme Corporation" in repr(run(ACME + " brand_colors=#0B6E4F,#FA9F42 metadata.notes='a b'"))
    shown = run("%client")
    for text in ("Jane Doe <j@a.example>", "Retail", "#0B6E4F, #FA9F42", "a b"):
        assert text in repr(shown)
    assert "background:#0B6E4F" in shown._repr_mimebundle_()["text/html"]


def test_what_is_made_is_on_disk_in_the_known_layout(run: Run, ip: InteractiveShell) -> None:
    import json

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
    run("%client new OTHER Other primary_contact=x email=y industry=Finance")
    assert "2 clients" in repr(run("%client list"))
    assert "1 client" in repr(run("%client list retail"))
    assert "OTHER" not in repr(run("%client list retail"))


def test_choosing_another_client_puts_the_last_ones_connection_away(run: Run) -> None:
    run(ACME)
    run("%conn add duck duckdb")
    run("%conn duck")
    assert run("%sql SELECT 1 AS a") == [(1,)]
    run("%client new OTHER Other primary_contact=x email=y")
    with pytest.raises(SqlError, match="No connection is in use"):
        run("%sql SELECT 1")
    assert "in use: duck" in repr(run("%client use ACME001"))
    assert run("%sql SELECT 1 AS a") == [(1,)]


@pytest.mark.parametrize(
    ("line", "error", "text"),
    [
        ("%client use ACM001", NotFoundError, "Did you mean ACME001"),
        ("%client uze ACME001", InvalidError, "knows no 'uze'. Did you mean use"),
        ("%client use", InvalidError, "One word is needed here, not 0"),
        ("%client new X", InvalidError, "needs a code and a name"),
        ("%client new X Y", InvalidError, "contact_info: is required, with primary_contact and email"),
        ("%client new 'X Y' Z primary_contact=a email=b", InvalidError, "client_code: should be 1 to 64 letters"),
        ("%client new CON Z primary_contact=a email=b", InvalidError, "name of a device"),
        (
            "%client new X Z primary_contact=a emial=b",
            InvalidError,
            "emial: there is no such field. Did you mean email",
        ),
        (
            "%client new X Z primary_contact=a email=b project_count=many",
            InvalidError,
            "should be a whole number, not 'many'",
        ),
        ("%client new X 'A=B Corp'", InvalidError, "contact_info: is required"),
        ("%client show A B", InvalidError, "One word is needed here, not 2"),
        ("%client help me", InvalidError, "Nothing is known of 'me'"),
        ("%client new X Z email=a email=b", InvalidError, "email is given twice"),
        ("%client use 'ACME001", InvalidError, "cannot be read: no closing quotation"),
        (ACME, ConflictError, "is there already"),
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
