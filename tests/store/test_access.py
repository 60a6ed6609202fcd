"""Whose files they are: private whatever the umask, another's neither read nor written, no link followed."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from siege_nb.errors import AccessError
from siege_nb.state import Directory
from siege_nb.store import Store
from tests.store.profiles import client, count, counted
from tests.store.workers import CODE

NOBODY = 65534

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="needs users, mode bits and symbolic links"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]


@pytest.fixture
def commons() -> Iterator[Path]:
    """A directory that everybody may write to; pytest's own are closed to others."""
    path = Path(tempfile.mkdtemp(prefix="siege-"))
    path.chmod(0o777)
    yield path
    shutil.rmtree(path)


def as_nobody(work: Callable[[], str]) -> str:
    """What work says when an ordinary user runs it: root may do anything, so that a test as root proves nothing."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            os.write(write, work().encode())
        except BaseException as error:
            os.write(write, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read, "rb") as pipe:
        return pipe.read().decode()


def test_what_an_ordinary_user_makes_is_private(commons: Path) -> None:
    def work() -> str:
        os.umask(0)
        Store(Directory(commons / "config", fsync=False)).clients.put(client())
        return "done"

    assert as_nobody(work) == "done"
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in commons.rglob("*")}
    assert modes == {"config": 0o700, ".lock": 0o600, "generation": 0o600, f"client_{CODE}.json": 0o600}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root makes others' directories")
def test_another_users_directory_is_neither_read_nor_written(commons: Path) -> None:
    theirs = commons / "config"
    Store(Directory(theirs, fsync=False)).clients.put(client())
    theirs.chmod(0o777)
    for file in theirs.iterdir():
        file.chmod(0o666)
    before = {p.name: p.read_bytes() for p in theirs.iterdir()}
    for work in (
        lambda: Store(theirs).clients.put(client("OTHER")),
        lambda: Store(theirs).clients.update(CODE, counted),
        lambda: Store(theirs).clients.remove(CODE),
        lambda: Store(theirs).clients.find(CODE),
        lambda: Store(theirs).clients.list(),
    ):
        assert as_nobody(lambda work=work: str(work())).startswith(
            f"AccessError: {theirs} belongs to another user (uid 0)"
        )
    assert {p.name: p.read_bytes() for p in theirs.iterdir()} == before
    shutil.rmtree(theirs)
    as_nobody(lambda: str(Store(Directory(theirs, fsync=False)).clients.put(client())))
    with pytest.raises(AccessError, match=f"another user \\(uid {NOBODY}\\)"):
        Store(theirs).clients.find(CODE)


def test_what_one_may_not_do_is_told_in_words(commons: Path) -> None:
    config = commons / "config"

    def work() -> str:
        store = Store(Directory(config, fsync=False))
        store.clients.put(client())
        store.clients.put(client("SHUT"))
        (config / "client_SHUT.json").chmod(0)
        said = [str([kept.item.client_code for kept in store.clients.list()])]
        said += [str(damaged.error) for damaged in store.clients.damaged()]
        config.chmod(0o500)
        for attempt in (lambda: store.clients.put(client("NEW")), lambda: store.clients.remove(CODE)):
            try:
                attempt()
            except AccessError as error:
                said.append(str(error))
        said.append(str(count(store.clients.find(CODE).item)))
        config.chmod(0o700)
        return "\n".join(said)

    assert as_nobody(work).splitlines() == [
        f"['{CODE}']",
        f"{config}/client_SHUT.json was not read: Permission denied.",
        f"{config}/client_NEW.json was not written: Permission denied.",
        f"{config}/client_{CODE}.json was not removed: Permission denied.",
        "0",
    ]


@pytest.mark.parametrize("where", ["parent", "config", "target", "lock", "generation", "journal"])
def test_no_save_goes_through_a_link(tmp_path: Path, where: str) -> None:
    victim, config = tmp_path / "victim", tmp_path / "config"
    if where in ("config", "parent"):
        victim.mkdir()
        config.symlink_to(victim)
    else:
        victim.write_text("theirs")
        Store(Directory(config, fsync=False)).clients.put(client())
        name = {"target": f"client_{CODE}.json", "lock": ".lock", "journal": ".journal"}.get(where, where)
        (config / name).unlink(missing_ok=True)
        (config / name).symlink_to(victim)
    # A link further up is the user's own arrangement; the directory itself must be one.
    store = Store(Directory(config / "below" if where == "parent" else config, fsync=False))
    if where == "parent":
        store.clients.put(client())
        assert store.clients.find(CODE).revision == 1
        return
    with pytest.raises(AccessError, match="symbolic link"):
        store.clients.put(counted(client()))
    assert (os.listdir(victim) == []) if victim.is_dir() else (victim.read_text() == "theirs")
