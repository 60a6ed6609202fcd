"""The base of every handler: who may ask, how much they may send, how an answer goes out."""

from __future__ import annotations

import asyncio
import json
import secrets
import traceback
from collections.abc import Callable
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from jupyter_server.auth.decorator import authorized
from jupyter_server.auth.utils import HTTP_METHOD_TO_AUTH_ACTION
from jupyter_server.base.handlers import APIHandler
from jupyter_server.extension.handler import ExtensionHandlerMixin
from tornado import web

from jupyter_server_ext.errors import payload, status_of
from siege_nb.errors import InvalidError, Issue
from siege_nb.masking import mask

if TYPE_CHECKING:
    from siege_nb.workspace import Workspace

T = TypeVar("T")

#: Keys of the server's settings under which our state is kept.
WORKSPACE, THREADS = "siege_nb_workspace", "siege_nb_threads"
#: The resource that Jupyter's authorizer is asked about.
RESOURCE = "siege_nb"
BODY_LIMIT = 1 << 20
DEEPEST = 32


# Streamed, so that a body is refused before it is read: tornado alone would buffer 512 MiB for anybody.
@web.stream_request_body
class Handler(ExtensionHandlerMixin, APIHandler):
    """An endpoint of ours. A subclass writes verbs; that only users who may can call them is seen to here."""

    auth_resource = RESOURCE

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for verb in implemented(cls):
            # Asked of the class and not of its namespace: a verb that a mixin brings is guarded too, and one that is
            # another class's read under a new name asks for the right to write.
            method = getattr(cls, verb.lower())
            if verb != "OPTIONS" and getattr(method, "_guarded_as", None) != verb:
                setattr(cls, verb.lower(), _guarded(verb, method))

    def initialize(self, name: str, *args: Any, **kwargs: Any) -> None:
        super().initialize(name, *args, **kwargs)
        self._body = bytearray()

    @property
    def workspace(self) -> Workspace:
        """The store, the vault and the sessions; its methods block, so they run in `off_loop`."""
        workspace: Workspace = self.settings[WORKSPACE]
        return workspace

    async def off_loop(self, work: Callable[[], T]) -> T:
        """What the work returns, done in one of a few threads: the event loop waits for no disk, driver or key."""
        return await asyncio.get_running_loop().run_in_executor(self.settings[THREADS], work)

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")

    # --- what comes in

    async def prepare(self) -> None:  # type: ignore[override]
        """Refuse what is too long before it is sent, then ask as Jupyter does who sends it."""
        length = self.request.headers.get("Content-Length", "").lstrip("0")
        # Thousands of digits are no number to Python, so their count is looked at first.
        if len(length) > len(str(BODY_LIMIT)) or (length.isdecimal() and int(length) > BODY_LIMIT):
            raise _too_long()
        await super().prepare()

    def data_received(self, chunk: bytes) -> None:
        self._body += chunk
        if len(self._body) > BODY_LIMIT:  # sent in chunks, of a length nobody declared
            error = _too_long()
            self.send_error(error.status_code, exc_info=(type(error), error, None))

    def get_json_body(self) -> dict[str, Any]:
        """The body, a JSON object. Jupyter's own method logs a body that it cannot read; ours may hold secrets."""
        # A web page can make a browser send text and forms to another site, but not JSON.
        media_type = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise web.HTTPError(415, "A body should be JSON, and its Content-Type application/json.")
        problem = ""
        try:
            body = json.loads(self._body, parse_constant=_no_number)
        except json.JSONDecodeError as error:
            problem = f"is no JSON: see line {error.lineno}, column {error.colno}"
        except (ValueError, RecursionError):
            problem = "is no JSON that can be read: UTF-8, finite numbers, a few levels"
        if not problem and not isinstance(body, dict):
            problem = "should be a JSON object"
        if not problem and _deeper_than(DEEPEST, body):
            problem = f"should be at most {DEEPEST} levels deep"
        if problem:
            raise InvalidError("The request", [Issue("body", problem)])
        found: dict[str, Any] = body
        return found

    # --- what goes out when something is wrong

    @cached_property
    def incident(self) -> str:
        """What finds this request in the log."""
        return secrets.token_hex(6)

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Tell of an error once the body is in: a connection closed on unread bytes takes the answer with it."""
        # tornado gives handlers of streamed bodies no other sign of the end.
        arriving = self.request._body_future
        if status_code == 413 or arriving.done():
            super().send_error(status_code, **kwargs)
            return

        def tell(arrived: asyncio.Future[None]) -> None:
            if not self._finished:  # else it was too long after all, and is told so
                super(Handler, self).send_error(status_code, **kwargs)

        arriving.add_done_callback(tell)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None, None))[1]
        if error is not None:
            status_code = status_of(error, conditional="If-Match" in self.request.headers)
        self.set_status(status_code)
        if status_code == 405:
            self.set_header("Allow", ", ".join(implemented(type(self))))
        self.finish(payload(error, status_code, self.incident))

    def log_exception(
        self, typ: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        """A line for what the asker can mend, a masked traceback for the rest; never the query: it may hold a token."""
        status, asked = status_of(value), f"{self.request.method} {mask(self.request.path)}"
        if status < 500:
            said = value.get_message() if isinstance(value, web.HTTPError) else str(value)
            if said:  # else the line of the request itself says it all
                self.log.warning("%d %s: %r", status, asked, mask(said))
        else:
            stack = "".join(traceback.format_exception(typ, value, tb))
            self.log.error("%d %s, incident %s\n%s", status, asked, self.incident, mask(stack))


def implemented(handler: type[web.RequestHandler]) -> list[str]:
    """The verbs that a handler answers, as the Allow header lists them."""
    none = web.RequestHandler._unimplemented_method
    return [verb for verb in handler.SUPPORTED_METHODS if getattr(handler, verb.lower()) is not none]


def _guarded(verb: str, method: Callable[..., Any]) -> Callable[..., Any]:
    # Action and resource are named: left out, the decorator keeps those of the first request for all later ones.
    allowed: Callable[..., Any] = authorized(HTTP_METHOD_TO_AUTH_ACTION[verb], RESOURCE)
    guarded: Callable[..., Any] = web.authenticated(allowed(method))
    guarded._guarded_as = verb  # type: ignore[attr-defined]
    return guarded


def _too_long() -> web.HTTPError:
    return web.HTTPError(413, "A body may have %d bytes.", BODY_LIMIT)


def _no_number(constant: str) -> None:
    raise ValueError(constant)


def _deeper_than(levels: int, value: object) -> bool:
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_deeper_than(levels - 1, item) for item in inner)
