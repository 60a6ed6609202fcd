"""What the kinds with a driver of rows share: one guarded way to connect."""

from __future__ import annotations

import logging
import re
import threading
import time
from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import AfterValidator

from siege_nb.adapters import failures, probe
from siege_nb.adapters.base import Adapter, Host, P
from siege_nb.adapters.failures import Said
from siege_nb.adapters.sql_session import SQLSession
from siege_nb.errors import SiegeError

if TYPE_CHECKING:
    import sqlalchemy as sa

log = logging.getLogger(__name__)


def _one_host(name: str) -> str:
    """Drivers read more into a host than a name: lists, paths of sockets, options. None of that may come in here."""
    if not name:
        raise ValueError("is required")
    if "://" in name:
        raise ValueError("should be the server's name alone, no URL")
    if re.fullmatch(r"[^:]*:\d+", name):
        raise ValueError("should be the server's name alone; the port has a field of its own")
    if not re.fullmatch(r"[^\W_](?:[\w.-]*\w)?\.?|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*(?:%\w+)?", name):
        raise ValueError("should be one host name or address: no list, no path, no brackets, no spaces")
    return name


#: One server's name or address, as a field of parameters.
HostName = Annotated[str, AfterValidator(_one_host)]


class SQLAdapter(Adapter[P]):
    """A kind whose driver follows the DB-API. A kind adds how to connect, and its session."""

    session_type: ClassVar[type[SQLSession]]

    @abstractmethod
    def connect(self, deadline: float, *, autocommit: bool = True) -> Any:
        """The driver's own connection. Only here, in the driver's call itself, are secrets revealed."""

    @abstractmethod
    def url(self) -> sa.URL:
        """The dialect and place for SQLAlchemy, without a password: `connect` is what connects."""

    def about(self) -> dict[str, Any]:
        """What the texts of failures may name."""
        return {}

    def said(self, error: Exception) -> Said:
        """What the server said, without what the driver put around it."""
        return Said(str(error) or type(error).__name__)

    def translate(self, error: Exception, *, statement: bool = False) -> SiegeError:
        about, said = self.about(), self.said(error)
        return failures.translate(
            error, self.title, self.rules, self.address(), statement=statement, about=about, said=said
        )

    def open(self, host: Host) -> SQLSession:
        self.require_driver()
        over = time.monotonic() + host.deadline
        if address := self.address():
            probe.reach(*address, title=self.title, deadline=host.deadline)
        # What is left of the time, but enough for a driver to say what is wrong.
        connection = self.dial(max(over - time.monotonic(), 0.1), stop=host.stop)
        return self.session_type(self, connection, host.deadline)

    def dial(self, deadline: float, *, stop: threading.Event | None = None, autocommit: bool = True) -> Any:
        """A driver's connection within the deadline, whatever the driver makes of it; failures in our words."""
        def connect() -> Any:
            return self.connect(deadline, autocommit=autocommit)

        try:
            return probe.within(deadline, connect, stop=stop, late=lambda connection: connection.close())
        except SiegeError as error:
            failure = error.with_traceback(None)
        except Exception as error:  # whatever a driver throws; its frames hold the password and stay behind
            failure = self.translate(error)
        raise failure
