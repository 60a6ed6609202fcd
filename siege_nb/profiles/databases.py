"""Databases as Spark and JDBC know them, as the first system's functions have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from siege_nb import adapters
from siege_nb.declare import Reference, Secret, structure
from siege_nb.engines import jdbc
from siege_nb.errors import DamagedError, InvalidError, Issue, NotFoundError
from siege_nb.models.connection import ConnectionProfile
from siege_nb.models.database import DatabaseProfile
from siege_nb.profiles.documents import based_on, created, document, key, loaded, merged, saved, typed
from siege_nb.profiles.places import HERE, Place, at, path, rows, until_kept
from siege_nb.profiles.reasons import empty, false, nothing, notice, raising
from siege_nb.store import edits
from siege_nb.store.shapes import DATABASES
from siege_nb.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_SPARK_OPTIONS = {"fetchsize": "1000", "batchsize": "10000"}
#: Options of Spark's that say what is read, and how fast, but not from where.
_TUNING = frozenset(
    """
    fetchsize batchsize numpartitions partitioncolumn lowerbound upperbound querytimeout dbtable query truncate
    pushdownpredicate pushdownaggregate pushdownlimit pushdownoffset pushdowntablesample isolationlevel
    """.split()
)
_ADDRESS = ("connection_type", "host", "port", "database")
#: What the modes of PostgreSQL, which the first system knows, are called in MySQL.
_MYSQL_MODES = {
    "disable": "disabled", "prefer": "preferred", "require": "required", "verify-ca": "verify_ca",
    "verify-full": "verify_identity",
}  # fmt: skip


@raising
def create_database_config(
    name: str,
    connection_type: str,
    host: str,
    port: int,
    database: str,
    username: str,
    password: str | Secret,
    **kwargs: Any,
) -> dict[str, Any]:
    """A new database with its password as given, and how JDBC and Spark reach it; nothing is saved."""
    what = f"Database {name!r}"
    url, driver = jdbc.address(connection_type, host, port, database)
    given = {
        "name": name,
        "connection_type": connection_type,
        "host": host,
        "port": port,
        "database": database,
        "username": username,
        "password": Secret(password) if isinstance(password, str) and password else password or None,
        "jdbc_url": kwargs.pop("jdbc_url", url),
        "jdbc_driver": kwargs.pop("jdbc_driver", driver),
        "spark_options": _SPARK_OPTIONS | kwargs.pop("spark_options", {}),
    }
    profile = structure(DatabaseProfile, given | {"connection_params": kwargs}, what=what)
    _refuse_derived(profile, None, what)
    return created(DATABASES, profile, what) | {"password": password}


@raising
def save_database_config(config: Mapping[str, Any], config_directory: Place = HERE) -> str:
    """Seal a database's password, write it, and give the path of its file; ConflictError as for a client."""
    workspace = at(config_directory)
    name = key(config, "name", "The database")
    try:
        stored = workspace.store.databases.find(name).item
    except (NotFoundError, DamagedError):  # a damaged one is copied aside by who writes over it
        stored = None
    saved(config, _save(workspace, config, stored, based_on(config, workspace.store.databases, name)))
    return path(config_directory, DATABASES.file(name))


@nothing
def load_database_config(db_name: str, config_directory: Place = HERE) -> dict[str, Any] | None:
    """A database, or None; its password is a reference, and a damaged file is warned of."""
    kept = at(config_directory).store.databases.find(db_name)
    return loaded(document(DATABASES, kept.item), kept.version)


@empty
def list_database_configs(config_directory: Place = HERE) -> list[dict[str, Any]]:
    """All databases by their names: name, connection_type, host, database, config_file."""
    return [
        {
            "name": row.name,
            "connection_type": row.summary.get("connection_type"),
            "host": row.summary.get("host"),
            "database": row.summary.get("database"),
            "config_file": path(config_directory, row.file),
        }
        for row in sorted(rows(at(config_directory).store.databases), key=lambda row: row.key)
    ]


@false
def update_database_config(db_name: str, updates: Mapping[str, Any], config_directory: Place = HERE) -> bool:
    """Change the named fields; another address makes another JDBC URL, and asks for the password again."""
    workspace = at(config_directory)

    def work(stored: DatabaseProfile, version: str) -> None:
        wanted = merged(document(DATABASES, stored), updates)
        if wanted["name"] != db_name:
            raise InvalidError(f"Database {db_name!r}", [Issue("name", "cannot change: its password is bound to it")])
        derived = dict(zip(("jdbc_url", "jdbc_driver"), _jdbc(stored), strict=True))
        if all(getattr(stored, field) == value for field, value in derived.items()):
            url, driver = jdbc.address(*(wanted[field] for field in _ADDRESS))
            wanted |= {"jdbc_url": url, "jdbc_driver": driver} | {f: updates[f] for f in derived if f in updates}
        _save(workspace, wanted, stored, version)

    until_kept(workspace.store.databases, db_name, work)
    return True


