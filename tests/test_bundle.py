"""Bundles: all of a profile but its secrets goes out, comes back whole or not at all, and writes over nothing."""

from __future__ import annotations

import copy
import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from siege_nb import adapters
from siege_nb.bundle import FORMAT, Unpacked, bundle, read, unbundle, write
from siege_nb.declare import Reference, Secret, structure
from siege_nb.errors import InvalidError, NotFoundError, VaultError
from siege_nb.models.client import ClientProfile, Contact
from siege_nb.models.connection import ConnectionProfile
from siege_nb.models.database import DatabaseProfile
from siege_nb.models.project import ProjectProfile
from siege_nb.settings import Settings
from siege_nb.workspace import Workspace

CANARY = "s3cret-canary"
Make = Callable[[str], Workspace]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """make("there") is the workspace of another directory and another key."""
    made: list[Workspace] = []

    def make(name: str) -> Workspace:
        place = {"config_dir": tmp_path / name, "data_dir": tmp_path / f"{name}-data"}
        made.append(Workspace(Settings.from_environment(**place)))
        return made[-1]

    yield make
    for workspace in made:
        workspace.close()


def connection(name: str, kind: str = "postgres", client: str | None = None, **more: Any) -> ConnectionProfile:
    params = {"host": "h", "database": "d", "username": "u", "password": CANARY} if kind == "postgres" else {}
    declared = structure(adapters.load(kind).params_type, params | more.pop("params", {}))
    return ConnectionProfile(name=name, connection_type=kind, connection_params=declared, client_code=client, **more)


@pytest.fixture
def full(make: Make) -> Workspace:
    """A workspace with two clients, what belongs to one of them, and what belongs to nobody."""
    here = make("here")
    here.store.projects.put(ProjectProfile(project_code="P1", project_name="One"))
    here.store.projects.put(ProjectProfile(project_code="P2"))
    contact = Contact(primary_contact="Jane", email="j@a.example")
    wh = here.save(connection("wh", client="ACME", environment="prod", tags=["a"], notes="by hand"), expected="")
    for code, projects, default in (("ACME", ["P1"], wh.connection_id), ("OTHER", [], None)):
        here.store.clients.put(ClientProfile(client_code=code, client_name=f"{code} Inc", contact_info=contact,
                                             project_associations=projects, default_connection=default))  # fmt: skip
    here.save(connection("wh", "duckdb", client="OTHER"), expected="")
    here.vault.share("dwh", Secret(CANARY))
    here.save(connection("shared", params={"password": Reference.parse("vault:dwh")}), expected="")
    here.save(connection("env", params={"password": Reference.parse("env:PGPASSWORD")}), expected="")
    database = DatabaseProfile(
        name="sales", connection_type="postgres", host="h", port=5432, database="d", password=Secret(CANARY),
    )  # fmt: skip
    here.store.databases.put(here.vault.seal(database, kind="database", ident="sales"))
    by_hand(here.directory.path / "database_sales.json", jdbc_url=f"jdbc:postgresql://h/d?user=u&password={CANARY}")
    return here


def by_hand(path: Path, **values: Any) -> None:
    """Write into a file what we would not."""
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def names(workspace: Workspace) -> set[str]:
    return {kept.item.qualified for kept in workspace.store.connections.list()}


