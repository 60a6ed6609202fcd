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


def test_every_room_of_the_picture_stands_and_every_room_is_in_the_picture() -> None:
    page = readme.README.read_text(encoding="utf-8")
    picture = page[page.index("```mermaid") : page.index("Imports only go down")]
    drawn = set(re.findall(r"\b([a-z_]+)(?=[\[ \n])", re.sub(r'\["[^"]*"\]', "[]", picture)))
    package = readme.ROOT / "siege_nb"
    rooms = {
        path.stem for path in package.iterdir() if not path.name.startswith(("_", "py.")) and path.suffix != ".typed"
    }
    assert rooms - drawn <= {"settings", "testing"}
    assert drawn - rooms <= {"mermaid", "flowchart", "server"}


def test_one_version() -> None:
    assert tomllib.loads((readme.ROOT / "pyproject.toml").read_text())["project"]["version"] == __version__
    assert f"## {__version__}" in (readme.ROOT / "CHANGELOG.md").read_text()
