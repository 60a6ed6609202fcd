"""Spark: a test disturbs no session of the user's, and databases come with their drivers."""

from __future__ import annotations

import subprocess
import sys

import pytest

import siege_nb
from siege_nb.errors import MissingDriverError

LIVE = """
import siege_nb
siege_nb.save_database_config(siege_nb.create_database_config("far", "nosuchmake", "h", 1, "d", "u", "pw"))
assert siege_nb.create_spark_session_with_databases("mine", ["nobody"]) is None
assert "nobody" in str(siege_nb.last_error())
spark = siege_nb.create_spark_session_with_databases("mine", ["far"])
spark.range(3).createTempView("live")
profile = siege_nb.create_connection_profile("S", "spark", {"app_name": "theirs"}, master_url="local[1]")
siege_nb.save_connection_profile(profile)
result = siege_nb.test_connection(profile["connection_id"])
assert result["success"], result
assert result["spark_version"] == spark.version
assert spark.sparkContext.appName == "mine"
assert spark.table("live").count() == 3
siege_nb.update_connection_profile(profile["connection_id"], {"spark_specific": {"master_url": "spark://127.0.0.1:1"}})
result = siege_nb.test_connection(profile["connection_id"])
assert not result["success"], result
assert "127.0.0.1" in result["error"], result
assert spark.table("live").count() == 3
spark.stop()
print("undisturbed")
"""


@pytest.mark.fault
def test_spark_test_ignores_the_master_and_stops_the_users_session(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyspark")
    monkeypatch.setenv("SIEGE_DEADLINE", "90")
    ran = subprocess.run([sys.executable, "-c", LIVE], capture_output=True, text=True, check=False)
    assert ran.stdout == "undisturbed\n", ran.stderr


def test_without_pyspark_there_is_none_and_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    assert siege_nb.create_spark_session_with_databases() is None
    error = siege_nb.last_error()
    assert isinstance(error, MissingDriverError)
    assert "siege-nb[spark]" in error.install
