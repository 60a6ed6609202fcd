"""One folder held by its handle, and the steps that are done in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from siege_nb.state import journal
from siege_nb.state.files import Folder
from siege_nb.state.journal import Step


@pytest.fixture
def place(tmp_path: Path) -> Path:
    path = tmp_path / "config"
    path.mkdir(mode=0o700)
    return path


class Recording(Folder):
    """A folder that tells in which order its files changed."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, fsync=False)
        self.changed: list[str] = []

    def replace(self, name: str, target: str) -> None:
        super().replace(name, target)
        self.changed.append(f"+{target}")

    def remove(self, name: str) -> None:
        super().remove(name)
        self.changed.append(f"-{name}")


@pytest.fixture
def folder(place: Path) -> Iterator[Recording]:
    with closing(Recording(place)) as opened:
        yield opened


def test_what_is_removed_goes_last(folder: Recording, place: Path) -> None:
    """A reader in between sees a renamed item twice rather than not at all."""
    (place / "old").write_text("1")
    steps = [Step("old", None), Step("new", folder.stage(b"2")), Step("gone", None), Step("other", folder.stage(b"3"))]
    journal.perform(steps, {"": folder})
    assert folder.changed == ["+new", "+other", "-old", "-gone"]
    assert sorted(os.listdir(place)) == ["new", "other"]


@pytest.mark.skipif(os.listdir not in os.supports_fd, reason="folders are held by their paths here")
def test_a_folder_stays_the_one_that_was_opened(folder: Recording, place: Path) -> None:
    """Whoever puts another in its place neither shows us files nor gets ours."""
    (place / "mine.json").write_text("1")
    (place / "below").mkdir()
    place.rename(place.with_name("away"))
    place.mkdir()
    (place / "planted.json").write_text("2")
    (place / "planted").mkdir()
    assert sorted(folder.names()) == ["below", "mine.json"]
    assert folder.folders() == ["below"]
    assert folder.read("planted.json") is None
    folder.overwrite("mine.json", b"3")
    folder.replace(folder.stage(b"4"), "new.json")
    assert sorted(os.listdir(place)) == ["planted", "planted.json"]
    assert sorted(os.listdir(place.with_name("away"))) == ["below", "mine.json", "new.json"]
