"""One server asked over HTTP: directly, under a deadline, with its certificate checked, and no other in its place."""

from __future__ import annotations

import json
import os
import re
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from siege_nb.adapters import failures, probe
from siege_nb.adapters.failures import Rule, Said
from siege_nb.errors import ConnectError, SiegeError, TlsError

#: No answer of an interface for programs is larger; a server that never ends its answer must not fill the memory.
LARGEST = 64 * 1024 * 1024

_NO_HEADER = "There are characters in the token that cannot be sent."
_NO_HTTP = "{host}:{port} does not answer in HTTP. Is it https://?"
RULES = (
    Rule("ConnectTimeout", "timeout"), Rule("ReadTimeout", "timeout"), Rule("WriteTimeout", "timeout"),
    Rule("PoolTimeout", "timeout"), Rule("ConnectError", "refused"),
    Rule(re.compile("WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE|UNEXPECTED_EOF|_ALERT_"), "tls_unsupported", ("url",),
         "{host}:{port} does not speak TLS as we do. Is it http://?"),
    Rule("RemoteProtocolError", "lost", ("url",), _NO_HTTP), Rule("ReadError", "lost", ("url",), _NO_HTTP),
    Rule("WriteError", "lost"), Rule("CloseError", "lost"),
    Rule("LocalProtocolError", "auth", ("token",), _NO_HEADER),
    Rule("UnicodeEncodeError", "auth", ("token",), _NO_HEADER),
)  # fmt: skip


class Origin(NamedTuple):
    """Whom a URL leads to."""

    scheme: str
    host: str
    port: int


def origin(url: str) -> Origin:
    """Scheme, host and port of a URL; a ValueError that quotes nothing unless it is a plain one of http or https."""
    try:
        found = urlsplit(url)
        scheme, host, port = found.scheme.casefold(), found.hostname or "", found.port
    except ValueError:
        scheme, host, port = "", "", None
    if scheme not in ("http", "https") or not host or any(c in "\\ " or not c.isprintable() for c in url):
        raise ValueError("should be a URL such as http://localhost:8888")
    return Origin(scheme, host, port or (443 if scheme == "https" else 80))


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_json(self) -> bool:
        """It says so, and it is."""
        return self.document() is not None

    def document(self) -> Any:
        """The JSON in it; None when it is something else."""
        if "json" not in self.headers.get("content-type", ""):
            return None
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class Http:
    """Requests to one base URL. No redirect is followed: what we sign in with is for this server alone.

    And no proxy, .netrc or other word of the environment is heeded: the server was knocked at directly.
    """

    def __init__(
        self, base: str, title: str, *, headers: Mapping[str, str], deadline: float, ca_file: str = "",
        stop: threading.Event | None = None,
    ) -> None:  # fmt: skip
        import httpx

        self._base, self._title, self._deadline, self._stop = base.rstrip("/"), title, deadline, stop
        verify = _trusted(ca_file) if base.startswith("https") else True
        self._client = httpx.Client(headers=headers, timeout=deadline, verify=verify, trust_env=False)

    def get(self, path: str) -> Reply:
        """The answer to a GET below the base, whatever its status; a ConnectError when there is none."""
        try:
            return probe.within(self._deadline, lambda: self._get(path), stop=self._stop)
        except Exception as error:  # the border: no exception of httpx passes, for it holds the headers
            failure = self._translate(error)
        if isinstance(failure, TimeoutError):
            self.close()  # or its thread would read on for nobody
        raise failure

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def _get(self, path: str) -> Reply:
        with self._client.stream("GET", f"{self._base}/{path}") as response:
            body = b""
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > LARGEST:
                    raise ConnectError(f"{self._title} answers with more than {LARGEST >> 20} MiB.", problem="unknown")
            return Reply(response.status_code, response.headers, body)

    def _translate(self, error: Exception) -> SiegeError:
        if self._client.is_closed:
            return failures.connect_error("lost", {"title": self._title})
        cause = next((one for one in _chain(error) if isinstance(one, ssl.SSLError)), error)
        where = origin(self._base)
        said = Said(str(cause) or type(cause).__name__)
        ours = failures.translate(cause, self._title, RULES, (where.host, where.port), said=said)
        if isinstance(ours, TlsError) and not ours.fields:
            ours.fields = ("ca_file", "url")
        return ours


def _trusted(ca_file: str) -> ssl.SSLContext:
    """What this machine trusts, where httpx would trust a list of its own; and the file's certificates."""
    context = ssl.create_default_context()
    try:
        if ca_file:
            context.load_verify_locations(os.path.expanduser(ca_file))
    except OSError as error:  # ssl.SSLError is one too
        failure = TlsError(f"The CA file {ca_file} cannot be used: {error.strerror or error}.",
                           problem="tls_untrusted", fields=("ca_file",))  # fmt: skip
    else:
        return context
    raise failure


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
