"""What may be sent: so much, in JSON, and never in the log."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import psutil
import pytest

from jupyter_server_ext.handler import BODY_LIMIT, Handler
from tests.server_ext.conftest import told


class Echo(Handler):
    """Tells what it was sent, and counts how often it could read that."""

    calls: ClassVar[int] = 0

    async def post(self) -> None:
        keys = sorted(self.get_json_body())
        type(self).calls += 1
        self.finish({"length": len(self._body), "keys": keys})


@pytest.fixture
def echo(serve) -> str:
    Echo.calls = 0
    return serve(Echo, name="siege_nb")


async def test_a_body_may_be_as_long_as_the_limit_and_no_longer(ask, echo):
    exact = b'{"a": "' + b"x" * (BODY_LIMIT - 9) + b'"}'
    answer = await ask(echo, "POST", body=exact)
    assert (answer.code, told(answer)) == (200, {"length": BODY_LIMIT, "keys": ["a"]})
    assert Echo.calls == 1


@contextlib.asynccontextmanager
async def connected(server: Any, path: str, *headers: str) -> AsyncIterator[Any]:
    """A bare connection that has sent the head of a POST, and no body yet."""
    port = next(iter(server._sockets.values())).getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Content-Type: application/json", *headers]
    writer.write("\r\n".join([*head, "", ""]).encode())
    try:
        async with asyncio.timeout(10):
            yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):  # cut off by the server while we still sent
            await writer.wait_closed()


async def status_line(reader: asyncio.StreamReader) -> str:
    return (await reader.readline()).decode().split(" ")[1]


@pytest.mark.parametrize("length", [str(BODY_LIMIT + 1), "20000000", "9" * 5000])
async def test_a_body_too_long_is_refused_before_it_is_sent(length, http_server, echo, jp_base_url, jp_auth_header):
    asks = f"Authorization: {jp_auth_header['Authorization']}"
    async with connected(http_server, jp_base_url + echo, asks, f"Content-Length: {length}") as (reader, _):
        assert await status_line(reader) == "413"
        assert b"1048576 bytes" in await reader.read()
    assert Echo.calls == 0


async def test_a_body_of_undeclared_length_is_cut_at_the_limit(http_server, echo, jp_base_url, jp_auth_header):
    asks = f"Authorization: {jp_auth_header['Authorization']}"
    async with connected(http_server, jp_base_url + echo, asks, "Transfer-Encoding: chunked") as (reader, writer):
        writer.write(b"%x\r\n" % (BODY_LIMIT + 1) + b" " * (BODY_LIMIT + 1))  # and more to come: it is not the end
        assert await status_line(reader) == "413"
        assert b"1048576 bytes" in await reader.read()
    assert Echo.calls == 0


async def test_twenty_megabytes_cost_no_memory(http_server, echo, jp_base_url, jp_auth_header):
    asks = f"Authorization: {jp_auth_header['Authorization']}"
    chunk = b"%x\r\n" % (1 << 16) + b" " * (1 << 16) + b"\r\n"
    process, sent = psutil.Process(), 0
    before = process.memory_info().rss
    async with connected(http_server, jp_base_url + echo, asks, "Transfer-Encoding: chunked") as (_, writer):
        with contextlib.suppress(ConnectionError):
            for _ in range(320):
                writer.write(chunk)
                await writer.drain()
                sent += len(chunk)
    assert sent < 20 << 20, "the server read it all"
    assert process.memory_info().rss - before <= 5 << 20
    assert Echo.calls == 0


async def test_a_refusal_reaches_those_who_are_still_sending(http_server, echo, jp_base_url):
    async with connected(http_server, jp_base_url + echo, "Content-Length: 500000") as (reader, writer):
        for _ in range(2):
            writer.write(b" " * 250000)
            await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 403 ")
        await reader.readexactly(int(re.search(rb"Content-Length: (\d+)", head)[1]))
        # Had the server answered and closed before the end, its answer could have been lost; so the line is still open.
        writer.write(f"GET {jp_base_url}siege/api/health HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert await status_line(reader) == "403"
    assert Echo.calls == 0


async def test_a_stranger_who_sends_too_much_is_told_once(http_server, ask, echo, jp_base_url, caplog):
    async with connected(http_server, jp_base_url + echo, "Transfer-Encoding: chunked") as (reader, writer):
        writer.write(b"%x\r\n" % (BODY_LIMIT + 1) + b" " * (BODY_LIMIT + 1))
        answer = await reader.read()
    assert answer.count(b"HTTP/1.1") == 1
    assert answer.startswith(b"HTTP/1.1 413 ")
    await ask(echo)
    assert "after headers written" not in caplog.text


async def test_somebody_who_leaves_half_way_leaves_nothing_behind(http_server, ask, echo, jp_base_url, caplog):
    async with connected(http_server, jp_base_url + echo, "Content-Length: 500000") as (_, writer):
        writer.write(b" " * 1000)
    assert (await ask(echo, "POST", body=b"{}")).code == 200
    assert Echo.calls == 1
    assert "Uncaught" not in caplog.text
    assert "never retrieved" not in caplog.text


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_a_body_that_a_page_could_send_across_sites_is_refused(media, ask, echo, jp_auth_header):
    answer = await ask(echo, "POST", headers={**jp_auth_header, "Content-Type": media}, body=b'{"a": 1}')
    assert (answer.code, Echo.calls) == (415, 0)
    as_json = {**jp_auth_header, "Content-Type": "Application/JSON; charset=utf-8"}
    answer = await ask(echo, "POST", headers=as_json, body=b"{}")
    assert (answer.code, Echo.calls) == (200, 1)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "line 1, column 1"),
        (b'{"a": }', "line 1, column 7"),
        (b"[1]", "should be a JSON object"),
        (b'{"a": NaN}', "finite numbers"),
        (b'{"a": "\xff"}', "UTF-8"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "32 levels"),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "levels"),
        (b"\x1f\x8b\x08\x00" + b"\x00" * 100, "is no JSON"),
    ],
)
async def test_a_body_that_is_no_json_object_is_told_so(body, problem, ask, echo):
    answer = await ask(echo, "POST", body=body)
    assert answer.code == 400
    (issue,) = told(answer)["error"]["issues"]
    assert issue["path"] == "body"
    assert problem in issue["message"]


async def test_as_many_levels_and_keys_as_allowed(ask, echo):
    assert (await ask(echo, "POST", body=b'{"a":' * 32 + b"1" + b"}" * 32)).code == 200
    many = b"{" + b",".join(b'"k%d": 1' % n for n in range(10_000)) + b"}"
    assert len(told(await ask(echo, "POST", body=many))["keys"]) == 10_000


async def test_a_body_that_cannot_be_read_is_not_logged(ask, echo, caplog):
    await ask(echo, "POST", body=b'{"password": "hunter2hunter2"')
    assert "hunter2" not in caplog.text
