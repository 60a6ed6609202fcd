"""The probe: name, port and time, told apart and in time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from siege_nb.adapters import probe
from siege_nb.errors import ConnectError, ConnectTimeoutError
from tests.servers import SilentServer, closed_port

UNREACHABLE = "Unable to connect to Shop at {}:{}. Please check the server address and firewall settings."


@pytest.fixture
def stuck_port() -> Iterator[int]:
    """A port whose queue is full: the kernel answers no further connection at all."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port = listener.getsockname()[1]
        for _ in range(8):
            sock = stack.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
        yield port


def test_a_port_that_takes_connections_is_reached() -> None:
    with SilentServer() as server:
        probe.reach(server.host, server.port, title="Shop", deadline=5)
        assert server.accepted == 1
        probe.reach("localhost", server.port, title="Shop", deadline=5)
        assert server.accepted == 2


def test_its_steps_are_named_and_separate() -> None:
    with SilentServer() as server:
        steps = list(probe.steps(server.host, server.port, title="Shop", deadline=5))
        assert [name for name, _ in steps] == ["dns", "tcp"]
        assert server.accepted == 0
        for _, step in steps:
            step()
        assert server.accepted == 1


@pytest.mark.parametrize("place", ["", "/var/run/db", "@abstract"])
def test_a_socket_in_the_file_system_is_nobody_to_knock_at(place: str) -> None:
    assert list(probe.steps(place, 1, title="Shop", deadline=1)) == []


def test_a_closed_port_is_refused() -> None:
    port = closed_port()
    with pytest.raises(ConnectError) as caught:
        probe.reach("127.0.0.1", port, title="Shop", deadline=5)
    assert caught.value.message == UNREACHABLE.format("127.0.0.1", port)
    assert (caught.value.problem, caught.value.fields) == ("refused", ("host", "port"))
    assert not isinstance(caught.value, TimeoutError)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 70 + ".example", "bad..name", "\0"])
def test_a_name_nobody_knows_is_the_names_fault(host: str) -> None:
    with pytest.raises(ConnectError) as caught:
        probe.reach(host, 1, title="Shop", deadline=5)
    shown = host.replace("\0", "\\x00")  # nothing that steers a terminal gets into a message
    assert caught.value.message == f"The server name {shown} cannot be found. Check the spelling or your VPN."
    assert (caught.value.problem, caught.value.fields) == ("dns", ("host",))
    assert caught.value.__context__ is None


def test_a_port_that_answers_nothing_is_given_up_in_time(stuck_port: int) -> None:
    began = time.monotonic()
    with pytest.raises(ConnectTimeoutError) as caught:
        probe.reach("127.0.0.1", stuck_port, title="Shop", deadline=0.5)
    assert 0.4 < time.monotonic() - began < 2
    assert caught.value.message == UNREACHABLE.format("127.0.0.1", stuck_port)
    assert (caught.value.problem, caught.value.fields) == ("timeout", ("host", "port"))
    assert caught.value.__context__ is None


def test_a_resolver_that_hangs_keeps_the_deadline_too(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    # No name server of ours can be put into the system's resolver.
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: over.wait(30) and [])
    began = time.monotonic()
    with pytest.raises(ConnectTimeoutError, match="cannot be found") as caught:
        probe.reach("db.example.com", 1, title="Shop", deadline=0.3)
    over.set()
    assert time.monotonic() - began < 2
    assert (caught.value.problem, caught.value.fields) == ("dns", ("host",))


def test_an_address_that_swallows_packets_leaves_time_for_the_next(
    stuck_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SilentServer() as server:
        tcp = (socket.AF_INET, socket.SOCK_STREAM, 0, "")
        answers = [(*tcp, ("127.0.0.1", port)) for port in (stuck_port, server.port)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: answers)
        probe.reach("db.example.com", 1, title="Shop", deadline=1)
        assert server.accepted == 1


def test_work_in_time_gives_its_result_or_its_error() -> None:
    assert probe.within(5, lambda: 7) == 7

    def fail() -> None:
        raise LookupError("as it was")

    with pytest.raises(LookupError, match="as it was"):
        probe.within(5, fail)


def test_what_comes_too_late_is_handed_over_to_be_closed() -> None:
    go, closed = threading.Event(), threading.Event()
    late: list[str] = []

    def work() -> str:
        go.wait(30)
        return "connection"

    def dispose(result: str) -> None:
        late.append(result)
        closed.set()

    with pytest.raises(TimeoutError):
        probe.within(0.05, work, late=dispose)
    assert late == []
    go.set()
    assert closed.wait(10)
    assert late == ["connection"]


def test_a_stop_is_heard_while_waiting() -> None:
    stop, go = threading.Event(), threading.Event()
    threading.Timer(0.1, stop.set).start()
    began = time.monotonic()
    with pytest.raises(InterruptedError):
        probe.within(30, lambda: go.wait(30), stop=stop)
    go.set()
    assert time.monotonic() - began < 5


def test_an_error_that_passed_leaves_no_circle_behind() -> None:
    import gc
    import weakref

    class Held:
        """Something a driver's frame holds on to, such as a socket."""

    held: list[weakref.ref[Held]] = []

    def fail() -> None:
        mine = Held()
        held.append(weakref.ref(mine))
        raise LookupError

    gc.collect()
    gc.disable()
    try:
        with pytest.raises(LookupError) as caught:
            probe.within(5, fail)
        del caught
        for thread in threading.enumerate():
            if thread.name == "siege-within":
                thread.join(10)
        assert held[0]() is None
    finally:
        gc.enable()
