"""`{{ name }}` in SQL: strict text from a namespace, by Jinja; values can be bound, quoted or spelled out instead.

Only `{{` and `{%` begin a template: JSON, format strings and `{#` pass untouched. Newlines stay, so that a line of the
SQL is still the line of its cell, but for what a loop repeats.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from siege_nb.declare import Secret, suggest
from siege_nb.errors import QueryError
from siege_nb.masking import mask
from siege_nb.query import binds
from siege_nb.query.statements import STANDARD, Grammar
from siege_nb.query.tokens import quoted, tokens

if TYPE_CHECKING:
    import jinja2

LITERAL_BRACES = "Braces meant as text are written {{ '{{' }}, or: %config SqlMagic.jinja = 'off'"
_BIND = "{{ … | bind }} hands the value over."
_FILE = "<template>"
_TAG = re.compile(r"\{\{.*?(?:\}\}|\Z)|\{%.*?(?:%\}|\Z)", re.DOTALL)


def is_template(text: str) -> bool:
    """There is something in the text for Jinja to do."""
    return "{{" in text or "{%" in text


class Template:
    """Renders texts of one cell for one engine; `values` gathers what is to be bound under the names it made."""

    def __init__(self, namespace: Mapping[str, Any], grammar: Grammar = STANDARD, kind: str = "") -> None:
        self._namespace, self._grammar, self._kind = namespace, grammar, kind
        #: By fresh names that stand in the rendered texts as `:name`.
        self.values: dict[str, Any] = {}

    def render(self, text: str) -> str:
        """The text with its templates filled in; QueryError of kind "usage" where that cannot be."""
        if not is_template(text):
            return text
        import jinja2

        environment = self._environment(text)
        try:
            rendered = environment.from_string(text).render(self._named(environment, text))
        except jinja2.UndefinedError as error:
            problem = self._undefined(error, text)
        except jinja2.TemplateSyntaxError as error:
            problem = _located(f"The template cannot be read: {mask(error.message or '')}", text, error.lineno)
            problem.hint = LITERAL_BRACES
        except QueryError as error:
            problem = _located(error.message, text, _line(error))
            problem.hint = error.hint
        except Exception as error:  # whatever an expression of the user's raises
            said = mask(f"{type(error).__name__}: {error}")
            problem = _located(f"The template fails with {said}", text, _line(error))
        else:
            self._refuse_unbound(rendered, text)
            return rendered
        raise problem

    def _environment(self, text: str) -> jinja2.Environment:
        from jinja2 import StrictUndefined, Undefined
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        class Environment(ImmutableSandboxedEnvironment):
            def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
                return not isinstance(obj, Secret) and super().is_safe_attribute(obj, attr, value)

        def strict(written: Callable[[Any], str]) -> Callable[[Any], str]:
            # Jinja hands a filter what is undefined as well; as text it raises.
            return lambda value: written(str(value) if isinstance(value, Undefined) else _open(value))

        def inlist(value: Any) -> str:
            values = binds.unbox(value)
            if not isinstance(values, list):
                raise QueryError(f"inlist wants a list, not {type(value).__name__}.", kind="usage")
            # One list bound as a whole: in IN (…) it becomes as many values, and none is a condition no row meets.
            return f"(:{self._bound(values, text)})"

        environment = Environment(
            undefined=StrictUndefined, keep_trailing_newline=True, finalize=_text,
            # Never met in a text, so that {# stays what it is.
            comment_start_string="\0{#", comment_end_string="#}\0",
        )  # fmt: skip
        environment.globals = {"range": environment.globals["range"], "namespace": environment.globals["namespace"]}
        environment.filters |= {
            "bind": strict(lambda value: f":{self._bound(value, text)}"), "inlist": strict(inlist),
            "ident": strict(lambda name: identifier(name, self._grammar)),
            "lit": strict(lambda value: literal(value, self._grammar, self._kind)),
        }  # fmt: skip
        return environment

    def _named(self, environment: jinja2.Environment, text: str) -> dict[str, Any]:
        """What the text names and the namespace has; a whole notebook is not copied for a word."""
        from jinja2 import meta

        wanted = meta.find_undeclared_variables(environment.parse(text))
        return {n: _open(self._namespace[n]) for n in wanted if n in self._namespace and not n.startswith("__")}

    def _bound(self, value: Any, text: str) -> str:
        number = len(self.values) + 1
        while (name := f"bound_{number}") in self._namespace or name in self.values or f":{name}" in text:
            number += 1
        self.values[name] = value
        return name

    def _undefined(self, error: jinja2.UndefinedError, text: str) -> QueryError:
        said = re.search(r"'([^']*)' is undefined|has no attribute '([^']*)'", error.message or "")
        name = (said[1] or said[2]) if said else ""
        line = _line(error)
        column = next((c for at, c in _uses(text, name) if at == line), None) if name else None
        if said and said[1] and name not in self._namespace:
            near = suggest(name, [known for known in self._namespace if not known.startswith("_")])
            message = f"The template names {name!r}, which has no value.{near or ' Assign it first.'}"
        else:
            message = f"The template cannot be filled in: {mask(error.message or '')}."
        problem = _located(message, text, line, column)
        problem.hint = LITERAL_BRACES
        return problem

    def _refuse_unbound(self, rendered: str, text: str) -> None:
        """A placeholder in quotes would be sent as text and its value never: that is refused, and not done silently."""
        placed = set(binds.names(rendered, self._grammar))
        quiet = {
            name
            for token in tokens(rendered, self._grammar)
            if token.kind == "comment"
            for name in re.findall(r":(bound_\d+)", token.text)
        }
        if lost := [name for name in self.values if f":{name}" in rendered and name not in placed | quiet]:
            at = rendered.find(f":{lost[0]}")
            problem = _located("A value cannot be bound in quotes, or right behind a letter or bracket.", rendered,
                               rendered.count("\n", 0, at) + 1, at - rendered.rfind("\n", 0, at))  # fmt: skip
            problem.hint = "Take the quotes around {{ … | bind }} away, or put a space before it."
            raise problem


def identifier(name: Any, grammar: Grammar = STANDARD) -> str:
    """A name as the engine quotes it, each part of a dotted path by itself."""
    if not isinstance(name, str):
        raise QueryError(f"ident wants the name as text, not {type(name).__name__}.", kind="usage")
    parts = name.split(".")
    if not all(parts) or "\0" in name:
        raise QueryError(f"{name!r} is no name: a part of it is empty.", kind="usage")
    return ".".join(quoted(part, grammar) for part in parts)


def literal(value: Any, grammar: Grammar = STANDARD, kind: str = "") -> str:
    """A value as a literal of the engine, which reads it back as the same value."""
    value = binds.unbox(value)
    match value:
        case None:
            return "NULL"
        case bool():
            return str(int(value)) if kind == "mssql" else str(value).upper()
        case int():
            return _signed(str(value))
        case float() if math.isfinite(value):
            return _signed(repr(value))
        case Decimal() if value.is_finite():
            return _signed(f"{value:f}")
        case str():
            return _quoted(value, grammar, kind)
        case UUID():
            return f"'{value}'"
        case bytes() | bytearray():
            return _binary(bytes(value), kind)
        case datetime() | date() | time():
            return _moment(value, grammar, kind)
        case list() | dict():
            raise QueryError("lit writes one value, not several.", kind="usage", hint="{{ … | inlist }} is for a list.")
    raise QueryError(f"lit has no literal for {type(value).__name__}.", kind="usage", hint=_BIND)


def _signed(number: str) -> str:
    # 5 -{{ x }} would make a comment of a negative x.
    return f"({number})" if number.startswith("-") else number


def _quoted(text: str, grammar: Grammar, kind: str) -> str:
    if kind in ("spark", "databricks"):  # where 'it''s' may be two literals side by side
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    if grammar.backslash:
        text = text.replace("\\", "\\\\")
    return "'" + text.replace("'", "''") + "'"


def _binary(value: bytes, kind: str) -> str:
    digits = value.hex().upper()
    match kind:
        case "duckdb":
            return "'" + "".join(f"\\x{byte:02X}" for byte in value) + "'::BLOB"
        case "postgres":
            return f"'\\x{digits}'::bytea"
        case "mssql":
            return f"0x{digits}"
    return f"X'{digits}'"


def _moment(value: datetime | date | time, grammar: Grammar, kind: str) -> str:
    text = value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()
    if grammar.brackets:  # SQLite and SQL Server have no literals for moments but text
        return f"'{text}'"
    zoned = not isinstance(value, date) or isinstance(value, datetime)
    if zoned and value.tzinfo is not None:  # type: ignore[union-attr]  # a date has none
        if grammar.hashes or isinstance(value, time):
            raise QueryError("lit has no literal for a time with its zone here.", kind="usage", hint=_BIND)
        return f"TIMESTAMP{'' if kind in ('spark', 'databricks') else ' WITH TIME ZONE'} '{text}'"
    match value:
        case datetime():
            return f"TIMESTAMP '{text}'"
        case date():
            return f"DATE '{text}'"
    return f"TIME '{text}'"


def _text(value: Any) -> Any:
    """What an expression of a template may become text as; Jinja asks it of each."""
    import jinja2

    if value is None:
        raise QueryError("The template writes None, which is no SQL.", kind="usage", hint="{{ … | lit }} writes NULL.")
    return value if isinstance(value, jinja2.Undefined) else _open(value)


def _open(value: Any) -> Any:
    if isinstance(value, Secret):
        raise QueryError("A secret is never written into SQL.", kind="usage",
                         hint="A connection keeps its own; SQL that needs one binds it as :name.")  # fmt: skip
    return value


def _line(error: BaseException) -> int | None:
    """The line of the template where an error came from: Jinja makes its lines those of the frames."""
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == _FILE:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _uses(text: str, name: str) -> list[tuple[int, int]]:
    """Line and column of each use of a name in a template's tags."""
    word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    places = [tag.start() + found.start() for tag in _TAG.finditer(text) for found in word.finditer(tag[0])]
    return [(text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)) for at in places]


def _located(message: str, text: str, line: int | None, column: int | None = None) -> QueryError:
    """The error with its place in the text, by default the first tag of its line."""
    if line is not None and column is None:
        lines = text.split("\n")
        tag = _TAG.search(lines[line - 1]) if 0 < line <= len(lines) else None
        column = tag.start() + 1 if tag else None
    problem = QueryError(message, kind="usage", line=line, column=column)
    problem.place(text, 0, 1, 1)
    return problem
