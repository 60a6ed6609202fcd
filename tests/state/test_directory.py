"""A config directory: changed whole or not at all, under a lock that is never left behind."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from siege_nb import state
from siege_nb.errors import AccessError, ConflictError, InvalidError, SiegeError
from siege_nb.state import Change, Directory

posix = pytest.mark.skipif(os.name != "posix", reason="needs fork, flock or mode bits")


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    return Directory(tmp_path / "config", fsync=False)


def put(directory: Directory, **files: str) -> None:
    """Write files in one change; a__b stands for a/b."""

    def work(change: Change) -> None:
        for name, text in files.items():
            change.write(name.replace("__", "/"), text.encode())

    directory.change(work)


def hidden(directory: Directory) -> set[str]:
    return {p.name for p in directory.path.rglob(".*")}


def test_a_change_is_all_or_nothing_and_counts_once(directory: Directory) -> None:
    assert (directory.generation(), directory.read("a"), directory.names("")) == (0, None, [])
    put(directory, a="1", b="2", connections__c="3")
    assert directory.generation() == 1
    assert [directory.read(name) for name in ("a", "b", "connections/c", "connections/d", "no/e")] == [
        b"1", b"2", b"3", None, None,
    ]  # fmt: skip
    with pytest.raises(ZeroDivisionError):
        directory.change(lambda change: (change.write("a", b"x"), change.remove("b"), 1 // 0))
    assert (directory.read("a"), directory.read("b"), directory.generation()) == (b"1", b"2", 1)
    assert directory.change(lambda change: "the result") == "the result"
    assert directory.generation() == 1, "a change of nothing is no change"
    assert hidden(directory) == {".lock"}


def test_a_change_sees_what_it_has_staged(directory: Directory) -> None:
    put(directory, a="1")

    def work(change: Change) -> list[bytes | None]:
        change.write("a", b"2")
        change.write("b", b"3")
        change.remove("b")
        return [change.read("a"), change.read("b"), directory.read("a")]

    assert directory.change(work) == [b"2", None, b"1"]
    assert (directory.read("a"), directory.read("b")) == (b"2", None)


def test_names_are_listed_by_their_ends_and_leave_our_own_out(directory: Directory) -> None:
    names = ("client_B.json", "client_A.json", "client_A.json.corrupt-1", "connections__x.json")
    put(directory, **dict.fromkeys(names, ""))
    assert directory.names("client_", ".json") == ["client_A.json", "client_B.json"]
    assert directory.names("connections/") == ["connections/x.json"]
    assert directory.names("nowhere/") == []


@pytest.mark.parametrize("name", [
    "", ".", "..", "../x", "a/../b", "/etc/passwd", "a/b/c", "a//b", "/", "a/", ".lock", ".tmp-1", "x/.y", "generation",
    "a\0b", "a\nb", "a\\b", "C:x", "a.", "a ", "\ud800", "x" * 256, "?", "*", "a|b",
])  # fmt: skip
def test_no_name_leads_out_or_to_our_own_files(directory: Directory, name: str) -> None:
    put(directory, a="1")
    for act in (lambda c: c.write(name, b"x"), lambda c: c.remove(name), lambda c: c.set_aside(name)):
        with pytest.raises(InvalidError):
            directory.change(act)
    assert {p.name for p in directory.path.parent.rglob("*")} == {"config", "a", ".lock", "generation"}


@posix
def test_everything_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        directory = Directory(tmp_path / "deep" / "config", fsync=False)
        put(directory, a="1", connections__b="2")
    finally:
        os.umask(before)
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in [directory.path, *directory.path.rglob("*")]}
    assert modes == {
        "config": 0o700, "connections": 0o700, "a": 0o600, "b": 0o600, ".lock": 0o600, "generation": 0o600,
    }  # fmt: skip


@posix
@pytest.mark.parametrize("what", ["config", "a", "connections", ".lock", "generation", ".journal"])
def test_a_link_is_never_followed(tmp_path: Path, what: str) -> None:
    victim = tmp_path / "victim"
    directory = Directory(tmp_path / "config", fsync=False)
    if what in ("config", "connections"):
        victim.mkdir()
        (victim / "c").write_text("theirs")
    else:
        victim.write_text("theirs")
    if what == "config":
        directory.path.symlink_to(victim)
    else:
        directory.path.mkdir(0o700)
        (directory.path / what).symlink_to(victim)
    with pytest.raises(AccessError, match="link"):
        put(directory, a="1", connections__c="2")
    if what in ("config", "a", "connections"):
        with pytest.raises(AccessError, match="link"):
            directory.read("connections/c" if what == "connections" else "a")
    assert ((victim / "c") if victim.is_dir() else victim).read_text() == "theirs"
    assert victim.is_file() or os.listdir(victim) == ["c"]
    assert hidden(directory) <= {".lock", ".journal"}


@posix
def test_what_is_no_regular_file_is_neither_read_nor_replaced(directory: Directory) -> None:
    put(directory, other="1")
    os.mkfifo(directory.path / "pipe")
    (directory.path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(SiegeError, match=name):
            directory.read(name)
        with pytest.raises(AccessError, match="not a regular file"):
            directory.change(lambda change, name=name: change.write(name, b"x"))
    assert hidden(directory) == {".lock"}


def test_a_file_in_the_directorys_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("")
    for path in (tmp_path / "config", tmp_path / "config" / "below"):
        with pytest.raises(SiegeError, match=re.escape(str(path))):
            put(Directory(path, fsync=False), a="1")


@posix
def test_a_lock_that_is_not_had_in_time_names_its_holder(directory: Directory) -> None:
    put(directory, a="1")
    impatient = Directory(directory.path, fsync=False, patience=0.2)
    with other_holder(directory) as pid:
        with pytest.raises(ConflictError, match=rf"held by pid {pid} since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC"):
            impatient.change(lambda change: change.write("a", b"never"))
        assert directory.read("a") == b"1", "readers take no lock"
    # The one who gave up still waits in the queue: it must let go without doing its work.
    directory.change(lambda change: change.write("b", b"2"))
    assert (directory.read("a"), directory.read("b")) == (b"1", b"2")


@posix
def test_an_interrupt_while_waiting_for_the_lock_gives_up_at_once(directory: Directory) -> None:
    put(directory, a="1")
    with other_holder(directory):
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            Directory(directory.path, patience=60).change(lambda change: change.write("a", b"never"))
    directory.change(lambda change: None)
    assert directory.read("a") == b"1"


HOLDER = """
import sys
from siege_nb.state import Directory
Directory(sys.argv[1]).change(lambda change: (print("held", flush=True), sys.stdin.read()))
"""


@contextmanager
def other_holder(directory: Directory) -> Iterator[int]:
    """Another process that holds the lock until the block ends; gives its pid."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(directory.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"held\n"
        yield process.pid
        process.communicate(b"", timeout=20)
    assert process.returncode == 0


