"""A change of a directory under faults: whatever call fails, whenever the writer dies, all of it or nothing."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from siege_nb import state
from siege_nb.errors import SiegeError
from siege_nb.state import Change, Directory
from tests.state.audited import audited, told, verdict
from tests.state.test_directory import hidden, posix, put


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    return Directory(tmp_path / "config", fsync=False)


ROOT = Path(__file__).parent.parent.parent
CALLS = set(
    """
    open read write fsync fdatasync ftruncate replace unlink mkdir stat fstat lstat close lseek listdir scandir
    """.split()
)


class FaultyOs:
    """The os module, in which the k-th call that matters fails."""

    def __init__(self, fail_at: int) -> None:
        self.fail_at, self.count, self.fired = fail_at, 0, ""

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name not in CALLS:
            return real

        def call(*args: Any, **options: Any) -> Any:
            self.count += 1
            if self.count == self.fail_at:
                self.fired = name
                if name == "close":
                    real(*args, **options)
                error = (errno.EIO, errno.ENOSPC, errno.EROFS)[self.count % 3]
                raise OSError(error, os.strerror(error))
            return real(*args, **options)

        return call


CHANGES: dict[str, Callable[[Change], object]] = {
    "create": lambda c: c.write("new", b"N"),
    "replace": lambda c: c.write("a", b"A"),
    "remove": lambda c: c.remove("a"),
    "two files": lambda c: (c.write("a", b"A"), c.write("b", b"B")),
    "two folders": lambda c: (c.write("connections/c", b"C"), c.write("new", b"N"), c.remove("b")),
    "a first folder": lambda c: (c.write("fresh/d", b"D"), c.remove("a")),
    "aside": lambda c: (c.set_aside("a"), c.write("a", b"A")),
}


QUICK = ("create", "remove", "two files")


def contents(directory: Directory) -> dict[str, bytes]:
    """Every file that is not ours, the time in the name of a copy left out."""
    found = {}
    for path in directory.path.rglob("*"):
        ours = path.name == "generation" or path.parent.name == "audit"
        if path.is_file() and not path.name.startswith(".") and not ours:
            found[re.sub(r"corrupt-.*", "corrupt", path.relative_to(directory.path).as_posix())] = path.read_bytes()
    return found


def prepared(path: Path) -> Directory:
    directory = audited(path, fsync=False)
    put(directory, a="a", b="b", connections__c="c")
    return directory


@posix
@pytest.mark.parametrize("work", [
    pytest.param(CHANGES[name], id=name, marks=() if name in QUICK else pytest.mark.fault) for name in CHANGES
])  # fmt: skip
def test_any_failing_call_leaves_the_old_or_the_new_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: Callable[[Change], object]
) -> None:
    directory = prepared(tmp_path / "0")
    old = contents(directory)
    directory.change(work)
    new = contents(directory)
    descriptors = os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []
    fired = told_done = told_failed = 0
    for k in range(1, 500):
        directory = prepared(tmp_path / str(k))
        shim = FaultyOs(k)
        for module in (state.files, state.lock, state.directory, state.log, state.private):
            monkeypatch.setattr(module, "os", shim)
        try:
            audited(directory.path).change(work)
            done, said = True, str(directory.path)
        except SiegeError as refused:
            done, said = False, str(refused)
        finally:
            monkeypatch.undo()
        assert str(tmp_path) in said, (k, shim.fired)
        if shim.fired != "unlink" and ".journal" not in hidden(directory):
            assert hidden(directory) <= {".lock"}, (k, shim.fired)
        audited(directory.path).read("a")  # a reader that comes later finishes what was begun
        after = contents(directory)
        assert after == new if done else after in (old, new), (k, shim.fired)
        judged = verdict(directory)
        assert judged.ok, (k, shim.fired, judged)
        outcomes = {outcome for act, outcome in told(directory)[2:] if act == "change"}
        assert outcomes <= {"done", "unknown"} if done else outcomes <= {"failed", "unknown"}, (k, shim.fired, outcomes)
        directory.change(lambda change: None)
        assert contents(directory) == after
        assert hidden(directory) == {".lock"}, (k, shim.fired)
        if not shim.fired:
            break
        fired += 1
        told_done += done
        told_failed += not done
    else:
        pytest.fail("there was always one more call to fail")
    print(f"{fired} faults fired: {told_done} changes were made all the same, {told_failed} were refused")
    assert fired >= 60
    assert told_failed > told_done
    if descriptors:
        assert len(os.listdir("/proc/self/fd")) == len(descriptors)


# --- A writer killed between its journal and its end ---------------------------------------------------------------

KILLED = """
import os, sys
from pathlib import Path
from tests.state.audited import audited
real, left = os.{call}, [int(sys.argv[2])]
def dying(*args, **options):
    if left[0] == 0:
        os.kill(os.getpid(), 9)
    left[0] -= 1
    return real(*args, **options)
