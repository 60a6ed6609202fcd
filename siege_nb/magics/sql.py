"""%sql and %%sql: read what is asked, run it, show or keep the result."""

from __future__ import annotations

import time
from collections import ChainMap
from collections.abc import Mapping, MutableMapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from siege_nb import browse
from siege_nb.errors import InvalidError, NotFoundError, QueryError, SiegeError
from siege_nb.magics import conn, grammar, handing, lookup, persisting, targets
from siege_nb.magics.confirm import confirm
from siege_nb.magics.errors import SqlError
from siege_nb.magics.grammar import Options, Request
from siege_nb.magics.progress import Progress
from siege_nb.magics.shell import Shell
from siege_nb.models.connection import ConnectionProfile
from siege_nb.pool import Lease
from siege_nb.query.ask import How
from siege_nb.query.result import Result
from siege_nb.query.saved import Composed, compose
from siege_nb.query.statements import Grammar
from siege_nb.query.template import Template, is_template
from siege_nb.show import Shown, badge, count, note
from siege_nb.workspace import asked


@dataclass(frozen=True, slots=True)
class Cell:
    """One line or cell: what it asks for, of which connection, and the variables it sees and may set."""

    shell: Shell
    request: Request
    profile: ConnectionProfile
    #: The connection it names stays in use.
    stays: bool
    namespace: ChainMap[str, Any]
    keep: MutableMapping[str, Any]

    @property
    def options(self) -> Options:
        """The options that were given."""
        return self.request.options

    @property
    def name(self) -> str:
        """The connection's name as it is typed here."""
        return self.shell.spoken(self.profile.scope, self.profile.name)


def run(
    shell: Shell, line: str, cell: str | None, namespace: ChainMap[str, Any], *, keep: MutableMapping[str, Any]
) -> Any:
    """What one %sql line or %%sql cell gives: a result, or None when it is kept in a variable and not to be shown."""
    connection = ""
    try:
        known = partial(targets.is_target, shell, namespace=namespace)
        request = grammar.parse(line, cell, known=known, names=shell.names)
        if request.options.connections or (request == Request(request.sql) and not request.sql.strip()):
            return conn.overview(shell, [])
        if request.options.close:
            return conn.close(shell, [request.options.close])
        if is_template(line):
            request = _filled(request, shell, namespace)
        profile, stays = targets.target(shell, request, namespace)
        connection = shell.spoken(profile.scope, profile.name)
        return _done(Cell(shell, request, profile, stays, namespace, keep))
    except SiegeError as error:
        problem = SqlError.of(error, connection, whole=not shell.config.short_errors)
    raise problem


def _filled(request: Request, shell: Shell, namespace: ChainMap[str, Any]) -> Request:
    """The request with the templates in its options filled in; those in SQL are the engine's matter."""
    given = {"frame": request.frame} | {flag.field: getattr(request.options, flag.field) for flag in grammar.FLAGS}
    texts = {name: text for name, text in given.items() if isinstance(text, str) and is_template(text)}
    if not texts or shell.config.jinja == "off":
        return request
    template = Template(namespace)
    filled: dict[str, Any] = {name: template.render(text) for name, text in texts.items()}
    frame = filled.pop("frame", request.frame)
    return replace(request, frame=frame, options=replace(request.options, **filled))


def _done(cell: Cell) -> Any:
    """What the cell is about: a frame, a connection to use, or SQL, once or whenever a widget is moved."""
    options = cell.options
    if options.mode:
        written = persisting.persist(cell.shell, cell.profile, cell.request, cell.namespace)
        _in_use(cell)
        return written
    text = _written(cell)
    if not text.strip():
        return _switched(cell)
    if options.interact:
        return handing.interacting(options.interact, cell.namespace, lambda values: _again(cell, text, values))
    return _run(cell, text)


def _again(cell: Cell, text: str, values: Mapping[str, Any]) -> Any:
    try:
        return _run(replace(cell, namespace=cell.namespace.new_child(dict(values))), text)
    except SiegeError as error:
        problem = SqlError.of(error, cell.name, whole=not cell.shell.config.short_errors)
    raise problem


def _written(cell: Cell) -> str:
    """The cell's SQL, behind that of its file."""
    if not cell.options.file:
        return cell.request.sql
    path = Path(cell.options.file).expanduser()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        problem: SiegeError = InvalidError(f"{path} is no text in UTF-8.")
    except OSError as error:
        problem = NotFoundError(f"{path} cannot be read: {error.strerror or type(error).__name__}.")
    else:
        return f"{text}\n{cell.request.sql}" if cell.request.sql.strip() else text
    raise problem


