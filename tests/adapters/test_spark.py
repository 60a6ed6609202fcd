"""The kind `spark`: a local Spark here; a standalone cluster and a Connect server in the fault tier."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from siege_nb.adapters import spark_trial
from siege_nb.adapters.spark import SparkAdapter, SparkParams
from siege_nb.adapters.spark_session import SparkSQLSession
from siege_nb.declare import Secret, structure
from siege_nb.errors import (
    ConnectError,
    ConnectTimeoutError,
    InvalidError,
    MissingDriverError,
    QueryError,
    QueryTimeoutError,
)
from siege_nb.query.ask import ask
from siege_nb.query.run import Worker
from siege_nb.testing import AdapterContract, BareHost
from tests.servers import SilentServer, closed_port
from tests.servers.spark import JAVA, SparkCluster, SparkConnect

LONG = "SELECT count(*) FROM range(100000000000) WHERE id % 7 = hash(id)"


def adapter(**given: Any) -> SparkAdapter:
    small = {"master_url": "local[1]", "driver_memory": "600m", "executor_memory": "600m"}
    return SparkAdapter(structure(SparkParams, small | given))


def rows(session: Any, sql: str, **values: Any) -> list[dict[str, Any]]:
    table = ask(session, sql, values)[0][-1].table
    assert table is not None
    return table.to_pylist()


def test_spark_is_given_a_minute() -> None:
    assert SparkAdapter.patience == 60


@pytest.fixture(scope="module")
def _java(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A Java that starts fast, in a folder of its own; it goes with the last test of this module."""
    if lack := SparkCluster.missing():
        if os.environ.get("CI") == "true":
            pytest.fail(lack, pytrace=False)
        pytest.skip(lack)
    before = Path.cwd()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JDK_JAVA_OPTIONS", JAVA)
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.delenv("SPARK_REMOTE", raising=False)
        patch.setattr(SparkAdapter, "patience", 200.0)  # two cores, and other suites on them
        os.chdir(tmp_path_factory.mktemp("spark"))  # where Spark puts its warehouse
        yield
        os.chdir(before)
    from pyspark import SparkContext

    assert SparkContext._active_spark_context is None, "a Spark was left running"
    gateway, SparkContext._gateway, SparkContext._jvm = SparkContext._gateway, None, None
    if gateway is not None:
        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait(30)


@pytest.fixture
def users(_java: None) -> Iterator[Any]:
    """A Spark that the user started in this process."""
    session = spark_trial.started({"spark.master": "local[1]", "spark.ui.enabled": "false",
                                   "spark.driver.memory": "600m"})  # fmt: skip
    yield session
    assert session.sparkContext._jsc is not None, "the user's Spark was stopped"
    session.stop()


# --- what is the user's stays the user's


@pytest.mark.fault  # a second Java
def test_a_test_runs_apart_and_leaves_the_users_session_alone(users: Any) -> None:
    users.sql("CREATE TEMPORARY VIEW mine AS SELECT 7 AS seven")
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    result = adapter(master_url="local[2]").test(BareHost())
    assert result.ok, result
    assert [step.name for step in result.steps] == ["driver", "auth", "identity", "browse"]
    assert "may take 200 s" in result.steps[1].detail
    assert result.server == {"spark_version": users.version, "master": "local[2]"}
    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before
    assert users.sql("SELECT seven FROM mine").collect()[0][0] == 7
    assert users.sparkContext.master == "local[1]"


def test_a_session_shares_the_users_spark_but_not_its_views_and_never_stops_it(users: Any) -> None:
    users.sql("CREATE TEMPORARY VIEW mine AS SELECT 7 AS seven")
    first, second = adapter(master_url="local[2]").open(BareHost()), adapter().open(BareHost())
    ask(first, "CREATE TEMPORARY VIEW theirs AS SELECT 1 AS one", {})
    assert rows(first, "SELECT one FROM theirs") == [{"one": 1}]
    for other, name in ((first, "mine"), (second, "theirs"), (second, "mine")):
        with pytest.raises(QueryError) as caught:
            ask(other, f"SELECT * FROM {name}", {})
        assert caught.value.kind == "not_found"
    first.close()
    assert rows(second, "SELECT 1 AS one") == [{"one": 1}]
    second.close()
    assert users.sql("SELECT 2").collect()[0][0] == 2


