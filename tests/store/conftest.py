"""A store in a fresh directory, and a kind of connection that needs no driver."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from siege_nb import adapters
from siege_nb.adapters.base import Params
from siege_nb.declare import Part, Secret
from siege_nb.errors import UnknownKindError
from siege_nb.state import Directory
from siege_nb.store import Store


class Login(Part):
    type: Literal["login"] = "login"
    username: str
    password: Secret


class Nobody(Part):
    type: Literal["nobody"] = "nobody"


class Header(Part):
    name: str
    value: Secret


class TinyParams(Params):
    host: str
    port: int = 1
    authentication: Annotated[Login | Nobody, Field(discriminator="type")] = Nobody()
    headers: list[Header] = []


class TinyAdapter:
    kind, params_type = "tiny", TinyParams


@pytest.fixture(autouse=True)
def _tiny_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(kind: str) -> Any:
        if kind.casefold() in ("tiny", "little"):
            return TinyAdapter
        if kind == "broken":
            raise ImportError("libdoesnotload.so: cannot open shared object file")
        raise UnknownKindError(f"There is no kind of connection named {kind!r}.")

    monkeypatch.setattr(adapters, "load", load)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Directory(tmp_path / "config", fsync=False))
