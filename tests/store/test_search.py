"""A search gives what reading every file would give, and reads few."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from siege_nb.state import Directory
from siege_nb.store import Store, listing
from tests.store.profiles import by_hand, client, connection

ODD = [
    "Straße", "STRASSE", "İstanbul", "Ǆungla", "a\"b'c", "back\\slash", "new\nline", "tab\t", "é", "e\u0301",
    "\U0001f600", "\u0000", "True", "None", "1.5", "[1, 2]", "{'a': 1}", "ﬁnal", "ΣΊΣΥΦΟΣ", "ς", "",
]  # fmt: skip


def walk(data: Any, path: str) -> list[Any]:
    """The values at a dotted path, by another way than the store's."""
    for step in path.split("."):
        try:
            data = data[int(step)] if isinstance(data, list) else data[step]
        except (KeyError, IndexError, ValueError, TypeError):
            return []
    return [data]


def expected(store: Store, text: str, fields: tuple[str, ...]) -> list[str]:
    hits = []
    for path in sorted(store.directory.path.glob("client_*.json")):
        data = json.loads(path.read_text())
        if any(text.casefold() in str(value).casefold() for field in fields for value in walk(data, field)):
            hits.append(data["client_code"])
    return hits


def codes(store: Store, text: str, *fields: str) -> list[str]:
    return [kept.item.client_code for kept in store.clients.search(text, fields)]


@pytest.fixture
def people(store: Store) -> Store:
    store.clients.put(client("ACME", client_name="Acme Ltd", metadata={"industry": "Technology", "size": 250}))
    store.clients.put(client("BETA", client_name="Beta", contact_info={"primary_contact": "Jo", "email": "jo@x.org"}))
    store.clients.put(client("GAMMA", client_name="Gamma", design_artifacts={"brand_colors": ["#0066CC", "#FF6600"]},
                             preferences={"notification_preferences": {"email": True, "to": ["a", "b"]}}))  # fmt: skip
    return store


def test_by_default_names_codes_industries_and_contacts_are_searched(people: Store) -> None:
    assert codes(people, "ACME") == codes(people, "tech") == ["ACME"]
    assert codes(people, "bet") == codes(people, "JO@X") == ["BETA"]
    assert codes(people, "doe") == codes(people, "john.DOE@") == ["ACME", "GAMMA"]
    assert codes(people, "0066cc") == []
    assert codes(people, "") == ["ACME", "BETA", "GAMMA"]


def test_any_field_may_be_named_and_lists_by_number_or_whole(people: Store) -> None:
    assert codes(people, "0066cc", "design_artifacts.brand_colors") == ["GAMMA"]
    assert codes(people, "0066cc", "design_artifacts.brand_colors.0") == ["GAMMA"]
    assert codes(people, "0066cc", "design_artifacts.brand_colors.1") == []
    assert codes(people, "['#0066cc', '#ff6600']", "design_artifacts.brand_colors") == ["GAMMA"]
    assert codes(people, "250", "metadata.size") == codes(people, "25", "metadata.size", "client_name") == ["ACME"]
    assert codes(people, "true", "preferences.notification_preferences.email") == ["GAMMA"]
    assert codes(people, "'to': ['a'", "preferences.notification_preferences") == ["GAMMA"]
    assert codes(people, "x", "no.such.field") == codes(people, "a", "client_name.0") == []


def test_a_hand_edit_and_a_save_of_another_are_found(people: Store) -> None:
    other = Store(Directory(people.directory.path, fsync=False))
    assert codes(people, "zebra") == []
    other.clients.put(client("DELTA", client_name="Zebra"))
    assert codes(people, "zebra") == ["DELTA"]
    people.clients.remove("DELTA")
    assert codes(people, "zebra") == codes(other, "zebra") == []


def test_a_damaged_file_and_an_outdated_line_are_no_hits(people: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert codes(people, "beta") == ["BETA"]
    monkeypatch.setattr(listing, "FRESH", 1e9)
    monkeypatch.setattr(listing, "QUICK", -1.0)
    path = people.directory.path / "client_BETA.json"
    path.write_text(path.read_text().replace("Beta", "Else").replace("BETA\"", "BETA\""))
    assert codes(people, "beta", "client_name") == [], "the file decides, whatever is remembered of it"
    path.write_text("{")
    assert codes(people, "beta") == []


def test_no_hit_is_lost_whatever_the_text(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a scan of every file, with odd values of every type in the fields, from memory and from the index."""
    monkeypatch.setattr(listing, "SMALL", 0)
    dice = random.Random(7)
    values: list[Any] = [*ODD, 1, 0, 1.5, -3, True, False, None, [1, [2, "x"]], {"a": ["Ü", None]}, 10**30]
    for n in range(60):
        document = {
            "client_code": f"C{n}", "client_name": dice.choice(ODD) or "x",
            "metadata": {"industry": dice.choice(values)},
            "contact_info": {"primary_contact": dice.choice(values), "email": dice.choice(values)},
        }  # fmt: skip
        by_hand(store.directory.path / f"client_C{n}.json", document)
    broken = {damaged.path.stem.removeprefix("client_") for damaged in store.clients.damaged()}
    again = Store(Directory(store.directory.path, fsync=False))
    asked = hits = 0
    fields = ("client_name", "client_code", "metadata.industry", "contact_info.primary_contact", "contact_info.email")
    for text in {*map(str, values), "a", "ss", "i", "none", "1", "σ", "'", "\\", "\n", "ǆ", "', 'x'", "fi", "\u0307"}:
        for chosen in (fields, fields[2:3], ("metadata",), ("contact_info.email", "nothing")):
            want = [code for code in expected(store, text, chosen) if code not in broken]
            for handle in (store, again):
                given = () if chosen is fields else chosen
                assert codes(handle, text, *given) == want, (text, chosen)
            asked, hits = asked + 1, hits + len(want)
    store.index.settle()
    assert asked >= 100
    assert hits >= 500


def test_the_index_holds_no_parameters_of_a_connection(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of other systems hold open passwords."""
    monkeypatch.setattr(listing, "SMALL", 0)
    monkeypatch.setattr("siege_nb.store.files.TICK", -(1 << 62))
    store.connections.put(connection("lake", connection_id="a"))
    raw = {"name": "old", "connection_type": "x", "connection_params": {"password": "hunter2-plain"}}
    by_hand(store.directory.path / "connections" / "connection_b.json", raw)
    by_hand(store.directory.path / "database_D.json", {
        "connection_type": "postgres", "host": "h", "port": 1, "database": "sales", "password": "hunter3-plain",
    })  # fmt: skip
    assert [row.name for row in store.connections.rows()] == ["lake", "old"]
    assert [row.summary["database"] for row in store.databases.rows()] == ["sales"]
    store.index.settle()
    kept = b"".join(path.read_bytes() for path in Path(store.directory.path).glob("index.sqlite*"))
    assert b"lake" in kept
    assert b"sales" in kept
    assert b"hunter" not in kept
    assert {path.stat().st_mode & 0o777 for path in store.directory.path.glob("index.sqlite*")} == {0o600}
