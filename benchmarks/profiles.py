"""What profiles take among 100, 10,000 and 100,000: connections of 1 KB each, on a disk, page cache warm.

The peer parses every file with json, as the original did for each of these; the limit is one scan with the fastest
parser, into six fields, or for a save the bare write, fsync, rename and fsync of the folder.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.measure import Row, interleave, report, row
from siege_nb.settings import Settings
from siege_nb.store import document

SIZES = (100, 10_000, 100_000)
#: What is searched for is in one connection of a thousand.
RARE = "needle"

_FIRST = {
    "ours": """
from siege_nb.store import Store
import siege_nb.adapters.postgres
store = Store(sys.argv[1])
begin()
assert len(store.connections.rows()) == int(sys.argv[2])
""",
    "peer": """
from benchmarks.profiles import by_json
begin()
assert sum(1 for _ in by_json(sys.argv[1])) == int(sys.argv[2])
""",
    "limit": """
from benchmarks.profiles import scan
work = scan(sys.argv[1])
begin()
assert len(work()) == int(sys.argv[2])
""",
}
_CLOCK = """
import sys, time
def begin():
    global began
    began = time.perf_counter()
{work}
print(time.perf_counter() - began)
"""


def main() -> None:
    report(_rows())


def by_json(config: str) -> Iterator[dict[str, Any]]:
    """Every profile, as the original reads them."""
    for path in Path(config, "connections").glob("connection_*.json"):
        with open(path, encoding="utf-8") as file:
            yield json.load(file)


def scan(config: str) -> Callable[[], list[Any]]:
    """One scan of all files with the fastest parser, which only looks at six fields."""
    import msgspec  # type: ignore[import-not-found,unused-ignore]

    class Seen(msgspec.Struct):  # type: ignore[misc,unused-ignore]
        connection_id: str
        name: str
        connection_type: str
        client_code: str | None = None
        tags: list[str] = []
        notes: str = ""

    parse = msgspec.json.Decoder(Seen).decode

    def work() -> list[Any]:
        found = []
        with os.scandir(Path(config, "connections")) as entries:
            for entry in entries:
                fd = os.open(entry.path, os.O_RDONLY)
                found.append(parse(os.read(fd, 1 << 20)))
                os.close(fd)
        return found

    return work


def _rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            config = Path(folder, str(size))
            _fill(config, size)
            yield from _reads(str(config), size)
            yield _save(config, size)


def _fill(config: Path, size: int) -> None:
    connections = config / "connections"
    connections.mkdir(parents=True, mode=0o700)
    config.chmod(0o700)
    for n in range(size):
        data = {
            "connection_id": _ident(n), "name": f"warehouse {n}", "connection_type": "postgres",
            "connection_params": {
                "host": f"db{n % 50}.example.com", "port": 5432, "database": "sales", "username": "reporting",
                "password": {"$secret": "env:PGPASSWORD"},
            },
            "metadata": {
                "created_date": "2026-01-01T00:00:00+00:00", "last_used": "2026-02-01T00:00:00+00:00",
                "last_connected": None, "connection_count": n, "status": "active", "auto_connect": False,
                "timeout": 30, "retry_attempts": 3,
            },
            "security": {"encrypted": True, "encryption_method": "aes-256-gcm", "credentials_stored": True},
            "tags": ["nightly", "emea"], "notes": f"{'nothing to see here, ' * 4}{RARE if n % 1000 == 77 else ''}",
        }  # fmt: skip
        (connections / f"connection_{_ident(n)}.json").write_bytes(document.write(data, 1, ""))
    time.sleep(0.2)  # a file that was written this very instant is read again


def _ident(n: int) -> str:
    return f"{n:08x}-0000-4000-8000-000000000000"


def _reads(config: str, size: int) -> Iterator[Row]:
    from siege_nb.store import Store

    rounds = 100 if size < 1000 else 9 if size < 100_000 else 3
    index = Path(config, "index.sqlite")
    yield _first(f"first list {size} without index", config, size, before=lambda: index.unlink(missing_ok=True))
    yield _first(f"first list {size}", config, size)
    store = Store(config)
    connections, limit = store.connections, scan(config)
    name, hits = f"warehouse {size // 3}", max(1, size // 1000)

    def parse_all() -> None:
        assert sum(1 for _ in by_json(config)) == size

    def search() -> None:
        assert len(connections.search(RARE)) == hits

    def find() -> None:
        assert connections.find_named(name).item.name == name

    def look() -> None:
        assert len(connections._listing.look().rows) == size

    # Asked again and again, as a completer does: one asking among scans of seconds would be that of somebody idle.
    works: dict[str, tuple[Callable[[], object], int]] = {
        "list": (connections.rows, 21), "look": (look, 1), "find": (find, 21), "search": (search, 5),
        "peer": (parse_all, 1), "limit": (limit, 1),
    }  # fmt: skip
    times: dict[str, list[float]] = {role: [] for role in works}
    search()
    for _ in range(rounds):
        for role, (work, often) in works.items():
            times[role].append(_median(work, often))
    medians = {role: statistics.median(taken) for role, taken in times.items()}
    beside = {role: medians[role] for role in ("peer", "limit")}
    for role in ("list", "find", "search"):
        yield row(f"{role} {size}", {"ours": medians[role], **beside})
    yield row(f"list {size}, looking at every file", {"ours": medians["look"], **beside})


def _median(work: Callable[[], object], often: int) -> float:
    taken = []
    for _ in range(often):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def _first(name: str, config: str, size: int, before: Callable[[], object] = lambda: None) -> Row:
    """Each in a process of its own; what it imports is outside the clock."""
    times: dict[str, list[float]] = {role: [] for role in _FIRST}
    for _ in range(9 if size < 1000 else 5 if size < 100_000 else 3):
        before()
        for role, script in _FIRST.items():
            command = [sys.executable, "-c", _CLOCK.format(work=script), config, str(size)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            times[role].append(float(done.stdout.split()[-1]))
    return row(name, {role: statistics.median(taken) for role, taken in times.items()})


def _save(config: Path, size: int) -> Row:
    """A connection saved as a user saves it, with the lock, the generation and the audit log."""
    from siege_nb.workspace import Workspace

    workspace = Workspace(Settings(config_dir=config, data_dir=config.with_name(f"{size} data")))
    path = next(config.glob("connections/*.json"))
    raw, bare = path.read_bytes(), config.with_name(f"{size} bare")
    (bare / "connections").mkdir(parents=True)
    for n in range(size):  # its folder is as large as ours
        (bare / "connections" / f"connection_{n}.json").touch()
    profile = workspace.store.connections.find(_ident(0)).item
    count = 0

    def ours() -> None:
        nonlocal count
        count += 1
        workspace.save(profile.model_copy(update={"notes": f"{profile.notes}{count:08}"}))

    def limit() -> None:
        temporary = bare / "connections" / f".tmp-{os.urandom(8).hex()}"
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(fd, raw)
        os.fsync(fd)
        os.close(fd)
        os.replace(temporary, bare / "connections" / "connection_0.json")
        folder = os.open(bare / "connections", os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(folder)
        os.close(folder)

    with suppress(OSError):
        os.sync()  # what was written to fill the folders is not to be paid for here
    return interleave(f"save {size}" if size > SIZES[0] else "save", ours=ours, peer=None, limit=limit, rounds=200)


if __name__ == "__main__":
    main()
