"""Databases as Java knows them: JDBC addresses and drivers, and a Spark session that has these drivers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from siege_nb.declare import Reference, Secret
from siege_nb.errors import MissingDriverError, SealedError
from siege_nb.models.database import DatabaseProfile

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

#: Where a password is sent, and which: options that come from the database and not from its spark_options.
DERIVED = ("url", "driver", "user", "password")
#: Where Debian's packages put jars.
JARS = Path("/usr/share/java")


class _Java(NamedTuple):
    """How Java speaks to one make of database."""

    url: str
    driver: str
    #: How its jar may be named, and where Spark finds it otherwise.
    jar: str
    package: str
    #: SQLAlchemy's name for it.
    dialect: str
    #: The driver's own name for how to encrypt.
    tls: str = ""


_POSTGRES = _Java(
    "jdbc:postgresql://{host}:{port}/{database}", "org.postgresql.Driver",
    r"postgresql(-\d[\w.-]*)?\.jar", "org.postgresql:postgresql:42.7.7", "postgresql", "sslmode",
)  # fmt: skip
_MYSQL = _Java(
    "jdbc:mysql://{host}:{port}/{database}", "com.mysql.cj.jdbc.Driver",
    r"mysql-connector-(j|java)(-\d[\w.-]*)?\.jar", "com.mysql:mysql-connector-j:9.3.0", "mysql",
)  # fmt: skip
_ORACLE = _Java(
    "jdbc:oracle:thin:@//{host}:{port}/{database}", "oracle.jdbc.OracleDriver",
    r"ojdbc\d+(-\d[\w.-]*)?\.jar", "com.oracle.database.jdbc:ojdbc11:23.8.0.25.04", "oracle",
)  # fmt: skip
_SQL_SERVER = _Java(
    "jdbc:sqlserver://{host}:{port};databaseName={database}", "com.microsoft.sqlserver.jdbc.SQLServerDriver",
    r"mssql-jdbc(-\d[\w.-]*)?\.jar", "com.microsoft.sqlserver:mssql-jdbc:12.10.0.jre11", "mssql",
)  # fmt: skip
_SQLITE = _Java(
    "jdbc:sqlite:{database}", "org.sqlite.JDBC",
    r"sqlite-jdbc(-\d[\w.-]*)?\.jar", "org.xerial:sqlite-jdbc:3.49.1.0", "sqlite",
)  # fmt: skip
_KNOWN = {
    "postgres": _POSTGRES, "postgresql": _POSTGRES, "mysql": _MYSQL, "mariadb": _MYSQL, "oracle": _ORACLE,
    "sqlserver": _SQL_SERVER, "mssql": _SQL_SERVER, "sqlite": _SQLITE,
}  # fmt: skip


def address(connection_type: str, host: str, port: int, database: str) -> tuple[str, str]:
    """The JDBC URL and the driver's class; of a make that is not known, what its URL would usually be, and no class."""
    java = _java(connection_type)
    return java.url.format(host=host, port=port, database=database), java.driver


def options(database: DatabaseProfile) -> dict[str, str]:
    """What `spark.read.format("jdbc").options(**…)` needs, the password among it in the clear: it is for Spark."""
    found = {"url": database.jdbc_url, "driver": database.jdbc_driver, "user": database.username}
    found["password"] = _password(database)
    mode, tls = database.connection_params.ssl_mode, _java(database.connection_type).tls
    if mode and tls:
        found[tls] = mode
    # Options of Spark's are named in any case; one that an older file has among the user's own must not lead elsewhere.
    ours = {key.casefold() for key in found}
    return found | {key: str(value) for key, value in database.spark_options.items() if key.casefold() not in ours}


def url(database: DatabaseProfile) -> Secret:
    """The database as a URL for SQLAlchemy, which is a secret, for it has the password in it."""
    dialect = _java(database.connection_type).dialect
    if dialect == "sqlite":
        return Secret(f"sqlite:///{database.database}")
    login = f"{quote(database.username, safe='')}:{quote(_password(database), safe='')}@" if database.username else ""
    return Secret(f"{dialect}://{login}{database.host}:{database.port}/{quote(database.database, safe='')}")


def spark(app_name: str, databases: Iterable[DatabaseProfile]) -> SparkSession:
    """A Spark session that can read these databases. One that runs already is taken as it is, without new drivers."""
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise MissingDriverError(
            f"Spark's driver cannot be imported: {error}.", install="%pip install 'siege-nb[spark]'"
        ) from None
    builder: Any = SparkSession.builder
    builder = builder.appName(app_name)
    for setting, value in drivers(database.connection_type for database in databases).items():
        builder = builder.config(setting, value)
    session: SparkSession = builder.getOrCreate()
    return session


def drivers(connection_types: Iterable[str]) -> dict[str, str]:
    """Spark's settings that bring the drivers: jars that are on this machine, else packages by their names."""
    jars, packages = list[str](), list[str]()
    for java in dict.fromkeys(_KNOWN[kind.casefold()] for kind in connection_types if kind.casefold() in _KNOWN):
        here = sorted(str(jar) for jar in JARS.glob("*.jar") if re.fullmatch(java.jar, jar.name))
        if here:
            jars.append(here[0])
        else:
            packages.append(java.package)
    found = {"spark.jars": jars, "spark.jars.packages": packages}
    return {setting: ",".join(values) for setting, values in found.items() if values}


def _java(connection_type: str) -> _Java:
    kind = connection_type.casefold()
    return _KNOWN.get(kind) or _Java(f"jdbc:{kind}://{{host}}:{{port}}/{{database}}", "", "", "", kind)


def _password(database: DatabaseProfile) -> str:
    if isinstance(database.password, Reference):
        raise SealedError("The password is still at rest; the vault opens it first.")
    return database.password.reveal() if database.password else ""
