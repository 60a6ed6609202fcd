"""What every kind of connection must do: subclass AdapterContract in your own tests, as ours do.

class TestMine(AdapterContract):
    kind = "mine"
    long_query = "SELECT sleep(60)"

    def params(self):
        return {"host": "127.0.0.1", "password": "s3cret"}
"""

from __future__ import annotations

import re
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

from siege_nb import adapters
from siege_nb.adapters.base import Adapter
from siege_nb.declare import Reference, Secret, fields, schema, secrets_of, structure, table, unstructure, with_secrets
from siege_nb.errors import InvalidError, QueryError, SiegeError
from siege_nb.query.ask import ask
from siege_nb.query.run import Worker
from siege_nb.query.session import Browsable, Cancellable, Queryable

_SECRET_NAME = re.compile(r"password|passphrase|secret|token|private_key", re.IGNORECASE)


@dataclass
class BareHost:
    """The least an adapter may count on when it is opened."""

    deadline: float = 10.0
    stop: threading.Event = field(default_factory=threading.Event)

    def resolve(self, reference: str) -> Secret:
        """There is nothing to resolve: the contract hands over open secrets."""
        raise AssertionError(f"nobody gave a reference such as {reference}")


class AdapterContract:
    """The promises of a kind, as tests; `kind`, `params` and where it applies `long_query` are yours to give."""

    #: The name it is registered under.
    kind: ClassVar[str]
    #: A statement that runs for about a minute; "" where nothing can be cancelled.
    long_query: ClassVar[str] = ""
    #: A statement that makes a table siege_contract (id whole number, name text), and one that drops it.
    create_table: ClassVar[str] = "CREATE TABLE siege_contract (id INTEGER, name VARCHAR(20))"
    drop_table: ClassVar[str] = "DROP TABLE IF EXISTS siege_contract"

    def params(self) -> dict[str, Any]:
        """Parameters that reach a real server."""
        raise NotImplementedError

    def still_running(self) -> int:
        """How many of this test's statements the server still runs; ask it by a connection of your own."""
        return 0

    def adapter(self) -> Adapter[Any]:
        """The adapter over its parameters."""
        loaded = adapters.load(self.kind)
        return loaded(structure(loaded.params_type, self.params()))

    @contextmanager
    def session(self) -> Iterator[Queryable]:
        """A live session that runs SQL."""
        session = self.adapter().open(BareHost())
        assert isinstance(session, Queryable)
        try:
            yield session
        finally:
            session.close()

    def ask(self, session: Queryable, sql: str, values: Mapping[str, Any] | None = None) -> Any:
        """The rows of the last statement as dicts, or its row count."""
        answers, _, _ = ask(session, sql, values or {})
        last = answers[-1]
        return last.rowcount if last.table is None else last.table.to_pylist()

    def test_it_is_registered_under_its_own_name(self) -> None:
        assert self.kind in adapters.kinds()
        loaded = adapters.load(self.kind)
        assert loaded.kind == self.kind
        for alias in loaded.aliases:
            assert adapters.load(alias) is loaded

    def test_every_field_has_a_title_and_a_schema(self) -> None:
        declared = adapters.load(self.kind).params_type
        assert declared.__doc__
        described = schema(declared)
        assert described["type"] == "object"
        for one in fields(declared):
            assert one.title, one.path
            assert f"`{one.path}`" in table(declared)

    def test_what_is_named_like_a_secret_is_declared_as_one(self) -> None:
        for one in fields(adapters.load(self.kind).params_type):
            if _SECRET_NAME.search(one.path.rpartition(".")[2]):
                assert one.secret, f"{one.path} would be written in the clear"

    def test_an_unknown_field_is_refused_by_name(self) -> None:
        loaded = adapters.load(self.kind)
        try:
            structure(loaded.params_type, self.params() | {"nosuchfield": "canary-value"})
        except InvalidError as error:
            assert [issue.path for issue in error.issues] == ["nosuchfield"]
            assert "canary-value" not in str(error)
        else:
            raise AssertionError("it was accepted")

    def test_its_parameters_survive_the_disk_without_their_secrets(self) -> None:
        declared = adapters.load(self.kind).params_type
        params = structure(declared, self.params())
        secrets = dict(secrets_of(params))
        references: dict[str, Secret] = {path: Reference("encrypted:v2.contract") for path in secrets}
        written = unstructure(with_secrets(params, references))
        for path in secrets:
            assert str(_at(self.params(), path)) not in str(written)
        assert with_secrets(structure(declared, written, at_rest=True), secrets) == params

    def test_a_connection_test_passes_step_by_step(self) -> None:
        result = self.adapter().test(BareHost())
        assert result.ok, str(result)
        names = [step.name for step in result.steps]
        assert names[0] == "driver"
        assert "auth" in names
        assert all(step.status == "ok" for step in result.steps)
        assert result.server

    def test_rows_and_binds_come_back(self) -> None:
        with self.session() as session:
            rows = self.ask(session, "SELECT :number AS number, :text AS text", {"number": 7, "text": "it's"})
        assert [(int(row["number"]), row["text"]) for row in rows] == [(7, "it's")]

    def test_a_name_without_a_value_is_told_before_anything_is_sent(self) -> None:
        with self.session() as session:
            try:
                ask(session, "SELECT :nosuchname", {})
            except QueryError as error:
                assert error.kind == "usage"
                assert "nosuchname" in str(error)
            else:
                raise AssertionError("it was sent")

    def test_statements_are_split_and_the_last_one_answers(self) -> None:
        with self.session() as session:
            assert len(session.split("SELECT 1; SELECT ';' ; -- only a remark;\n")) == 2
            rows = self.ask(session, "SELECT 1 AS a; SELECT 2 AS b;")
        assert rows == [{"b": 2}]

    def failure(self, session: Queryable, sql: str) -> QueryError:
        """The error of a text that fails; the driver's own must not hang on it."""
        try:
            self.ask(session, sql)
        except QueryError as error:
            assert error.__cause__ is None
            assert error.__suppress_context__ or error.__context__ is None
            return error
        raise AssertionError("it was accepted")

    def test_a_syntax_error_points_at_its_line_and_the_session_goes_on(self) -> None:
        with self.session() as session:
            error = self.failure(session, "SELECT 1;\n\n  SELEC 1")
            assert (error.kind, error.line, error.column) == ("syntax", 3, 3)
            assert "  LINE 3:   SELEC 1\n            ^" in str(error)
            assert self.ask(session, "SELECT 3 AS three") == [{"three": 3}]

    def test_an_unknown_table_is_not_found_and_the_session_goes_on(self) -> None:
        with self.session() as session:
            error = self.failure(session, "SELECT *\nFROM siege_no_such_table")
            assert (error.kind, error.line, error.column) == ("not_found", 2, 6)
            assert "siege_no_such_table" in str(error)
            assert self.ask(session, "SELECT 3 AS three") == [{"three": 3}]

    def test_rows_changed_are_counted(self) -> None:
        with self.session() as session:
            self.ask(session, self.drop_table)
            self.ask(session, self.create_table)
            try:
                assert self.ask(session, "INSERT INTO siege_contract VALUES (1, 'a'), (2, 'b')") == 2
                assert self.ask(session, "UPDATE siege_contract SET name = 'c' WHERE id = :id", {"id": 2}) == 1
            finally:
                self.ask(session, self.drop_table)

    def test_a_transaction_of_the_users_is_kept_and_rolled_back(self) -> None:
        with self.session() as session:
            self.ask(session, self.drop_table)
            self.ask(session, self.create_table)
            try:
                assert not session.in_transaction
                self.ask(session, "BEGIN")
                assert session.in_transaction
                self.ask(session, "INSERT INTO siege_contract VALUES (1, 'a')")
                self.ask(session, "ROLLBACK")
                assert not session.in_transaction
                assert self.ask(session, "SELECT count(*) AS n FROM siege_contract") == [{"n": 0}]
            finally:
                self.ask(session, self.drop_table)

    def test_a_running_statement_is_cancelled_where_it_runs(self) -> None:
        if not self.long_query:
            return
        with self.session() as session:
            assert isinstance(session, Cancellable)
            worker = Worker(self.kind)
            began = time.monotonic()
            try:
                worker.call(lambda: self.ask(session, self.long_query), cancel=session.cancel, timeout=0.5)
            except SiegeError as error:
                assert isinstance(error, TimeoutError), repr(error)
            else:
                raise AssertionError("it was not long enough to be cancelled")
            assert time.monotonic() - began < 2.5
            assert not worker.lost
            while self.still_running():  # a server may list a statement for a moment after it has answered
                assert time.monotonic() - began < 2.5
            assert worker.call(lambda: self.ask(session, "SELECT 3 AS three")) == [{"three": 3}]
            worker.close()

    def test_cancelling_an_idle_session_harms_nothing(self) -> None:
        with self.session() as session:
            if isinstance(session, Cancellable):
                session.cancel()
            assert self.ask(session, "SELECT 3 AS three") == [{"three": 3}]

    def test_what_there_is_can_be_browsed(self) -> None:
        with self.session() as session:
            if not isinstance(session, Browsable):
                return
            self.ask(session, self.drop_table)
            self.ask(session, self.create_table)
            try:
                homes = [s.name for s in session.schemas()
                         if any(t.name == "siege_contract" for t in session.tables(s.name))]  # fmt: skip
                assert len(homes) == 1
                assert [c.name for c in session.columns(homes[0], "siege_contract")] == ["id", "name"]
            finally:
                self.ask(session, self.drop_table)

    def test_it_gives_a_sign_of_life_and_closes_twice(self) -> None:
        session = self.adapter().open(BareHost())
        session.ping()
        session.close()
        session.close()

    def test_a_closed_session_fails_in_our_words(self) -> None:
        with self.session() as session:
            session.close()
            try:
                self.ask(session, "SELECT 1")
            except SiegeError as error:
                assert error.__suppress_context__ or error.__context__ is None
            else:
                raise AssertionError("it still answered")

    def test_no_error_shows_a_secret(self) -> None:
        loaded = adapters.load(self.kind)
        params = structure(loaded.params_type, self.params())
        canaries = {path: f"canary-{number}-s3cr3t@/:" for number, (path, _) in enumerate(secrets_of(params))}
        if not canaries:
            return
        secrets = {path: Secret(text) for path, text in canaries.items()}
        error = _refusal(loaded(with_secrets(params, secrets)))
        # With the variables of every frame below: what %xmode Verbose shows.
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
        shown = "".join(told.format()) + repr(error) + str(error)
        for canary in canaries.values():
            assert canary not in shown


def _refusal(adapter: Adapter[Any]) -> SiegeError:
    try:
        adapter.open(BareHost()).close()
    except SiegeError as error:
        return error
    raise AssertionError("wrong secrets were accepted")


def _at(document: Any, path: str) -> Any:
    for step in path.split("."):
        document = document[int(step)] if isinstance(document, list) else document[step]
    return document