def test_everything_goes_out_and_comes_back_but_the_secrets(full: Workspace, make: Make) -> None:
    document = json.loads(json.dumps(bundle(full)))
    text = json.dumps(document)
    assert CANARY not in text
    assert "encrypted:" not in text
    there = make("there")
    result = unbundle(there, document)
    assert (result.conflicts, result.refused, result.notes) == ((), (), ())
    assert len(result.added) == 2 + 2 + 4 + 1
    assert set(result.reenter) == {"ACME/wh password", "sales password", "shared password", "env password"}
    assert set(result.references) == {"shared password ← vault:dwh", "env password ← env:PGPASSWORD"}
    assert names(there) == names(full) == {"ACME/wh", "OTHER/wh", "shared", "env"}
    mine, theirs = full.find("ACME/wh"), there.find("ACME/wh")
    assert theirs.connection_params.password == Reference("missing:password")  # type: ignore[attr-defined]
    gone = {"connection_params", "security", "metadata"}
    assert {k: v for k, v in theirs if k not in gone} == {k: v for k, v in mine if k not in gone}
    for collection in ("clients", "projects"):
        ours = [kept.item for kept in getattr(full.store, collection).list()]
        assert [kept.item for kept in getattr(there.store, collection).list()] == ours
    assert there.store.databases.find("sales").item.jdbc_url == "jdbc:postgresql://h/d?user=u&password="
    for before, after in zip(document["connections"], bundle(there)["connections"], strict=True):
        sealed = {"password": {"$secret": "missing:password"}} if "password" in before["connection_params"] else {}
        assert after == before | {"connection_params": before["connection_params"] | sealed}
    with pytest.raises(NotFoundError, match="was not part of what was imported"):
        there.lease("ACME/wh")


def test_what_goes_out_is_on_record_once(full: Workspace) -> None:
    bundle(full)
    (record,) = [record for record in full.audit.records("database_sales.json") if record.act == "export"]
    files = {kept.item.connection_id for kept in full.store.connections.list()}
    assert {target.name for target in record.targets} == {
        "database_sales.json", *(f"connections/connection_{ident}.json" for ident in files),
    }  # fmt: skip
    assert record.outcome == "seen"


def test_a_client_goes_with_what_is_its_own_and_nothing_else(full: Workspace) -> None:
    found = bundle(full, "ACME")
    assert [c["client_code"] for c in found["clients"]] == ["ACME"]
    assert [c["name"] for c in found["connections"]] == ["wh"]
    assert [p["project_code"] for p in found["projects"]] == ["P1"]
    assert found["databases"] == []
    assert "OTHER" not in json.dumps(found)


def test_connections_go_alone_without_anybody_s_address(full: Workspace, make: Make) -> None:
    found = bundle(full, names=["env", "ACME/wh", "ENV"])
    assert [c["name"] for c in found["connections"]] == ["env", "wh"]
    assert found["clients"] == []
    assert "j@a.example" not in json.dumps(found)
    result = unbundle(make("there"), found)
    assert result.notes == ("ACME/wh belongs to the client ACME, who is not here",)
    with pytest.raises(NotFoundError):
        bundle(full, names=["nosuch"])


def test_what_is_there_stays_as_it_is(full: Workspace) -> None:
    before = {p.name: p.read_bytes() for p in full.directory.path.rglob("*.json") if p.is_file()}
    document = bundle(full)
    for part, field in (("clients", "client_name"), ("projects", "project_name"), ("connections", "notes")):
        for item in document[part]:
            item[field] = "changed"
    result = unbundle(full, document)
    assert result.added == ()
    assert len(result.conflicts) == 9
    assert {p.name: p.read_bytes() for p in full.directory.path.rglob("*.json") if p.is_file()} == before


def test_an_id_that_is_taken_is_another_one_there(full: Workspace, make: Make) -> None:
    document = bundle(full, "ACME")
    there = make("there")
    taken = document["connections"][0]["connection_id"]
    there.save(connection("mine", "duckdb").model_copy(update={"connection_id": taken}), expected="")
    unbundle(there, document)
    assert names(there) == {"mine", "ACME/wh"}
    wh = there.find("ACME/wh")
    assert wh.connection_id != taken
    assert there.find(taken).name == "mine"
    assert there.store.clients.find("ACME").item.default_connection == wh.connection_id


def test_a_dry_run_says_the_same_and_writes_nothing(full: Workspace, make: Make) -> None:
    document, there = bundle(full), make("there")
    tried = unbundle(there, document, dry_run=True)
    assert not there.directory.path.exists() or not list(there.directory.path.rglob("*.json"))
    done = unbundle(there, document)
    assert (tried.added, tried.reenter, tried.references) == (done.added, done.reenter, done.references)
    assert tried.lines[0].startswith("would be added: ")
    again = unbundle(there, document, dry_run=True)
    assert (again.added, len(again.conflicts)) == ((), 9)


