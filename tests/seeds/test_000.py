"""The document on clients and connections: every code block runs as written, and what it shows is what we write."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

import siege_nb
from tests.profiles.conftest import on_disk
from tests.seeds.blocks import MISSING, Block, blocks
from tests.servers import Postgres, closed_port
from tests.servers.notebook import Jupyter

BLOCKS = blocks("000")
PYTHON = [block for block in BLOCKS if block.language == "python"]

pytestmark = pytest.mark.skipif(not BLOCKS, reason=MISSING)


@dataclass
class Ran:
    """What came of the blocks: what each printed or how it failed, the names they left, and the directory."""

    place: Path
    names: dict[str, Any] = field(default_factory=dict)
    said: dict[int, str] = field(default_factory=dict)
    failed: dict[int, str] = field(default_factory=dict)

    def block(self, number: int, block: Block, words: dict[str, str]) -> None:
        """Run a block with these words in the place of others, and nothing else touched."""
        text, printed = block.text, io.StringIO()
        for written, ours in words.items():
            text = text.replace(written, ours)
        for name, value in NAMES.items():
            if name not in self.names:
                with contextlib.suppress(KeyError):  # not yet: what it is made of comes later
                    self.names[name] = value(self.names)
        try:
            with contextlib.redirect_stdout(printed):
                exec(compile("\n" * block.line + text, "seed 000", "exec"), self.names)
        except BaseException:
            self.failed[number] = traceback.format_exc()
        self.said[number] = printed.getvalue()
        if number == 0:  # the document goes on as if its first client were saved
            siege_nb.save_client_profile(self.names["client"], "config")


def saved(profile: dict[str, Any]) -> str:
    """The id of a connection that the document goes on as if it were saved."""
    siege_nb.save_connection_profile(profile, "config")
    return str(profile["connection_id"])


#: Names that the document uses and never makes, from what it has made.
NAMES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "conn": lambda names: names["notebook_conn"],
    "conn_id": lambda names: names["conn"]["connection_id"],
    "notebook_conn_id": lambda names: saved(names["notebook_conn"]),
    "spark_conn_id": lambda names: saved(names["spark_conn"]),
}


def words(jupyter: Jupyter, postgres: Postgres, master: str) -> dict[str, str]:
    """What is written in the document, and what is there in its place."""
    login = f"{postgres.username}:{quote(postgres.password, safe='')}"
    return {
        "import siege_utilities": "import siege_nb as siege_utilities",
        "http://localhost:8888": jupyter.url,
        "abc123def456": jupyter.password,
        "/home/user/notebooks": "notebooks",
        "spark://spark-master:7077": master,
        "/opt/spark": "",
        "/opt/hadoop/etc/hadoop": "",
        "4g": "1g",
        "2g": "1g",
        "postgresql://user:pass@localhost:5432/db": (
            f"postgresql://{login}@{postgres.host}:{postgres.port}/{postgres.database}"
        ),
    }


def run(place: Path, table: dict[str, str]) -> Ran:
    """All Python blocks, one after another, in one namespace and one working directory."""
    ran = Ran(place)
    (place / "config").mkdir(mode=0o700)
    (place / "config" / "project_PROJ001.json").write_text('{"project_name": "One", "project_code": "PROJ001"}')
    before = Path.cwd()
    os.chdir(place)
    try:
        for number, block in enumerate(PYTHON):
            ran.block(number, block, table)
        siege_nb.save_project_config(siege_nb.create_project_config("Analytics", "ACME001"), "config")
        database = siege_nb.create_database_config("analytics", "postgres", "h", 5432, "d", "u", "written-in-the-open")
        siege_nb.save_database_config(database, "config")
    finally:
        os.chdir(before)
    return ran


@pytest.fixture(scope="module")
def jupyter() -> Iterator[Jupyter]:
    with Jupyter() as server:
        (server.files / "notebooks").mkdir()
        yield server


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, jupyter: Jupyter, postgres: Postgres) -> Ran:
    table = words(jupyter, postgres, f"spark://127.0.0.1:{closed_port()}")
    return run(tmp_path_factory.mktemp("seed"), table)


def test_the_document_has_what_it_had() -> None:
    languages = [block.language for block in BLOCKS]
    assert {language: languages.count(language) for language in languages} == {
        "python": 13, "json": 2, "": 1, "bash": 1,
    }  # fmt: skip


@pytest.mark.parametrize("number", range(len(PYTHON)), ids=[f"{block.line}-{block.heading}" for block in PYTHON])
def test_each_block_runs_as_written(ran: Ran, number: int) -> None:
    assert number not in ran.failed, ran.failed[number]


def test_what_the_blocks_say(ran: Ran) -> None:
    said = "".join(ran.said.values())
    for line in (
        "Profile is valid", "Connection successful! Response time: ", "Health: excellent, Last connected: 20",
        "Removed 0 old connections", "Client has 1 projects: ['PROJ001']", "✅ Profile is valid", "⚠️  Warnings:",
        "✅ Notebook connection successful", "Client profile not found",
    ):  # fmt: skip
        assert line in said
    assert "❌" not in said
    assert "rror:" not in said


def test_what_the_blocks_leave(ran: Ran) -> None:
    names = ran.names
    assert [row["code"] for row in names["clients"]] == ["ACME001", "PREMIUM001"]
    assert names["success"] is True
    assert names["loaded_client"]["client_name"] == "Acme Corporation"
    assert [client["client_code"] for client in names["tech_clients"]] == ["ACME001"]
    assert [client["client_code"] for client in names["name_results"]] == ["ACME001"]
    assert names["contact_results"] == []
    assert names["projects"] == ["PROJ001"]
    assert names["client"] is None
    assert names["file_path"].startswith("config/connections/connection_")
    assert names["loaded_conn"]["connection_id"] == names["conn_id"]
    assert [row["name"] for row in names["all_connections"]] == ["Jupyter Lab", "Spark Cluster"]
    assert [row["name"] for row in names["notebook_connections"]] == ["Jupyter Lab"]
    assert [row["name"] for row in names["active_conns"]] == ["Spark Cluster"]
    assert names["status"]["connection_count"] == 1
    stored = json.loads((ran.place / "config/client_ACME001.json").read_text())
    assert (stored["contact_info"]["phone"], stored["metadata"]["industry"]) == ("+1-555-9999", "Technology")


def test_no_secret_of_the_blocks_is_readable(ran: Ran, jupyter: Jupyter, postgres: Postgres) -> None:
    stored = on_disk(ran.place)
    for secret in (jupyter.password, postgres.password, "written-in-the-open"):
        assert secret.encode() not in stored


def keys(value: Any) -> Any:
    """The keys of a document in their order, at every level; those of parameters are each kind's own."""
    if not isinstance(value, dict):
        return None
    return [(key, None if key == "connection_params" else keys(item)) for key, item in value.items()]


