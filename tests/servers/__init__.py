"""Real servers for tests, each private to one run: its own port, directory and password."""

from tests.servers.mariadb import MariaDB
from tests.servers.ports import SilentServer, closed_port, free_port
from tests.servers.postgres import Postgres
from tests.servers.process import Server, ServerError
from tests.servers.redis import Redis
from tests.servers.sql import SQLServer

__all__ = [
    "MariaDB",
    "Postgres",
    "Redis",
    "SQLServer",
    "Server",
    "ServerError",
    "SilentServer",
    "closed_port",
    "free_port",
]
