"""How often a key may seal is counted in blocks, never too few, whoever else seals with it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from siege_nb.errors import VaultError
from siege_nb.store import document
from siege_nb.vault import Vault, uses
from siege_nb.vault.ring import Ring
from tests.vault.conftest import CANARY, MakeVault, opened, seal


@pytest.fixture(autouse=True)
def _a_process_that_has_reserved_nothing() -> Iterator[None]:
    uses._reserved.clear()
    yield
    uses._reserved.clear()


def ring_of(tmp_path: Path) -> Ring:
    return Ring.parse((tmp_path / "config" / "ring.json").read_bytes())


def used(tmp_path: Path) -> int:
    ring = ring_of(tmp_path)
    return ring.keys[ring.primary].used


def set_used(tmp_path: Path, count: int) -> None:
    file = tmp_path / "config" / "ring.json"
    ring = json.loads(file.read_bytes())
    ring["keys"][ring["primary"]]["used"] = count
    file.write_text(json.dumps(ring))
    uses._reserved.clear()


def test_a_block_is_written_before_its_first_use(vault: Vault, make_vault: MakeVault, tmp_path: Path) -> None:
    seal(vault)
    assert used(tmp_path) == 256  # with the ring itself: no second write for the first secret
    written = (tmp_path / "config" / "ring.json").read_bytes()
    for n in range(255):
        seal((vault, make_vault())[n % 2])
    assert (tmp_path / "config" / "ring.json").read_bytes() == written
    seal(vault)
    assert used(tmp_path) == 256 + 512


def test_blocks_grow_to_their_limit() -> None:
    account, written = "account", []
    for _ in range(200_000):
        if not uses.take(account, "key", 1):
            written.append(uses.block(account, "key", 1))
            uses.reserve(account, "key", written[-1])
            assert uses.take(account, "key", 1)
    assert written == [256 << n for n in range(9)] + [1 << 16] * 2


def test_another_process_has_a_block_of_its_own(vault: Vault, make_vault: MakeVault, tmp_path: Path) -> None:
    seal(vault)
    uses._reserved.clear()  # as a process that has just begun
    seal(make_vault())
    assert used(tmp_path) == 512


def test_many_threads_are_never_counted_too_few(make_vault: MakeVault, tmp_path: Path) -> None:
    vaults = [make_vault() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: vaults[n % 8]._keys.for_sealing(), range(5000)))
    left = sum(1 for _ in next(iter(uses._reserved.values()))[0])
    assert used(tmp_path) - left >= 5000


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # from 3.12 on, if another test left a thread
def test_forked_children_reserve_their_own(vault: Vault, tmp_path: Path) -> None:
    seal(vault)
    children = []
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            try:
                for _ in range(200):
                    vault._keys.for_sealing()
                os._exit(0)
            finally:
                os._exit(1)
        children.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 4
    assert used(tmp_path) == 5 * 256
    for _ in range(255):
        seal(vault)  # the parent's own block is still its own
    assert used(tmp_path) == 5 * 256


def test_past_the_limit_nothing_is_sealed_until_the_key_is_rotated(vault: Vault, tmp_path: Path) -> None:
    before = seal(vault)
    set_used(tmp_path, uses.MOST)
    written = (tmp_path / "config" / "ring.json").read_bytes()
    with pytest.raises(VaultError, match=r"4,294,967,296") as caught:
        seal(vault)
    assert caught.value.hint == "Run: siege vault rotate"
    assert (tmp_path / "config" / "ring.json").read_bytes() == written
    assert opened(vault, before) == CANARY  # opening has no limit
    vault.rotate(document)
    assert opened(vault, seal(vault)) == CANARY
    assert used(tmp_path) == 256


def test_the_last_block_may_be_used_up(vault: Vault, tmp_path: Path) -> None:
    seal(vault)
    set_used(tmp_path, uses.MOST - 256)
    for _ in range(256):
        vault._keys.for_sealing()
    with pytest.raises(VaultError, match="siege vault rotate"):
        vault._keys.for_sealing()


def test_a_ring_from_before_there_was_a_count(vault: Vault, tmp_path: Path) -> None:
    sealed = seal(vault)
    file = tmp_path / "config" / "ring.json"
    ring = json.loads(file.read_bytes())
    del ring["keys"][ring["primary"]]["used"]
    file.write_text(json.dumps(ring))
    uses._reserved.clear()
    assert opened(vault, sealed) == CANARY
    seal(vault)
    assert used(tmp_path) == 256


def test_a_key_in_memory_has_the_same_limit(make_vault: MakeVault) -> None:
    memory = make_vault("memory")
    sealed = seal(memory)
    ring = memory._keys.for_opening().ring
    uses.reserve(ring.account, ring.primary, 1)
    seal(memory)
    with pytest.raises(VaultError, match="as many secrets as one key may"):
        seal(memory)
    assert opened(memory, sealed) == CANARY


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_child_seals_in_memory_with_a_key_of_its_own(make_vault: MakeVault) -> None:
    memory = make_vault("memory")
    sealed = seal(memory)
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            both = [opened(memory, sealed), opened(memory, seal(memory))]
            os.write(write, f"{memory._keys.for_sealing().ring.primary} {both == [CANARY] * 2}".encode())
        finally:
            os._exit(0)
    os.close(write)
    assert os.waitpid(pid, 0)[1] == 0
    with os.fdopen(read) as answer:
        primary, well = answer.read().split()
    assert well == "True"
    assert primary != memory._keys.for_sealing().ring.primary
