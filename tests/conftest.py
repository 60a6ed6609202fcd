"""What every test gets: an environment of its own, and real servers as soon as it asks for one."""

try:  # as the extension does: after pyarrow, which any test may load, MySQL's C extension no longer loads
    import ssl  # noqa: F401

    import _mysql_connector  # noqa: F401
except ImportError:
    pass

import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

import pytest

from siege_nb import masking
from tests.servers import MariaDB, Postgres, Redis, Server

# pytest-jupyter is not loaded here: it would give every test of ours an event loop, and it runs in no process with
# Playwright. The tests of the server extension import its fixtures in a conftest of their own.

TIERS_APART = {"fault", "soak", "browser"}  # run only by a `-m` that names them

S = TypeVar("S", bound=Server)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tiers that `-m` does not name, so that plain `pytest` is the fast tier."""
    apart = TIERS_APART - set(re.findall(r"\w+", config.getoption("markexpr")))
    left_out = [item for item in items if any(item.get_closest_marker(tier) for tier in apart)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


@pytest.fixture(scope="session", autouse=True)
def _nobody_is_at_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test sees the configuration, the kernels or the passwords of whoever runs it."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if re.match("SIEGE_(?!TEST_)|PG[A-Z]|MYSQL_|(DATABASE_URL|ENCRYPTION_KEY|JUPYTER_(CONFIG_)?PATH)$", name):
                patch.delenv(name)
        patch.setenv("HOME", str(home))
        for place in ("CONFIG", "DATA", "STATE", "CACHE"):
            patch.setenv(f"XDG_{place}_HOME", str(home / "xdg" / place.lower()))
        for place in ("CONFIG", "DATA", "RUNTIME"):
            patch.setenv(f"JUPYTER_{place}_DIR", str(home / "jupyter" / place.lower()))
        patch.setenv("IPYTHONDIR", str(home / "ipython"))
        _point_siege_at(home, patch)  # for the fixtures that serve more than one test
        yield


@pytest.fixture(autouse=True)
def _own_account(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test begins with no profiles, no keys, and no secrets that another one typed."""
    _point_siege_at(tmp_path_factory.mktemp("siege"), monkeypatch)
    before = set(masking._known)
    yield
    for value in set(masking._known) - before:
        masking.forget(value)


def _point_siege_at(directory: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("SIEGE_CONFIG_DIR", str(directory / "config"))
    patch.setenv("SIEGE_DATA_DIR", str(directory / "data"))
    patch.setenv("SIEGE_VAULT", "keyfile")  # the developer's own keyring is nobody's business


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL for the whole run: a test takes a database of its own, and breaks nothing."""
    with _needed(Postgres)() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    """A MariaDB for the whole run: a test takes a database of its own, and breaks nothing."""
    with _needed(MariaDB)() as server:
        yield server


@pytest.fixture(scope="session")
def redis() -> Iterator[Redis]:
    """A Redis for the whole run: a test takes a database of its own, and breaks nothing."""
    with _needed(Redis)() as server:
        yield server


@pytest.fixture
def start_server() -> Iterator[Callable[..., Server]]:
    """`start_server(Postgres, "-cmax_connections=5")` is a server that this test may break."""
    with ExitStack() as stack:

        def start(kind: type[S], *options: str) -> S:
            server = _needed(kind)(*options)
            stack.enter_context(server)
            return server

        yield start


def _needed(kind: type[S]) -> type[S]:
    if lack := kind.missing():
        if os.environ.get("CI") == "true":
            pytest.fail(lack, pytrace=False)
        pytest.skip(lack)
    return kind