d = audited(Path(sys.argv[1]))
d.change(lambda c: None)
os.{call} = dying
d.change(lambda c: (c.write("a", b"A"), c.write("connections/c", b"C"), c.remove("b")))
"""


@posix
@pytest.mark.parametrize("call", [
    "replace", "unlink", "fdatasync", *(pytest.param(call, marks=pytest.mark.fault) for call in ("fsync", "write")),
])  # fmt: skip
def test_a_writer_killed_at_any_step_leaves_all_or_nothing(tmp_path: Path, call: str) -> None:
    seen, kills = set(), 0
    for k in range(20):
        directory = audited(tmp_path / str(k))
        put(directory, a="a", b="b", connections__c="c")
        code = KILLED.format(call=call)
        child = subprocess.run([sys.executable, "-c", code, str(directory.path), str(k)], cwd=ROOT, capture_output=True)
        if child.returncode == 0:
            break
        assert child.returncode == -signal.SIGKILL, child.stderr.decode()
        kills += 1
        audited(directory.path).read("a")
        after = contents(directory)
        assert after in ({"a": b"a", "b": b"b", "connections/c": b"c"}, {"a": b"A", "connections/c": b"C"}), k
        seen.add(len(after))
        judged = verdict(directory)
        assert judged.ok, judged
        assert "changed by hand" not in str(judged.notes)
        directory.change(lambda change: None)
        assert contents(directory) == after
        assert hidden(directory) == {".lock"}
    assert kills >= (1 if call == "fdatasync" else 2)
    # Both outcomes were met, or the journal was never put to the test.
    assert seen == ({2} if call == "unlink" else {3} if call == "fdatasync" else {2, 3})


def test_a_journal_that_makes_no_sense_is_set_aside(directory: Directory, caplog: pytest.LogCaptureFixture) -> None:
    put(directory, a="1")
    outside = directory.path.parent / "outside"
    outside.write_text("theirs")
    for steps in ('{"steps": [["../outside", null]]}', '{"steps": [["a", "../outside"]]}', "[]", "{", '{"steps": [1]}'):
        (directory.path / ".journal").write_text(steps)
        put(Directory(directory.path, fsync=False), b="2")
    assert len(list(directory.path.glob(".journal.corrupt-*"))) == 5
    assert "set aside" in caplog.text
    assert outside.read_text() == "theirs"
    assert (directory.read("a"), directory.read("b")) == (b"1", b"2")


@posix
def test_the_journal_of_a_change_holds_no_content(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be one more place from which a profile must be erased."""
    journals: list[str] = []
    real = state.journal.perform
    monkeypatch.setattr(
        state.journal, "perform",
        lambda *a, **k: (journals.append((directory.path / ".journal").read_text()), real(*a, **k))[1],
    )  # fmt: skip
    put(directory, a="content-a", b="content-b")
    (journal,) = journals
    assert "content" not in journal
    assert [name for name, _ in json.loads(journal)["steps"]] == ["a", "b"]