def test_another_cluster_than_the_one_that_runs_here_is_refused(users: Any) -> None:
    with pytest.raises(ConnectError) as caught:
        adapter(master_url="yarn").open(BareHost())
    assert (caught.value.problem, caught.value.fields) == ("busy", ("master_url",))
    assert "local[1]" in caught.value.message
    assert caught.value.__context__ is None


@pytest.mark.usefixtures("_java")
def test_what_we_started_stops_with_its_last_session() -> None:
    from pyspark import SparkContext

    first, second = adapter().open(BareHost()), adapter().open(BareHost())
    context = SparkContext._active_spark_context
    first.close()
    first.close()
    assert SparkContext._active_spark_context is context
    assert rows(second, "SELECT 1 AS one") == [{"one": 1}]
    second.close()
    assert SparkContext._active_spark_context is None
    with pytest.raises(ConnectError, match="closed"):
        second.ping()


# --- the contract, on one Spark


@pytest.fixture(scope="class")
def _ours(_java: None) -> Iterator[SparkSQLSession]:
    """A session that keeps the Spark alive from test to test."""
    session = adapter().open(BareHost())
    yield session
    session.close()


@pytest.mark.usefixtures("_ours")
class TestSpark(AdapterContract):
    kind, long_query = "spark", LONG
    test_a_connection_test_passes_step_by_step = None  # above: each takes a Java of its own

    def params(self) -> dict[str, Any]:
        return {"master_url": "local[1]"}

    def test_rows_changed_are_counted(self) -> None:
        """Spark does not count them: None, and no guess."""
        with self.session() as session:
            self.ask(session, self.drop_table)
            self.ask(session, self.create_table)
            try:
                assert self.ask(session, "INSERT INTO siege_contract VALUES (1, 'a'), (2, 'b')") is None
                assert self.ask(session, "SELECT count(*) AS n FROM siege_contract") == [{"n": 2}]
            finally:
                self.ask(session, self.drop_table)

    def test_a_transaction_of_the_users_is_kept_and_rolled_back(self) -> None:
        """Spark has none, and says so."""
        with self.session() as session:
            assert self.failure(session, "START TRANSACTION").kind == "syntax"
            assert not session.in_transaction

    def test_columns_of_one_name_are_all_kept(self) -> None:
        with self.session() as session:
            assert self.ask(session, "SELECT 1 AS a, 2 AS a") == [{"a": 1, "a_1": 2}]

    def test_a_list_opens_up_after_in_and_errors_point_past_it(self) -> None:
        with self.session() as session:
            assert self.ask(session, "SELECT 1 AS x WHERE 2 IN (:xs)", {"xs": [1, 2]}) == [{"x": 1}]
            assert self.ask(session, "SELECT 1 AS x WHERE 2 IN (:xs)", {"xs": []}) == []
            assert self.ask(session, "SELECT 1 AS x WHERE 2 NOT IN (:xs)", {"xs": []}) == [{"x": 1}]
            with pytest.raises(QueryError) as caught:
                self.ask(session, "SELECT 1 IN (:xs),\n nope", {"xs": [1, 2, 3]})
            assert (caught.value.kind, caught.value.line, caught.value.column) == ("not_found", 2, 2)

    def test_what_goes_wrong_while_it_runs_is_told_in_a_sentence(self) -> None:
        with self.session() as session:
            error = self.failure(session, "SELECT 1 / (id - 5) FROM range(10)")
            assert error.kind == "usage"
            assert error.message.startswith("[DIVIDE_BY_ZERO]")
            assert "\n" not in error.message

    def test_a_view_is_told_from_a_table(self) -> None:
        with self.session() as session:
            self.ask(session, "CREATE OR REPLACE VIEW siege_view AS SELECT 1 AS one")
            try:
                assert [(t.name, t.kind) for t in session.tables("default")] == [("siege_view", "view")]
            finally:
                self.ask(session, "DROP VIEW siege_view")


