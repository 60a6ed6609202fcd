"""`siege export` and `siege import`: profiles in one file, without their secrets."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from siege_nb.cli import told


@told
def export(
    path: Annotated[Path, typer.Argument(help="The file to write; one that is there is not written over.")],
    names: Annotated[list[str] | None, typer.Argument(help="Connections; none means everything.")] = None,
    client: Annotated[str, typer.Option(help="Only this client, with what belongs to it.")] = "",
) -> None:
    """Write profiles to a file, without their secrets."""
    from siege_nb.bundle import bundle, write
    from siege_nb.workspace import Workspace

    document = bundle(Workspace(), client or None, names or ())
    write(document, path.expanduser().absolute())
    for message in document.get("left_out", []):
        print(f"left out: {message}", file=sys.stderr)


@told
def import_(
    path: Annotated[Path, typer.Argument(help="A file that siege export or %conn export wrote.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; write nothing.")] = False,
) -> None:
    """Add the profiles of a file; what is there already stays. Exit code 1 when something was refused."""
    from siege_nb.bundle import read, unbundle
    from siege_nb.workspace import Workspace

    result = unbundle(Workspace(), read(path.expanduser().absolute()), dry_run=dry_run)
    print("\n".join(result.lines))
    if result.refused:
        raise typer.Exit(1)
