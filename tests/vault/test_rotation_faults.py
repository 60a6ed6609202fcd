"""A rotation that is killed again and again while others read: nobody notices, and in the end all of it is done."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from siege_nb.models.stamps import now
from siege_nb.store import document
from siege_nb.vault import rotation
from siege_nb.vault.places import holders
from siege_nb.vault.ring import Ring
from tests.vault import workers
from tests.vault.conftest import ROOT

KILLS = 20


def started(task: str, config: Path) -> subprocess.Popen[bytes]:
    """A worker that has come so far that it can be told to begin."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.vault.workers", task, str(config)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        cwd=ROOT, bufsize=0,
    )  # fmt: skip


def begin(rotator: subprocess.Popen[bytes]) -> int:
    """Have a rotator begin; gives where it says what it does."""
    assert rotator.stdin
    assert rotator.stdout
    assert os.read(rotator.stdout.fileno(), 1) == b"r"
    rotator.stdin.write(b"\n")
    return rotator.stdout.fileno()


@pytest.mark.fault
def test_a_rotation_killed_twenty_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, chance = tmp_path / "config", random.Random(21)
    workers.fill(str(config))
    vault = workers.vault(str(config))
    (old,) = (key.name for key in vault.status())
    readers = [started("read", config) for _ in range(4)]
    for reader in readers:
        assert reader.stdout
        assert reader.stdout.readline() == b"ready\n"
    fired, left = 0, [workers.FILES * workers.EACH]
    waiting = started("rotate", config)
    for _ in range(KILLS):
        rotator, waiting = waiting, started("rotate", config)
        out = begin(rotator)
        for _ in range(chance.randrange(1, 24)):
            assert os.read(out, 1) == b"."
        rotator.send_signal(signal.SIGKILL)
        fired += rotator.wait() == -signal.SIGKILL
        rotator.communicate()
        found = holders(config)
        left.append(sum(found.get(old, {}).values()))
        ring = Ring.parse((config / "ring.json").read_bytes())
        assert ring.keys[old].state == "active"
        assert len(ring.keys) == 2  # what was begun is gone on with
        # Whatever a ring says, the key is not destroyed while a token of it is left.
        assert rotation._destroy(vault._keys, old, now() + timedelta(days=1))
    out = begin(waiting)
    said = waiting.communicate()[0].split()
    told = [json.loads(reader.communicate(b"x")[0]) for reader in readers]
    reads = sum(each["reads"] for each in told)
    print(f"{fired} kills, tokens left after each: {left}, {reads} reads, {sum(len(e['failed']) for e in told)} failed")
    assert fired == KILLS
    assert left == sorted(left, reverse=True)
    assert len(set(left)) > KILLS // 2
    assert 0 < left[-1] == int(said[-1])
    assert [each["failed"] for each in told] == [[]] * 4
    assert reads > 1000
    (new,) = (key.name for key in vault.status() if key.primary)
    assert {kid for each in told for kid in each["keys"]} == {old, new}
    assert {kid: sum(files.values()) for kid, files in holders(config).items()} == {new: 5000}

    aside = config / f"{workers.file(1)}.corrupt-20240101T000000000000Z"
    aside.write_text(f'{{"s": "encrypted:v2.{old}.')
    monkeypatch.setattr("siege_nb.vault.now", lambda: now() + timedelta(days=1))
    assert vault.rotate(document, finish=True).kept_for == {old: (aside.relative_to(config).as_posix(),)}
    aside.unlink()
    assert vault.rotate(document, finish=True).destroyed == (old,)
    fresh = workers.vault(str(config))
    for n in range(0, workers.FILES, 25):
        token = document.read(fresh._directory.read(workers.file(n)) or b"", "").data["connection_params"]["s3"]
        assert fresh._unseal(token, "connection", f"c{n}", "s3").reveal() == f"secret {n} 3"
