"""Rows of a benchmark: ours, the peer and the limit in turn, so that a busy machine slows all three alike."""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

Work = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """One figure with its two neighbours; smaller is better."""

    name: str
    ours: float
    peer: float | None
    limit: float | None
    ours_over_peer: float | None
    ours_over_limit: float | None
    unit: str = "s"


def interleave(name: str, *, ours: Work, peer: Work | None, limit: Work | None, rounds: int, warm: int = 20) -> Row:
    """Medians of the three, run in turn, round after round."""
    works = {"ours": ours, "peer": peer, "limit": limit}
    present = {role: work for role, work in works.items() if work is not None}
    for work in present.values():
        for _ in range(warm):
            work()
    times: dict[str, list[float]] = {role: [] for role in present}
    gc.disable()
    try:
        for _ in range(rounds):
            for role, work in present.items():
                began = time.perf_counter()
                work()
                times[role].append(time.perf_counter() - began)
    finally:
        gc.enable()
    return row(name, {role: statistics.median(taken) for role, taken in times.items()})


def row(name: str, medians: dict[str, float], unit: str = "s") -> Row:
    """A row from its medians, with the two ratios."""
    ours, peer, limit = medians["ours"], medians.get("peer"), medians.get("limit")
    return Row(name, ours, peer, limit, ours / peer if peer else None, ours / limit if limit else None, unit)


def report(rows: Iterable[Row]) -> None:
    """Print the rows as a Markdown table; write them as JSON when --json FILE is given."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rows = list(rows)
    print("| row | ours | peer | limit | ours/peer | ours/limit |")
    print("|---|---|---|---|---|---|")
    for r in rows:
        times = " | ".join(_figure(value, r.unit) for value in (r.ours, r.peer, r.limit))
        ratios = " | ".join("–" if value is None else f"{value:.2f}" for value in (r.ours_over_peer, r.ours_over_limit))
        print(f"| {r.name} | {times} | {ratios} |")
    if given.json:
        given.json.write_text(json.dumps([asdict(r) for r in rows], indent=2) + "\n")


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    return f"{value * 1000:.3f} ms" if unit == "s" else f"{value / 1e6:.0f} MB"
