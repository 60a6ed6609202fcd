"""A result as a table that can be searched, sorted and turned over: by itables, and without a network."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from siege_nb.query.frames import is_number, to_pandas, values
from siege_nb.show import Look, plain

if TYPE_CHECKING:
    import pyarrow as pa

#: Rows in a grid: each of them is saved in the notebook.
MOST_ROWS = 2_000


def available() -> bool:
    """Whether itables is installed, in a version that escapes what it shows."""
    try:
        return hasattr(import_module("itables.options"), "allow_html")
    except ImportError:
        return False


@cache
def load() -> None:
    """Put itables' own script into the cell that runs now, once for a kernel: every grid needs it."""
    import pandas as pd

    # It also says how frames are shown; as they are now, that is.
    import_module("itables").init_notebook_mode(all_interactive=hasattr(pd.Series, "_repr_html_"), connected=False)


def html(table: pa.Table, look: Look) -> str:
    """The first rows of a table as a grid."""
    load()
    few = table.slice(0, MOST_ROWS)
    for n, column in enumerate(few.columns):
        if not is_number(column.type):
            few = few.set_column(n, plain(few.column_names[n]), [_texts(column, look)])
    drawn: str = import_module("itables").to_html_datatable(
        to_pandas(few), connected=False, allow_html=False, maxBytes=0, showIndex=False, display_logo_when_loading=False
    )
    return drawn


def _texts(column: pa.ChunkedArray[Any], look: Look) -> Any:
    import pyarrow as pa

    return pa.array([plain(value, look.max_cell_width) for value in values(column)], pa.string())
