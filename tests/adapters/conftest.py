"""What the tests of several kinds share."""

from collections.abc import Iterator

import pytest

from tests.servers.notebook import Jupyter


@pytest.fixture(scope="session")
def jupyter() -> Iterator[Jupyter]:
    """A Jupyter server that shows a folder with a notebook, and a file beside it."""
    with Jupyter() as server:
        (server.files / "deep down").mkdir()
        (server.files / "deep down" / "a.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4}')
        (server.files / "notes.txt").write_text("nothing")
        yield server
