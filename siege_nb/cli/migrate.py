"""`siege migrate`: older files made as safe as those that are saved today."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from siege_nb.cli import _workspace, told


@told
def migrate(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
) -> None:
    """Seal what stands readable in older files; exit code 1 when something could not be."""
    from siege_nb.migrate import migrate

    report = migrate(_workspace(), dry_run=dry_run)
    for item in report.items:
        for what in item.done:
            print(f"{item.file}: {what}{' (not done: --dry-run)' if dry_run else ''}")
        for problem in item.problems:
            print(f"{item.file}: {problem}", file=sys.stderr)
    print(f"{report.changed:,} of {report.looked_at:,} files {'would be' if dry_run else 'were'} changed")
    if report.problems:
        raise typer.Exit(1)
