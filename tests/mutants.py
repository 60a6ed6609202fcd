"""Whether the tests of the store and the vault can fail: python -m tests.mutants [--count 200] [--seed N]

Draws mutants of the rooms' code with cosmic-ray's operators, runs the fast tests against each, and names the survivors.
The tests that were seen to run a mutant's line come first: most mutants fall to one of them within seconds.
It fails when too many survive, when one does that stands in the heart, and when one has no explanation in
tests/survivors.json.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).parent.parent
EXPLAINED = Path(__file__).with_name("survivors.json")
#: The rooms, each with its tests, the nearest first.
ROOMS = {
    "siege_nb/vault": ("tests/vault",),
    "siege_nb/state": ("tests/state", "tests/store"),
    "siege_nb/store": ("tests/store", "tests/test_workspace.py"),
}
#: Where none may survive: seal and open, lock, rename.
HEART = {
    "siege_nb/vault/token.py": ("encrypt", "decrypt", "seal", "unseal", "place"),
    "siege_nb/vault/__init__.py": ("_seal", "_unseal"),
    "siege_nb/state/lock.py": ("exclusive", "_locked", "_lock", "_let_go"),
    "siege_nb/state/files.py": ("replace",),
    "siege_nb/state/journal.py": ("perform",),
}
LEAST_KILLED = 0.85
#: So many tests are asked first.
FEW = 40
#: Seconds after which a mutant that hangs counts as killed.
LONGEST = 240.0


@dataclass(frozen=True)
class Mutant:
    """One changed spot in one file."""

    file: str
    line: int
    operator: str
    code: str

    def where(self) -> str:
        """The line that was changed, as it was and as it is."""
        before = (ROOT / self.file).read_text().splitlines()
        after = self.code.splitlines()
        pairs = enumerate(zip(before, after, strict=False))
        number = next((n for n, (old, new) in pairs if old != new), self.line - 1)
        return f"{self.file}: {before[number].strip()} → {after[number].strip() if number < len(after) else ''}"

    def in_heart(self) -> bool:
        """It stands in a function of which no mutant may survive."""
        names = HEART.get(self.file, ())
        functions = (n for n in ast.walk(ast.parse((ROOT / self.file).read_text())) if isinstance(n, ast.FunctionDef))
        return any(f.name in names and f.lineno <= self.line <= (f.end_lineno or 0) for f in functions)


def drawn(count: int, seed: int) -> list[Mutant]:
    """So many mutants, at most one of each spot that can be changed, by an operator drawn from all that fit it."""
    chance = random.Random(seed)
    spots = [spot for file in _files() for spot in _spots(file)]
    chance.shuffle(spots)
    found: list[Mutant] = []
    for file, line, choices in spots:
        if len(found) == count:
            break
        operator, occurrence = chance.choice(choices)
        code = _mutated(ROOT / file, operator, occurrence)
        if code is not None and _meaning(code) not in ("", _meaning((ROOT / file).read_text())):
            found.append(Mutant(file, line, operator, code))
    return found


def killer(mutant: Mutant, copy: Path, near: list[str]) -> str:
    """The test that fails with the mutant in its place; "" when those that are near and all of the room's pass."""
    target = copy / mutant.file
    original = target.read_text()
    target.write_text(mutant.code)
    try:
        return (_failing(copy, near) if near else "") or _failing(copy, _room(mutant.file)[1])
    finally:
        target.write_text(original)


