"""What the processes of these tests do: `python -m tests.vault.workers TASK DIRECTORY …`."""

from __future__ import annotations

import json
import os
import random
import sys
from pathlib import Path
from typing import Any

from siege_nb.declare import Reference, Secret
from siege_nb.errors import SiegeError
from siege_nb.settings import Settings
from siege_nb.state import Directory
from siege_nb.store import document
from siege_nb.vault import Vault

FILES, EACH = 500, 10


def vault(path: str) -> Vault:
    """The vault over a config directory, with its key beside it."""
    settings = Settings(Path(path), Path(path).with_name("data"), vault="keyfile")
    return Vault(settings, Directory(path, fsync=False, patience=30))


def file(n: int) -> str:
    """The name of the n-th file."""
    return f"connections/connection_c{n}.json"


def fill(path: str) -> None:
    """5,000 secrets, ten to a file."""
    made = vault(path)
    raws = {}
    for n in range(FILES):
        params = {
            f"s{k}": made._seal(Secret(f"secret {n} {k}"), "connection", f"c{n}", f"s{k}").written for k in range(EACH)
        }
        raws[file(n)] = document.write({"connection_id": f"c{n}", "connection_params": params}, 1, "")

    def write(change: Any) -> None:
        for name, raw in raws.items():
            change.write(name, raw)

    made._directory.change(write)


def read(path: str) -> None:
    """Open one secret after another until told to stop; tells how many, with which keys, and what failed."""
    directory, reads, failed, kids = Directory(path), 0, list[str](), set[str]()
    chance = random.Random(os.getpid())
    os.write(1, b"ready\n")
    os.set_blocking(0, False)
    while not sys.stdin.read(1):
        fresh = vault(path)
        for _ in range(100):
            n, k = chance.randrange(FILES), chance.randrange(EACH)
            try:
                written = document.read(directory.read(file(n)) or b"", file(n)).data["connection_params"][f"s{k}"]
                found = fresh.resolve(Reference(written), kind="connection", ident=f"c{n}", path=f"s{k}")
                if found != Secret(f"secret {n} {k}"):
                    failed.append(f"{n} {k} is another")
            except SiegeError as error:
                failed.append(f"{n} {k}: {error}")
            kids.add(written[13:21])
            reads += 1
    os.write(1, json.dumps({"reads": reads, "failed": failed[:5], "keys": sorted(kids)}).encode() + b"\n")


def rotate(path: str) -> None:
    """Rotate when told to, with a dot for each change that was made; then what came of it."""
    made = vault(path)
    change = made._directory.change

    def told(*args: Any, **options: Any) -> Any:
        result = change(*args, **options)
        os.write(1, b".")
        return result

    made._directory.change = told  # type: ignore[method-assign]
    os.write(1, b"r")
    sys.stdin.readline()
    done = made.rotate(document)
    os.write(1, f"\n{done.resealed}\n".encode())


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
