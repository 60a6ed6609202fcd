"""Rows into SQLite, whose driver takes numbers, text and bytes."""

from __future__ import annotations

from typing import Any

from siege_nb.adapters.filling import Filling
from siege_nb.adapters.loading import Loader
from siege_nb.query.columns import Array


class SQLiteLoader(Loader):
    """Tables of SQLite, which has numbers of 64 bits, text and bytes. Dates are text, as it writes them itself."""

    def given(self, column: Filling, values: Array) -> list[Any]:
        found: list[Any] = self.written(column, values).to_pylist()
        return found

    def written(self, column: Filling, values: Array) -> Array:
        from pyarrow import compute

        if column.family == "float" and compute.any(compute.is_nan(values)).as_py():
            raise self.refuse(column, "NaN", "Make it NULL first.")
        return super().written(column, values)