def main() -> int:
    """Draw, run, tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=20261120)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    # A shell lets what it runs in the background ignore Ctrl-C, and so would the tests of it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    began = time.monotonic()
    mutants = drawn(given.count, given.seed)
    print(f"seed {given.seed}: {len(mutants)} mutants", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        copies: SimpleQueue[Path] = SimpleQueue()
        for n in range(given.jobs):
            copies.put(_copied(Path(folder) / str(n)))

        def run(mutant: Mutant) -> bool:
            copy = copies.get()
            try:
                by = killer(mutant, copy, near.get((mutant.file, mutant.line), []))
            finally:
                copies.put(copy)
            print(f"killed {mutant.where()}\n    by {by}" if by else f"ALIVE  {mutant.where()}", flush=True)
            return not by

        near: dict[tuple[str, int], list[str]] = {}
        for room, tests in ROOMS.items():
            # Twice: a machine that is busy fails what is measured in seconds.
            if (failing := _failing(Path(folder) / "0", tests, seen=room)) and _failing(Path(folder) / "0", tests):
                print(f"Without any mutant {failing} fails; nothing can be said.")
                return 1
            near |= _seen(Path(folder) / "0", room)
        with ThreadPoolExecutor(given.jobs) as pool:
            alive = [mutant for mutant, lives in zip(mutants, pool.map(run, mutants), strict=True) if lives]
    explained = json.loads(EXPLAINED.read_text()) if EXPLAINED.exists() else {}
    in_heart = [m.where() for m in alive if m.in_heart() and m.where() not in explained]
    unexplained = [m.where() for m in alive if m.where() not in explained]
    killed = 1 - len(alive) / max(len(mutants), 1)
    print(f"{killed:.1%} of {len(mutants)} killed in {time.monotonic() - began:.0f} s (seed {given.seed})")
    for mutant in alive:
        print(f"alive: {mutant.where()}\n    {explained.get(mutant.where(), 'NOT EXPLAINED')}")
    return int(killed < LEAST_KILLED or bool(in_heart) or bool(unexplained))


def _files() -> list[str]:
    return sorted(str(p.relative_to(ROOT)) for room in ROOMS for p in (ROOT / room).glob("*.py"))


def _spots(file: str) -> Iterator[tuple[str, int, list[tuple[str, int]]]]:
    """Every spot of a file with all that can be done to it: operators, and the how-manieth of each it is."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.plugins import get_operator, operator_names

    path = ROOT / file
    nodes = list(ast_nodes(get_ast(path.read_text())))
    elsewhere = _other_platforms(path.read_text())
    found: dict[tuple[int, int], list[tuple[str, int]]] = {}
    for name in operator_names():
        operator = get_operator(name)
        if operator.arguments():
            continue
        occurrence = 0
        for node in nodes:
            for start, _ in operator().mutation_positions(node):
                found.setdefault(start, []).append((name, occurrence))
                occurrence += 1
    for (line, _), choices in sorted(found.items()):
        if line not in elsewhere:
            yield file, line, choices


def _mutated(path: Path, operator: str, occurrence: int) -> str | None:
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    code = path.read_text()
    try:
        found = mutate_code(code, get_operator(operator)(), occurrence)
    except AttributeError:  # cosmic-ray cannot put another exception in the place of a dotted one
        return None
    return None if found is None or found == code else str(found)


def _meaning(code: str) -> str:
    """The code without its annotations, which nobody evaluates here; nothing for what is no Python."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return ""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
    return ast.dump(tree)


def _other_platforms(code: str) -> set[int]:
    """The lines that do not run on this system."""
    lines: set[int] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.If) and "sys.platform == 'win32'" in ast.unparse(node.test) and sys.platform != "win32":
            lines.update(range(node.lineno, max(inner.end_lineno or 0 for inner in node.body) + 1))
    return lines


def _room(file: str) -> tuple[str, tuple[str, ...]]:
    return next((room, tests) for room, tests in ROOMS.items() if file.startswith(room))


def _failing(copy: Path, tests: Sequence[str], *, seen: str = "") -> str:
    """The first test that fails, or why there is none that ended; "" when all pass. What runs in a room may be seen."""
    watching = ["-m", "coverage", "run", f"--rcfile={_noted(copy)}", f"--source={seen}"] if seen else []
    command = [sys.executable, *watching, "-m", "pytest", "-x", "-q", "-rfE", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(
        command, cwd=copy, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        said, _ = process.communicate(timeout=LONGEST)
    except subprocess.TimeoutExpired:
        return f"no end after {LONGEST:g} s"
    finally:
        try:
            os.killpg(process.pid, 9)  # and whatever the tests started
        except ProcessLookupError:
            pass
        process.wait()
    if process.returncode == 0:
        return ""
    told = [line for line in said.decode(errors="replace").splitlines() if line.startswith(("FAILED", "ERROR"))]
    return told[-1][:200] if told else f"exit code {process.returncode}"


def _noted(copy: Path) -> Path:
    """The file that tells coverage to note which test it was."""
    file = copy / "coverage.ini"
    file.write_text(f"[run]\ndata_file = {copy}/.coverage\ndynamic_context = test_function\n")
    return file


def _seen(copy: Path, room: str) -> dict[tuple[str, int], list[str]]:
    """The tests that ran each line of a room; of many the first ones, for these are asked first and not alone."""
    from coverage import CoverageData

    data = CoverageData(str(copy / ".coverage"))
    data.read()
    found: dict[tuple[str, int], list[str]] = {}
    for file in data.measured_files():
        name = str(Path(file).relative_to(copy))
        for line, contexts in data.contexts_by_lineno(file).items() if name.startswith(room) else ():
            tests = sorted(filter(None, (_node(copy, context) for context in contexts)))
            found[name, line] = tests[:FEW]
    return found


def _node(copy: Path, context: str) -> str:
    """tests.vault.test_token.test_it, as coverage has it, in pytest's words; "" for what is no test of a file."""
    module, _, function = context.rpartition(".")
    file = f"{module.replace('.', '/')}.py"
    return f"{file}::{function}" if function.startswith("test_") and (copy / file).exists() else ""


def _copied(folder: Path) -> Path:
    for part in ("siege_nb", "jupyter_server_ext", "tests"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


if __name__ == "__main__":
    sys.exit(main())
