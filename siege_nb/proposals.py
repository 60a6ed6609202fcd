"""Connections that the surroundings offer: variables and files of other tools, by name and never by value.

Passwords in variables are referred to where they are; those in files are taken into the hand, to be sealed.
"""

from __future__ import annotations

import configparser
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from siege_nb.adapters.urls import from_url
from siege_nb.declare import Secret
from siege_nb.errors import SiegeError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A connection that could be made, under the name by which it is asked for."""

    name: str
    kind: str
    #: Where it was found: names of variables, or a file.
    source: str
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: Secrets that stay where they are: field and reference.
    references: Mapping[str, str] = field(default_factory=dict)
    #: Secrets that stand in a file: field and secret.
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    #: What was there and has no place in ours.
    leftover: tuple[str, ...] = ()


def proposals(environ: Mapping[str, str], home: Path, cwd: Path) -> list[Proposal]:
    """Every connection that these surroundings offer. A file that cannot be read is logged and left out."""
    env = {name: value for name, value in environ.items() if value}
    return [
        *_variables(env),
        *_services(Path(env.get("PGSERVICEFILE") or home / ".pg_service.conf")),
        *aliases(home / ".jupysql" / "connections.ini", "jupysql"),
        *aliases(cwd / "connections.ini", "ini"),
        *_option_file(home / ".my.cnf"),
    ]


# Which variable fills which field. One of the first three says that somebody meant it.
_POSTGRES = {
    "PGHOST": "host", "PGDATABASE": "database", "PGUSER": "username", "PGPORT": "port", "PGSSLMODE": "sslmode",
    "PGSSLROOTCERT": "sslrootcert", "PGPASSFILE": "passfile", "PGAPPNAME": "application_name",
}  # fmt: skip
_MYSQL = {
    "MYSQL_HOST": "host", "MYSQL_DATABASE": "database", "MYSQL_USER": "username", "MYSQL_TCP_PORT": "port",
    "MYSQL_PORT": "port",
}  # fmt: skip
_DATABRICKS = {"DATABRICKS_HOST": "workspace_url", "DATABRICKS_HTTP_PATH": "http_path"}
#: Libpq's and MySQL's words for what is called otherwise here.
_SERVICE = {
    "host": "host", "port": "port", "dbname": "database", "user": "username", "sslmode": "sslmode",
    "sslrootcert": "sslrootcert", "passfile": "passfile", "application_name": "application_name",
}  # fmt: skip
_OPTIONS = {"host": "host", "port": "port", "database": "database", "user": "username", "ssl_ca": "ssl_ca",
            "ssl_mode": "ssl"}  # fmt: skip


def _variables(env: Mapping[str, str]) -> Iterator[Proposal]:
    user = env.get("USER") or env.get("LOGNAME") or ""
    yield from _from_variables(env, "PG", "postgres", _POSTGRES, {"password": ("PGPASSWORD",)}, {
        "host": "localhost", "username": user, "database": env.get("PGUSER") or user})  # fmt: skip
    yield from _from_variables(env, "MYSQL", "mysql", _MYSQL, {"password": ("MYSQL_PASSWORD", "MYSQL_PWD")}, {
        "host": "localhost", "username": user})  # fmt: skip
    if "DATABASE_URL" in env:
        # Whole, for nobody can tell where in it the password ends.
        there = {"connection_string": "env:DATABASE_URL"}
        yield Proposal("DATABASE_URL", "database", "DATABASE_URL", references=there)
    if "SPARK_REMOTE" in env:
        yield from _pasted("SPARK_REMOTE", "SPARK_REMOTE", env["SPARK_REMOTE"])
    yield from _from_variables(env, "DATABRICKS", "databricks", _DATABRICKS, {"token": ("DATABRICKS_TOKEN",)}, {})


def _from_variables(
    env: Mapping[str, str], name: str, kind: str, known: Mapping[str, str], secret: Mapping[str, tuple[str, ...]],
    assumed: Mapping[str, str],
) -> Iterator[Proposal]:  # fmt: skip
    """A proposal if one of the first three variables is set; the rest as its tool would assume it."""
    if not any(variable in env for variable in [*known][:3]):
        return
    there = {variable: path for variable, path in known.items() if variable in env}
    values = {path: value for path, value in assumed.items() if value}
    values |= {path: env[variable] for variable, path in reversed(there.items())}
    named = {path: next((v for v in variables if v in env), "") for path, variables in secret.items()}
    references = {path: f"env:{variable}" for path, variable in named.items() if variable}
    source = ", ".join([*there, *filter(None, named.values())])
    yield Proposal(name, kind, source, values, references)


def _services(path: Path) -> Iterator[Proposal]:
    for name, said in _sections(path):
        values = {ours: said[theirs] for theirs, ours in _SERVICE.items() if said.get(theirs)}
        values = {"host": "localhost", **values}
        if "username" in values:
            values = {"database": values["username"], **values}
        yield Proposal(f"service:{name}", "postgres", str(path), values, {}, _password(said), _rest(said, _SERVICE))


def _option_file(path: Path) -> Iterator[Proposal]:
    for name, said in _sections(path):
        if name == "client":
            said = {key.replace("-", "_"): _bare(value) for key, value in said.items()}
            values = {ours: said[theirs] for theirs, ours in _OPTIONS.items() if said.get(theirs)}
            if "ssl" in values:
                values["ssl"] = values["ssl"].casefold()
            values = {"host": "localhost", **values}
            yield Proposal("my.cnf", "mysql", str(path), values, {}, _password(said), _rest(said, _OPTIONS))


def aliases(path: Path, prefix: str) -> Iterator[Proposal]:
    """What jupysql calls a connection: the parts of an SQLAlchemy URL."""
    for name, said in _sections(path, delimiters=("=", ":")):
        if not said.get("drivername"):
            logger.warning("%s: [%s] names no driver", path, name)
            continue
        user, database = quote(said.get("username", ""), safe=""), said.get("database", "")
        password = f":{quote(said['password'], safe='')}" if said.get("password") else ""
        port = f":{said['port']}" if said.get("port") else ""
        at = f"{user}{password}@" if user or password else ""
        url = f"{said['drivername']}://{at}{said.get('host', '')}{port}" + (f"/{database}" if database else "")
        known = ("drivername", "username", "password", "host", "port", "database")
        yield from _pasted(f"{prefix}:{name}", str(path), url, _rest(said, dict.fromkeys(known)))


def _pasted(name: str, source: str, url: str, leftover: tuple[str, ...] = ()) -> Iterator[Proposal]:
    try:
        found = from_url(url)
    except SiegeError as error:
        logger.warning("%s: %s cannot be understood: %s", source, name, error.message)
        return
    yield Proposal(name, found.kind, source, found.values, {}, found.secrets, (*found.leftover, *leftover))


def _sections(path: Path, delimiters: tuple[str, ...] = ("=",)) -> Iterator[tuple[str, dict[str, str]]]:
    """The sections of a file of settings, if there is one."""
    read = configparser.RawConfigParser(strict=False, allow_no_value=True, delimiters=delimiters, default_section="")
    try:
        text = path.read_text(encoding="utf-8")
        read.read_string("\n".join(line for line in text.splitlines() if not line.lstrip().startswith("!")))
    except FileNotFoundError:
        return
    except (OSError, ValueError, configparser.Error) as error:
        # Not its message: it quotes the line, which may hold a password.
        logger.warning("%s cannot be read (%s); what it offers is left out", path, type(error).__name__)
        return
    for name in read.sections():
        yield name, {key: value for key, value in read[name].items() if value is not None}


def _bare(value: str) -> str:
    """What MySQL reads: a value without the quotes around it, or without the remark behind it."""
    if quoted := re.fullmatch(r"""(["'])(.*)\1\s*(?:#.*)?""", value):
        return quoted[2]
    return re.sub(r"\s+#.*", "", value)


def _password(said: Mapping[str, str]) -> dict[str, Secret]:
    return {"password": Secret(said["password"])} if said.get("password") else {}


def _rest(said: Mapping[str, str], known: Mapping[str, str | None]) -> tuple[str, ...]:
    return tuple(key for key in said if key not in known and key != "password")
