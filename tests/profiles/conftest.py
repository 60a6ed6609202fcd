"""A working directory of its own for every test: there profiles are, unless a call says otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

CONTACT = {"primary_contact": "John Doe", "email": "john.doe@company.com"}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def on_disk(directory: Path) -> bytes:
    """Every byte below a directory."""
    return b"\n".join(path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file())
