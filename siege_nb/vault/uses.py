"""How often a key may still seal: random nonces of 96 bits are safe for 2^32 uses of one key (NIST SP 800-38D)."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

MOST = 1 << 32

# A process counts in blocks, written into the ring before their first use: no write per secret, and never too few, for
# what a process reserves and does not use counts as used. The first block is small, for a job that seals one secret a
# minute in a new process each time; each next one is twice as large, so that 200,000 secrets cost 11 writes.
_FIRST = 1 << 8
_LARGEST = 1 << 16

#: Account and key: what is left of the block reserved last, and how large it was. To take an iterator's next item is
#: one step that no other thread can share, so there is no lock that a fork could find held.
_reserved: dict[tuple[str, str], tuple[Iterator[None], int]] = {}

if hasattr(os, "register_at_fork"):
    # What the parent reserved is the parent's.
    os.register_at_fork(after_in_child=_reserved.clear)


def take(account: str, kid: str, count: int) -> bool:
    """Take so many uses out of what this process has reserved; False if it does not have them."""
    left, _ = _reserved.get((account, kid), (iter(()), 0))
    return sum(1 for _ in itertools.islice(left, count)) == count


def block(account: str, kid: str, count: int) -> int:
    """How many uses to reserve next, so many at least."""
    _, size = _reserved.get((account, kid), (None, _FIRST // 2))
    return max(min(2 * size, _LARGEST), count)


def reserve(account: str, kid: str, size: int) -> None:
    """These uses stand in the ring and are this process's own; what was left of an earlier block is given up."""
    _reserved[account, kid] = itertools.repeat(None, size), size
