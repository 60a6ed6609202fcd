"""`siege vault`: the keys that secrets are sealed with."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer

from siege_nb.cli import _workspace, told
from siege_nb.show import count

app: typer.Typer = typer.Typer(help="The keys that secrets are sealed with.", no_args_is_help=True)


def asked(prompt: str) -> str:
    """What is typed at the terminal, unseen; EOFError where there is none."""
    import getpass

    if not sys.stdin.isatty():  # getpass would read from a pipe and echo
        raise EOFError
    return getpass.getpass(prompt)


@app.command()
@told
def status() -> None:
    """The keys there are, where they are kept, and how many secrets each has sealed."""
    vault = _workspace().vault
    keys = vault.status()
    print(vault.describe())
    for key in keys:
        state = "primary" if key.primary else key.written.state
        sealed = f"{key.tokens:,} sealed in {len(key.files):,} files"
        print(f"{key.name}  {state:<12} made {key.written.created[:10]}  {sealed}")


@app.command()
@told
def rotate(
    finish: Annotated[bool, typer.Option("--finish", help="Make no new key; end what others began.")] = False,
) -> None:
    """Seal every secret with a new key; kernels and servers may go on meanwhile."""
    from siege_nb.store import document

    done = _workspace().vault.rotate(document, finish=finish)
    print(f"{count(done.resealed, 'secret')} sealed anew; the key is {done.primary}")
    for kid in done.destroyed:
        print(f"the key {kid} is destroyed")
    for kid, reasons in done.kept_for.items():
        print(f"the key {kid} still opens, and is needed by: {', '.join(reasons)}")
    if done.kept_for:
        print("To destroy it then: siege vault rotate --finish")


@app.command()
@told
def move(
    to: Annotated[Literal["keyring", "keyfile", "env", "passphrase"], typer.Option("--to", help="Who keeps it then.")],
) -> None:
    """Have the keys wrapped by a key that is kept elsewhere; no secret is sealed anew."""
    found = _workspace()
    print(f"The keys here are wrapped by {found.vault.move(to).key} from now on.")
    if (insisted := found.settings.vault) not in ("auto", to):
        print(f"SIEGE_VAULT={insisted} would move it back at the next save: set SIEGE_VAULT={to}", file=sys.stderr)
