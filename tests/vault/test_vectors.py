"""What was written once opens for good, and what must not open never does: vectors, the old ones made by Node."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from siege_nb.errors import VaultError
from siege_nb.vault import EncryptionService, token
from siege_nb.vault.token import Key

VECTORS: list[dict[str, Any]] = json.loads(Path(__file__).with_name("vectors.json").read_text())


def opened(vector: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> str | None:
    """The text in a vector's token, or nothing; any other error than ours is let through."""
    try:
        if vector["format"] == "v2":
            return token.unseal(vector["token"], Key(bytes.fromhex(vector["key"])), *vector["where"]).reveal()
        monkeypatch.setenv("ENCRYPTION_KEY", vector["key"])
        return EncryptionService.decrypt(vector["token"])
    except VaultError:
        return None


def test_every_vector_does_as_it_must(monkeypatch: pytest.MonkeyPatch) -> None:
    must_fail = sum("text" not in vector for vector in VECTORS)
    print(f"{len(VECTORS)} vectors, {must_fail} of them must fail")
    assert len(VECTORS) >= 120
    assert must_fail >= 0.8 * len(VECTORS)
    assert {vector["format"] for vector in VECTORS if "text" in vector} == {"v2", "old"}
    wrong = [v["what"] for v in VECTORS if opened(v, monkeypatch) != v.get("text")]
    assert wrong == []


def test_no_two_must_fail_vectors_are_the_same() -> None:
    told = [json.dumps({k: v for k, v in vector.items() if k != "what"}, sort_keys=True) for vector in VECTORS]
    assert len(set(told)) == len(told)
