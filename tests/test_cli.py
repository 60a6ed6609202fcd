"""`siege`, the command: what it prints, where, and with which exit code."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from siege_nb import errors
from siege_nb.adapters.base import Step, TestResult
from siege_nb.adapters.duckdb import DuckDBParams
from siege_nb.cli import app
from siege_nb.cli.doctor import findings
from siege_nb.models.connection import ConnectionProfile
from siege_nb.settings import Settings
from siege_nb.state import Directory
from siege_nb.workspace import Workspace


def siege(*words: str) -> Result:
    return CliRunner().invoke(app, words)


@pytest.fixture
def duck() -> str:
    """A saved connection to an in-memory DuckDB."""
    workspace = Workspace()
    workspace.save(ConnectionProfile(name="duck", connection_type="duckdb", connection_params=DuckDBParams()))
    workspace.close()
    return "duck"


@pytest.fixture
def store_directory() -> Directory:
    """A config directory with one file in its log."""
    directory = Workspace().directory
    directory.change(lambda change: change.write("kept.json", b"{}"))
    return directory


def test_on_prod_nothing_is_written_unless_it_is_said(tmp_path: Path) -> None:
    workspace = Workspace()
    params = DuckDBParams(database=str(tmp_path / "live.duckdb"), create=True)
    workspace.save(ConnectionProfile(name="live", connection_type="duckdb", connection_params=params,
                                     environment="prod", workspace="lab"))  # fmt: skip
    workspace.close()
    assert siege("query", "live", "CREATE TABLE t AS SELECT 1 AS a", "--write").exit_code == 0
    for sql in ("DELETE FROM t", 'SELECT 1; EXPLAIN ("analyze") DELETE FROM t'):
        done = siege("query", "live", sql)
        assert (done.exit_code, done.stdout) == (2, "")
        assert "lab/live is a prod connection, and this would write there (" in done.stderr
        assert "DELETE); nothing was run." in done.stderr
        assert "siege query --write lab/live …" in done.stderr
    assert siege("query", "live", "SELECT count(*) AS n FROM t", "--as", "csv").stdout.split() == ["n", "1"]
    assert siege("query", "live", "DELETE FROM t", "--write").exit_code == 0
    assert siege("query", "live", "SELECT count(*) AS n FROM t", "--as", "csv").stdout.split() == ["n", "0"]


def test_a_result_is_printed_as_asked(duck: str) -> None:
    assert "x\n─\n1\n" in siege("query", duck, "SELECT 1 AS x").stdout
    assert siege("query", duck, "SELECT 1 AS x", "--as", "csv").stdout.split() == ["x", "1"]
    assert json.loads(siege("query", duck, "SELECT 1 AS x", "--as", "json").stdout) == [{"x": 1}]


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_a_statement_without_rows_prints_its_summary(duck: str, form: str) -> None:
    done = siege("query", duck, "CREATE TABLE t (a INT)", "--as", form)
    assert (done.exit_code, done.stderr) == (0, "")
    assert "duck" in done.stdout


@pytest.mark.parametrize(("sql", "value"), [
    ("'NaN'::DOUBLE", None), ("'-inf'::DOUBLE", None), ("[1.5, 'NaN'::DOUBLE]", [1.5, None]), ("0.5::DOUBLE", 0.5),
    ("'\\xAA\\x00'::BLOB", "aa00"), ("{'a': '\\x01'::BLOB, 'b': ['inf'::FLOAT]}", {"a": "01", "b": [None]}),
    ("DATE '2024-02-29'", "2024-02-29"), ("TIME '01:02:03'", "01:02:03"), ("NULL", None), ("true", True),
    ("TIMESTAMP '2024-02-29 01:02:03.5'", "2024-02-29T01:02:03.500000"), ("'é\u2028'", "é\u2028"),
    ("12345678901234567890.12::DECIMAL(30, 2)", "12345678901234567890.12"), ("[DATE '2024-02-29']", ["2024-02-29"]),
])  # fmt: skip
def test_json_is_json(duck: str, sql: str, value: Any) -> None:
    done = siege("query", duck, f"SELECT {sql} AS x", "--as", "json")
    assert done.exit_code == 0, done.output

    def refused(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    assert json.loads(done.stdout, parse_constant=refused) == [{"x": value}]


@pytest.mark.parametrize(("words", "code", "told"), [
    (("query", "duck", "SELEC 1"), 3, "SELEC"), (("query", "goose", "SELECT 1"), 2, "There is no connection 'goose'"),
    (("test", "goose"), 2, "There are: duck."), (("test", "duck"), 0, ""), (("connections",), 0, ""),
    (("query", "duck", "SELECT 1", "--as", "xml"), 2, "xml"),
])  # fmt: skip
def test_an_error_is_told_on_stderr_with_its_exit_code(
    duck: str, words: tuple[str, ...], code: int, told: str
) -> None:
    done = siege(*words)
    assert done.exit_code == code
    assert told in done.stderr
    assert bool(told) is bool(done.stderr)


def test_a_failed_test_says_all_of_what_is_wrong(duck: str, monkeypatch: pytest.MonkeyPatch) -> None:
    error = errors.ConnectError("It cannot be reached: " + "far " * 60 + "away.", hint="Go nearer.\nThen try again.")
    failed = TestResult(False, (Step("tcp", "fail", 1.0, "unreachable", error.message),), error)
    monkeypatch.setattr(Workspace, "test", lambda self, name: failed)
    done = siege("test", duck)
    assert done.exit_code == 3
    assert str(error) in done.stderr


def well(done: Result) -> dict[str, str]:
    """What the doctor said of each thing, by its name."""
    return {line[5:27].strip(): line[:4].strip() for line in done.stdout.splitlines() if line[:4].strip()}


def test_the_doctor_finds_a_new_place_well() -> None:
    done = siege("doctor")
    assert {well(done)[what] for what in ("profiles", "keys", "secrets", "kind duckdb")} == {"ok"}


def test_the_doctor_tells_of_a_file_in_the_place_of_a_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    os.chmod(tmp_path / "file", 0o644)
    monkeypatch.setenv("SIEGE_CONFIG_DIR", str(tmp_path / "file"))
    done = siege("doctor")
    assert done.exit_code == 1
    assert f"SIEGE_CONFIG_DIR: {tmp_path / 'file'} is no directory" in done.stdout
    assert "chmod" not in done.stdout
    assert well(done)["kind duckdb"] == "ok", "the rest is looked at all the same"
    assert siege("connections").exit_code == 2


def test_the_doctor_mends_a_place_that_others_can_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "a place"
    place.mkdir(mode=0o755)
    monkeypatch.setenv("SIEGE_DATA_DIR", str(place))
    done = siege("doctor")
    assert done.exit_code == 1
    assert f"chmod 700 '{place}'" in done.stdout


@pytest.mark.parametrize(("asked", "told"), [
    (("stat", "lstat"), "cannot be looked at: Permission denied"), (("access",), "may not be read and written by you"),
])  # fmt: skip
def test_the_doctor_tells_of_a_place_that_is_anothers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: tuple[str, ...], told: str
) -> None:
    """Whoever runs the tests may be root, to whom nothing is refused: the system's answer is made up."""

    def refusing(real: Callable[..., Any]) -> Callable[..., Any]:
        def answer(path: Any, *args: Any, **more: Any) -> Any:
            if str(path) != str(tmp_path):
                return real(path, *args, **more)
            if real is access:
                return False
            raise PermissionError(13, "Permission denied")

        return answer

    access = os.access
    monkeypatch.setenv("SIEGE_DATA_DIR", str(tmp_path))
    for name in asked:
        monkeypatch.setattr(os, name, refusing(getattr(os, name)))
    (found,) = [finding for finding in findings() if finding.what == "keys"]
    assert (found.found, found.well) == (f"{tmp_path} {told}", False)
    assert "chmod" not in found.mend