def test_the_documents_json_is_what_we_write(ran: Ran) -> None:
    client, connection = (json.loads(block.text) for block in BLOCKS if block.language == "json")
    ours = json.loads((ran.place / "config/client_ACME001.json").read_text())
    assert ours.pop("_siege")["format"] == 1
    assert keys(ours) == keys(client)
    ident = ran.names["notebook_conn"]["connection_id"]
    ours = json.loads((ran.place / f"config/connections/connection_{ident}.json").read_text())
    ours.pop("_siege")
    assert keys(ours) == keys(connection)
    assert set(connection["connection_params"]) <= set(ours["connection_params"])


def test_the_documents_tree_is_what_we_write(ran: Ran) -> None:
    (tree,) = (block for block in BLOCKS if not block.language)
    drawn = re.findall(r"(\w+)\.json", tree.text)
    files = {path.stem for path in (ran.place / "config").rglob("*.json")}
    assert {name for name in drawn if "uuid" not in name} == {
        "client_ACME001", "client_PREMIUM001", "project_ACME001", "database_analytics",
    }  # fmt: skip
    assert {name for name in drawn if "uuid" not in name} <= files
    made = [path.parent.name for path in (ran.place / "config").rglob("connection_*.json")]
    assert made == ["connections", "connections"]


@pytest.mark.fault
def test_its_test_command_is_ours() -> None:
    (block,) = (block for block in BLOCKS if block.language == "bash")
    ours = block.text.replace("tests/test_client_and_connection_config.py", "tests/profiles")
    program, *options = shlex.split(ours)
    assert program == "pytest"
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", program, *options, "-p", "no:cacheprovider"]
    ended = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout
    assert ended.stdout.count(" PASSED ") > 100


@pytest.mark.fault
def test_the_blocks_with_a_spark_that_answers(
    tmp_path: Path, jupyter: Jupyter, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIEGE_DEADLINE", "90")
    ran = run(tmp_path, words(jupyter, postgres, "local[1]"))
    assert ran.failed == {}
    assert "✅ Spark connection successful (version: " in "".join(ran.said.values())