def test_two_of_one_name_in_a_bundle_are_one_and_a_conflict(full: Workspace, make: Make) -> None:
    document = bundle(full, names=["env"])
    twin = copy.deepcopy(document["connections"][0])
    twin["name"] = "ENV"
    document["connections"].append(twin)
    result = unbundle(make("there"), document)
    assert (result.added, result.conflicts) == (("connection env",), ("connection ENV",))


def test_a_secret_that_somebody_wrote_into_a_bundle_is_sealed(full: Workspace, make: Make) -> None:
    document = bundle(full)
    sealed = full.find("ACME/wh").connection_params.password.at_rest()  # type: ignore[attr-defined]
    written_in = {"ACME": CANARY, "OTHER": CANARY, "env": CANARY, "shared": sealed}
    for item in document["connections"]:
        item["connection_params"]["password"] = written_in[item.get("client_code") or item["name"]]
    document["databases"][0]["password"] = CANARY
    document["clients"][0]["metadata"]["crm_token"] = CANARY
    there = make("there")
    result = unbundle(there, document)
    assert result.refused == ()
    written = b"".join(path.read_bytes() for path in there.directory.path.rglob("*") if path.is_file())
    assert CANARY.encode() not in written
    assert sealed.encode() not in written
    # Another directory's token is no secret here; DuckDB has no password, and a client no token.
    assert set(result.reenter) == {"shared password", "OTHER/wh password", "ACME metadata.crm_token"}
    assert len(result.notes) == 2
    assert there.vault.open(there.find("ACME/wh").connection_params, kind="connection",
                            ident=there.find("ACME/wh").connection_id).password == Secret(CANARY)  # type: ignore[attr-defined]


def test_what_nobody_declared_is_looked_through(full: Workspace, make: Make) -> None:
    ident = "11111111-2222-3333-4444-555555555555"
    said = {
        "connection_id": ident, "name": "odd", "connection_type": "nosuch",
        "connection_params": {"host": "h", "key": CANARY, "deep": {"list": [CANARY]}, "password": CANARY},
        "metadata": {"api_key": CANARY, "team": "blue", "url": f"https://u:{CANARY}@wiki/x?token={CANARY}&a=1"},
        "my_token": CANARY, "notes": f"postgresql://u:{CANARY}@h/db",
    }  # fmt: skip
    (full.directory.path / f"connections/connection_{ident}.json").write_text(json.dumps(said))
    known = full.store.connections.find(full.find("env").connection_id).item
    path = full.directory.path / f"connections/connection_{known.connection_id}.json"
    mine = json.loads(path.read_text())
    mine["connection_params"]["passwd"] = CANARY  # a key that the kind does not know
    path.write_text(json.dumps(mine))
    document = bundle(full)
    assert CANARY not in json.dumps(document)
    odd = next(c for c in document["connections"] if c["name"] == "odd")
    assert odd["connection_params"]["host"] == "h"
    assert odd["connection_params"]["key"] == {"$secret": "missing:key"}
    assert odd["metadata"]["team"] == "blue"
    assert odd["metadata"]["url"] == "https://u@wiki/x?token=&a=1"
    paths = "password, metadata.api_key, metadata.url, notes, my_token"
    assert f"connection odd: {paths} (looks like a secret)" in document["left_out"]
    result = unbundle(make("there"), document)
    assert result.refused == ()
    assert {"odd key", "odd password", "odd metadata.api_key", "env passwd"} <= set(result.reenter)


LEAKS = {
    "clientSecret": f"{CANARY}1", "userPassword": f"{CANARY}2", "dbPassword": f"{CANARY}3", "pin": 99887766,
    "auth": {"secret.key": f"{CANARY}4"}, "extra_headers": {"Authorization": f"Bearer {CANARY}5"},
    "password2": 55443322, "list": [{"token": CANARY}, "ok"],
    "uri": f"x://{CANARY}6:x/", "endpoint": f"Endpoint=sb://x;SharedAccessKey={CANARY}7",
}  # fmt: skip


