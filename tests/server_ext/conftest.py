"""A Jupyter server with the extension in it, for this folder only."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pytest_jupyter.jupyter_server import *  # noqa: F403  its fixtures and hooks, given to this folder alone
from tornado.httpclient import HTTPResponse
from traitlets.config import Config

Ask = Callable[..., Awaitable[HTTPResponse]]


@pytest.fixture
def jp_server_config() -> Config:
    """The strictest server: what fails to load, or answers anybody, fails the test."""
    return Config(
        {
            "ServerApp": {
                "allow_unauthenticated_access": False,
                "reraise_server_extension_failures": True,
                # The terminals' own WebSocket is not decorated as Jupyter demands.
                "jpserver_extensions": {"jupyter_server_ext": True, "jupyter_server_terminals": False},
            }
        }
    )


@pytest.fixture
def ask(http_server_client: Any, jp_auth_header: dict[str, str], jp_base_url: str) -> Ask:
    """`await ask("siege/api/health")` is the answer, whatever its status; it brings the token unless told not to."""

    async def fetch(
        path: str, verb: str = "GET", *, headers: dict[str, str] | None = None, body: bytes | None = None
    ) -> HTTPResponse:
        sent = jp_auth_header if headers is None else headers
        if body is not None:
            sent = {"Content-Type": "application/json", **sent}
        return await http_server_client.fetch(
            path if path.startswith("/") else jp_base_url + path,
            method=verb,
            headers=sent,
            body=body,
            allow_nonstandard_methods=True,
            follow_redirects=False,
            raise_error=False,
        )

    return fetch


@pytest.fixture
def serve(jp_serverapp: Any, jp_base_url: str) -> Callable[..., str]:
    """`serve(HandlerClass)` adds a handler to the running server and returns its path."""

    def add(handler: type, path: str = "siege/api/probe", **kwargs: Any) -> str:
        jp_serverapp.web_app.add_handlers(".*$", [(jp_base_url + path, handler, kwargs)])
        return path

    return add


def told(response: HTTPResponse) -> Any:
    """The JSON of an answer."""
    return json.loads(response.body)
