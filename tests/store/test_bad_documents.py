"""Files that are not what they should be: each is named and kept, none is taken for an empty one."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from siege_nb.declare import unstructure
from siege_nb.errors import AccessError, DamagedError
from siege_nb.store import Store, document
from tests.store.profiles import client

GOOD: dict[str, Any] = unstructure(client("CODE"))
RAW = document.write(GOOD, 3, "")
TEXT = RAW.decode()
SEED = 20260718


def changed(*path: str, to: Any) -> bytes:
    """The good document with another value at a path."""
    data = copy.deepcopy(GOOD)
    *above, last = path
    place = data
    for key in above:
        place = place[key]
    place[last] = to
    return json.dumps(data).encode()


def with_text(value: str) -> bytes:
    """The good document with this JSON, good or bad, as an unknown key's value."""
    return TEXT.replace('"client_id"', f'"x": {value}, "client_id"', 1).encode()


def damaged() -> Iterator[tuple[str, bytes]]:
    """Files that must be refused."""
    yield from ((f"cut at {n}", RAW[:n]) for n in range(0, len(RAW) - 2, 16))
    dice = random.Random(SEED)
    for n in range(40):
        # The top bit set in ASCII text is never UTF-8.
        at = dice.randrange(len(RAW))
        yield f"bit flip {n} at {at}", RAW[:at] + bytes([RAW[at] ^ 0x80]) + RAW[at + 1 :]
    for constant in ("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 5000, "01", "+1", ".5", "0x1", "'a'"):
        yield f"the number {constant[:9]}", with_text(constant)
    for escape in (r'"\ud800"', r'"a\udc00b"', r'{"\udfff": 1}', r'"\x41"', '"\t"', '"\0"', '"never closed'):
        yield f"the text {escape!r}", with_text(escape)
    yield "a surrogate in bytes", with_text('"here"').replace(b"here", b"\xed\xa0\x80")
    yield "overlong UTF-8", with_text('"here"').replace(b"here", b"\xc0\xaf")
    yield "Latin-1", with_text('"é"').decode().encode("latin-1")
    yield "a key twice", TEXT.replace('"client_id"', '"client_name": "x", "client_id"', 1).encode()
    yield "a key twice below", with_text('{"a": 1, "b": {"c": 1, "c": 1}}')
    yield "100,000 keys and one twice", with_text("{" + ",".join(f'"k{n % 99_999}":0' for n in range(100_000)) + "}")
    for depth in (33, 1_000, 100_000):
        yield f"{depth} lists deep", with_text("[" * depth + "]" * depth)
        yield f"{depth} mappings deep", with_text('{"a":' * depth + "1" + "}" * depth)
    yield "10 MB", with_text('"' + "x" * 10_000_000 + '"')
    yield "just too large", RAW + b" " * (document.LARGEST - len(RAW) + 1)
    for encoding in ("utf-16", "utf-16-le", "utf-32", "utf-7"):
        yield encoding, TEXT.replace("Acme", "Ãcme").encode(encoding)
    yield "two byte order marks", b"\xef\xbb\xbf" * 2 + RAW
    yield "two documents", RAW + RAW
    yield "a comment", RAW + b"// by me"
    yield "a trailing comma", TEXT.replace('"\n  }\n}', '",\n  }\n}').encode()
    yield "zeros", bytes(len(RAW))
    yield "empty", b""
    yield "blank", b" \n\t\n"
    yield "another program's", b"SQLite format 3\0" + bytes(4096)
    for value in ("null", "true", "1", '"text"', "[]", "[{}]"):
        yield f"only {value}", value.encode()
    yield "no keys", b"{}"
    for key, value in GOOD.items():
        if key != "client_id":
            yield f"{key} of another type", changed(key, to=7 if not isinstance(value, int) else "x")
            if value is not None:
                yield f"{key} null", changed(key, to=None)
    yield "a time that is none", changed("metadata", "created_date", to="yesterday")
    yield "a count below zero", changed("metadata", "project_count", to=-1)
    yield "another's code", changed("client_code", to="OTHER")
    for ours in (7, [], "x", None, {"format": "1"}, {"format": 0}, {"format": True}, {"rev": -1}, {"rev": 1.5},
                 {"rev": "1"}, {"rev": 10**30}, {"rev": None}):  # fmt: skip
        yield f"_siege {ours!r}", json.dumps(GOOD | {"_siege": ours}).encode()


CORPUS = dict(damaged())


def test_the_corpus_is_large_enough() -> None:
    assert len(CORPUS) >= 150


@pytest.mark.parametrize("name", CORPUS)
def test_a_bad_document_is_named_kept_and_never_taken_for_another(store: Store, name: str) -> None:
    store.clients.put(client("GOOD"))
    path = store.directory.path / "client_CODE.json"
    path.write_bytes(CORPUS[name])
    with pytest.raises(DamagedError) as caught:
        store.clients.find("CODE")
    assert str(path) in caught.value.message
    assert len(str(caught.value)) < 2000
    # json's errors carry the whole text: none may hang on to ours.
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None
    assert [kept.item.client_code for kept in store.clients.list()] == ["GOOD"]
    assert [d.path for d in store.clients.damaged()] == [path]
    with pytest.raises(DamagedError):
        store.clients.update("CODE", lambda c: c)
    assert path.read_bytes() == CORPUS[name]
    kept = store.clients.put(client("CODE"))
    (aside,) = store.directory.path.glob("client_CODE.json.corrupt-*")
    assert aside.read_bytes() == CORPUS[name]
    assert store.clients.find("CODE") == kept


ODD = {
    "ours": RAW,
    "a byte order mark": b"\xef\xbb\xbf" + RAW,
    "CRLF": TEXT.replace("\n", "\r\n").encode(),
    "by hand": json.dumps(GOOD).encode(),
    "edited": json.dumps(GOOD | {"_siege": {"format": 1, "rev": 0, "sum": "not ours"}}).encode(),
    "a bare _siege": json.dumps(GOOD | {"_siege": {}}).encode(),
    "32 deep": with_text("[" * 31 + "]" * 31),
    "a surrogate pair": with_text(r'"\ud83d\ude00 \u0000"'),
    "1 MiB": RAW + b" " * (document.LARGEST - len(RAW)),
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_but_right_is_read(store: Store, name: str) -> None:
    store.clients.put(client("OTHER"))
    (store.directory.path / "client_CODE.json").write_bytes(ODD[name])
    assert store.clients.find("CODE").item.client_name == "Acme"
    assert store.clients.damaged() == []


def test_any_flipped_bit_gives_the_profile_or_an_error_of_ours(store: Store) -> None:
    """Where the flip leaves JSON, it is a hand edit; it never crashes and never empties the list silently."""
    dice = random.Random(SEED)
    store.clients.put(client("OTHER"))
    path = store.directory.path / "client_CODE.json"
    read = refused = 0
    for _ in range(400):
        at = dice.randrange(len(RAW))
        path.write_bytes(RAW[:at] + bytes([RAW[at] ^ 1 << dice.randrange(8)]) + RAW[at + 1 :])
        try:
            assert store.clients.find("CODE").item.client_code == "CODE"
            read += 1
        except (DamagedError, AccessError):
            refused += 1
        assert len(store.clients.list()) + len(store.clients.damaged()) == 2
    assert read > 50
    assert refused > 50


def test_no_message_shows_the_content(store: Store) -> None:
    path = store.directory.path / "connections" / "connection_c.json"
    path.parent.mkdir(parents=True)
    for tail in ('"', '",}', '"}}', '", "password": 1}', '", "x": NaN}'):
        path.write_text('{"password": "hunter2-plain' + tail)
        with pytest.raises(DamagedError) as caught:
            store.connections.find("c")
        assert "hunter2" not in str(caught.value)
