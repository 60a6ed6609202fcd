"""A private Redis."""

from itertools import cycle
from typing import TYPE_CHECKING, Any

from tests.servers.process import Server

if TYPE_CHECKING:
    from redis import Redis as Client


class Redis(Server):
    """A Redis that asks for a password and keeps nothing on disk."""

    program, package, accounts = "redis-server", "redis-server", ("redis", "nobody")
    username, database = "default", "0"

    def __init__(self, *options: str) -> None:
        super().__init__(*options)
        self._numbers = cycle(range(1, 16))  # 0 is the one that `database` names

    def prepare(self) -> None:
        pass

    def command(self) -> list[str]:
        return [
            self.find("redis-server"),
            "--port",
            str(self.port),
            "--bind",
            self.host,
            "--dir",
            str(self.base),
            "--requirepass",
            self.password,
            "--save",
            "",
            "--appendonly",
            "no",
        ]

    def connect(self, **changes: Any) -> "Client":
        """A client of the redis package; `changes` go to it over our address."""
        from redis import Redis as Client
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        address = {"host": self.host, "port": self.port, "password": self.password, "db": int(self.database)}
        manner = {"socket_timeout": 10, "decode_responses": True, "retry": Retry(NoBackoff(), 0)}
        words: dict[str, Any] = address | manner | changes
        return Client(**words)

    def answers(self) -> bool:
        import redis

        try:
            with self.connect() as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False

    def database_for(self, name: str) -> str:
        """The number of an emptied database, as text; there are fifteen, used in turn."""
        number = next(self._numbers)
        with self.connect(db=number) as client:
            client.flushdb()
        return str(number)
