"""The kind `notebook`, against a real Jupyter server and against what is none."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from siege_nb.adapters.notebook import NotebookAdapter, NotebookParams, NotebookSession
from siege_nb.declare import Secret, structure, unstructure, with_secrets
from siege_nb.errors import AuthError, ConnectError, ConnectTimeoutError, InvalidError, NotFoundError, TlsError
from siege_nb.models.connection import ConnectionProfile
from siege_nb.query.session import Browsable, Queryable
from siege_nb.testing import BareHost
from siege_nb.workspace import Workspace
from tests.adapters.certificates import Certificates, certificates
from tests.servers import SilentServer, closed_port
from tests.servers.notebook import Jupyter


def adapter(**given: Any) -> NotebookAdapter:
    return NotebookAdapter(structure(NotebookParams, given))


def refused(deadline: float = 10.0, **given: Any) -> ConnectError:
    with pytest.raises(ConnectError) as caught:
        adapter(**given).open(BareHost(deadline=deadline))
    assert caught.value.__context__ is None
    return caught.value


def test_a_server_is_tested_step_by_step(jupyter: Jupyter) -> None:
    result = adapter(url=jupyter.url, token=jupyter.password).test(BareHost())
    assert [step.name for step in result.steps] == ["driver", "dns", "tcp", "auth", "identity", "browse"]
    assert result.ok
    assert result.server["version"].startswith("Jupyter Server 2.")
    assert result.server["user"]


def test_its_folders_are_schemas_and_its_files_tables(jupyter: Jupyter) -> None:
    session = adapter(url=jupyter.url, token=jupyter.password).open(BareHost())
    assert isinstance(session, Browsable)
    assert [schema.name for schema in session.schemas()] == ["/", "deep down"]
    assert [(table.name, table.kind) for table in session.tables("/")] == [("notes.txt", "file")]
    assert [(table.name, table.kind) for table in session.tables("deep down")] == [("a.ipynb", "notebook")]
    assert session.columns("/", "notes.txt") == []
    with pytest.raises(NotFoundError, match="no such folder"):
        session.tables("elsewhere")
    session.close()
    session.close()
    with pytest.raises(ConnectError) as caught:
        session.ping()
    assert caught.value.problem == "lost"


def test_browsing_begins_in_the_workspace(jupyter: Jupyter) -> None:
    session = adapter(url=jupyter.url, token=jupyter.password, workspace="/deep down/").open(BareHost())
    assert [table.name for table in session.tables("/")] == ["a.ipynb"]
    session.close()


def test_a_workspace_that_is_not_there_is_a_doubt_and_no_failure(jupyter: Jupyter) -> None:
    result = adapter(url=jupyter.url, token=jupyter.password, workspace="/home/user/notebooks").test(BareHost())
    assert result.ok
    assert (result.steps[-1].name, result.steps[-1].status) == ("browse", "warn")
    assert "/home/user/notebooks" in result.steps[-1].detail


@pytest.mark.parametrize(("token", "said"), [
    ("wrong-token", "does not take this token"), (None, "asks for a token"),
    ("brøken", "cannot be sent"), ("two\nlines", "cannot be sent"),
])  # fmt: skip
def test_a_token_that_is_not_taken_is_named(jupyter: Jupyter, token: str | None, said: str) -> None:
    error = refused(url=jupyter.url, token=token)
    assert isinstance(error, AuthError)
    assert (error.problem, error.fields) == ("auth", ("token",))
    assert said in error.message
    result = adapter(url=jupyter.url, token=token).test(BareHost())
    assert [step.name for step in result.steps][-1] == "auth"
    assert result.error is not None
    assert result.error.message == error.message


def test_nothing_of_sql_is_asked_of_it(jupyter: Jupyter) -> None:
    workspace = Workspace()
    params = structure(NotebookParams, {"url": jupyter.url, "token": jupyter.password})
    workspace.save(ConnectionProfile(name="lab", connection_type="notebook", connection_params=params), expected="")
    with pytest.raises(InvalidError, match="lab cannot be queried with SQL"):
        workspace.query("lab", "SELECT 1", {})
    assert not isinstance(workspace.lease("lab").session, Queryable)
    assert workspace.test("lab").ok
    workspace.close()


def test_proxies_of_the_environment_are_not_asked(jupyter: Jupyter, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    adapter(url=jupyter.url, token=jupyter.password).open(BareHost()).close()


# --- what is no Jupyter server


@contextmanager
def answering(reply: Callable[[BaseHTTPRequestHandler], None], tls: Certificates | None = None) -> Iterator[Any]:
    """Another HTTP server; `.seen` are the headers of the requests it got."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.seen.append(dict(self.headers))
            try:
                reply(self)
            except OSError:  # the client had enough
                pass

        def log_message(self, *_: Any) -> None:
            pass

    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.seen = True, []
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.cert, tls.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def says(status: int, kind: str = "text/html", body: bytes = b"<html>", **headers: str) -> Any:
    def reply(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)

    return reply