@false
def delete_database_config(db_name: str, config_directory: Place = HERE) -> bool:
    """Remove a database and its password."""
    at(config_directory).store.databases.remove(db_name)
    return True


@nothing
def get_spark_database_options(db_name: str, config_directory: Place = HERE) -> dict[str, str] | None:
    """What Spark needs to read a database: url, driver, user, its options, and the password in the clear."""
    return jdbc.options(_opened(at(config_directory), db_name))


@false
def test_database_connection(db_name: str, config_directory: Place = HERE) -> bool:  # noqa: PT028
    """Whether a database can be reached, with a session of its own; last_error() says what is in the way."""
    workspace = at(config_directory)
    result = workspace.check(_connection(_opened(workspace, db_name)))
    if result.error:
        notice(result.error)
    return result.ok


test_database_connection.__test__ = False  # type: ignore[attr-defined]  # pytest would collect it by its name


@nothing
def create_spark_session_with_databases(
    app_name: str = "SiegeAnalytics", database_names: Sequence[str] | None = None, config_directory: Place = HERE
) -> SparkSession | None:
    """A Spark session with the drivers of these databases; None where PySpark is not installed."""
    found = [at(config_directory).store.databases.find(name).item for name in database_names or ()]
    return jdbc.spark(app_name, found)


def _save(
    workspace: Workspace, given: Mapping[str, Any], stored: DatabaseProfile | None, version: str | None = None
) -> str:
    what = f"Database {given['name']!r}"
    wanted = typed(DatabaseProfile, given, stored, what)

    def check(current: DatabaseProfile | None) -> None:
        _refuse_derived(wanted, current, what)
        secret = wanted.password
        if not isinstance(secret, Reference) or secret.source == "missing":
            return
        if secret.source == "encrypted" or (current and secret == current.password):
            there, now = _goes_to(current) if current else {}, _goes_to(wanted)
            edits.refuse_carried(what, edits.moved(there, now), ["password"])

    check(stored)  # before a key is asked for in vain
    sealed = workspace.vault.seal(wanted, kind="database", ident=wanted.name)
    return workspace.store.databases.put(sealed, expected=version, check=check).version


def _refuse_derived(wanted: DatabaseProfile, there: DatabaseProfile | None, what: str) -> None:
    """Raise for options of Spark's that would say where a password goes; those of an older file are not acted on."""
    kept = there.spark_options if there else {}
    new = [key for key, value in wanted.spark_options.items() if key not in kept or kept[key] != value]
    said = "comes from the database itself: jdbc_url, jdbc_driver, username, password"
    if issues := [Issue(f"spark_options.{key}", said) for key in new if key.casefold() in jdbc.DERIVED]:
        raise InvalidError(what, issues)


def _goes_to(database: DatabaseProfile) -> dict[str, Any]:
    """All that says where a password goes, and how it is kept from others on its way."""
    found = {field: getattr(database, field) for field in (*_ADDRESS, "jdbc_url", "jdbc_driver")}
    options = {key: value for key, value in database.spark_options.items() if key.casefold() not in _TUNING}
    return found | {"ssl_mode": database.connection_params.ssl_mode, "spark_options": options}


def _opened(workspace: Workspace, name: str) -> DatabaseProfile:
    stored = workspace.store.databases.find(name).item
    workspace.directory.witness("open", DATABASES.file(name))
    return workspace.vault.open(stored, kind="database", ident=name)


def _jdbc(database: DatabaseProfile) -> tuple[str, str]:
    return jdbc.address(database.connection_type, database.host, database.port, database.database)


def _connection(database: DatabaseProfile) -> ConnectionProfile:
    """The database as a connection that can be tested: of a kind of ours, or whatever SQLAlchemy knows."""
    login = {field: getattr(database, field) for field in ("host", "port", "database", "username", "password")}
    mode = database.connection_params.ssl_mode
    match database.connection_type.casefold():
        case "postgres" | "postgresql":
            kind, params = "postgres", login | ({"sslmode": mode} if mode else {})
        case "mysql" | "mariadb":
            kind, params = "mysql", login | ({"ssl": _MYSQL_MODES.get(mode, mode)} if mode else {})
        case _:
            kind, params = "database", {"connection_string": jdbc.url(database)}
    declared = structure(adapters.load(kind).params_type, params, what=f"Database {database.name!r}")
    return ConnectionProfile(name=database.name, connection_type=kind, connection_params=declared)
