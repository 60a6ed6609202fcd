"""`siege audit`: what was done to the profiles, by whom, and whether the record of it is whole."""

from __future__ import annotations

from collections import deque
from typing import Annotated

import typer

from siege_nb.cli import told
from siege_nb.errors import DamagedError, InvalidError, NotFoundError
from siege_nb.state import Audit, Directory, Record, Target
from siege_nb.state.audit_check import settled

app: typer.Typer = typer.Typer(help="What was done to the profiles, and by whom.", no_args_is_help=True)


@app.command()
@told
def verify() -> None:
    """Check every record, and every file against its last one; exit code 1 when something was tampered with."""
    audit, directory = _audit()
    verdict = audit.verify(directory)
    for note in verdict.notes:
        print(f"note     {_plain(note)}")
    for problem in verdict.problems:
        print(f"PROBLEM  {_plain(problem)}")
    wrong = len(verdict.problems)
    found = f"{wrong} problem{'s' if wrong > 1 else ''}" if wrong else "whole"
    print(f"{verdict.count} records, {found}")
    if not verdict.ok:
        raise typer.Exit(1)


@app.command()
@told
def show(
    target: Annotated[str, typer.Argument(help="A connection, a client's code or a file; else everything.")] = "",
    last: Annotated[int, typer.Option("--last", min=1, help="How many records at most.")] = 50,
) -> None:
    """What was done, the newest last. It is not checked here: siege audit verify does."""
    audit, directory = _audit()
    file = _file(target, directory) if target else ""
    found = deque(audit.records(file), maxlen=last)
    if target and not found:
        raise NotFoundError(f"Nothing was recorded of {target!r}.", hint="siege audit show lists everything.")
    for record in found:
        print(_plain(_line(record)))
        key = audit.known_key()
        if record.outcome in ("unknown", "failed") and key and (now := settled(record, directory, key)):
            print(f"{'':<28}{now}")


@app.command()
@told
def accept(
    files: Annotated[list[str], typer.Argument(help="Files as verify names them, connections, clients' codes.")],
) -> None:
    """Put on record that these files are meant to be as they are now: you restored them from a backup, say."""
    audit, directory = _audit()
    for file in [_file(name, directory) for name in files]:
        if directory.identity(file) is None and not next(audit.records(file), None):
            raise NotFoundError(f"There is no file {file!r} here.", hint="siege audit verify names them.")
        directory.accept(file)
        print(f"accepted  {_plain(file)}")


def _audit() -> tuple[Audit, Directory]:
    from siege_nb.settings import Settings
    from siege_nb.workspace import actor

    settings = Settings.from_environment()
    audit = Audit(settings.config_dir, settings.data_dir / "audit.key", actor())
    return audit, Directory(settings.config_dir, audit=audit)


def _file(target: str, directory: Directory) -> str:
    """The file that a user's word means: its own name, a connection's name or id, a client's code."""
    from siege_nb.store import Store

    store = Store(directory)
    try:
        return store.connections.shape.file(store.connections.find_named(target).item.connection_id)
    except (NotFoundError, DamagedError):  # what was recorded of it is there all the same
        pass
    for collection in (store.clients, store.connections):
        try:
            file = collection.shape.file(target)
        except InvalidError:
            continue
        if next(directory.audit.records(file), None) if directory.audit else None:  # it may be removed by now
            return file
    return target


def _line(record: Record) -> str:
    files = ", ".join(_revised(target) for target in record.targets)
    return f"{record.seq:>6}  {record.ts}  {record.actor}  {record.act}  {record.outcome}  {files}".rstrip()


def _revised(target: Target) -> str:
    if target.before is None and target.after is None:
        return f"{target.name} (removed)" if target.mark == "" else target.name
    before, after = ("–" if revision is None else str(revision) for revision in (target.before, target.after))
    return f"{target.name} {before} → {after}"


def _plain(text: str) -> str:
    """Text that cannot move the cursor or turn the line: what was written into a log may come from anywhere."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