def test_the_doctor_finishes_what_was_cut_short_on_record(store_directory: Directory) -> None:
    place = store_directory.path
    (place / ".tmp-abcdef01").write_text('{"client_code": "JRN"}')
    (place / ".journal").write_text('{"format": 1, "steps": [["client_JRN.json", ".tmp-abcdef01"]]}')
    assert well(siege("doctor"))["secrets"] == "ok"
    assert (place / "client_JRN.json").exists()
    assert store_directory.audit
    (recovered,) = store_directory.audit.records("client_JRN.json")
    assert (recovered.act, recovered.outcome) == ("recover", "done")
    assert store_directory.audit.verify(store_directory).notes == ()


def test_the_doctor_tells_of_a_second_data_directory(
    store_directory: Directory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store_directory.audit
    assert "audit log" not in well(siege("doctor"))
    monkeypatch.setenv("SIEGE_DATA_DIR", str(tmp_path / "elsewhere"))
    done = siege("doctor")
    assert done.exit_code == 1
    assert well(done)["audit log"] == "MEND"
    assert f"the key {store_directory.audit.key.ident}, which is not in {tmp_path / 'elsewhere'}" in done.stdout
    assert not (tmp_path / "elsewhere").exists()


def test_the_doctor_tells_of_an_audit_key_that_others_can_read(store_directory: Directory) -> None:
    key = Settings.from_environment().data_dir / "audit.key"
    key.chmod(0o644)
    done = siege("doctor")
    assert well(done)["audit log"] == "MEND"
    assert f"chmod 600 {key}" in done.stdout
