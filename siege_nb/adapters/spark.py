"""Apache Spark: a local one, a cluster's, or a Spark Connect server's."""

from __future__ import annotations

import logging
import os
import re
import shutil
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pydantic import field_validator, model_validator

from siege_nb.adapters import failures, probe, spark_trial, urls
from siege_nb.adapters.base import Adapter, Host, Params
from siege_nb.adapters.failures import Rule, Said
from siege_nb.adapters.spark_session import SparkSQLSession
from siege_nb.declare import Secret, ui
from siege_nb.errors import ConnectError, MissingDriverError, SiegeError
from siege_nb.query.session import Session

if TYPE_CHECKING:
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    #: A session, and the Spark it lives in if that is one we started.
    Opened = tuple[SparkSession, SparkContext | None]

log = logging.getLogger(__name__)

_PORTS = {"spark": 7077, "sc": 15002}


class SparkParams(Params):
    """A Spark session."""

    master_url: str = ui("local[*]", title="Master", placeholder="spark://host:7077", endpoint=True, min_length=1)
    """local[*] for this machine, spark://host:7077 for a cluster, sc://host:15002 for Spark Connect, or yarn."""
    app_name: str = ui("SiegeAnalytics", title="Application name")
    token: Secret | None = ui(None, title="Token", group="auth")
    """For Spark Connect only; it is sent over TLS only."""
    use_ssl: bool = ui(False, title="Encrypt", group="tls", endpoint=True)
    """For Spark Connect only."""
    driver_memory: str = ui("2g", title="Driver's memory", advanced=True)
    executor_memory: str = ui("2g", title="Memory of an executor", advanced=True)
    spark_home: str = ui("", title="Spark's folder", placeholder="/opt/spark", advanced=True)
    """Empty: the Spark that comes with pyspark."""
    hadoop_conf_dir: str = ui("", title="Hadoop's configuration", placeholder="/etc/hadoop/conf", advanced=True)

    @model_validator(mode="before")
    @classmethod
    def _move_token(cls, data: Any) -> Any:
        # Before anything is looked at: an address may be shown and is written as it is, and this one may hold a token.
        master = data.get("master_url") if isinstance(data, Mapping) else None
        if not (isinstance(master, str) and master.startswith("sc://")):
            return data
        address, _, behind = master.partition(";")
        told = urls.pairs(behind)
        if not told.keys() <= {"token", "use_ssl"}:
            return data  # no master, as _plain will say
        return {**data, "master_url": address} | {name: told[name] for name in told if data.get(name) in (None, "")}

    @field_validator("master_url")
    @classmethod
    def _plain(cls, master: str) -> str:
        if not re.fullmatch(r"[a-z0-9-]+(?:://[^\s;?@]+|\[[\d*, ]+\])?", master):
            raise ValueError("should be a master such as local[*], spark://host:7077 or sc://host:15002")
        return master

    @property
    def is_connect(self) -> bool:
        """It is a Spark Connect server: nothing of Spark's runs here."""
        return self.master_url.startswith("sc://")


