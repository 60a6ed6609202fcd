"""What the base of the handlers promises each of them: its headers, its verbs, an event loop that is never held."""

from __future__ import annotations

import asyncio
import threading

import pytest

from jupyter_server_ext.handler import Handler
from tests.server_ext.conftest import told


@pytest.mark.parametrize("verb", ["GET", "PUT", "BREW"])
async def test_no_answer_is_kept_or_guessed_at(verb, ask):
    answer = await ask("siege/api/health", verb, body=None if verb == "GET" else b"{}")
    assert answer.code == (200 if verb == "GET" else 405)
    assert answer.headers.get_list("Cache-Control") == ["no-store"]
    assert answer.headers.get_list("X-Content-Type-Options") == ["nosniff"]


@pytest.mark.parametrize("verb", ["POST", "PUT", "PATCH", "DELETE", "HEAD", "BREW"])
async def test_an_unknown_verb_is_told_which_there_are(verb, ask):
    answer = await ask("siege/api/health", verb)
    assert answer.code == 405
    assert answer.headers["Allow"] == "GET, OPTIONS"


async def test_blocking_work_holds_no_one_else(serve, ask):
    released, waiting = threading.Event(), threading.Semaphore(0)

    class Slow(Handler):
        async def get(self) -> None:
            self.finish({"thread": await self.off_loop(self.work)})

        def work(self) -> str:
            waiting.release()
            assert released.wait(20)
            return threading.current_thread().name

    path = serve(Slow, name="siege_nb")
    slow = [asyncio.create_task(ask(path)) for _ in range(3)]
    for _ in slow:
        assert await asyncio.to_thread(waiting.acquire, timeout=20)
    assert (await ask("siege/api/health")).code == 200  # all three still wait
    released.set()
    names = {told(answer)["thread"] for answer in await asyncio.gather(*slow)}
    assert len(names) == 3
    assert all(name.startswith("siege_") for name in names)


async def test_no_more_threads_than_configured(serve, ask, jp_serverapp):
    most, running, lock = 0, 0, threading.Lock()
    together = threading.Barrier(8)

    class Counting(Handler):
        async def get(self) -> None:
            await self.off_loop(self.work)
            self.finish({})

        def work(self) -> None:
            nonlocal most, running
            with lock:
                running += 1
                most = max(most, running)
            together.wait(20)
            with lock:
                running -= 1

    path = serve(Counting, name="siege_nb")
    assert [a.code for a in await asyncio.gather(*(ask(path) for _ in range(24)))] == [200] * 24
    assert most == 8
