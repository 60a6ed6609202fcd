"""A token opens with its key, in its place, as it was written, and in no other way."""

from __future__ import annotations

import itertools
import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from siege_nb.declare import Secret
from siege_nb.errors import TamperedError
from siege_nb.vault import token
from siege_nb.vault.token import Key, new_kid, place

RAW = bytes(range(32))
KID = "kEyName1"
WHERE = ("7a1c8bb2-0000-4000-8000-000000000001", "connection", "prod", "authentication.password")


def sealed(text: str = "correct horse", key: Key | None = None, where: tuple[str, ...] = WHERE) -> str:
    return token.seal(Secret(text), key or Key(RAW), KID, *where)


def opens(written: str, key: Key | None = None, where: tuple[str, ...] = WHERE) -> bool:
    """Whether anything comes out; whatever does not open must say so in one way."""
    try:
        token.unseal(written, key or Key(RAW), *where)
    except TamperedError:
        return False
    return True


def test_the_form_of_a_token() -> None:
    written = sealed("0123456789")
    head, ciphertext, tag = written.split(":", 1)[1].split(":")
    version, kid, nonce = head.split(".")
    assert (version, kid, len(nonce), len(ciphertext), len(tag)) == ("v2", KID, 24, 20, 32)
    assert written.startswith("encrypted:v2.")
    assert opens(written)


@pytest.mark.parametrize("text", ["", "a", "äöü€😀", "x" * 100_000, "\0\n\r", "\ud800 lone", "encrypted:v2.x", "env:X"])
def test_any_text_comes_back_as_it_was(text: str) -> None:
    assert token.unseal(sealed(text), Key(RAW), *WHERE).reveal() == text


def test_no_changed_token_opens() -> None:
    written = sealed("0123456789")
    mutants = {written[:n] for n in range(len(written))} | {written[:n] + written[n + 1 :] for n in range(len(written))}
    for n in range(len(written)):
        mutants |= {written[:n] + other + written[n + 1 :] for other in "0aA9fg:. \n"}
    mutants |= {written + tail for tail in ("\n", " ", "0", "00", ":", "\0")} | {written.upper(), " " + written}
    mutants |= {written[:-2], written[: -32 + 8], written + "ab", written.replace(":", "::"), written + written}
    mutants -= {written}
    accepted = [mutant for mutant in mutants if opens(mutant)]
    print(f"{len(mutants)} mutants, {len(accepted)} accepted")
    assert len(mutants) >= 900
    assert accepted == []


@pytest.mark.parametrize("length", [0, 4, 8, 12, 15, 17, 32])
def test_a_tag_of_another_length_is_refused(length: int) -> None:
    head, ciphertext, tag = sealed().rsplit(":", 2)
    assert not opens(f"{head}:{ciphertext}:{(tag * 2)[: 2 * length]}")


@pytest.mark.parametrize("written", [
    "", "encrypted:", "encrypted:v2.", "encrypted:abc123", "plain", "env:X", "encrypted:v1." + "0" * 30,
    "encrypted:" + "0" * 32 + ":" + "ab" * 10 + ":" + "0" * 32,  # the format before v2: no key name, no place
])  # fmt: skip
def test_what_is_no_token_is_never_given_back(written: str) -> None:
    assert not opens(written)
    with pytest.raises(TamperedError):
        token.kid_of(written)


def test_wrong_missing_and_misshapen_keys_are_one_error() -> None:
    written = sealed()
    keys = [os.urandom(32), bytes(32), RAW[:31] + b"\xff", b"", RAW[:31], RAW + b"\0", RAW[:16], RAW * 2]
    for raw in keys:
        with pytest.raises(TamperedError) as caught:
            token.unseal(written, Key(raw), *WHERE)
        assert type(caught.value) is TamperedError
    with pytest.raises(TamperedError):
        Key(RAW).decrypt(b"\0" * 27, b"")


def moves() -> list[tuple[str, ...]]:
    """Other places, those included whose parts run into each other when joined without their lengths."""
    account, kind, ident, path = WHERE
    other = [
        ("7a1c8bb2-0000-4000-8000-000000000002", account[:-1], account + "0", "", account.upper(), account + kind),
        ("database", "connectio", "connections", "", "Connection", kind + ident, "credential"),
        ("test", "pro", "prod2", "", "PROD", "prod\0", ident + path, "pr", "od"),
        ("password", "authentication.passwor", "authentication.password2", "", "authentication", "authentication.token",
         "token", "authentication..password", "Authentication.password"),
    ]  # fmt: skip
    choices = [(value, *others) for value, others in zip(WHERE, other, strict=True)]
    found: set[tuple[str, ...]] = set(itertools.product(*choices))
    joined = "".join(WHERE)
    for cut in itertools.combinations(range(0, len(joined), 7), 3):
        a, b, c = cut
        found.add((joined[:a], joined[a:b], joined[b:c], joined[c:]))
    found |= {WHERE[:3], (*WHERE, ""), (account, f"{kind}{ident}", path), (joined,), (), (account, kind, path, ident)}
    return sorted(found - {WHERE})


def test_a_moved_token_does_not_open() -> None:
    written, places = sealed(), moves()
    opened = [where for where in places if opens(written, where=where)]
    backwards = [where for where in places if opens(sealed(where=where))]
    print(f"{2 * len(places)} moves, {len(opened) + len(backwards)} opened")
    assert len(places) >= 200
    assert opened == backwards == []


def test_no_two_places_are_written_alike() -> None:
    places = [*moves(), WHERE]
    assert len({place(*where) for where in places}) == len(places)


def nonces(count: int) -> list[bytes]:
    key = Key(RAW)
    return [key.encrypt(b"", b"")[:12] for _ in range(count)]


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # from 3.12 on, if another test left a thread
def test_nonces_are_distinct_also_after_fork() -> None:
    seen = nonces(200_000)
    pipes = []
    for _ in range(4):
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(read)
            with os.fdopen(write, "wb") as out:
                out.write(b"".join(nonces(20_000)))
            os._exit(0)
        os.close(write)
        pipes.append((pid, read))
    for pid, read in pipes:
        with os.fdopen(read, "rb") as answer:
            data = answer.read()
        assert os.waitpid(pid, 0)[1] == 0
        seen += [data[n : n + 12] for n in range(0, len(data), 12)]
    print(f"{len(seen)} nonces, {len(seen) - len(set(seen))} twice")
    assert len(seen) == 280_000
    assert len(set(seen)) == len(seen)


def test_one_key_serves_many_threads() -> None:
    key = Key(RAW)

    def round_trip(n: int) -> bool:
        return token.unseal(sealed(f"secret {n}", key), key, *WHERE).reveal() == f"secret {n}"

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(round_trip, range(4000)))


def test_sealing_is_fast() -> None:
    key, secret = Key(RAW), Secret("0123456789")
    began = time.perf_counter()
    for _ in range(5000):
        token.seal(secret, key, KID, *WHERE)
    speed = 5000 / (time.perf_counter() - began)
    print(f"{speed:,.0f} tokens a second")
    assert speed > 1000


def test_key_names_are_random() -> None:
    names = {new_kid() for _ in range(1000)}
    assert len(names) == 1000
    assert all(len(name) == 8 and name.isalnum() and name.isascii() for name in names)


def test_a_key_shows_nothing() -> None:
    key = Key(RAW)
    assert RAW.hex() not in f"{key!r} {key} {dir(key)}"
    assert not hasattr(key, "__dict__")