class SparkAdapter(Adapter[SparkParams]):
    """Spark SQL. A process has one Spark: sessions share it, and each has its own settings and temporary views."""

    kind, title, extra = "spark", "Apache Spark", "spark"
    drivers = ("pyspark",)
    params_type = SparkParams
    schemes = ("sc", "local", "yarn", "k8s")
    url_fields = {"url": "master_url"}
    field_names = {"host": "master_url", "port": "master_url", "username": "token", "password": "token"}
    patience = 60.0
    rules = (
        Rule("42601", "syntax"), Rule("42P01", "not_found"), Rule("42703", "not_found"), Rule("42704", "not_found"),
        Rule("42883", "not_found"), Rule("42501", "permission"), Rule("28000", "auth", ("token",)),
        Rule("XXKDA", "cancelled"), Rule("HY008", "cancelled"),
        Rule("21", "usage"), Rule("22", "usage"), Rule("42", "usage"), Rule("0A", "usage"), Rule("23", "constraint"),
        Rule(re.compile("cancelled part of cancelled job group|OPERATION_CANCELED"), "cancelled"),
        Rule(re.compile("UNAUTHENTICATED"), "auth", ("token",)),
        Rule(re.compile("UNAVAILABLE|failed to connect"), "refused"),
        Rule("ParseException", "syntax"), Rule("AnalysisException", "usage"),
        Rule("PySparkTypeError", "usage"), Rule("PySparkValueError", "usage"),
    )  # fmt: skip

    def address(self) -> tuple[str, int] | None:
        # Several masters are for the driver: it asks one after the other.
        found = re.fullmatch(r"(spark|sc)://(\[[^\]]+\]|[^:/,]+)(?::(\d+))?/?", self.params.master_url)
        return (found[2].strip("[]"), int(found[3] or _PORTS[found[1]])) if found else None

    def ready(self) -> None:
        self.require_driver()
        if self.params.is_connect:
            spark_trial.connect_module()
        elif not (os.environ.get("JAVA_HOME") or shutil.which("java")):
            raise MissingDriverError(
                "Spark needs Java 17 or newer, and there is no `java` here.",
                install="apt-get install -y openjdk-17-jre-headless, or set JAVA_HOME",
            )

    def open(self, host: Host) -> SparkSQLSession:
        self.ready()
        params, over = self.params, time.monotonic() + max(host.deadline, self.patience)
        try:
            if address := self.address():
                probe.reach(*address, title=self.title, deadline=host.deadline)
            left = over - time.monotonic()
            make = self._connect if params.is_connect else self._share
            opened = probe.within(left, make, stop=host.stop, late=_let_go)
            return SparkSQLSession(
                opened[0],
                is_remote=params.is_connect,
                explain=lambda error: self.translate(error, statement=True),
                leave=lambda: _let_go(opened),
            )
        except SiegeError as error:
            failure = self.own(error.with_traceback(None))
        except Exception as error:  # whatever Spark throws; its frames may hold the token
            failure = self._unopened(error)
        raise failure

    def trial(self, host: Host) -> Session:
        """A Spark in a process of its own: to start one here, or to stop it, would be to meddle with the user's."""
        try:
            return spark_trial.run(self._told(), max(host.deadline, self.patience), host.stop)
        except Exception as error:  # of the other process, or that it took too long
            failure = self._unopened(error)
        raise failure

    def options(self) -> dict[str, str]:
        """What a Spark is started with."""
        params = self.params
        if params.is_connect:
            return {}
        return {
            "spark.master": params.master_url,
            "spark.app.name": params.app_name,
            "spark.driver.memory": params.driver_memory,
            "spark.executor.memory": params.executor_memory,
        }

    def identify(self, session: Session) -> dict[str, str]:
        assert isinstance(session, SparkSQLSession | spark_trial.Trial)
        return session.facts()

    def translate(self, error: Exception, *, statement: bool = False) -> SiegeError:
        said = Said(_first_lines(error))
        coded = _Coded(error) if hasattr(error, "getSqlState") else error
        return failures.translate(coded, self.title, self.rules, self.address(), statement=statement, said=said)

    def _unopened(self, error: Exception) -> SiegeError:
        ours = error.with_traceback(None) if isinstance(error, SiegeError) else self.translate(error)
        if isinstance(ours, ConnectError) and not ours.fields:
            ours.fields = ("master_url",)
        return self.own(ours)

    def _told(self) -> dict[str, Any]:
        """What the other process needs to know."""
        params = self.params
        return {
            "options": self.options(),
            "remote": self._remote() if params.is_connect else "",
            "spark_home": params.spark_home,
            "hadoop_conf_dir": params.hadoop_conf_dir,
        }

    def _remote(self) -> str:
        """The Connect server's address with all that the client is told."""
        params = self.params
        words = {"use_ssl": "true"} if params.use_ssl else {}
        if params.token:
            words["token"] = quote(params.token.reveal(), safe="")
        return "/;".join([params.master_url.rstrip("/"), ";".join(f"{name}={value}" for name, value in words.items())])

    def _connect(self) -> Opened:
        return spark_trial.connected(self._remote()), None

    def _share(self) -> Opened:
        """A session of this process's Spark, which is started when there is none."""
        from pyspark import SparkContext
        from pyspark.sql import SparkSession

        with _starting:
            there = SparkContext._active_spark_context
            if there is not None and there._jsc is not None:
                _agree(there.master or "", self.params.master_url)
                return SparkSession(there).newSession(), _join(there)
            if self.params.spark_home:
                os.environ["SPARK_HOME"] = self.params.spark_home
            if self.params.hadoop_conf_dir:
                os.environ["HADOOP_CONF_DIR"] = self.params.hadoop_conf_dir
            session = spark_trial.started(self.options())
            _ours[session.sparkContext] = 0
            return session.newSession(), _join(session.sparkContext)


#: What we started in this process, and how many sessions of ours live in it. Whoever changes it holds _starting.
_ours: dict[SparkContext, int] = {}
_starting = threading.Lock()


def _join(context: SparkContext) -> SparkContext | None:
    """One session more in a Spark that we started; None if it is somebody else's."""
    if context not in _ours:
        return None
    _ours[context] += 1
    return context


def _leave(context: SparkContext) -> None:
    _ours[context] -= 1
    if not _ours[context]:
        del _ours[context]
        context.stop()


def _agree(running: str, wanted: str) -> None:
    """Refuse to run on another cluster than the one that was asked for."""
    if running != wanted and not (running.startswith("local") and wanted.startswith("local")):
        raise ConnectError(
            f"This process has a Spark on {running} already, and a process has one only.",
            problem="busy",
            fields=("master_url",),
            hint="Stop it (SparkSession.stop()), restart the kernel, or use Spark Connect.",
        )


def _let_go(opened: Opened) -> None:
    session, context = opened
    try:
        if type(session).__module__.startswith("pyspark.sql.connect"):
            session.stop()  # this client's session alone
        elif context is not None:
            with _starting:
                _leave(context)
    except Exception as error:  # it is gone already, which is what was wanted
        log.debug("closing a Spark session: %s", type(error).__name__)


class _Coded(Exception):
    """An error of Spark's whose SQLSTATE stands where `failures` looks for one."""

    def __init__(self, error: Any) -> None:
        super().__init__(str(error))
        self.sqlstate = error.getSqlState() or ""


def _first_lines(error: Exception) -> str:
    """Spark's own sentence, without the query it draws and the stack it adds."""
    text = str(error).strip() or type(error).__name__
    if found := re.search(r"(?:SparkException|Exception): (.*)", text) if "Py4J" in type(error).__name__ else None:
        return found[1]
    return re.split(r"\n\n?== SQL|;?\s+line \d+,? pos|\s*\(line \d+, pos|;\n|\n\s*at ", text)[0].strip()
