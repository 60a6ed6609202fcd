"""Kinds found among the installed packages; a stranger's broken one is confined to its own name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from siege_nb import adapters
from siege_nb.errors import UnknownKindError

PLUGIN = """
from siege_nb.adapters.sqlite import SQLiteAdapter

class Good(SQLiteAdapter):
    kind, title, aliases = "good", "A good one", ("Fine",)

class Bare:
    kind = "bare"

nothing = None

class Other(SQLiteAdapter):
    kind = "other"

class Silent(SQLiteAdapter):
    pass
"""
KINDS = {
    "good": "stranger:Good", "bare": "stranger:Bare", "nothing": "stranger:nothing", "renamed": "stranger:Other",
    "silent": "stranger:Silent", "absent": "stranger:Absent", "ghost": "stranger_is_not_there:Adapter",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installed package, `odd-kinds`, that brings one good kind and many broken ones."""
    (tmp_path / "stranger.py").write_text(PLUGIN)
    info = tmp_path / "odd_kinds-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd-kinds\nVersion: 1\n")
    points = "".join(f"{name} = {value}\n" for name, value in KINDS.items())
    (info / "entry_points.txt").write_text(f"[{adapters.GROUP}]\n{points}")
    monkeypatch.syspath_prepend(str(tmp_path))
    for remembered in (adapters._registered, adapters.load):
        remembered.cache_clear()
    yield
    for remembered in (adapters._registered, adapters.load):
        remembered.cache_clear()


@pytest.mark.parametrize(("kind", "reason"), [
    ("bare", "stranger:Bare is no Adapter"), ("nothing", "stranger:nothing is no Adapter"),
    ("renamed", "stranger:Other calls itself 'other'"), ("silent", "stranger:Silent calls itself 'sqlite'"),
    ("absent", "AttributeError: module 'stranger' has no attribute 'Absent'"),
    ("ghost", "ModuleNotFoundError: No module named 'stranger_is_not_there'"),
])  # fmt: skip
def test_a_broken_plug_in_is_told_with_the_package_that_brings_it(kind: str, reason: str) -> None:
    with pytest.raises(UnknownKindError) as caught:
        adapters.load(kind)
    assert caught.value.message == f"The kind {kind!r} cannot be loaded: {reason}."
    assert caught.value.hint == "It comes with odd-kinds; update or uninstall it."
    assert adapters.load_all()[1][kind] == caught.value.message


def test_a_good_one_stands_beside_them_and_beside_ours() -> None:
    found, broken = adapters.load_all()
    assert {"good", "sqlite", "duckdb"} <= {adapter.kind for adapter in found}
    assert sorted(broken) == sorted(set(KINDS) - {"good"})
    assert adapters.load("FINE") is adapters.load("good")


def test_a_misspelt_kind_is_guessed_at_and_the_others_listed() -> None:
    with pytest.raises(UnknownKindError, match="Did you mean sqlite") as caught:
        adapters.load("sqlit")
    assert "duckdb" in caught.value.hint
