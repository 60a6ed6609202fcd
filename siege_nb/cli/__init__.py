"""`siege`: what a notebook does, from a shell."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from siege_nb.errors import ConnectError, InvalidError, NotFoundError, QueryError, SiegeError
from siege_nb.show import plain

if TYPE_CHECKING:
    from siege_nb.models.connection import ConnectionProfile
    from siege_nb.workspace import Workspace

app = typer.Typer(
    help="Clients, connections and SQL, from a shell.", no_args_is_help=True, add_completion=False,
    pretty_exceptions_enable=False,
)  # fmt: skip

Name = Annotated[str, typer.Argument(help="The name of a connection.")]


def told(command: Callable[..., Any]) -> Callable[..., Any]:
    """Our errors as one message on stderr and an exit code: 2 for the user's words, 3 for the database's."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except SiegeError as error:
            print(error, file=sys.stderr)
            usage = isinstance(error, InvalidError | NotFoundError)
            raise typer.Exit(2 if usage else 3 if isinstance(error, QueryError | ConnectError) else 1) from None

    return run


@app.command("version")
@told
def version_() -> None:
    """The version of siege_nb."""
    from importlib.metadata import version

    print(version("siege-nb"))


@app.command()
@told
def kinds() -> None:
    """The kinds of connection, and whether their drivers are here."""
    from siege_nb import adapters

    found, broken = adapters.load_all()
    for adapter in found:
        print(f"{adapter.kind:<12} {adapter.title:<28} {adapter.missing_driver() or 'ready'}")
    for name, why in broken.items():
        print(f"{name:<12} {'(broken plug-in)':<28} {why}")


@app.command()
@told
def connections() -> None:
    """The connections there are."""
    store = _workspace().store.connections
    for profile in sorted((kept.item for kept in store.list()), key=lambda p: p.name.casefold()):
        print(f"{profile.name:<24} {profile.connection_type:<12} {profile.client_code or ''}")
    for damaged in store.damaged():
        print(damaged.error.message, file=sys.stderr)


@app.command()
@told
def test(name: Name) -> None:
    """Try a connection step by step; exit code 3 when it fails."""
    result = _workspace().test(name)
    print(result)
    if not result.ok:
        if result.error:
            print(result.error, file=sys.stderr)  # whole: a cell of the table is cut
        raise typer.Exit(3)


@app.command()
@told
def query(
    name: Name,
    sql: Annotated[str, typer.Argument(help="One or more statements; the last result is printed.")],
    as_: Annotated[Literal["table", "csv", "json"], typer.Option("--as", help="How the rows are printed.")] = "table",
    write: Annotated[bool, typer.Option("--write", help="It may write on a prod connection.")] = False,
) -> None:
    """Run SQL on a connection and print the rows."""
    workspace = _workspace()
    try:
        profile = workspace.find(name)
        if profile.environment == "prod" and not write:
            _refuse_writing(workspace, profile, sql)
        result = workspace.query(profile, sql, {})
    finally:
        workspace.close()
    if as_ == "table" or result.answer.table is None:
        print(result)
    elif as_ == "csv":
        sys.stdout.write(result.csv() or "")
    else:
        from siege_nb.cli.rows import as_json

        print(as_json(result.dicts()))


def _refuse_writing(workspace: Workspace, profile: ConnectionProfile, sql: str) -> None:
    from siege_nb.query.writes import announced

    lease = workspace.lease(profile)
    session = lease.queryable
    if session and (kinds := lease.call(lambda: announced(session, sql))):
        what = ", ".join(dict.fromkeys(kinds))
        name = plain(profile.qualified)
        raise InvalidError(f"{name} is a prod connection, and this would write there ({what}); nothing was run.",
                           hint=f"If it may: siege query --write {name} …")  # fmt: skip


@app.command()
@told
def doctor() -> None:
    """What is here, what is missing, and the line that mends it."""
    from siege_nb.cli.doctor import findings

    ailing = False
    for finding in findings():
        print(f"{'ok  ' if finding.well else 'MEND'} {finding.what:<22} {finding.found}")
        if finding.mend:
            print(f"     {'':<22} → {finding.mend}")
        ailing = ailing or not finding.well
    if ailing:
        raise typer.Exit(1)


def _workspace() -> Workspace:
    from siege_nb.workspace import Workspace

    workspace = Workspace()
    workspace.vault.ask_with(vault.asked)
    return workspace


# Below what they take from here.
from siege_nb.cli import audit, bundle, migrate, vault  # noqa: E402

app.add_typer(vault.app, name="vault")
app.add_typer(audit.app, name="audit")
app.command()(migrate.migrate)
app.command()(bundle.export)
app.command("import")(bundle.import_)
