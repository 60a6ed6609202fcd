"""SQL on a live Spark session."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from siege_nb.errors import ConnectError, QueryError, SiegeError
from siege_nb.query import binds
from siege_nb.query.columns import distinct, gather
from siege_nb.query.session import ALL, Answer, Column, Schema, Table, Take
from siege_nb.query.statements import Grammar, split

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


class SparkSQLSession:
    """A Spark session that runs SQL, and leaves as whoever opened it says."""

    grammar = Grammar(escapes=False, dollars=False, backticks=True)
    in_transaction = False  # Spark has none

    def __init__(
        self, session: SparkSession, *, is_remote: bool, explain: Callable[[Exception], SiegeError],
        leave: Callable[[], None],
    ) -> None:  # fmt: skip
        self._session, self._is_remote, self._explanation, self._leave = session, is_remote, explain, leave
        self._tag = f"siege-{id(self):x}"
        self._closed = False

    @property
    def spark(self) -> SparkSession:
        """PySpark's own session, for what SQL cannot say."""
        if self._closed:
            raise ConnectError("The session is closed.", problem="lost")
        return self._session

    def split(self, sql: str) -> list[str]:
        return split(sql, self.grammar)

    def execute(self, statement: str, values: Mapping[str, Any], take: Take = ALL) -> Answer:
        spark = self.spark
        text, given = binds.render(statement, values, "named", self.grammar)
        try:
            self._mark(spark)
            frame = spark.sql(text, args=given or None)
            if not frame.columns:
                return Answer()
            # One more than is wanted tells whether there are more; Spark itself sends no others.
            table = _fetched(frame if take.rows is None else frame.limit(take.rows + 1))
            return gather(table.column_names, iter([table.columns]), take)
        except Exception as error:  # the border: no exception of Spark's passes
            failure = self._explain(error, statement, values, text)
        raise failure

    def cancel(self) -> None:
        if self._is_remote:
            self._session.interruptTag(self._tag)
        elif self._session.sparkContext._jsc is not None:
            self._session.sparkContext.cancelJobGroup(self._tag)

    def ping(self) -> None:
        try:
            self.spark.sql("SELECT 1").collect()
            return
        except Exception as error:  # as above
            said = self._explanation(error).message
        raise ConnectError("The connection to Apache Spark was lost.", problem="lost", hint=f"Spark says: {said}")

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._leave()

    def facts(self) -> dict[str, str]:
        """Which Spark it is."""
        return {"spark_version": self.spark.version, "master": self.spark.conf.get("spark.master") or ""}

    def finds(self, name: str) -> bool:
        """There is a table or view of this bare name, be it a temporary one."""
        return bool(self.spark.catalog.tableExists(name))

    def schemas(self) -> list[Schema]:
        return [Schema(row["namespace"]) for row in self._rows("SHOW DATABASES")]

    def tables(self, schema: str) -> list[Table]:
        views = {row["viewName"] for row in self._rows(f"SHOW VIEWS IN {_quoted(schema)}")}
        return [
            Table(schema, row["tableName"], "view" if row["tableName"] in views else "table")
            for row in self._rows(f"SHOW TABLES IN {_quoted(schema)}")
            if not row["isTemporary"]
        ]

    def columns(self, schema: str, table: str) -> list[Column]:
        found = []
        for row in self._rows(f"DESCRIBE TABLE {_quoted(schema)}.{_quoted(table)}"):
            if not row["col_name"] or row["col_name"].startswith("#"):
                break  # partitions, which are named above already
            found.append(Column(row["col_name"], row["data_type"], comment=row["comment"] or ""))
        return found

    def _rows(self, statement: str) -> list[dict[str, Any]]:
        table = self.execute(statement, {}).table
        return [] if table is None else table.to_pylist()

    def _mark(self, spark: SparkSession) -> None:
        """Name what runs next, so that it can be stopped from another thread."""
        if self._is_remote:
            spark.addTag(self._tag)
        else:
            # Not a tag of the session: the thread that serves rows to Arrow inherits the group only.
            spark.sparkContext.setJobGroup(self._tag, "siege_nb", interruptOnCancel=True)

    def _explain(self, error: Exception, statement: str, values: Mapping[str, Any], text: str) -> SiegeError:
        ours = self._explanation(error)
        spot = _SPOT.search(str(error))
        if isinstance(ours, QueryError) and spot:
            line = int(spot["line"])
            begin = sum(len(one) + 1 for one in text.split("\n")[: line - 1])
            at = binds.origin(statement, values, "named", begin + int(spot["at"]), self.grammar)
            ours.line = statement.count("\n", 0, at) + 1
            ours.column = at - statement.rfind("\n", 0, at)
        return ours


# (line 1, pos 7), ; line 1 pos 7
_SPOT = re.compile(r"\bline (?P<line>\d+),? pos (?P<at>\d+)")


def _fetched(frame: DataFrame) -> Any:
    """The rows as Arrow, each column named once."""
    names = distinct(frame.columns)
    return (frame.toDF(*names) if names != frame.columns else frame).toArrow()


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
