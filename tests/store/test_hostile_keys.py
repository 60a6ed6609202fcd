"""Codes and ids that would lead elsewhere: none is accepted at any door, and nothing outside is touched."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from siege_nb.errors import DamagedError, InvalidError, NotFoundError
from siege_nb.models.database import DatabaseProfile
from siege_nb.models.project import ProjectProfile
from siege_nb.state import Directory
from siege_nb.store import Store, account
from tests.store.profiles import by_hand, client, connection, counted

CLASSES: dict[str, list[str]] = {
    "parents": ["..", "../x", "../../x", "a/..", "a/../x", "a/../../x", "..\\x", "a\\..\\..\\x", "....//x", ".../x"],
    "dots": [".", "./x", "x/.", ".hidden", "...", "x..", ".x.", ".lock", ".tmp-1", ".journal"],
    "slashes": ["/", "a/b", "/etc/passwd", "//x", "a//b", "x/", "\\", "a\\b", "\\\\host\\share", "\u2044", "\u2215"],
    "encoded": ["%2e%2e", "%2e%2e%2fx", "%2F", "..%2fx", "%00", "%c0%ae", "\\x2e", "\\u002e", "&#46;", "=2E=2E"],
    "controls": [*map(chr, range(32)), "\x7f", "\x80", "\x85", "\x9f"],
    "inside": ["a\0b", "a\nb", "a\rb", "a\tb", "a\x1bb", "a\x08b", "ok\0.json", "ok\n../x", "\0", "a\x0bb"],
    "ends": ["a.", "a ", " a", "a..", "a. ", "a\t", "\na", "a\n", "\ufeffa", "a\u00a0"],
    "devices": ["con", "CON", "Con", "prn", "aux", "NUL", "nul", "com1", "COM9", "lpt1", "LPT9", "Aux"],
    "streams": ["a:b", "C:", "C:x", "a::$DATA", "file:x", "a:"],
    "wildcards": ["*", "?", "a*", "[a]", "a?b", "{a,b}", "**"],
    "shell": ["~", "~root", "$HOME", "${HOME}", "`id`", "$(id)", "a;b", "a|b", "a&b", "a>b", "a<b", "!x", "'", '"'],
    "format": ["{x}", "{0}", "%s", "%(x)s", "{{x}}", "#{x}"],
    "bidi": ["\u202eacme", "a\u202db", "\u2066a", "a\u2069", "\u200fa", "a\u061cb"],
    "invisible": ["a\u200bb", "\u200d", "a\u00adb", "\u2060a", "a\u180eb", "\u3164", "\ufe0f"],
    "composed": ["\u00e9", "e\u0301", "\u1e9b\u0323", "\u00c5", "A\u030a", "\ufb01"],
    "wide": ["\uff21\uff22", "\uff0e\uff0e", "\uff0f", "\uff3c", "\u3000"],
    "look-alikes": ["\u0410CME", "\u0391CME", "\u04c0", "ACM\u0415", "\u2010", "\u2212"],
    "digits": ["\u0661", "\u09e7", "\u2460", "\u00b2", "\uff11"],
    "astral": ["\U0001f600", "\U00010400", "\U000e0041", "\U0010ffff"],
    "surrogates": ["\ud800", "\udfff", "a\udcff", "\ud83d", "\udc00\ud800"],
    "length": ["", "x" * 65, "x" * 255, "x" * 300, "x" * 5000, "-" * 65],
    "separators": ["\u2028", "\u2029", "a\u2028b", "\x1c", "\x1d", "\x1e"],
    "sql": ["' OR 1=1", "a'; DROP", "a--b;", "a/*b*/", "x'y"],
    "html": ["<b>", "<script>", "a&amp;b", "javascript:x"],
    "json": ["null\n", "[]", "{}", '"a"', "a,b"],
    "csv": ["=1+1", "+1", "@a", "a,b", "\t=1"],
    "options": ["-rf/", "-rf /", "--x=y", "- "],
    "suffixes": ["a.json", "a.json/", "a.json\0", "a.tmp", "a.corrupt-1", "..json"],
    "urls": ["file:///etc/passwd", "http://x", "\\\\?\\C:\\x", "//x/y"],
    "numbers": ["1.0", "1e5.", "0x1.", "+0"],
    "case": ["\u0130", "\u0131", "\u017f", "\u212a", "\u00df"],
    "mixed": ["ok/../../ok", "ok\\../ok", "client_../x", "connections/x", "audit/head", "generation/"],
}
KEYS = sorted({key for keys in CLASSES.values() for key in keys})


def doors(store: Store, key: str) -> Iterator[Callable[[], object]]:
    """Every way into the store that takes a key."""
    for collection in (store.clients, store.connections, store.projects, store.databases):
        yield lambda c=collection: c.find(key)
        yield lambda c=collection: c.remove(key)
        yield lambda c=collection: c.update(key, lambda item: item)
    for collection, item in (
        (store.clients, client().model_copy(update={"client_code": key})),
        (store.connections, connection().model_copy(update={"connection_id": key})),
        (store.projects, ProjectProfile(project_code="P").model_copy(update={"project_code": key})),
        (store.databases, DatabaseProfile(name="D", connection_type="x", host="h", port=1, database="d")
         .model_copy(update={"name": key})),
    ):  # fmt: skip
        yield lambda c=collection, i=item: c.put(i)
    yield lambda: store.clients.update("ACME001", lambda c: counted(c).model_copy(update={"client_code": key}))
    yield lambda: account.associate(store, key, "P1")
    yield lambda: account.associate(store, "ACME001", key)


def everything(path: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in path.rglob("*") if p.is_file() and p.name != ".lock"}


def test_there_are_enough_of_them() -> None:
    assert len(CLASSES) >= 32
    assert len(KEYS) >= 200


def test_no_hostile_key_gets_through_any_door(store: Store, tmp_path: Path) -> None:
    store.clients.put(client())
    store.projects.put(ProjectProfile(project_code="P1"))
    # What a path that leads out would meet.
    for bait in ("x.json", "client_x.json", "etc/passwd", "config/a/b.json", "config/client_a/x.json"):
        by_hand(tmp_path / bait, {"client_code": "x", "client_name": "x"})
    before = everything(tmp_path)
    tried = 0
    for key in KEYS:
        for door in doors(store, key):
            with pytest.raises(InvalidError) as caught:
                door()
            assert len(str(caught.value)) < 500
            tried += 1
        for word in (key, f"{key}/x", f"x/{key}"):
            with pytest.raises(NotFoundError):
                store.connections.find_named(word)
    assert everything(tmp_path) == before
    assert tried == len(KEYS) * 19


def test_no_hostile_name_of_a_file_is_listed(store: Store) -> None:
    """Whoever can make such a file is the owner, but a copy from elsewhere may bring it."""
    store.clients.put(client())
    made = 0
    for key in KEYS:
        with contextlib.suppress(OSError, ValueError):
            path = store.directory.path / f"client_{key}.json"
            if path.parent == store.directory.path:
                path.write_text('{"client_name": "x", "contact_info": {"primary_contact": "x", "email": "x"}}')
                made += 1
    assert made >= 100
    clients = Store(Directory(store.directory.path, fsync=False)).clients
    assert [row.key for row in clients.rows()] == [kept.item.client_code for kept in clients.list()] == ["ACME001"]
    assert len(clients.problems()) == len(clients.damaged()) == made
    assert all(isinstance(problem.error, DamagedError) for problem in clients.problems())
