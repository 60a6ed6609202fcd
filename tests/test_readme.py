"""README says what the code says."""

from __future__ import annotations

import re
import tomllib

from siege_nb import __version__
from tests import readme


def test_the_tables_are_those_of_the_code() -> None:
    page = readme.README.read_text(encoding="utf-8")
    assert readme.written(page) == page, "python -m tests.readme writes them anew"


def test_the_first_screen_has_the_two_commands() -> None:
    page = readme.README.read_text(encoding="utf-8")
    first = page.splitlines()[:40]
    assert any(line.startswith("python3 -m venv .venv && .venv/bin/pip install -e '.[lab]'") for line in first)
    assert "bash tests/run" in first


def test_the_picture_is_the_house() -> None:
    page = readme.README.read_text(encoding="utf-8")
    picture = page[page.index("```mermaid") : page.index("<!-- /house -->")]
    drawn: dict[str, set[str]] = {room: set() for room in re.findall(r"^    (\w+)\[", picture, re.MULTILINE)}
    for above, below in re.findall(r"(\w+) --> (\w+)", picture):
        drawn[above].add(below)
    package = readme.ROOT / "siege_nb"
    files = {path.stem for path in package.iterdir() if not path.name.startswith(("_", "py.", "."))}
    assert set(drawn) == files | {"jupyter_server_ext"}
    imports = readme.rooms()
    for room, below in drawn.items():
        assert readme.reached(room, drawn) == readme.reached(room, imports)
        for one in below:
            rest = {**drawn, room: below - {one}}
            assert one not in readme.reached(room, rest), f"{room} --> {one} follows from the other arrows"


def test_one_version() -> None:
    assert tomllib.loads((readme.ROOT / "pyproject.toml").read_text())["project"]["version"] == __version__
    assert f"## {__version__}" in (readme.ROOT / "CHANGELOG.md").read_text()
