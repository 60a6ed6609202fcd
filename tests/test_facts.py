"""What happens with profiles is counted beside them."""

from __future__ import annotations

import logging
import multiprocessing
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from siege_nb.facts import FILE, KEPT_TESTS, Facts, Tried, Use

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_asking_makes_nothing(tmp_path: Path) -> None:
    facts = Facts(tmp_path)
    assert facts.uses() == {}
    assert facts.tests("a") == []
    assert facts.recall("a", "tables") is None
    assert list(tmp_path.iterdir()) == []


def test_uses_are_counted_and_the_last_is_known(tmp_path: Path) -> None:
    facts = Facts(tmp_path)
    facts.connected("a", NOON)
    facts.connected("a", NOON + timedelta(hours=1))
    facts.used("a", NOON + timedelta(hours=2))
    facts.used("b", NOON)
    one, two = NOON + timedelta(hours=1), NOON + timedelta(hours=2)
    assert Facts(tmp_path).uses() == {"a": Use(two, one, 2), "b": Use(NOON, None, 0)}
    assert facts.use("a").count == 2
    assert facts.use("nobody") == Use()
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0


def test_the_last_tests_are_kept(tmp_path: Path) -> None:
    facts = Facts(tmp_path)
    for n in range(KEPT_TESTS + 3):
        facts.tested("a", Tried(NOON + timedelta(seconds=n), n % 2 == 0, float(n), "auth", f"no {n}"))
    facts.tested("b", Tried(NOON, True, 1.5))
    found = facts.tests("a")
    assert len(found) == KEPT_TESTS
    assert found[0] == Tried(NOON + timedelta(seconds=KEPT_TESTS + 2), True, KEPT_TESTS + 2.0, "auth", "no 102")
    assert facts.tests("a", 1) == found[:1]
    assert facts.tests("b") == [Tried(NOON, True, 1.5)]


def test_what_is_known_is_replaced_and_forgotten(tmp_path: Path) -> None:
    facts = Facts(tmp_path)
    facts.remember("a", "tables", ["t", "ü"], NOON)
    facts.remember("a", "tables", {"u": 1}, NOON + timedelta(days=1))
    known = facts.recall("a", "tables")
    assert known is not None
    assert (known.value, known.as_of) == ({"u": 1}, NOON + timedelta(days=1))
    facts.connected("a", NOON)
    facts.forget_metadata("a")
    assert facts.recall("a", "tables") is None
    assert facts.use("a").count == 1
    facts.tested("a", Tried(NOON, True, 1.0, message="canary-4711"))
    facts.forget("a")
    assert facts.uses() == {}
    assert facts.tests("a") == []


def test_a_damaged_file_is_set_aside_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / FILE).write_bytes(b"no database at all, but long enough to look at" * 50)
    facts = Facts(tmp_path)
    with caplog.at_level(logging.WARNING):
        facts.connected("a", NOON)
    assert "set aside as facts.sqlite.corrupt-" in caplog.text
    facts.connected("a", NOON)
    assert facts.use("a").count == 1
    assert [p.read_bytes()[:11] for p in tmp_path.glob("*.corrupt-*")] == [b"no database"]


def test_what_cannot_be_noted_is_logged_and_costs_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        Facts(tmp_path / "nowhere").connected("a", NOON)
    assert "not noted" in caplog.text


def _count(folder: str, times: int) -> None:
    facts = Facts(Path(folder))
    for _ in range(times):
        facts.connected("a", NOON)


def test_processes_lose_no_count(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_count, args=(str(tmp_path), 50)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert Facts(tmp_path).use("a").count == 200


@pytest.mark.parametrize("time", ["garbage", "", 7, b"\x00", "0001-01-01T00:00:00+14:00", "2024-13-45"])
def test_what_is_no_time_or_number_is_not_known(tmp_path: Path, time: object) -> None:
    facts = Facts(tmp_path)
    facts.used("b", NOON)
    with closing(sqlite3.connect(tmp_path / FILE)) as by_hand, by_hand:
        by_hand.execute("INSERT INTO uses VALUES ('a', ?, ?, 'many')", (time, time))
        by_hand.execute("INSERT INTO uses (ident, count) VALUES ('c', -3)")
        by_hand.execute("INSERT INTO tests VALUES (1, 'a', ?, 1, 1.0, '', '')", (time,))
        by_hand.execute("INSERT INTO tests VALUES (2, 'a', ?, 1, 'long', '', '')", (NOON.isoformat(),))
        by_hand.execute("INSERT INTO metadata VALUES ('a', 'k', ?, '1')", (time,))
        by_hand.execute("INSERT INTO metadata VALUES ('a', 'l', ?, ?)", (NOON.isoformat(), "[" * 100_000))
    assert facts.use("a") == Use()
    assert facts.uses() == {"a": Use(), "b": Use(NOON), "c": Use()}
    assert facts.tests("a") == []
    assert facts.recall("a", "k") is facts.recall("a", "l") is None


def test_a_time_without_a_zone_is_taken_for_utc(tmp_path: Path) -> None:
    facts = Facts(tmp_path)
    facts.connected("a", NOON.replace(tzinfo=None))
    facts.connected("b", NOON.astimezone(timezone(timedelta(hours=5))))
    assert facts.uses() == {"a": Use(NOON, NOON, 1), "b": Use(NOON, NOON, 1)}
