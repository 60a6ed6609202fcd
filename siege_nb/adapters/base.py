"""What a kind of connection is: its parameters, and how to open, test and explain them."""

from __future__ import annotations

import importlib
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar

from siege_nb.adapters import failures, probe
from siege_nb.adapters.failures import Rule
from siege_nb.declare import Part, Secret
from siege_nb.errors import ConnectError, MissingDriverError, SiegeError
from siege_nb.query.session import Browsable, Session
from siege_nb.show import Shown, listing


class Params(Part):
    """The parameters of one kind. A subclass is the whole declaration."""


P = TypeVar("P", bound=Params)


class Host(Protocol):
    """What an adapter may ask of those who open it; it needs nothing else from above."""

    @property
    def deadline(self) -> float:
        """Seconds that opening may take."""

    @property
    def stop(self) -> threading.Event:
        """Set when the user wants no more of it."""

    def resolve(self, reference: str) -> Secret:
        """The secret behind a reference."""


StepStatus = Literal["ok", "warn", "fail", "skip"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a connection test."""

    name: str
    status: StepStatus
    milliseconds: float = 0.0
    problem: str = ""
    detail: str = ""


@dataclass(frozen=True, repr=False)
class TestResult:
    """How a connection test went, step by step."""

    __test__ = False  # pytest would collect it by its name

    ok: bool
    steps: tuple[Step, ...]
    error: SiegeError | None = None
    server: dict[str, str] = field(default_factory=dict)

    @property
    def response_time_ms(self) -> float:
        """Milliseconds in all."""
        return round(sum(step.milliseconds for step in self.steps), 2)

    @property
    def problem(self) -> str:
        """What is in the way, in a word; nothing where all is well or no word fits."""
        return self.error.problem if isinstance(self.error, ConnectError) else ""

    def shown(self) -> Shown:
        """The steps as a table, and what to mend."""
        rows = [(step.name, step.status, f"{step.milliseconds:.1f}", step.detail) for step in self.steps]
        verdict = "ok" if self.ok else "failed" + (f" · {self.error.hint}" if self.error and self.error.hint else "")
        server = " · ".join(self.server.values())
        summary = " · ".join(part for part in (verdict, server, f"{self.response_time_ms:.0f} ms") if part)
        return listing(("step", "status", "ms", "detail"), rows, summary)

    def __repr__(self) -> str:
        return repr(self.shown())

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return self.shown()._repr_mimebundle_()


class Doubt(Exception):
    """A step of a test went well enough to go on, but there is something to say."""


class Adapter(ABC, Generic[P]):
    """One kind of connection. Drivers are imported inside methods only: listing kinds must cost nothing."""

    kind: ClassVar[str]
    title: ClassVar[str]
    #: Other names under which profiles may know this kind.
    aliases: ClassVar[tuple[str, ...]] = ()
    #: The extra that installs the driver: pip install 'siege-nb[extra]'.
    extra: ClassVar[str] = ""
    #: The modules that must import for this kind to work.
    drivers: ClassVar[tuple[str, ...]] = ()
    params_type: ClassVar[type[Params]]
    #: What this driver's errors mean; see failures.
    rules: ClassVar[tuple[Rule, ...]] = ()
    #: Addresses that begin so mean this kind, as those do that begin with its name or an alias; see urls.
    schemes: ClassVar[tuple[str, ...]] = ()
    #: Which field takes a part of an address that goes by another name: {"url": "master_url"}; see urls.
    url_fields: ClassVar[Mapping[str, str]] = {}
    #: Its client library made up `host=… dbname=…`; nobody else writes addresses so.
    keywords: ClassVar[bool] = False
    #: Which field of ours an error means by a usual name: {"host": "url"}.
    field_names: ClassVar[Mapping[str, str]] = {}
    #: Seconds that opening may take whatever the settings say: some kinds start slowly.
    patience: ClassVar[float] = 0.0

    def __init__(self, params: P) -> None:
        self.params = params

    @abstractmethod
    def open(self, host: Host) -> Session:
        """A live session, within the host's deadline; every failure is a SiegeError of ours."""

    def address(self) -> tuple[str, int] | None:
        """Host and port to knock at before the driver does; None for kinds without one."""
        return None

    def ready(self) -> None:
        """All that these parameters need on this machine is here, or a MissingDriverError."""
        self.require_driver()

    def trial(self, host: Host) -> Session:
        """The session that a test looks through; a kind whose session is shared gives one apart."""
        return self.open(host)

    def look(self, session: Browsable) -> None:
        """A test's glance at what there is; a Doubt where that is not as the parameters say."""
        session.schemas()

    def identify(self, session: Session) -> dict[str, str]:
        """Who the server is and whom it takes us for; asked once a session stands."""
        return {}

    @classmethod
    def require_driver(cls) -> None:
        """Raise MissingDriverError, with the exact command, unless the driver imports."""
        for module in cls.drivers:
            try:
                importlib.import_module(module)
            except Exception as error:  # a driver may fail to import in any way; all of them mean: not usable here
                install = f"%pip install 'siege-nb[{cls.extra}]'" if cls.extra else f"%pip install {module}"
                reason = "" if isinstance(error, ModuleNotFoundError) else f" ({error})"
                raise MissingDriverError(
                    f"The driver of {cls.title} cannot be imported: {module}{reason}.", install=install
                ) from None

    @classmethod
    def missing_driver(cls) -> str:
        """How to install the driver, or nothing when it is here."""
        try:
            cls.require_driver()
        except MissingDriverError as error:
            return error.install
        return ""

    def translate(self, error: Exception) -> SiegeError:
        """A foreign error in our words, masked, naming the fields to mend."""
        return failures.translate(error, self.title, self.rules, self.address())

    def own(self, error: SiegeError) -> SiegeError:
        """The error, with the fields it is about by the names they have here."""
        if isinstance(error, ConnectError):
            error.fields = tuple(dict.fromkeys(self.field_names.get(field, field) for field in error.fields))
        return error

    def test(self, host: Host, tell: Callable[[Step], None] = lambda step: None) -> TestResult:
        """driver → dns → tcp → auth → identity → browse; the first failure ends it. Each step is told as it ends."""
        steps: list[Step] = []
        server: dict[str, str] = {}
        session: Session | None = None

        def walk() -> Iterator[tuple[str, Callable[[], Any]]]:
            nonlocal session
            yield "driver", self.ready
            if address := self.address():
                yield from probe.steps(*address, title=self.title, deadline=host.deadline)

            def sign_in() -> str:
                nonlocal session
                session = self.trial(host)
                return f"Starts slowly: may take {self.patience:g} s." if self.patience > host.deadline else ""

            yield "auth", sign_in
            if session is not None:
                yield "identity", lambda: server.update(self.identify(session))
            if isinstance(session, Browsable):
                browsable = session
                yield "browse", lambda: self.look(browsable)

        try:
            for name, step in walk():
                began = time.perf_counter()
                status: StepStatus = "ok"
                try:
                    said = step() or ""
                except Doubt as doubt:
                    status, said = "warn", str(doubt)
                except Exception as error:  # whatever a driver throws is a failed step, never a crash
                    ours = self.own(error if isinstance(error, SiegeError) else self.translate(error))
                    problem = ours.problem if isinstance(ours, ConnectError) else ""
                    steps.append(Step(name, "fail", _since(began), problem, ours.message))
                    tell(steps[-1])
                    return TestResult(False, tuple(steps), ours, server)
                steps.append(Step(name, status, _since(began), detail=said))
                tell(steps[-1])
            return TestResult(True, tuple(steps), None, server)
        finally:
            if session is not None:
                session.close()


def _since(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 2)
