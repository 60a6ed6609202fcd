"""Nothing secret is sent to a MySQL server that offers no encryption where encryption is asked for."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from siege_nb.adapters.mysql import MySQLAdapter, MySQLParams
from siege_nb.declare import structure
from siege_nb.errors import ConnectError, TlsError
from siege_nb.testing import BareHost
from tests.servers import MariaDB

SSL = 0x0800


class Greeter:
    """Speaks a MySQL server's greeting with these capabilities, and remembers what it is told."""

    def __init__(self, flags: int) -> None:
        body = (
            b"\x0a8.0.99\0" + b"\1\0\0\0" + b"salt5678" + b"\0" + flags.to_bytes(2, "little") + b"\x2d\2\0" + b"\0" * 40
        )
        self.greeting = len(body).to_bytes(3, "little") + b"\0" + body
        self.heard = b""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            with client:
                client.settimeout(2)
                try:
                    client.sendall(self.greeting)
                    while part := client.recv(4096):
                        self.heard += part
                except OSError:
                    pass

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture
def bare() -> Iterator[Greeter]:
    greeter = Greeter(0xFFFF & ~SSL)
    yield greeter
    greeter.close()


def adapter(port: int, ssl: str, **more: object) -> MySQLAdapter:
    typed = {"host": "127.0.0.1", "port": port, "username": "u", "password": "canary-pass", "ssl": ssl, **more}
    return MySQLAdapter(structure(MySQLParams, typed))


@pytest.mark.parametrize("mode", ["required", "verify_ca", "verify_identity"])
def test_a_server_without_encryption_is_told_nothing(mode: str, bare: Greeter) -> None:
    with pytest.raises(TlsError, match="does not offer encryption") as caught:
        adapter(bare.port, mode).open(BareHost())
    assert caught.value.fields == ("ssl",)
    assert bare.heard == b""


@pytest.mark.parametrize("mode", ["required", "verify_ca", "verify_identity"])
def test_a_real_server_without_encryption_never_sees_a_sign_in(mode: str, mariadb: MariaDB) -> None:
    with pytest.raises(TlsError):
        adapter(mariadb.port, mode).open(BareHost())


def test_where_nobody_insists_the_wrong_password_is_what_is_wrong(mariadb: MariaDB) -> None:
    with pytest.raises(ConnectError, match="Authentication failed"):
        adapter(mariadb.port, "preferred").open(BareHost())
