"""A Jupyter server: its folders and notebooks, through its REST API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from pydantic import field_validator, model_validator

from siege_nb.adapters import failures, probe
from siege_nb.adapters.base import Adapter, Doubt, Host, Params
from siege_nb.adapters.http import RULES, Http, Reply, origin
from siege_nb.declare import Secret, ui
from siege_nb.errors import ConnectError, NotFoundError, SiegeError
from siege_nb.query.session import Browsable, Column, Schema, Session, Table

# What a browser shows behind the server's own address. A user of a hub may be called lab.
_PAGE = re.compile(r"(?<!/user)/(?:lab|tree|notebooks|nbclassic|doc|edit|terminals|login|api)(?:/.*)?$")
_HERE = "/"
_CONTENTS = "api/contents/"


class NotebookParams(Params):
    """A Jupyter server."""

    url: str = ui(title="Address", placeholder="http://localhost:8888", endpoint=True)
    """As the browser shows it; a token in it moves to its own field."""
    token: Secret | None = ui(None, title="Token", group="auth")
    workspace: str = ui("", title="Folder to work in")
    """A folder of the server's, as its file browser names it; all of them when it is empty."""
    ca_file: str = ui("", title="CA file", placeholder="/etc/ssl/ca.pem", group="tls")
    """The certificates that may sign the server's, besides those this machine trusts."""

    @model_validator(mode="before")
    @classmethod
    def _move_token(cls, data: Any) -> Any:
        # Before anything is looked at: what is wrong with a field is told with its text, and this one may hold a token.
        url = data.get("url") if isinstance(data, Mapping) else None
        if not isinstance(url, str):
            return data
        try:
            pieces = urlsplit(url)
        except ValueError:
            return data
        if "@" in pieces.netloc:
            raise ValueError("url: a user name or password has no place in it; Jupyter takes a token")
        token = dict(parse_qsl(pieces.query)).get("token")
        moved = {**data, "url": pieces._replace(query="", fragment="").geturl()}
        return moved | ({"token": token} if token and not data.get("token") else {})

    @field_validator("url")
    @classmethod
    def _settle(cls, url: str) -> str:
        origin(url)
        pieces = urlsplit(url)
        return pieces._replace(path=_PAGE.sub("", pieces.path).rstrip("/")).geturl()


class NotebookSession:
    """A Jupyter server as somebody who is signed in there sees it."""

    def __init__(self, http: Http, params: NotebookParams) -> None:
        self._http, self._params = http, params

    def ping(self) -> None:
        self.ask("api/status")

    def close(self) -> None:
        self._http.close()

    def schemas(self) -> list[Schema]:
        folders = [item["name"] for item in self._items(_HERE) if item["type"] == "directory"]
        return [Schema(_HERE), *(Schema(name) for name in sorted(folders))]

    def tables(self, schema: str) -> list[Table]:
        items = (item for item in self._items(schema) if item["type"] != "directory")
        return sorted((Table(schema, item["name"], item["type"]) for item in items), key=lambda table: table.name)

    def columns(self, schema: str, table: str) -> list[Column]:
        return []

    def ask(self, path: str) -> Any:
        """What the server says to a GET, as plain values; a refusal in our words."""
        reply = self._http.get(path)
        document = reply.document()
        if reply.status == 200 and document is not None:
            return document
        if reply.status == 404 and path.startswith(_CONTENTS):
            raise NotFoundError(f"The Jupyter server has no such folder: {unquote(path.removeprefix(_CONTENTS))}.")
        raise self._refused(reply)

    def told(self, path: str) -> dict[str, Any]:
        """What a GET tells of the server; nothing where it does not, as older ones or another's may."""
        reply = self._http.get(path)
        document = reply.document() if reply.status == 200 else None
        return document if isinstance(document, dict) else {}

    def _items(self, schema: str) -> list[dict[str, Any]]:
        path = "/".join(part.strip("/") for part in (self._params.workspace, schema) if part.strip("/"))
        try:
            found = self.ask(_CONTENTS + quote(path))
        except NotFoundError:
            if schema != _HERE:
                raise
            raise NotFoundError(
                f"The Jupyter server has no folder {self._params.workspace!r}.",
                hint="Name it as its file browser does, from the folder it was started in, or leave `workspace` empty.",
            ) from None
        return list(found.get("content") or []) if found.get("type") == "directory" else []

    def _refused(self, reply: Reply) -> ConnectError:
        leads = urlsplit(reply.headers.get("location", ""))
        signs_in = 300 <= reply.status < 400 and leads.path.endswith("/login")
        if signs_in or (reply.status in (401, 403) and reply.is_json):
            text = "The Jupyter server does not take this token." if self._params.token else _ASKS
            return failures.connect_error("auth", {}, text=text, fields=("token",))
        if 300 <= reply.status < 400:
            to = f"{leads.scheme}://{leads.hostname}" if leads.hostname else leads.path
            said = f"It sends elsewhere: {to}."
        elif reply.status == 503:
            return ConnectError("The Jupyter server is not running, says its hub.", problem="capacity", hint=_START)
        else:
            kind = reply.headers.get("content-type", "").partition(";")[0] or "nothing"
            said = f"It answers {reply.status} with {kind}."
        return ConnectError(f"{self._params.url} is no Jupyter server. {said}", fields=("url",), hint=_BASE)


_ASKS = "The Jupyter server asks for a token."
_START = "Start it in the hub's control panel."
_BASE = "Give the address up to, and without, /lab or /tree. `jupyter server list` shows it."


class NotebookAdapter(Adapter[NotebookParams]):
    """A Jupyter server. It has no SQL: it can be tested and browsed."""

    kind, title = "notebook", "Jupyter server"
    aliases = ("jupyter",)
    drivers = ("httpx",)
    params_type = NotebookParams
    rules = RULES
    schemes = ("http", "https")
    url_fields = {"url": "url"}
    field_names = {"host": "url", "port": "url"}

    def address(self) -> tuple[str, int]:
        where = origin(self.params.url)
        return where.host, where.port

    def open(self, host: Host) -> NotebookSession:
        self.require_driver()
        http: Http | None = None
        try:
            probe.reach(*self.address(), title=self.title, deadline=host.deadline)
            http = self._http(host)
            session = NotebookSession(http, self.params)
            session.ping()  # /api answers anybody; this asks who it is
            return session
        except SiegeError as error:
            failure = self.own(error.with_traceback(None))
        except Exception as error:  # a token that no header can carry
            failure = self.own(self.translate(error))
        if http is not None:
            http.close()
        raise failure

    def _http(self, host: Host) -> Http:
        token = self.params.token
        headers = {"Authorization": f"token {token.reveal()}"} if token else {}
        return Http(self.params.url, self.title, headers=headers, deadline=host.deadline,
                    ca_file=self.params.ca_file, stop=host.stop)  # fmt: skip

    def identify(self, session: Session) -> dict[str, str]:
        assert isinstance(session, NotebookSession)
        version, identity = session.told("api").get("version"), session.told("api/me").get("identity")
        facts = {"version": f"Jupyter Server {version}"} if isinstance(version, str) else {}
        names = (identity.get("display_name"), identity.get("username")) if isinstance(identity, dict) else ()
        user = next((name for name in names if name and isinstance(name, str)), "")  # servers before 2.0 know nobody
        return facts | ({"user": user} if user else {})

    def look(self, session: Browsable) -> None:
        try:
            session.schemas()
        except NotFoundError as error:
            raise Doubt(str(error)) from None