@pytest.mark.parametrize(("reply", "said"), [
    (says(200), "It answers 200 with text/html."), (says(403), "It answers 403 with text/html."),
    (says(404, "application/json", b"{}"), "It answers 404 with application/json."),
    (says(200, "application/json", b"{half"), "It answers 200 with application/json."),
    (says(200, ""), "It answers 200 with nothing."),
])  # fmt: skip
def test_another_servers_answer_is_told_as_what_it_is(reply: Any, said: str) -> None:
    with answering(reply) as server:
        error = refused(url=server.url, token="a-token")
    assert len(server.seen) == 1
    assert error.fields == ("url",)
    assert f"{server.url} is no Jupyter server. {said}" in error.message


@pytest.mark.parametrize("answer", [
    (404, "text/html", b"<html>"), (200, "text/html", b"<html>"), (500, "application/json", b"{}"),
    *((200, "application/json", body) for body in (
        b"{}", b"[]", b"null", b'"me"', b"7", b'{"identity": null, "version": 2}', b'{"identity": []}',
        b'{"identity": {"display_name": {}, "username": 7}}', b'{"identity": {"display_name": ""}}',
    )),
], ids=lambda answer: answer[2].decode())  # fmt: skip
def test_who_does_not_say_who_we_are_is_a_jupyter_server_all_the_same(answer: tuple[int, str, bytes]) -> None:
    def reply(request: BaseHTTPRequestHandler) -> None:
        match request.path:
            case "/api/status":
                says(200, "application/json", b"{}")(request)
            case "/api/contents/":
                says(200, "application/json", b'{"type": "directory", "content": []}')(request)
            case _:
                says(*answer)(request)

    with answering(reply) as server:
        result = adapter(url=server.url, token="a-token").test(BareHost())
    assert (result.ok, result.server) == (True, {}), result
    assert len(server.seen) == 4


def test_a_redirect_is_told_and_the_token_goes_nowhere_else() -> None:
    with answering(says(200, "application/json", b"{}")) as other:
        location = f"{other.url.replace('127.0.0.1', 'localhost')}/lab?token=an-echoed-t0ken"
        with answering(says(302, Location=location)) as server:
            error = refused(url=server.url, token="a-token")
    assert len(server.seen) == 1
    assert server.seen[0]["Authorization"] == "token a-token"
    assert other.seen == []
    assert "It sends elsewhere: http://localhost" in error.message
    assert "an-echoed" not in str(error)


def test_a_hub_that_asks_to_sign_in_is_a_matter_of_the_token() -> None:
    with answering(says(302, Location="/hub/login?next=%2Fuser%2Fme")) as server:
        error = refused(url=f"{server.url}/user/me", token="a-token")
    assert error.fields == ("token",)


def test_a_hub_whose_server_sleeps_says_so() -> None:
    with answering(says(503, "application/json", b"{}")) as server:
        assert refused(url=f"{server.url}/user/me", token="a-token").problem == "capacity"


def test_a_server_that_is_down_names_the_address() -> None:
    error = refused(url=f"http://127.0.0.1:{closed_port()}")
    assert (error.problem, error.fields) == ("refused", ("url",))
    result = adapter(url=f"http://127.0.0.1:{closed_port()}").test(BareHost())
    assert [(step.name, step.status) for step in result.steps][-1] == ("tcp", "fail")
    assert isinstance(result.error, ConnectError)
    assert result.error.fields == ("url",)


def test_a_name_that_leads_nowhere_names_the_address() -> None:
    assert (refused(url="http://no-such-host.invalid").problem) == "dns"


def test_a_port_that_never_speaks_is_given_up_in_time() -> None:
    with SilentServer() as server:
        began = time.monotonic()
        error = refused(0.5, url=f"http://{server.host}:{server.port}")
        assert time.monotonic() - began < 2
        assert server.accepted >= 2  # the probe, and the request
    assert isinstance(error, ConnectTimeoutError)
    assert error.fields == ("url",)


