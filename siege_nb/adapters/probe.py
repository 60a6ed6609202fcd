"""dns → tcp in milliseconds, under our own deadline: drivers do not keep theirs, and give one text for any reason."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from siege_nb.adapters.failures import connect_error
from siege_nb.errors import ConnectError

log = logging.getLogger(__name__)

T = TypeVar("T")


def reach(host: str, port: int, *, title: str, deadline: float) -> None:
    """Nothing when the server can be reached; else a ConnectError that says whether name, port or time failed."""
    for _, step in steps(host, port, title=title, deadline=deadline):
        step()


def steps(host: str, port: int, *, title: str, deadline: float) -> Iterator[tuple[str, Callable[[], None]]]:
    """("dns", look up), ("tcp", connect); one deadline for both. Nothing for a local socket."""
    if not host or host.startswith(("/", "@")):
        return
    over = time.monotonic() + deadline
    where = {"title": title, "host": host, "port": port}
    found: list[tuple[Any, ...]] = []

    def look_up() -> None:
        found.extend(_addresses(host, port, over - time.monotonic(), where))

    yield "dns", look_up
    yield "tcp", lambda: _knock(found, over, where)


def within(
    seconds: float,
    work: Callable[[], T],
    *,
    stop: threading.Event | None = None,
    late: Callable[[T], None] | None = None,
) -> T:
    """What `work` gives, if it gives it in time; TimeoutError if not, InterruptedError once `stop` is set.

    No driver can be stopped from outside, so the work goes on in its thread, and `late` gets what comes too late.
    """
    done, gate = threading.Event(), threading.Lock()
    results: list[T] = []
    errors: list[BaseException] = []
    abandoned = False

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # raised again in the thread that waits, if one still does
            errors.append(error)
            done.set()
            return
        with gate:
            if not abandoned:
                results.append(result)
        done.set()
        if not results and late is not None:
            late(result)

    threading.Thread(target=run, name="siege-within", daemon=True).start()
    over = time.monotonic() + seconds
    try:
        # Nothing waits for two events at once: between short waits for the work the stop is looked at.
        while not done.wait(min(max(over - time.monotonic(), 0), 0.05 if stop else seconds)):
            if stop is not None and stop.is_set():
                raise InterruptedError("stopped")
            if time.monotonic() >= over:
                raise TimeoutError(f"no answer within {seconds:g} s")
    finally:
        with gate:
            abandoned = not results
    if errors:
        raise errors.pop()
    return results[0]


def _addresses(host: str, port: int, seconds: float, where: dict[str, Any]) -> list[tuple[Any, ...]]:
    failure: ConnectError
    try:
        return within(seconds, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except TimeoutError:
        failure = connect_error("dns", where, timed_out=True)
    except (OSError, ValueError):  # ValueError: a name that cannot even be encoded
        failure = connect_error("dns", where)
    raise failure


def _knock(addresses: list[tuple[Any, ...]], over: float, where: dict[str, Any]) -> None:
    problem = "timeout"
    for n, (family, kind, protocol, _, address) in enumerate(addresses):
        left = over - time.monotonic()
        if left <= 0:
            break
        with socket.socket(family, kind, protocol) as sock:
            # An address that swallows packets leaves something for the next: IPv6 often leads nowhere.
            sock.settimeout(left / (len(addresses) - n))
            try:
                sock.connect(address)
                return
            except TimeoutError:
                problem = "timeout"
            except OSError as error:
                log.debug("%s: %s", address, error)
                problem = "refused"
    raise connect_error(problem, where)
