"""A vault over a fresh directory, and no key or keyring of whoever runs the tests."""

from __future__ import annotations

import base64
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from siege_nb.declare import Part, Reference, Secret, secrets_of
from siege_nb.settings import Settings
from siege_nb.state import Directory
from siege_nb.vault import Vault, os_keyring, passphrase, sources

MakeVault = Callable[..., Vault]

ROOT = Path(__file__).parents[2]
CANARY = "c4nary-pass-w0rd"
KIND, IDENT = "connection", "prod"
KEY = bytes(range(32)).hex()
RAW = "0123456789abcdefghijklmnopqrstu!"
#: What is no key: of another length, or of 64 characters that are not hex.
BAD = ["x" * 31, "x" * 33, "g" * 64, "a" * 63, "a" * 65, "short-but-secret", "ä" * 32, " " * 40, "a" * 43 + "=="]
DEAD_BUS = "unix:path=/nonexistent/bus"


class Login(Part):
    username: str = "anna"
    password: Secret


class Params(Part):
    host: str = "h"
    authentication: Login
    token: Secret | None = None
    headers: dict[str, Secret] = {}
    hops: list[Login] = []


@pytest.fixture(autouse=True)
def _no_keys_of_yours(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in (*sources.OWN, "SIEGE_VAULT"):
        monkeypatch.delenv(name, raising=False)
    # Without an address D-Bus would look in the user's run directory and find a desktop's real keyring.
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", DEAD_BUS)
    os_keyring.usable.cache_clear()
    sources._warned.clear()
    passphrase._derived.clear()
    yield
    os_keyring.usable.cache_clear()


@pytest.fixture
def make_vault(tmp_path: Path) -> MakeVault:
    """`make_vault("keyfile", "a")` is a vault over the directory a; called again, another over the same directory."""

    def make(policy: str = "keyfile", name: str = "config", **settings: Any) -> Vault:
        found = Settings(tmp_path / name, tmp_path / "data", vault=policy, **settings)  # type: ignore[arg-type]
        return Vault(found, Directory(found.config_dir, fsync=False))

    return make


@pytest.fixture
def vault(make_vault: MakeVault) -> Vault:
    return make_vault()


def plain_bytes(*places: Path, canary: str = CANARY) -> list[str]:
    """The files in which a text stands, in any of the ways in which it is not encrypted."""
    raw = canary.encode()
    needles = [
        raw, urllib.parse.quote(canary).encode(), base64.b64encode(raw)[:-4], base64.urlsafe_b64encode(raw)[:-4],
        raw.hex().encode(), raw.hex().upper().encode(), raw[::-1], canary.encode("utf-16-le"),
        canary.encode("utf-16-be"),
    ]  # fmt: skip
    files = [file for place in places for file in place.rglob("*") if file.is_file()]
    return [str(file) for file in files if any(needle in file.read_bytes() for needle in needles)]


def seal(vault: Vault, text: str = CANARY) -> Login:
    return vault.seal(Login(password=Secret(text)), kind=KIND, ident=IDENT)


def opened(vault: Vault, login: Login) -> str:
    return vault.open(login, kind=KIND, ident=IDENT).password.reveal()


def full() -> Params:
    login = Login(password=Secret("pass-word-1"))
    return Params(
        authentication=login, token=Secret("token-2"),
        headers={"x": Secret("header-3"), "y": Reference("env:HEADER_Y")},
        hops=[login, Login(password=Secret("hop-4"))],
    )  # fmt: skip


def shown(model: Params) -> dict[str, str]:
    """What the secrets of an opened model are."""
    return {path: "(at rest)" if isinstance(s, Reference) else s.reveal() for path, s in secrets_of(model)}


def put_key(path: Path, text: str | bytes = KEY, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return path
