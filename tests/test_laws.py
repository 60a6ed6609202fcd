"""Laws that hold over the whole source, read from its syntax."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted([*(ROOT / "siege_nb").rglob("*.py"), *(ROOT / "jupyter_server_ext").rglob("*.py")])

#: Where a secret may be taken out of its wrapping: at the driver's last call, and where it is sealed.
MAY_REVEAL = ("siege_nb/adapters/", "siege_nb/engines/", "siege_nb/vault/", "siege_nb/catalog/session.py")
REVEALS = ("reveal", "get_secret_value")


def revealing(source: str) -> list[int]:
    """The lines that take a secret's value: a call, a reference to the method, or its name given to getattr."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        attribute = isinstance(node, ast.Attribute) and node.attr in REVEALS
        if attribute or (isinstance(node, ast.Constant) and node.value in REVEALS):
            lines.append(node.lineno)
    return lines


def test_secrets_are_revealed_only_where_they_are_used() -> None:
    assert len(SOURCES) > 20
    found = {source.relative_to(ROOT).as_posix(): revealing(source.read_text()) for source in SOURCES}
    assert any(found.values()), "nothing reveals: the check has gone blind"
    assert {path: lines for path, lines in found.items() if lines and not path.startswith(MAY_REVEAL)} == {}


@pytest.mark.parametrize("source", [
    "x = password.reveal()", "send(login.password.reveal())", "map(Secret.reveal, all)",
    "getattr(secret, 'reveal')()", "x.get_secret_value()",
])  # fmt: skip
def test_the_law_sees_every_way_to_reveal(source: str) -> None:
    assert revealing(source) == [1]


@pytest.mark.parametrize("source", ["def reveal(self): ...", "# x.reveal()", "'`reveal()` gives it to a driver'"])
def test_the_law_leaves_words_alone(source: str) -> None:
    assert revealing(source) == []
