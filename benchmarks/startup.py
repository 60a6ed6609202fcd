"""What `import siege_nb` and `%load_ext siege_nb` take in a fresh process, over a bare interpreter and a bare shell."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Iterator

from benchmarks.measure import Row, report, row

ROUNDS = 9
_IMPORT = "import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
# The bare shell's own cost is outside the clock: what is measured is what the extension adds to it.
_LOAD = """
import time
from IPython.core.interactiveshell import InteractiveShell
ip = InteractiveShell.instance()
t = time.perf_counter()
ip.run_line_magic("load_ext", "{module}")
print(time.perf_counter() - t)
"""


def main() -> None:
    report(_rows())


def _rows() -> Iterator[Row]:
    for name, script in (("import", _IMPORT), ("load_ext", _LOAD)):
        times: dict[str, list[float]] = {"ours": [], "peer": []}
        for _ in range(ROUNDS):
            for role, module in (("ours", "siege_nb"), ("peer", "sql")):
                times[role].append(_seconds(script.format(module=module)))
        yield row(name, {role: statistics.median(taken) for role, taken in times.items()})


def _seconds(script: str) -> float:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


if __name__ == "__main__":
    main()
