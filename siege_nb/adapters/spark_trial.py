"""A Spark started to be looked at, in a process of its own that ends with the look."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from siege_nb.adapters import probe
from siege_nb.errors import ConnectError, MissingDriverError
from siege_nb.masking import mask
from siege_nb.query.session import Column, Schema, Table

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# What is told goes through a pipe: a command line and an environment can be read by others.
_CHILD = "from siege_nb.adapters import spark_trial; spark_trial.answer()"


@dataclass(frozen=True, slots=True)
class Trial:
    """What a Spark said of itself before it was stopped again."""

    version: str
    master: str
    databases: tuple[str, ...]

    def facts(self) -> dict[str, str]:
        """Which Spark it was."""
        return {"spark_version": self.version, "master": self.master}

    def schemas(self) -> list[Schema]:
        return [Schema(name) for name in self.databases]

    def tables(self, schema: str) -> list[Table]:
        return []

    def columns(self, schema: str, table: str) -> list[Column]:
        return []

    def ping(self) -> None:
        raise ConnectError("The session is closed.", problem="lost")

    def close(self) -> None:
        """It is over already."""


def run(told: Mapping[str, Any], seconds: float, stop: threading.Event) -> Trial:
    """What a Spark that is started as told says of itself; a ConnectError with its words, or TimeoutError."""
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,  # Spark's log
        text=True,
        start_new_session=True,
    )
    try:
        said, logged = probe.within(seconds, lambda: child.communicate(json.dumps(told)), stop=stop)
    finally:
        _end(child)
    answer: dict[str, Any] = json.loads(said.splitlines()[-1]) if said.strip() else {}
    if "version" not in answer:
        # Where Java itself did not start, the reason stands in the log only.
        reasons = re.findall(r"(?:Exception|Error): (.+)", logged)
        text = answer.get("error") or "it ended without a word."
        text = reasons[0] if reasons and ("JAVA_GATEWAY" in text or not answer) else text
        raise ConnectError(mask(f"Apache Spark did not start: {text}"), problem="unknown", fields=("master_url",))
    return Trial(answer["version"], answer["master"], tuple(answer["databases"]))


def answer() -> None:
    """The child: start a Spark as standard input says, and print what it says of itself as one line of JSON."""
    told = json.load(sys.stdin)
    for name, value in (("SPARK_HOME", told["spark_home"]), ("HADOOP_CONF_DIR", told["hadoop_conf_dir"])):
        if value:
            os.environ[name] = value
    try:
        # One core is enough to be looked at, where a cluster would give all it has.
        quiet = {"spark.ui.enabled": "false", "spark.cores.max": "1"}
        spark = connected(told["remote"]) if told["remote"] else started(told["options"] | quiet)
        databases = [row["namespace"] for row in spark.sql("SHOW DATABASES").collect()]
        said = {"version": spark.version, "master": spark.conf.get("spark.master"), "databases": databases}
        if told["remote"]:
            spark.stop()  # else the server keeps the session for an hour
    except Exception as error:  # whatever it is, the parent tells it
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        causes = [line.removeprefix(": ") for line in lines if "Exception: " in line]
        said = {"error": (causes or lines or [type(error).__name__])[0]}
    sys.stdout.write(f"\n{json.dumps(said)}\n")
    sys.stdout.flush()
    os._exit(0)  # no farewell to a server that may be gone: the parent ends what is left


def started(options: Mapping[str, str]) -> SparkSession:
    """This process's Spark, started with these options; one that runs is not to be here."""
    os.environ.pop("SPARK_REMOTE", None)  # would make it a client of another's
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pyspark's about the versions of others
        from pyspark.sql import SparkSession

        return SparkSession.builder.config(map=dict(options)).getOrCreate()


def connected(remote: str) -> SparkSession:
    """A session of a Spark Connect server, whether or not a Spark runs here too."""
    session: Any = connect_module().SparkSession.builder.remote(remote).create()
    from pyspark.sql.connect.client.retries import DefaultPolicy

    # Four tries are some five seconds; its own fifteen are ten minutes, and an interpreter that cannot exit.
    session.client.set_retry_policies([DefaultPolicy(max_retries=4)])
    made: SparkSession = session
    return made


def connect_module() -> Any:
    """PySpark's client for Spark Connect."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pyspark.sql.connect import session
    except ImportError as error:
        said = str(error).splitlines()[0]
    else:
        return session
    raise MissingDriverError(
        f"The client for Spark Connect cannot be imported: {said}.", install="%pip install 'siege-nb[spark]'"
    )


def _end(child: subprocess.Popen[str]) -> None:
    """End the child and the Java it started."""
    try:
        if hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL)
        else:  # Windows: Java goes when its standard input does
            child.kill()
    except ProcessLookupError:
        pass
    child.wait()
