"""Code that connects as a profile does, outside of this house and without its secrets.

Secrets are asked for, or read from where the profile refers to; everything else stands in the code as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from siege_nb import adapters
from siege_nb.adapters.base import Adapter
from siege_nb.adapters.files import MEMORY, FileParams
from siege_nb.adapters.sql import SQLAdapter
from siege_nb.declare import Reference, Secret, secrets_of
from siege_nb.errors import SiegeError
from siege_nb.models.connection import ConnectionProfile
from siege_nb.vault.os_keyring import SERVICE


def snippet(profile: ConnectionProfile) -> str:
    """Python that makes a `connection` or an `engine` of the profile's parameters."""
    adapter = _adapter(profile)
    if isinstance(profile.connection_params, FileParams):
        return _file(profile, profile.connection_params)
    if isinstance(adapter, SQLAdapter):
        return _engine(profile, adapter)
    return _workspace(profile)


def _adapter(profile: ConnectionProfile) -> Adapter[Any] | None:
    try:
        return adapters.load(profile.connection_type)(profile.connection_params)
    except SiegeError:  # a kind that is not installed here; the code is for where it is
        return None


def _engine(profile: ConnectionProfile, adapter: SQLAdapter[Any]) -> str:
    """SQLAlchemy, with what the URL itself has no place for as arguments of the driver."""
    params, url = profile.connection_params, adapter.url()
    secrets = dict(secrets_of(params))
    password = secrets.pop("password", None)
    imports = {"import sqlalchemy as sa"}
    parts: list[str] = [repr(url.drivername)]
    known = {"username": url.username, "host": url.host, "port": url.port, "database": url.database}
    parts += [f"{name}={value!r}" for name, value in known.items() if value]
    if password is not None:
        parts.append(f"password={_asked(password, f'Password for {profile.name}: ', imports)}")
    if url.query:
        parts.append(f"query={dict(url.query)!r}")
    said = {name: value for name, value in _arguments(profile).items() if value not in ("", None)}
    more = f", connect_args={said!r}" if said else ""
    lines = ["url = sa.URL.create(", *(f"    {part}," for part in parts), ")"]
    return _code(imports, [*lines, f"engine = sa.create_engine(url{more})"], left=secrets)


def _arguments(profile: ConnectionProfile) -> Mapping[str, Any]:
    """What a driver is told besides the place and the user."""
    params: Any = profile.connection_params
    write = _DRIVERS.get(profile.connection_type.casefold())
    return write(params) if write else {}


def _postgres(params: Any) -> dict[str, Any]:
    names = ("sslmode", "sslrootcert", "passfile", "application_name")
    return {name: getattr(params, name) for name in names}


def _mysql(params: Any) -> dict[str, Any]:
    from siege_nb.adapters.mysql_tls import options

    return options(params.ssl, params.ssl_ca)


#: How the parameters that no URL has a place for are called by the driver; by kind and alias.
_DRIVERS: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "postgres": _postgres, "postgresql": _postgres, "mysql": _mysql, "mariadb": _mysql,
}  # fmt: skip


def _file(profile: ConnectionProfile, params: FileParams) -> str:
    module = adapters.load(profile.connection_type).drivers[0]
    imports, database = {f"import {module}"}, params.database
    if module == "duckdb":
        return _code(imports, [f"connection = duckdb.connect({database!r}, read_only={params.read_only!r})"])
    if database == MEMORY:
        return _code(imports, [f"connection = {module}.connect({database!r})"])
    imports.add("from pathlib import Path")
    mode = "ro" if params.read_only else "rwc" if params.create else "rw"
    opened = f'connection = {module}.connect(Path({database!r}).as_uri() + "?mode={mode}", uri=True)'
    return _code(imports, [opened])


def _workspace(profile: ConnectionProfile) -> str:
    """For kinds that nothing else connects to: through the profile, which needs this config directory."""
    lines = ["workspace = siege_nb.Workspace()", f"lease = workspace.lease({profile.connection_id!r})",
             "session = lease.session"]  # fmt: skip
    return _code({"import siege_nb"}, lines)


def _asked(secret: Secret, prompt: str, imports: set[str]) -> str:
    """The expression that has the secret when the code runs."""
    source, name = (secret.source, secret.name) if isinstance(secret, Reference) else ("", "")
    if source == "env":
        imports.add("import os")
        return f"os.environ[{name!r}]"
    if source == "keyring":
        imports.add("import keyring")
        return f"keyring.get_password({SERVICE!r}, {name!r})"
    imports.add("import getpass")
    return f"getpass.getpass({prompt!r})"


def _code(imports: Iterable[str], lines: list[str], left: Iterable[str] = ()) -> str:
    ordered = sorted(imports, key=lambda line: (line.startswith("import sqlalchemy"), line.split()[1]))
    missing = [f"# Not in it, for it is secret: {', '.join(left)}"] if left else []
    return "\n".join([*ordered, "", *missing, *lines])
