"""Any database, by one connection string: as the kind that it means, or else through SQLAlchemy's dialect."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from siege_nb import adapters
from siege_nb.adapters import urls
from siege_nb.adapters.base import Adapter, Host, Step, TestResult
from siege_nb.adapters.dialect import DatabaseParams, DialectAdapter
from siege_nb.declare import structure
from siege_nb.errors import ConnectError, SiegeError
from siege_nb.query.session import Session

log = logging.getLogger(__name__)


class DatabaseAdapter(Adapter[DatabaseParams]):
    """What the connection string means is known when it is opened; until then it is sealed."""

    kind, title = "database", "Database"
    drivers = ("sqlalchemy",)
    params_type = DatabaseParams

    def open(self, host: Host) -> Session:
        there, leftover = self._meant()
        if leftover:
            log.warning("not acted on in a connection string: %s", ", ".join(leftover))
        try:
            return there.open(host)
        except SiegeError as error:
            failure = self.own(error.with_traceback(None))
        raise failure

    def test(self, host: Host, tell: Callable[[Step], None] = lambda step: None) -> TestResult:
        """The steps of the kind that is meant; before them what of the string nobody acts on."""
        try:
            there, leftover = self._meant()
        except SiegeError as error:
            step = Step("config", "fail", problem="config", detail=error.message)
            tell(step)
            return TestResult(False, (step,), error)
        ignored = tuple(Step("config", "warn", detail=f"Not acted on: {name}.") for name in leftover)
        for step in ignored:
            tell(step)
        result = there.test(host, tell)
        return replace(result, steps=ignored + result.steps, error=result.error and self.own(result.error))

    def own(self, error: SiegeError) -> SiegeError:
        if isinstance(error, ConnectError) and error.fields:
            error.fields = (urls.WHOLE,)  # whatever is wrong with it, it stands in there
        return error

    def _meant(self) -> tuple[Adapter[Any], tuple[str, ...]]:
        """The adapter of the kind that the string means, and the names of what it has no field for."""
        pasted = urls.from_url(self.params.connection_string.reveal())
        if pasted.kind == self.kind:
            return DialectAdapter(self.params), ()
        loaded = adapters.load(pasted.kind)
        params = structure(loaded.params_type, pasted.document(), what="The connection string")
        return loaded(params), pasted.leftover