def _switched(cell: Cell) -> Shown:
    """The connection is opened and in use from now on."""
    connecting = Options(alias=cell.options.alias, section=cell.options.section, creator=cell.options.creator,
                         connection_arguments=cell.options.connection_arguments)  # fmt: skip
    if cell.options != connecting or cell.request.variable or (cell.options == Options() and not cell.request.target):
        raise QueryError("There is no SQL to run.", kind="usage")
    began = time.perf_counter()
    cell.shell.workspace.lease(cell.profile)
    cell.shell.use(cell.profile)
    took = f"{(time.perf_counter() - began) * 1000:.0f} ms"
    return note(f"{cell.name} is in use", badge(cell.profile.environment), took)


def _in_use(cell: Cell) -> None:
    if cell.stays or cell.shell.connection is None:
        cell.shell.use(cell.profile)


def _run(cell: Cell, text: str) -> Any:
    """The text with its templates and saved queries, run where it may be, and its answer as it is wanted."""
    shell, options = cell.shell, cell.options
    lease = shell.workspace.lease(cell.profile)
    session = lease.queryable
    if session is None:
        raise InvalidError(f"{cell.name} cannot be queried with SQL.")
    if options.save:
        kind, exists = cell.profile.connection_type, partial(browse.exists, lease)
        shell.saved.keep(options.save, text, kind=kind, grammar=session.grammar, exists=exists)
    template = Template(cell.namespace, session.grammar, cell.profile.connection_type)
    composed = _composed(cell, text, template, lease, session.grammar)
    if options.no_execute:
        return note(f"saved as {options.save}" if options.save else "", "not run")
    colors = shell.colors() if options.chart else ()  # before anything runs: a lost client must not cost a result
    if cell.profile.environment == "prod" and not options.write:
        # EXPLAIN runs what stands behind it, if that begins with ANALYZE.
        confirm(cell.name, lease, f"EXPLAIN {composed.text}" if options.explain == "plan" else composed.text)
    if handing.is_lazy(session, options, shell.config):
        _in_use(cell)
        return handing.lazily(lease, composed.text, cell.namespace.new_child(template.values), cell)
    result = _asked(cell, lease, composed, template.values)
    _in_use(cell)
    return handing.handed(result, colors, cell)


def _composed(cell: Cell, text: str, template: Template, lease: Lease, quoting: Grammar) -> Composed:
    """The text as it will be sent: templates filled in, saved queries as CTEs in front."""
    render = template.render if cell.shell.config.jinja == "on" else str
    text, saved = render(text), cell.shell.saved
    if not saved.names() and not cell.options.with_:
        return Composed(text, text)
    return compose(
        text,
        saved,
        cell.options.with_,
        kind=cell.profile.connection_type,
        grammar=quoting,
        exists=partial(browse.exists, lease),
        render=render,
    )


def _asked(cell: Cell, lease: Lease, composed: Composed, values: dict[str, Any]) -> Result:
    """The answer of the connection, held or on its way into a file."""
    shell, options = cell.shell, cell.options
    with ExitStack() as stack:
        sink = stack.enter_context(handing.sink(options.to, shell)) if options.to else None
        params = _params(cell)
        how = How(
            take=shell.config.take(options.limit, sink),
            binds=shell.config.binds,
            # Where nothing else is bound, what a template binds is.
            params=None if params is None and shell.config.binds != "disabled" else ChainMap(values, params or {}),
            whole=options.tx,
            autocommit=shell.config.autocommit,
            explain=options.explain,
            watch=stack.enter_context(Progress(cell.name, shell.config.progress_after)),
        )
        timeout = options.timeout or shell.config.timeout or None
        namespace = cell.namespace.new_child(values) if values else cell.namespace
        try:
            result = asked(lease, composed.text, namespace, how, timeout=timeout)
        except QueryError as error:
            composed.retrace(error)
            lookup.noticed(shell, cell.profile, composed.text)
            if error.kind == "not_found":
                from siege_nb.magics import meant

                meant.hint(error, shell, cell.profile, composed.text, cell.namespace)
            raise
        lookup.noticed(shell, cell.profile, composed.text)
        if sink is not None and not sink.is_begun:
            ran = f"{count(result.rowcount, 'row')} affected" if result.rowcount else "done"
            told = f"The cell has run ({ran}), and gave no rows to write; {sink.path} is as it was."
            raise QueryError(told, kind="usage")
    written = str(sink.path) if sink is not None else ""
    return replace(
        result,
        connection=cell.name,
        environment=cell.profile.environment,
        written=written,
        look=shell.config.look,
    )


def _params(cell: Cell) -> dict[str, Any] | None:
    """What --params names, or says: the only values that there are then."""
    given = cell.options.params
    if not given:
        return None
    found = cell.namespace.get(given) if isinstance(given, str) else given
    if not isinstance(found, Mapping):
        there = f"{given} is {type(found).__name__}" if given in cell.namespace else f"There is no variable {given!r}"
        raise QueryError(f"--params needs a dict or a JSON object. {there}.", kind="usage")
    return dict(found)
