"""Ports on the loopback: a free one, one that refuses, and one that never answers."""

import atexit
import socket
from functools import cache
from typing import Self

HOST = "127.0.0.1"


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        return int(sock.getsockname()[1])


@cache
def closed_port() -> int:
    """A port that refuses every connection, for as long as this process lives."""
    sock = socket.socket()
    sock.bind((HOST, 0))  # bound but not listening: refuses, and nobody else can take it
    atexit.register(sock.close)
    return int(sock.getsockname()[1])


class SilentServer:
    """A port that takes every connection and never says a word; `accepted` counts them."""

    host = HOST

    def __enter__(self) -> Self:
        self._listener = socket.create_server((HOST, 0), backlog=128)  # the kernel itself completes the handshakes
        self._listener.setblocking(False)
        self._taken: list[socket.socket] = []
        self.port = int(self._listener.getsockname()[1])
        return self

    def __exit__(self, *_: object) -> None:
        for sock in [self._listener, *self._taken]:
            sock.close()

    @property
    def accepted(self) -> int:
        """How many connections were made so far: a fault that nobody met proves nothing."""
        try:
            while True:
                self._taken.append(self._listener.accept()[0])
        except BlockingIOError:
            return len(self._taken)