@pytest.mark.parametrize("place", ["connection_params", "metadata", "database_specific", "contact_info", "settings"])
def test_what_looks_like_a_secret_stays_here_and_is_named(full: Workspace, make: Make, place: str) -> None:
    files = {"contact_info": "client_ACME.json", "settings": "project_P1.json"}
    file = files.get(place, f"connections/connection_{full.find('ACME/wh').connection_id}.json")
    path = full.directory.path / file
    by_hand(path, **{place: (json.loads(path.read_text()).get(place) or {}) | LEAKS})
    document = json.loads(json.dumps(bundle(full, "ACME")))
    text = json.dumps(document)
    for leak in (CANARY, "99887766", "55443322"):
        assert leak not in text
    named = "\n".join(document["left_out"])
    assert all(key in named for key in ("clientSecret", "pin", "auth.secret.key", "extra_headers.Authorization", "uri"))
    there = make("there")
    result = unbundle(there, document)
    assert (result.refused, result.notes) == ((), ())
    entered = "\n".join(result.reenter)
    asked = ("clientSecret", "dbPassword", "pin", "password2", "auth.secret.key", "list.0.token")
    assert all(key in entered for key in asked)
    part = {"contact_info": "clients", "settings": "projects"}.get(place, "connections")
    assert bundle(there, "ACME")[part] == document[part]


def test_what_somebody_wrote_into_a_bundle_and_looks_like_a_secret_is_not_saved(full: Workspace, make: Make) -> None:
    document = bundle(full, "ACME")
    document["connections"][0]["connection_params"] |= LEAKS
    document["connections"][0]["notes"] = f"see https://u:{CANARY}@h"
    document["clients"][0]["contact_info"] |= LEAKS
    there = make("there")
    result = unbundle(there, document)
    assert result.refused == ()
    assert len(result.notes) == 2
    written = b"".join(path.read_bytes() for path in there.directory.path.rglob("*") if path.is_file())
    assert not [leak for leak in (CANARY, "99887766", "55443322") if leak.encode() in written]
    assert there.find("ACME/wh").notes == "see https://u@h"


def test_what_cannot_be_read_is_named_and_not_missed(full: Workspace) -> None:
    (full.directory.path / "client_BROKEN.json").write_text("{")
    assert any("client_BROKEN.json" in line for line in bundle(full)["left_out"])


HOSTILE_CODES = [
    "../../etc/passwd", "..", ".", "", "a/b", "a\\b", "CON", "nul", "x" * 65, "a b", "a\0b", "é", "-" * 70, 5, None,
    ["a"], {"a": 1}, True, "a.json", "con\n",
]  # fmt: skip


def test_a_hostile_code_is_refused_and_the_rest_is_added(full: Workspace, make: Make, tmp_path: Path) -> None:
    document = bundle(full)
    keys = {"clients": "client_code", "projects": "project_code", "connections": "connection_id", "databases": "name"}
    for part, field in keys.items():
        document[part] = [*({**document[part][0], field: code} for code in HOSTILE_CODES), *document[part]]
    there = make("there")
    result = unbundle(there, document)
    assert len(result.refused) == len(keys) * len(HOSTILE_CODES) == 80
    assert len(result.added) == 9
    outside = [p for p in tmp_path.iterdir() if p.name not in {"here", "here-data", "there", "there-data"}]
    assert outside == []


@pytest.mark.parametrize("document", [
    {}, {"format": "other", "version": 1}, {"format": FORMAT}, {"format": FORMAT, "version": 2},
    {"format": FORMAT, "version": "1"}, {"format": FORMAT, "version": 1, "secrets": []},
])  # fmt: skip
def test_what_is_no_bundle_is_refused(make: Make, document: dict[str, Any]) -> None:
    with pytest.raises(InvalidError):
        unbundle(make("there"), document)


