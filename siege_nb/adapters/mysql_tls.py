"""Encryption to a MySQL server: what to ask of the driver, and what the driver does not ask by itself."""

from __future__ import annotations

import os
import socket
from typing import Any

from siege_nb.errors import TlsError

_CLIENT_SSL = 0x0800


def options(mode: str, ca: str) -> dict[str, Any]:
    """The mode in the driver's words."""
    if mode == "disabled":
        return {"ssl_disabled": True}
    verify = {"ssl_verify_cert": mode.startswith("verify"), "ssl_verify_identity": mode == "verify_identity"}
    return verify | ({"ssl_ca": os.path.expanduser(ca)} if ca else {})


def insist(host: str, port: int, deadline: float) -> None:
    """Refuse a server that offers no encryption before anything is signed in with.

    The driver has no mode that insists: it sends the password, or what it can be guessed from, and looks afterwards.
    A server speaks first, and says in its greeting what it can. Who stands in between may greet the driver itself in
    another way: against him only a verified certificate helps.
    """
    with socket.create_connection((host, port), timeout=deadline) as sock:
        greeting = _read(sock, int.from_bytes(_read(sock, 4)[:3], "little"))
    if greeting[:1] == b"\xff":  # an error instead of a greeting; the driver will meet it too, and tell it whole
        return
    # Protocol, version (ends with NUL), thread (4), salt (8), a filler, and then the flags.
    flags = greeting.index(0, 1) + 1 + 4 + 8 + 1
    if not int.from_bytes(greeting[flags : flags + 2], "little") & _CLIENT_SSL:
        refuse()


def check(connection: Any) -> None:
    """Refuse a connection that came about without encryption after all."""
    cursor = connection.cursor()
    cursor.execute("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
    row = cursor.fetchone()
    cursor.close()
    if not (row and row[1]):
        connection.close()
        refuse()


def refuse() -> None:
    """The server takes part in no encryption."""
    raise TlsError("The server does not offer encryption.", problem="tls_unsupported", fields=("ssl",))


def _read(sock: socket.socket, length: int) -> bytes:
    found = b""
    while len(found) < length:
        part = sock.recv(min(length - len(found), 4096))
        if not part:
            raise ConnectionResetError("the server hung up before its greeting")
        found += part
    return found
