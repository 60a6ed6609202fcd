"""What an audit log says of the files: which were changed by hand, which hold what they should not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from siege_nb import state
from siege_nb.errors import AccessError, InvalidError
from siege_nb.state import Audit, Directory, audit_check
from tests.state.audited import audited, document, token, told, verdict, write

PUT = "An older or foreign ciphertext was put into conn"
WAY_OUT = " If you put it there yourself: siege audit accept conn"

posix = pytest.mark.skipif(os.name != "posix", reason="needs pipes, links or mode bits")


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    return audited(tmp_path / "config", fsync=False)


def test_an_older_ciphertext_put_back_is_found_also_after_the_next_save(directory: Directory) -> None:
    write(directory, conn=document(1, token(1)))
    old = (directory.path / "conn").read_bytes()
    write(directory, conn=document(2, token(2)))
    assert verdict(directory).ok
    (directory.path / "conn").write_bytes(old)
    assert verdict(directory).problems == (f"{PUT}.{WAY_OUT}",)
    # Whoever saves it again takes the old secret up, unknowing.
    write(directory, conn=document(3, token(1)))
    assert verdict(directory).problems == (f"{PUT} before record 6.{WAY_OUT}",)
    (directory.path / "conn").write_text(document(3, token(1), token(2), token(8)))
    assert verdict(directory).problems[1:] == (f"2 older or foreign ciphertexts were put into conn.{WAY_OUT}",)


def test_a_file_that_came_back_from_its_removal_is_found(directory: Directory) -> None:
    write(directory, conn=document(1, token(1)))
    old = (directory.path / "conn").read_bytes()
    directory.change(lambda change: change.remove("conn"))
    (directory.path / "conn").write_bytes(old)
    assert verdict(directory).problems == (f"{PUT}.{WAY_OUT}",)


def test_what_was_done_by_hand_is_a_note(directory: Directory) -> None:
    (directory.path / "old").mkdir(parents=True, mode=0o700)
    directory.path.chmod(0o700)
    (directory.path / "old" / "older.json").write_text(document(9, token(9)))
    write(directory, a=document(1, token(1)), b="b", c__d="d")
    (directory.path / "a").write_text(document(1, token(1), note="by hand"))
    (directory.path / "b").unlink()
    judged = verdict(directory)
    assert judged.ok
    assert judged.notes == (
        "In no record, so older than the log or put there by hand: old/older.json.",
        "a was changed by hand.",
        "b is gone: it was removed by hand.",
    )
    write(directory, a=document(2, token(1)))
    write(directory, b="anew")
    judged = verdict(directory)
    assert judged.ok
    assert [note for note in judged.notes if "before record" in note] == [
        "a was changed by hand before record 4.", "b was changed by hand before record 6.",
    ]  # fmt: skip


def test_what_was_restored_from_a_copy_is_accepted_for_good(directory: Directory) -> None:
    write(directory, conn=document(1, token(1)), other=document(1, token(9)))
    old = (directory.path / "conn").read_bytes()
    write(directory, conn=document(2, token(2)))
    (directory.path / "conn").write_bytes(old)
    write(directory, conn=document(2, token(1)))
    (directory.path / "conn").write_text(document(7, token(2)))
    assert verdict(directory).problems == (f"{PUT} before record 6.{WAY_OUT}", f"{PUT}.{WAY_OUT}")
    directory.accept("conn")
    judged = verdict(directory)
    assert judged.problems == ()
    assert judged.notes == tuple(f"{PUT} before record {n}. Record 8 accepts it." for n in (6, 8))
    assert directory.audit
    *_, accepted = directory.audit.records("conn")
    assert (accepted.act, accepted.outcome, accepted.targets[0].after) == ("accept", "accepted", 7)
    # It was that file as it was then, and no other.
    write(directory, conn=document(8, token(2)))
    assert (verdict(directory).problems, verdict(directory).notes) == ((), judged.notes)
    (directory.path / "conn").write_bytes(old)
    (directory.path / "other").write_text(document(1, token(1)))
    problems = verdict(directory).problems
    assert [problem.split(".")[0] for problem in problems] == [PUT, PUT.replace("conn", "other")]


def test_what_is_in_no_record_or_gone_is_accepted_too(directory: Directory) -> None:
    write(directory, a=document(1, token(1)))
    (directory.path / "a").unlink()
    (directory.path / "b.json").write_text(document(1, token(2)))
    assert len(verdict(directory).notes) == 2
    directory.accept("a")
    directory.accept("b.json")
    assert verdict(directory).problems == ()
    assert verdict(directory).notes == ("a was changed by hand before record 4.",)
    with pytest.raises(InvalidError):
        directory.accept("../a")
    plain = Directory(directory.path, fsync=False)
    plain.accept("a")
    assert told(directory)[-1] == ("accept", "accepted")
    assert len(told(directory)) == 4, "without a log there is nowhere to say it"


def test_a_witness_accepts_nothing(directory: Directory) -> None:
    write(directory, conn=document(1, token(1)), other=document(1))
    (directory.path / "conn").write_text(document(1, token(2)))
    directory.witness("accept", "conn", "other")
    assert verdict(directory).problems == (f"{PUT}.{WAY_OUT}",)
    assert verdict(directory).notes == ()


def test_several_things_seen_are_one_record(directory: Directory) -> None:
    directory.witness("open", "a", "credentials/b.json")
    assert directory.audit
    for file in ("a", "credentials/b.json"):
        (seen,) = directory.audit.records(file)
        assert [target.name for target in seen.targets] == ["a", "credentials/b.json"]


@posix
@pytest.mark.parametrize(("kind", "what"), [
    ("link", "a symbolic link"), ("folder", "something else"), ("pipe", "something else"),
])  # fmt: skip
def test_what_is_put_in_a_files_place_is_a_problem(directory: Directory, kind: str, what: str) -> None:
    write(directory, a__b="b", c="c")
    path = directory.path / "a" / "b"
    path.unlink()
    if kind == "link":
        path.symlink_to(directory.path / "c")
    elif kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    assert verdict(directory).problems == (f"a/b cannot be read: {what} stands in its place.",)
    assert verdict(directory).notes == ()


def test_a_file_that_may_not_be_read_is_a_note(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may be root, to whom nothing is refused: the system's answer is made up."""
    write(directory, a="a", b="b")
    real = state.directory.read_whole

    def refusing(path: str) -> bytes | None:
        if path.endswith("/a"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(state.directory, "read_whole", refusing)
    for _ in range(2):
        judged = verdict(directory)
        assert judged.problems == ()
        assert judged.notes == (f"a cannot be read: {directory.path}/a was not read: Permission denied.",)
        (directory.path / "a").unlink(missing_ok=True)  # or it is taken away in that very moment


@posix
def test_a_folder_that_others_may_write_to_is_a_note_and_one_that_is_a_link_a_problem(directory: Directory) -> None:
    write(directory, a__b="b", a__c="c", d__e="e", f="f")
    (directory.path / "a").chmod(0o775)
    judged = verdict(Directory(directory.path, audit=directory.audit))
    assert judged.problems == ()
    assert judged.notes == (f"a/ cannot be read: {directory.path}/a may be written by others, who could change what is "
                            "read there.",)  # fmt: skip
    (directory.path / "a").rename(directory.path / "g")
    (directory.path / "g").chmod(0o700)
    (directory.path / "a").symlink_to("g")
    assert verdict(Directory(directory.path, audit=directory.audit)).problems == (
        "a/ cannot be read: a symbolic link stands in its place.",
    )
    directory.path.chmod(0o775)
    with pytest.raises(AccessError, match="may be written by others"):
        verdict(Directory(directory.path, audit=directory.audit))


def test_the_outcome_of_what_cannot_be_read_is_not_made_up(directory: Directory) -> None:
    write(directory, a="a")
    directory.change(lambda change: change.remove("a"))
    assert directory.audit
    *_, removed = directory.audit.records("a")
    assert audit_check.settled(removed, directory, directory.audit.key) == "its files are as it made them"
    (directory.path / "a").symlink_to("b")
    assert audit_check.settled(removed, directory, directory.audit.key) == ""


@posix
def test_what_begins_with_a_dot_is_not_ours(directory: Directory, caplog: pytest.LogCaptureFixture) -> None:
    write(directory, a__b="b")
    for folder in (".ipynb_checkpoints", "a/.ipynb_checkpoints"):
        place = directory.path / folder
        place.mkdir()
        place.chmod(0o775)
        (place / "b-checkpoint.json").write_text(document(1, token(1)))
    (directory.path / ".b.json").write_text("{}")
    again = Directory(directory.path, fsync=False, audit=directory.audit)
    write(again, a__b="c")
    assert verdict(again).ok
    assert verdict(again).notes == ()
    assert caplog.messages == []


def test_the_key_that_wrote_last_is_told_if_it_is_another(directory: Directory, tmp_path: Path) -> None:
    assert directory.audit
    assert directory.audit.other_key() == ""
    write(directory, a="1")
    assert directory.audit.other_key() == ""
    elsewhere = Audit(directory.path, tmp_path / "elsewhere" / "audit.key", "tester")
    assert elsewhere.other_key() == directory.audit.key.ident
    assert not (tmp_path / "elsewhere").exists(), "asking makes no key"
    assert elsewhere.key
    assert elsewhere.other_key() == directory.audit.key.ident
    write(Directory(directory.path, fsync=False, audit=elsewhere), a="2")
    assert elsewhere.other_key() == ""
    assert directory.audit.other_key() == elsewhere.key.ident