def test_a_server_that_never_ends_its_answer_is_given_up_in_time() -> None:
    hung_up = threading.Event()

    def drip(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        try:
            while True:
                request.wfile.write(b" ")
                time.sleep(0.02)
        except OSError:
            hung_up.set()
            raise

    with answering(drip) as server:
        began = time.monotonic()
        error = refused(0.5, url=server.url)
        assert time.monotonic() - began < 2
        assert hung_up.wait(5), "it was read on for nobody"
    assert isinstance(error, ConnectTimeoutError)


# --- TLS


@pytest.fixture(scope="module")
def signed() -> Iterator[Certificates]:
    with certificates("127.0.0.1", None) as files:
        yield files


def test_a_certificate_is_checked_and_a_ca_file_trusted(signed: Certificates) -> None:
    options = f"--ServerApp.certfile={signed.cert}", f"--ServerApp.keyfile={signed.key}"
    with Jupyter(*options) as server:
        error = refused(url=server.url, token=server.password)
        assert isinstance(error, TlsError)
        assert (error.problem, error.fields) == ("tls_untrusted", ("ca_file", "url"))
        assert refused(url=server.url, token=server.password, ca_file=str(signed.stranger)).problem == "tls_untrusted"
        elsewhere = server.url.replace("127.0.0.1", "localhost")
        assert refused(url=elsewhere, ca_file=str(signed.ca)).problem == "tls_name"
        adapter(url=server.url, token=server.password, ca_file=str(signed.ca)).open(BareHost()).close()
        plain = refused(url=server.url.replace("https", "http"), token=server.password)
        assert "Is it https://?" in plain.message


def test_a_ca_file_that_is_none_is_named(signed: Certificates) -> None:
    with answering(says(200), signed) as server:
        for path in ("/no/such/file", str(signed.key)):
            error = refused(url=server.url.replace("http", "https"), ca_file=path)
            assert error.fields == ("ca_file",)
            assert path in error.message
    assert server.seen == []


def test_a_server_without_tls_is_told() -> None:
    with answering(says(200)) as server:
        error = refused(url=server.url.replace("http", "https"))
    assert (error.problem, error.fields) == ("tls_unsupported", ("url",))
    assert "Is it http://?" in error.message


# --- parameters


@pytest.mark.parametrize(("pasted", "url"), [
    ("http://h:8888", "http://h:8888"), ("http://h:8888/", "http://h:8888"), ("http://h/lab", "http://h"),
    ("http://h/lab/tree/a/b.ipynb?reset", "http://h"), ("https://h/tree#x", "https://h"),
    ("https://h/user/me@there.org/lab", "https://h/user/me@there.org"), ("http://h/base/notebooks/x", "http://h/base"),
    ("https://h/user/lab/lab", "https://h/user/lab"), ("http://[::1]:8888/lab", "http://[::1]:8888"),
])  # fmt: skip
def test_the_address_is_what_stands_before_the_page(pasted: str, url: str) -> None:
    assert structure(NotebookParams, {"url": pasted}).url == url


def test_a_token_in_the_address_moves_to_its_field() -> None:
    params = structure(NotebookParams, {"url": "http://h:8888/lab?token=s3cr3t-t0ken&x=1"})
    assert params.url == "http://h:8888"
    assert params.token == Secret("s3cr3t-t0ken")
    sealed = with_secrets(params, {"token": structure(NotebookParams, {"url": "http://h", "token": "encrypted:v2.x"},
                                                      at_rest=True).token})  # fmt: skip
    assert "s3cr3t" not in str(unstructure(sealed))


@pytest.mark.parametrize("url", [
    "", "h:8888", "ftp://h", "http://", "http://127.0.0.1\\@h", "http://h h", "http://h:x", "http://[h",
    "http://me:s3cr3t@h",
])  # fmt: skip
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidError) as caught:
        structure(NotebookParams, {"url": url})
    assert "s3cr3t" not in str(caught.value)


def test_a_session_of_a_server_that_dies_is_lost_and_not_stuck(start_server: Any) -> None:
    server = start_server(Jupyter)
    session = adapter(url=server.url, token=server.password).open(BareHost(deadline=2))
    assert isinstance(session, NotebookSession)
    server.kill()
    with pytest.raises(ConnectError):
        session.ping()
    session.close()
