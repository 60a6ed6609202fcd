"""What `import siege_nb` and `%load_ext siege_nb` load, looked at in a fresh process: a static graph cannot see it."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = set(
    """
    adbc_driver_manager anywidget cryptography duckdb httpx ipywidgets keyring mysql numpy pandas platformdirs psycopg
    pyarrow pydantic pyodbc pyspark redis sqlalchemy sqlglot typer yaml
    """.split()
)

IMPORT = "import siege_nb"
LOAD = """
from IPython.core.interactiveshell import InteractiveShell
ip = InteractiveShell.instance()
before = set(sys.modules)
ip.run_line_magic("load_ext", "siege_nb")
"""


@pytest.mark.parametrize("script", [IMPORT, LOAD], ids=["import", "load_ext"])
def test_nothing_heavy_is_loaded(script: str) -> None:
    code = f"import sys; before = set(sys.modules)\n{script}\nprint(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "siege_nb" in loaded
    assert not loaded & HEAVY


def test_public_names_load_when_asked_for() -> None:
    import siege_nb

    for name in siege_nb.__all__:
        assert getattr(siege_nb, name) is not None
        assert name in dir(siege_nb)
    with pytest.raises(AttributeError, match="nosuchname"):
        siege_nb.nosuchname  # noqa: B018
    assert siege_nb.__all__ == sorted(siege_nb.__all__, key=lambda n: (not n[0].isupper(), n))
