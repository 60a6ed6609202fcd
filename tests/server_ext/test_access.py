"""Who gets in: every route of ours that the running server knows, tried with every verb by everybody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from http.cookies import SimpleCookie
from typing import Any

import pytest
from jupyter_server.auth import Authorizer
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import JupyterServerAuthWarning
from tornado import web

from jupyter_server_ext.handler import Handler, implemented
from tests.server_ext.conftest import Ask

VERBS = (*web.RequestHandler.SUPPORTED_METHODS, "BREW")
READS = ("GET", "HEAD", "OPTIONS")
FOREIGN = "evil.example"


class NobodyMay(Authorizer):
    """Refuses everything."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return False


class OnlyReading(Authorizer):
    """Refuses whatever is no read of ours."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return (action, resource) == ("read", "siege_nb")


def our_routes(app: web.Application, base_url: str) -> list[tuple[str, type[web.RequestHandler]]]:
    """A path and the handler of each route that is ours, by where its class or its path is."""

    def rules(router: Any) -> Iterator[Any]:
        for rule in router.rules:
            if hasattr(rule.target, "rules"):
                yield from rules(rule.target)
            else:
                yield rule

    ours = []
    for rule in rules(app.default_router):
        pattern = getattr(getattr(rule.matcher, "regex", None), "pattern", "")
        if rule.target.__module__.startswith("jupyter_server_ext") or pattern.startswith(f"{base_url}siege/"):
            tries = (re.sub(r"\([^()]*\)", sample, pattern.rstrip("$")) for sample in ("x", "1"))
            ours.append((next(path for path in tries if rule.matcher.regex.fullmatch(path)), rule.target))
    return ours


async def signed_in(ask: Ask, path: str) -> dict[str, str]:
    """The cookies of a browser that once came with the token."""
    jar = SimpleCookie()
    for answer in (await ask(path), await ask("login", headers={})):
        for header in answer.headers.get_list("Set-Cookie"):
            jar.load(header)
    assert "_xsrf" in jar
    assert len(jar) == 2, "the cookie of the login is missing"
    return {name: morsel.value for name, morsel in jar.items()}


async def holes(server: Any, ask: Ask, base_url: str, token: dict[str, str]) -> list[str]:
    """Every answer that should have been a refusal, and every refusal that should have been an answer."""
    cookies = await signed_in(ask, "siege/api/health")
    browser = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    same_site = {**browser, "X-XSRFToken": cookies["_xsrf"]}
    everybody, nobody = server.authorizer, NobodyMay(parent=server)
    reading = OnlyReading(parent=server)
    # who asks, with what, before which authorizer, and the verbs they may use
    cases = [
        ("no credentials", {}, everybody, ()),
        ("a wrong token", {"Authorization": "token " + "0" * 8}, everybody, ()),
        ("the token", token, everybody, VERBS),
        ("a cookie", browser, everybody, READS),
        ("a cookie and its XSRF token", same_site, everybody, VERBS),
        ("a cookie and a foreign origin", {**same_site, "Origin": f"http://{FOREIGN}"}, everybody, ()),
        ("a foreign host", {**token, "Host": FOREIGN}, everybody, ()),
        ("a user who may do nothing", token, nobody, ()),
        ("a user who may read", token, reading, READS),
    ]
    found = []
    for path, handler in our_routes(server.web_app, base_url):
        known = implemented(handler)
        for who, headers, authorizer, may in cases:
            server.web_app.settings["authorizer"] = authorizer
            for verb in VERBS:
                answer = await ask(path, verb, headers=headers, body=None if verb in READS else b"{}")
                done = 200 <= answer.code < 300
                if verb == "OPTIONS" and FOREIGN not in headers.values():
                    # A preflight comes before credentials: it must tell nothing, and invite no stranger.
                    fine = not answer.body and FOREIGN not in answer.headers.get("Access-Control-Allow-Origin", "")
                elif verb not in known:
                    fine = answer.code == 405 if verb in may else not done
                elif verb in may:
                    fine = answer.code not in (401, 403, 404, 405) and answer.code < 500
                else:
                    fine = answer.code in (401, 403, 404)
                if not fine:
                    found.append(f"{verb} {path} ({handler.__name__}) for {who}: {answer.code}")
    server.web_app.settings["authorizer"] = everybody
    return found


async def test_every_route_lets_in_whom_it_should_and_nobody_else(jp_serverapp, ask, jp_base_url, jp_auth_header):
    paths = [path.removeprefix(jp_base_url) for path, _ in our_routes(jp_serverapp.web_app, jp_base_url)]
    assert {"siege/api/health", "siege/api/kinds"} <= set(paths)
    assert await holes(jp_serverapp, ask, jp_base_url, jp_auth_header) == []


async def test_writes_and_parts_of_a_path_are_guarded_too(jp_serverapp, ask, jp_base_url, jp_auth_header, serve):
    class Deletes:
        """A verb that comes from beside the base is none the less guarded."""

        def delete(self, name: str) -> None:
            self.finish({"deleted": name})

    class Reads(Handler):
        async def get(self, name: str) -> None:
            self.finish({"name": name})

    class Writes(Deletes, Reads):
        async def put(self, name: str) -> None:
            self.finish(self.get_json_body())

        patch = put
        post = Reads.get

    serve(Writes, r"siege/api/probe/(\d+)", name="siege_nb")
    assert await holes(jp_serverapp, ask, jp_base_url, jp_auth_header) == []


class Plain(web.RequestHandler):
    """Tornado's own handler: open whatever the server's settings say."""

    def get(self) -> None:
        self.finish({})

    def check_xsrf_cookie(self) -> None:
        pass

    post = get


class Undecorated(APIHandler):
    """Jupyter's own handler, without its decorators: known users only, but nobody asks what they may."""

    def get(self) -> None:
        self.finish({})


class Unauthorized(APIHandler):
    """Half decorated."""

    @web.authenticated
    def get(self) -> None:
        self.finish({})


class Careless(Handler):
    """Ours, with the guard taken off afterwards."""

    async def get(self) -> None:
        self.finish({})


Careless.get = Careless.get.__wrapped__.__wrapped__


@pytest.mark.parametrize("mutant", [Plain, Undecorated, Unauthorized, Careless])
async def test_a_careless_handler_is_caught(mutant, jp_serverapp, ask, jp_base_url, jp_auth_header, serve):
    own = {"name": "siege_nb"} if mutant is Careless else {}
    if mutant is Unauthorized:
        serve(mutant, **own)
    else:
        with pytest.warns(JupyterServerAuthWarning, match=mutant.__name__):
            serve(mutant, **own)
    found = await holes(jp_serverapp, ask, jp_base_url, jp_auth_header)
    assert found
    assert all(f"({mutant.__name__})" in hole for hole in found)
