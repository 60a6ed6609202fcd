"""A process that writes into an audited directory: `python -m tests.state.appender TASK DIRECTORY …`."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from siege_nb.errors import SiegeError
from siege_nb.state import Directory, log
from tests.state.audited import audited, document, token, told, verdict, write


def say(what: object) -> None:
    """One whole line, at once: the reader may be about to kill us."""
    os.write(1, f"{what}\n".encode())


def count(path: str, me: str, start: str, times: str) -> None:
    """Save our file again and again, and open it now and then; one line for each that was acknowledged."""
    directory = audited(Path(path), actor=me, patience=30)
    for n in range(int(start), int(start) + int(times)):
        write(directory, act="save", **{me: document(n, token(n))})
        say(n)


def threads(path: str, me: str, many: str, times: str) -> None:
    """Save one file from several threads, and witness between."""
    directory = audited(Path(path), actor=me, fsync=False, patience=30)

    def run(mine: str) -> None:
        for n in range(int(times)):
            write(directory, act="save", **{mine: str(n)})
            directory.witness("open", mine)

    started = [threading.Thread(target=run, args=(f"{me}{n}",)) for n in range(int(many))]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    say("done")


def torn(path: str, me: str) -> None:
    """Die in the middle of writing a record."""
    real, dice = os.write, random.Random(me)

    class Dying:
        def __getattr__(self, name: str) -> Any:
            return getattr(os, name)

        def write(self, fd: int, data: bytes) -> int:
            if data.startswith(b'{"act":'):
                real(fd, data[: dice.randrange(1, len(data))])
                os.kill(os.getpid(), signal.SIGKILL)
            return real(fd, data)

    log.os = Dying()  # type: ignore[assignment]
    write(audited(Path(path), actor=me), act="save", a="torn")


def dying(path: str, where: str) -> None:
    """Die at one place of a change: before its file is replaced, after it, or before the head of the log moves."""

    def die(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    directory = audited(Path(path))
    if where == "before":
        log.Folder.replace = die  # type: ignore[method-assign,assignment]
    elif where == "after":
        log.Folder.overwrite = die  # type: ignore[method-assign,assignment]
    else:
        appended = []
        real = log.Log._anchor

        def anchor(self: log.Log, end: log.Head) -> None:
            appended.append(end)
            if len(appended) == int(where):
                die()
            real(self, end)

        log.Log._anchor = anchor  # type: ignore[method-assign]
    write(directory, act="save", a=document(2, token(2)))


def full(path: str) -> None:
    """On a small disk of our own: fill it, try to change and to witness; then the same read-only."""
    report: dict[str, Any] = {"refused": [], "done": 0}
    directory: Directory = audited(Path(path) / "config")
    for name in ("a", "b"):
        write(directory, **{name: document(1)})
    before = {name: directory.read(name) for name in ("a", "b")}
    with open(Path(path) / "ballast", "wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(b"x" * 4096)
        except OSError as error:
            report["ballast"] = error.strerror
    for n in range(30):
        for attempt in (lambda n=n: write(directory, a=document(n)), lambda: directory.witness("open", "a")):
            try:
                attempt()
                report["done"] += 1
            except SiegeError as error:
                report["refused"].append(f"{type(error).__name__}: {error}")
    report["unchanged"] = {name: directory.read(name) for name in ("a", "b")} == before
    report["left"] = [p.name for p in directory.path.rglob(".*") if p.name != ".lock"]
    report["verdict"] = repr(verdict(directory))
    (Path(path) / "ballast").unlink()
    write(directory, a=document(2))
    os.system(f"mount -o remount,ro {path}")
    report["read-only"] = []
    for attempt in (lambda: write(directory, a=document(3)), lambda: directory.witness("open", "a")):
        try:
            attempt()
        except SiegeError as error:
            report["read-only"].append(f"{type(error).__name__}: {error}")
    report["read"] = directory.read("a") == document(2).encode()
    report["ok"] = verdict(directory).ok
    report["told"] = told(directory)[-1]
    say(json.dumps(report))


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
