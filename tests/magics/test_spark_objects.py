"""A Spark session of the notebook's as a target, and Spark's own frames as results: in a kernel of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernel.kernel import kernel
from tests.servers.spark import JAVA

START = f"""
import os, sys
os.environ.update(JDK_JAVA_OPTIONS={JAVA!r}, SPARK_LOCAL_IP="127.0.0.1", PYSPARK_PYTHON=sys.executable)
from pyspark.sql import SparkSession
spark = (SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
         .config("spark.driver.memory", "600m").getOrCreate())
spark.range(5).createOrReplaceTempView("five")
n = 2
"""


@pytest.mark.fault  # a Java of its own
def test_a_spark_session_is_a_target_and_its_frames_are_results(tmp_path: Path) -> None:
    pytest.importorskip("pyspark")
    with kernel(tmp_path, "%load_ext siege_nb", START) as it:
        assert "spark is in use" in it.run("%sql spark").text
        assert "10" in it.run("%sql SELECT sum(id) AS s FROM five").text
        told = "print(type(lazy).__name__, lazy.count())"
        kept = it.run(f"%sql -t spark -o lazy SELECT id FROM five WHERE id > :n\n{told}")
        assert kept.text.split() == ["DataFrame", "2"], kept.error
        assert "[not_found]" in it.run("%sql -t spark SELECT * FROM nosuch").error
        it.run("%config SqlMagic.lazy_execution = True")
        assert "DataFrame[id: bigint]" in it.run("%sql SELECT id FROM five").text
        assert "one statement" in it.run("%sql SELECT 1; SELECT 2").error
        it.run("%config SqlMagic.lazy_execution = False")
        it.run("%sql duckdb://")
        made = it.run("%sql -t spark -o made SELECT 7 AS a\nprint(made.collect()[0][0])")
        assert made.text.strip().endswith("7"), made.error
        slow = "SELECT count(*) FROM range(100000000000) WHERE id % 7 = hash(id)"
        assert "no longer runs" in it.run(f"%sql --timeout 2 spark {slow}").error
        assert "spark is closed" in it.run("%sql -x spark").text
        assert it.run("print(spark.range(3).count())").text.strip().endswith("3")
        it.run("spark.stop()")
