"""--persist: a frame of the notebook's as a table of a database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from siege_nb.declare import suggest
from siege_nb.errors import InvalidError, NotFoundError
from siege_nb.magics import lookup
from siege_nb.magics.confirm import confirm
from siege_nb.magics.grammar import Request
from siege_nb.magics.shell import Shell
from siege_nb.models.connection import ConnectionProfile
from siege_nb.query.session import Loadable
from siege_nb.query.transactions import begin_by_hand
from siege_nb.show import Shown, badge, count, note

if TYPE_CHECKING:
    import pyarrow as pa

#: What it does to the database, for those who are asked before it.
_ACTS = {"fail": "CREATE TABLE {0} (a INT)", "replace": "DROP TABLE {0}; CREATE TABLE {0} (a INT)",
         "append": "INSERT INTO {0} VALUES (1)"}  # fmt: skip


def persist(shell: Shell, profile: ConnectionProfile, request: Request, namespace: Mapping[str, Any]) -> Shown:
    """Write the rows of df, or of schema.df, into a table of that name."""
    schema, _, variable = request.frame.rpartition(".")
    table = table_of(variable, namespace, with_index=not request.options.no_index)
    lease, mode = shell.workspace.lease(profile), request.options.mode or "fail"
    act = _ACTS[mode].format("t")
    name, spoken = variable.lower(), shell.spoken(profile.scope, profile.name)  # lower, as jupysql has it
    session = lease.session
    if not isinstance(session, Loadable):
        raise InvalidError(f"No table can be made on {spoken}.")
    if profile.environment == "prod" and not request.options.write:
        confirm(spoken, lease, act)
    timeout = request.options.timeout or shell.config.timeout or None

    def load() -> int:
        if not shell.config.autocommit and lease.queryable is not None:
            begin_by_hand(lease.queryable, act, act)
        return session.load(table, name, schema, mode)

    rows = lease.call(load, timeout=timeout)
    lookup.noticed(shell, profile, _ACTS["fail"])
    return note(badge(profile.environment), f"{count(rows, 'row')} in {request.frame.lower()}", spoken)


def table_of(name: str, namespace: Mapping[str, Any], *, with_index: bool) -> pa.Table:
    """The rows of a variable as Arrow: of a frame, a series or a result; an index becomes columns."""
    import pyarrow as pa

    if name not in namespace:
        near = suggest(name, [key for key in namespace if not key.startswith("_")])
        raise NotFoundError(f"There is no variable {name!r} to make a table of.{near}")
    value = namespace[name]
    if type(value).__module__.partition(".")[0] == "pandas":
        return _of_pandas(name, value, with_index)
    if type(value).__module__.partition(".")[0] == "polars" and type(value).__name__ == "Series":
        value = value.to_frame(value.name or name)
    if isinstance(value, pa.Table):
        return value
    if not hasattr(value, "__arrow_c_stream__"):
        hint = "It should be a pandas or polars frame, an Arrow table or a result of %sql."
        raise InvalidError(f"{name} is {type(value).__name__}, of which no table can be made.", hint=hint)
    return pa.table(value)


def _of_pandas(name: str, value: Any, with_index: bool) -> pa.Table:
    import pyarrow as pa

    frame = value
    if type(value).__name__ == "Series":
        frame = value.to_frame(name if value.name is None else value.name)
    if type(frame).__name__ != "DataFrame":
        raise InvalidError(f"{name} is {type(value).__name__}, of which no table can be made.")
    if with_index:
        frame = frame.reset_index()
    frame = frame.set_axis([str(column) for column in frame.columns], axis=1)
    try:
        return pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        said = str(error.args[-1] if error.args else error)
    raise InvalidError(f"{name} has a column that no table can hold: {said}.", hint="Give it one type: df.astype(…)")