def test_a_change_within_a_change_is_told_and_not_waited_for(directory: Directory) -> None:
    with pytest.raises(RuntimeError, match="would wait for itself"):
        directory.change(lambda change: directory.change(lambda inner: None))
    put(directory, a="1")
    assert directory.read("a") == b"1"


@posix
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_neither_hangs_nor_keeps_the_lock(directory: Directory) -> None:
    put(directory, a="1")
    inside, go_on = threading.Event(), threading.Event()
    holder = threading.Thread(target=lambda: directory.change(lambda change: (inside.set(), go_on.wait(30))))
    holder.start()
    assert inside.wait(10)
    release, released = os.pipe()
    child = os.fork()
    if child == 0:  # the thread that holds the lock does not exist here
        code = 1
        try:
            os.close(released)
            os.read(release, 1)
            signal.alarm(20)
            directory.change(lambda change: change.write("child", b"1"))
            code = 0
        finally:
            os._exit(code)
    # The child is alive and has copies of all descriptors. Ours is free again all the same.
    go_on.set()
    holder.join()
    Directory(directory.path, fsync=False, patience=5).change(lambda change: change.write("parent", b"1"))
    os.close(release)
    os.close(released)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert directory.read("child") == directory.read("parent") == b"1"


ORPHANING = """
import os, sys, threading
from siege_nb.state import Directory
held = threading.Event()
work = lambda change: (held.set(), threading.Event().wait())
threading.Thread(target=lambda: Directory(sys.argv[1]).change(work), daemon=True).start()
held.wait()
if os.fork() == 0:
    print("forked", flush=True)
    sys.stdin.read()
    os._exit(0)
os.kill(os.getpid(), 9)
"""


@posix
def test_a_forked_child_that_outlives_a_killed_holder_frees_the_lock(directory: Directory) -> None:
    put(directory, a="1")
    with subprocess.Popen(
        [sys.executable, "-c", ORPHANING, str(directory.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"forked\n"
        assert process.wait(10) == -signal.SIGKILL
        Directory(directory.path, fsync=False, patience=5).change(lambda change: change.write("a", b"2"))
    assert directory.read("a") == b"2"


@posix
def test_who_waited_for_a_lock_file_that_was_deleted_waits_for_the_new_one(directory: Directory) -> None:
    put(directory, a="1")
    waiter = threading.Thread(target=lambda: directory.change(lambda change: change.write("a", b"2")))
    with ExitStack() as first:
        first.enter_context(other_holder(directory))
        waiter.start()
        while not state.lock._descriptors:
            time.sleep(0.001)
        (directory.path / ".lock").unlink()
        with other_holder(directory):
            first.close()
            waiter.join(0.5)
            assert waiter.is_alive()
            assert directory.read("a") == b"1"
    waiter.join(10)
    assert directory.read("a") == b"2"


@pytest.mark.parametrize("content", [b"", b"\0" * 21, b"garbage", b"-5", b"\xff\xfe", b"9" * 30, "٣".encode()])
def test_a_damaged_generation_counts_anew(directory: Directory, content: bytes) -> None:
    put(directory, a="1")
    (directory.path / "generation").write_bytes(content)
    assert directory.generation() == 0
    put(directory, a="2")
    assert directory.generation() == 1


def test_a_change_made_when_no_thread_can_be_had(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    """As from atexit, when the interpreter refuses new threads."""

    def none(*_: object) -> int:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(state.shield._thread, "start_new_thread", none)
    put(directory, a="1")
    assert directory.read("a") == b"1"


def test_a_directory_that_others_may_write_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "shared"
    path.mkdir()
    path.chmod(0o777)
    directory = Directory(path, fsync=False)
    with pytest.raises(AccessError, match="may be written by others") as caught:
        directory.change(lambda change: change.write("client_x.json", b"{}"))
    assert f"chmod 700 {path}" in caught.value.hint
    with pytest.raises(AccessError):
        directory.read("client_x.json")
    path.chmod(0o755)
    directory.change(lambda change: change.write("client_x.json", b"{}"))
    assert directory.read("client_x.json") == b"{}"
