"""A directory with an audit log, and what its log says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from siege_nb.state import Audit, Change, Directory
from siege_nb.state.audit_check import Verdict


def audited(path: Path, actor: str = "tester", **options: Any) -> Directory:
    """A directory whose audit key stands beside it."""
    return Directory(path, audit=Audit(path, path.parent / "keys" / "audit.key", actor), **options)


def write(directory: Directory, act: str = "change", **files: str) -> None:
    """Write files in one change; a__b stands for a/b."""

    def work(change: Change) -> None:
        for name, text in files.items():
            change.write(name.replace("__", "/"), text.encode())

    directory.change(work, act=act)


def document(revision: int, *tokens: str, note: str = "") -> str:
    """A document of ours with these sealed secrets."""
    data = {"secrets": list(tokens), "note": note, "_siege": {"format": 1, "rev": revision, "sum": "0" * 64}}
    return json.dumps(data, indent=2) + "\n"


def token(n: int) -> str:
    """What a sealed secret looks like."""
    return f"encrypted:v2.abcdefgh.{n:024x}:{n:020x}:{n:032x}"


def verdict(directory: Directory) -> Verdict:
    assert directory.audit
    return directory.audit.verify(directory)


def log(directory: Directory, segment: int = 1) -> Path:
    return directory.path / "audit" / f"log-{segment:06d}.jsonl"


def head(directory: Directory) -> Path:
    return directory.path / "audit" / "head"


def told(directory: Directory) -> list[tuple[str, str]]:
    """Act and outcome of every record, in their order."""
    assert directory.audit
    return [(record.act, record.outcome) for record in directory.audit.records()]


def at(when: str) -> datetime:
    return datetime.fromisoformat(when).replace(tzinfo=UTC)