@pytest.mark.parametrize("part", ["clients", "connections", "projects", "databases"])
def test_a_part_that_is_not_what_it_should_be_is_refused(make: Make, part: str) -> None:
    there = make("there")
    for value in (None, "x", 5, {}, [None], ["x"], [[]], [{}], [{"name": "x"}]):
        result = unbundle(there, {"format": FORMAT, "version": 1, part: value})
        assert len(result.refused) == 1, value
        assert result.added == ()


def test_a_wrong_item_is_named_and_costs_no_other(full: Workspace, make: Make) -> None:
    document = bundle(full)
    wrong = next(item for item in document["connections"] if item["connection_type"] == "postgres")
    wrong["connection_params"]["port"] = "many"
    document["clients"][0]["contact_info"] = {}
    result = unbundle(make("there"), document)
    assert len(result.refused) == 2
    assert any("connection_params.port: should be a whole number" in line for line in result.refused)
    assert len(result.added) == 7


def test_a_file_is_its_owner_s_alone_and_never_written_over(full: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "all.json"
    write(bundle(full), path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read(path)["format"] == FORMAT
    before = path.read_bytes()
    with pytest.raises(InvalidError, match="is there already"):
        write({}, path)
    assert path.read_bytes() == before
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "nowhere.json")
    with pytest.raises(InvalidError):
        write({}, link)
    assert not (tmp_path / "nowhere.json").exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 200_000, b'"text"', b"null"])
def test_a_file_that_is_none_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(InvalidError, match=r"is no JSON|holds no mapping"):
        read(path)


def test_what_came_of_it_is_said_in_lines() -> None:
    assert Unpacked().lines == ["There is nothing in it."]
    result = Unpacked(("a",), ("b",), ("c: why",), reenter=("d password",), references=("e ← env:X",))
    assert [line.partition(": ")[2] for line in result.lines] == ["a", "b", "c: why", "d password", "e ← env:X"]


def test_from_a_shell(full: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from siege_nb.cli import app

    def siege(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, list(words))
        return result.exit_code, result.output

    path = str(tmp_path / "all.json")
    monkeypatch.setenv("SIEGE_CONFIG_DIR", str(full.directory.path))
    assert siege("export", path, "--client", "ACME") == (0, "")
    assert siege("export", path)[0] == 2
    monkeypatch.setenv("SIEGE_CONFIG_DIR", str(tmp_path / "new"))
    code, said = siege("import", path, "--dry-run")
    assert (code, said.count("would be added")) == (0, 3)
    assert "enter again: ACME/wh password" in siege("import", path)[1]
    assert siege("import", path)[1].count("is there already") == 3


def test_whoever_made_a_bundle_reads_no_secret_of_ours(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_CLOUD_KEY", CANARY)
    here, there = make("here"), make("there")
    there.vault.share("dwh", Secret(CANARY))
    params = {"url": "http://evil.example", "token": {"$secret": "vault:dwh"}}
    for name, token in (("shared", "vault:dwh"), ("env", "env:MY_CLOUD_KEY"), ("ring", "keyring:x")):
        given = params | {"token": Reference.parse(token)}
        notebook = structure(adapters.load("notebook").params_type, given)
        here.save(ConnectionProfile(name=name, connection_type="notebook", connection_params=notebook))
    result = unbundle(there, json.loads(json.dumps(bundle(here))))
    assert set(result.reenter) == {"shared token", "env token", "ring token"}
    for name in ("shared", "env", "ring"):
        with pytest.raises(VaultError, match="was not part of what was imported"):
            there.opened(there.find(name))


@pytest.mark.parametrize("name", ["--all", "a/b", "a\x1b[31mb", " x"])
def test_a_name_that_could_not_be_typed_does_not_come_in(make: Make, name: str) -> None:
    here, there = make("here"), make("there")
    params = structure(adapters.load("sqlite").params_type, {})
    saved = here.save(ConnectionProfile(name="x", connection_type="sqlite", connection_params=params))
    document = bundle(here)
    document["connections"][0]["name"] = name
    result = unbundle(there, document)
    assert (result.added, len(result.refused)) == ((), 1)
    assert not there.knows(saved.connection_id)
