"""What kinds share whose database is a file, or memory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from siege_nb.adapters.base import Params
from siege_nb.declare import ui

MEMORY = ":memory:"


def _settled(path: str) -> str:
    """A path that means the same wherever the notebook is started from."""
    return path if path == MEMORY else str(Path(path).expanduser().absolute())


FilePath = Annotated[str, Field(min_length=1), AfterValidator(_settled)]


class FileParams(Params):
    """A database in this process."""

    database: FilePath = ui(MEMORY, title="Database", placeholder="/data/warehouse.db", endpoint=True)
    """A file, or :memory: for one that lives as long as the session."""
    create: bool = ui(False, title="Create the file if there is none")
    """Without it a misspelt path is an error instead of an empty database."""
    read_only: bool = ui(False, title="Read only")

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.create and self.read_only:
            raise ValueError("a database that is only read cannot be created; leave out `create` or `read_only`")
        return self
