"""Why a function gave nothing can be asked for."""

from __future__ import annotations

import threading
from pathlib import Path

import siege_nb
from siege_nb import profiles
from siege_nb.errors import NotFoundError
from tests.profiles.conftest import CONTACT


def test_the_reason_is_that_of_the_last_call() -> None:
    assert siege_nb.load_client_profile("NOBODY") is None
    assert isinstance(siege_nb.last_error(), NotFoundError)
    siege_nb.create_client_profile("A", "A1", CONTACT)
    assert siege_nb.last_error() is None


def test_each_thread_has_its_own() -> None:
    siege_nb.load_client_profile("NOBODY")
    seen = []
    thread = threading.Thread(target=lambda: seen.append(siege_nb.last_error()))
    thread.start()
    thread.join()
    assert seen == [None]
    assert siege_nb.last_error() is not None


def test_an_empty_list_of_a_directory_that_is_not_there_has_a_reason(here: Path) -> None:
    assert siege_nb.list_client_profiles("confg") == []
    assert "confg" in str(siege_nb.last_error())
    (here / "confg").mkdir(mode=0o700)
    assert siege_nb.list_client_profiles("confg") == []
    assert siege_nb.last_error() is None


def test_asking_makes_nothing(here: Path) -> None:
    siege_nb.list_client_profiles(), siege_nb.list_connection_profiles(), siege_nb.list_projects()
    siege_nb.list_database_configs(), siege_nb.search_client_profiles("x"), siege_nb.load_client_profile("X")
    siege_nb.find_connection_by_name("x"), siege_nb.cleanup_old_connections(), siege_nb.test_connection("x")
    siege_nb.update_client_profile("X", {}), siege_nb.delete_connection_profile("x")
    assert list(here.iterdir()) == []


def test_a_reason_keeps_no_frames_alive() -> None:
    siege_nb.load_client_profile("NOBODY")
    error = siege_nb.last_error()
    assert error is not None
    assert error.__traceback__ is None
    assert error.__context__ is None


def test_every_name_is_public_and_said_twice_alike() -> None:
    ours = {name for name, home in siege_nb._HOMES.items() if home == "siege_nb.profiles"}
    assert ours == set(profiles.__all__)
    assert profiles.__all__ == sorted(profiles.__all__, key=lambda name: (not name[0].isupper(), name))
    for name in ours:
        assert getattr(siege_nb, name).__doc__