# --- what is missing or wrong


def test_a_cluster_that_is_not_there_names_the_master() -> None:
    for scheme in ("spark", "sc"):
        away = adapter(master_url=f"{scheme}://127.0.0.1:{closed_port()}")
        result = away.test(BareHost())
        assert [(step.name, step.status) for step in result.steps] == [("driver", "ok"), ("dns", "ok"), ("tcp", "fail")]
        with pytest.raises(ConnectError) as caught:
            away.open(BareHost())
        assert isinstance(result.error, ConnectError)
        for error in (result.error, caught.value):
            assert (error.problem, error.fields) == ("refused", ("master_url",))


@pytest.mark.parametrize(("master", "address"), [
    ("local[*]", None), ("yarn", None), ("spark://h", ("h", 7077)), ("spark://h:1", ("h", 1)), ("sc://h", ("h", 15002)),
    ("sc://h:1/", ("h", 1)), ("spark://a:1,b:2", None), ("k8s://https://h:6443", None),
])  # fmt: skip
def test_who_is_knocked_at_before_spark_does(master: str, address: Any) -> None:
    assert adapter(master_url=master).address() == address


def test_no_error_shows_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SparkAdapter, "patience", 0.0)
    with SilentServer() as server:
        away = adapter(master_url=f"sc://{server.host}:{server.port}", token="c4nary;/+t0ken")
        with pytest.raises(ConnectTimeoutError) as caught:
            away.trial(BareHost(deadline=0.5))
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    shown = str(caught.value) + "".join(str(frame.locals) for frame in told.stack if "/siege_nb/" in frame.filename)
    assert "siege_nb" in "".join(told.format())
    assert "c4nary" not in shown
    assert caught.value.fields == ("master_url",)


def test_the_token_goes_to_a_connect_server_only() -> None:
    assert adapter(master_url="sc://h:1/", token="a;b", use_ssl=True)._remote() == "sc://h:1/;use_ssl=true;token=a%3Bb"
    assert adapter(master_url="sc://h:1")._remote() == "sc://h:1/;"
    told = adapter(master_url="spark://h", token="c4nary-t0ken")._told()
    assert "c4nary" not in str(told)
    assert told["options"]["spark.master"] == "spark://h"


@pytest.mark.parametrize("master", [
    "", "spark://h/;token=s3cr3t", "sc://h/;token=s3cr3t;user_id=me", "sc://h/;s3cr3t", "sc://h?token=s3cr3t",
    "spark://me:s3cr3t@h", "sc://me:s3cr3t@h/;token=x", "local[*] --conf x", "a b",
])  # fmt: skip
def test_a_master_that_is_none_is_refused_and_not_quoted(master: str) -> None:
    with pytest.raises(InvalidError) as caught:
        adapter(master_url=master)
    assert [issue.path for issue in caught.value.issues] == ["master_url"]
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(("master", "more", "token", "use_ssl"), [
    ("sc://h:1/;token=a%3B+b==;use_ssl=true", {}, "a;+b==", True), ("sc://h:1;token=x", {}, "x", False),
    ("sc://h:1/;token=theirs", {"token": "mine"}, "mine", False), ("sc://h:1/;token=x", {"token": ""}, "x", False),
    ("sc://h:1/;use_ssl=true", {"use_ssl": False}, None, False), ("sc://h:1/", {}, None, False),
])  # fmt: skip
def test_what_a_connect_servers_address_is_given_moves_to_its_field(
    master: str, more: dict[str, Any], token: str | None, use_ssl: bool
) -> None:
    params = structure(SparkParams, {"master_url": master, **more})
    assert params.master_url.rstrip("/") == "sc://h:1"
    assert (params.token, params.use_ssl) == (token and Secret(token), use_ssl)


def test_without_java_the_line_to_install_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    for act in (lambda: adapter().open(BareHost()), lambda: adapter().ready()):
        with pytest.raises(MissingDriverError) as caught:
            act()
        assert "openjdk-17-jre-headless" in caught.value.install
    (step,) = adapter().test(BareHost()).steps
    assert (step.name, step.status) == ("driver", "fail")


