"""A private Spark: a standalone cluster, or a Connect server."""

import json
import os
import shlex
import socket
import sys
import urllib.request
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.servers.ports import free_port
from tests.servers.process import Server

#: A JVM that starts fast and never runs long enough to miss its optimizer.
JAVA = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"


def spark_home() -> Path:
    """The Spark that comes with pyspark."""
    spec = find_spec("pyspark")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


class _Spark(Server):
    program, package, accounts = "java", "openjdk-17-jre-headless", ("root",)
    memory = "256m"

    def __init__(self, *options: str) -> None:
        super().__init__(*options)
        self.account = None  # it runs from where we are installed, where nobody else may look

    def prepare(self) -> None:
        pass

    def script(self, *commands: str) -> list[str]:
        """A shell that runs the commands side by side, and takes them along when it goes."""
        known = {
            "SPARK_HOME": str(spark_home()), "SPARK_LOCAL_IP": self.host, "SPARK_NO_DAEMONIZE": "1",
            "SPARK_DAEMON_MEMORY": self.memory, "SPARK_DAEMON_JAVA_OPTS": JAVA, "PYSPARK_PYTHON": sys.executable,
            "PATH": os.environ["PATH"],
        }  # fmt: skip
        exports = " ".join(f"{name}={shlex.quote(value)}" for name, value in known.items())
        started = " ".join(f"{spark_home()}/bin/spark-class {command} &" for command in commands)
        return ["bash", "-c", f"export {exports}; trap 'trap - TERM; kill 0' TERM; {started} wait"]

    def database_for(self, name: str) -> Any:
        raise NotImplementedError


class SparkCluster(_Spark):
    """A master with one worker."""

    def __init__(self, *options: str) -> None:
        super().__init__(*options)
        self.ui = free_port()

    @property
    def url(self) -> str:
        return f"spark://{self.host}:{self.port}"

    def command(self) -> list[str]:
        deploy = "org.apache.spark.deploy"
        return self.script(
            f"{deploy}.master.Master --host {self.host} --port {self.port} --webui-port {self.ui}",
            f"{deploy}.worker.Worker --host {self.host} --cores 2 --memory 1g --work-dir {self.base}/work"
            f" --webui-port 0 {self.url}",
        )

    def status(self) -> dict[str, Any]:
        """What the master knows: workers, applications that run, and those that have."""
        with urllib.request.urlopen(f"http://{self.host}:{self.ui}/json/", timeout=10) as reply:
            found: dict[str, Any] = json.load(reply)
            return found

    def answers(self) -> bool:
        try:
            return bool(self.status()["aliveworkers"])
        except (OSError, ValueError):  # its page comes up before what is on it
            return False


class SparkConnect(_Spark):
    """A Spark Connect server over a local Spark."""

    memory = "700m"

    @property
    def url(self) -> str:
        return f"sc://{self.host}:{self.port}"

    def command(self) -> list[str]:
        conf = {
            "spark.ui.enabled": "false", "spark.driver.host": self.host, "spark.driver.bindAddress": self.host,
            "spark.connect.grpc.binding.address": self.host, "spark.connect.grpc.binding.port": str(self.port),
            "spark.sql.warehouse.dir": f"{self.base}/warehouse",
        }  # fmt: skip
        words = " ".join(f"--conf {name}={value}" for name, value in conf.items())
        return self.script(
            "org.apache.spark.deploy.SparkSubmit --class org.apache.spark.sql.connect.service.SparkConnectServer"
            f" --master 'local[2]' --driver-java-options '{JAVA}' {words} spark-internal"
        )

    def answers(self) -> bool:
        try:
            socket.create_connection((self.host, self.port), timeout=5).close()
        except OSError:
            return False
        return True