def test_without_the_connect_client_the_extra_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark.sql.connect", None)
    with pytest.raises(MissingDriverError) as caught:
        adapter(master_url="sc://h").ready()
    assert "siege-nb[spark]" in caught.value.install


# --- the fault tier: a cluster, a Connect server, and what never answers


@pytest.mark.fault
@pytest.mark.usefixtures("_java")
def test_a_master_that_spark_does_not_know_is_told_in_its_words() -> None:
    result = adapter(master_url="nonsense").test(BareHost())
    assert isinstance(result.error, ConnectError)
    assert result.error.fields == ("master_url",)
    assert "Master must" in result.error.message or "Could not parse Master URL" in result.error.message


@pytest.mark.fault
@pytest.mark.usefixtures("_java")
def test_a_master_that_never_speaks_is_given_up_and_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SparkAdapter, "patience", 0.0)
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    with SilentServer() as server:
        began = time.monotonic()
        result = adapter(master_url=f"spark://{server.host}:{server.port}").test(BareHost(deadline=8.0))
        assert time.monotonic() - began < 12
        assert server.accepted
    assert isinstance(result.error, ConnectTimeoutError)
    assert result.error.fields == ("master_url",)
    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before


@pytest.mark.fault
@pytest.mark.usefixtures("_java")
def test_a_cluster_is_tested_used_and_left(start_server: Callable[..., Any]) -> None:
    cluster = start_server(SparkCluster)
    on = adapter(master_url=cluster.url)
    result = on.test(BareHost())
    assert result.ok, result
    assert [step.name for step in result.steps] == ["driver", "dns", "tcp", "auth", "identity", "browse"]
    assert result.server["master"] == cluster.url
    session = on.open(BareHost())
    assert rows(session, "SELECT count(*) AS n FROM range(0, 1000, 1, 2)") == [{"n": 1000}]
    assert [app["name"] for app in cluster.status()["activeapps"]] == ["SiegeAnalytics"]
    worker = Worker("cluster")
    with pytest.raises(QueryTimeoutError, match="no longer runs"):
        worker.call(lambda: ask(session, LONG, {}), cancel=session.cancel, timeout=2)
    assert worker.call(lambda: rows(session, "SELECT 3 AS three")) == [{"three": 3}]
    worker.close()
    session.close()
    deadline = time.monotonic() + 15
    while cluster.status()["activeapps"]:
        assert time.monotonic() < deadline
    assert len(cluster.status()["completedapps"]) == 2


@pytest.mark.fault
def test_spark_connect_beside_the_users_spark(users: Any, start_server: Callable[..., Any]) -> None:
    server = start_server(SparkConnect)
    on = adapter(master_url=server.url)
    result = on.test(BareHost())
    assert result.ok, result
    assert result.server == {"spark_version": users.version, "master": "local[2]"}
    session, other = on.open(BareHost()), on.open(BareHost())
    ask(session, "CREATE TEMPORARY VIEW theirs AS SELECT 1 AS one", {})
    assert rows(session, "SELECT one, :x AS x FROM theirs", x="it's") == [{"one": 1, "x": "it's"}]
    for elsewhere in (other, adapter().open(BareHost())):
        with pytest.raises(QueryError) as caught:
            ask(elsewhere, "SELECT * FROM theirs", {})
        assert (caught.value.kind, caught.value.line, caught.value.column) == ("not_found", 1, 15)
        elsewhere.close()
    worker = Worker("connect")
    with pytest.raises(QueryTimeoutError, match="no longer runs"):
        worker.call(lambda: ask(session, LONG, {}), cancel=session.cancel, timeout=2)
    assert worker.call(lambda: rows(session, "SELECT 3 AS three")) == [{"three": 3}]
    worker.close()
    server.kill()
    began = time.monotonic()
    with pytest.raises(ConnectError) as lost:
        session.ping()
    assert lost.value.problem == "lost"
    assert time.monotonic() - began < 30
    session.close()
    assert time.monotonic() - began < 60
    assert users.sql("SELECT 2").collect()[0][0] == 2
