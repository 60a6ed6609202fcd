"""A password typed in a line of ours is found by how it is written; what is remembered holds none."""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from siege_nb import adapters, masking
from siege_nb.adapters.base import Params
from siege_nb.declare import Secret, fields
from siege_nb.magics.guard_history import _MAGICS, redact
from siege_nb.magics.shell import SiegeMagics
from siege_nb.masking import MASK, mask


@pytest.fixture(autouse=True)
def _nothing_known() -> Iterator[None]:
    before = set(masking._known)
    yield
    for value in set(masking._known) - before:
        masking.forget(value)


TYPED = [
    ("%conn add pg postgres host=h password=hunter22 port=5", "%conn add pg postgres host=h password=*** port=5"),
    ("%conn add pg postgres password='hunter22 x' port=5", "%conn add pg postgres password=*** port=5"),
    ('%conn add pg postgres password=a"hunter22 x"b port=5', "%conn add pg postgres password=*** port=5"),
    ('%conn add pg postgres password="hunter22 x', "%conn add pg postgres password=***"),
    ("%conn add pg postgres password=hunter22\\ x port=5", "%conn add pg postgres password=*** port=5"),
    ("%conn add pg postgres PASSWORD=hunter22", "%conn add pg postgres PASSWORD=***"),
    ("%conn add pg postgres password = hunter22", "%conn add pg postgres password = ***"),
    ("%conn add pg postgres password hunter22", "%conn add pg postgres password ***"),
    ("%conn add pg postgres --password hunter22", "%conn add pg postgres --password ***"),
    ("%conn add pg postgres --client-secret=hunter22", "%conn add pg postgres --client-secret=***"),
    ("%conn add pg postgres --token 'hunter22' -x", "%conn add pg postgres --token *** -x"),
    ("%conn add pg postgres -p hunter22 -x", "%conn add pg postgres -p *** -x"),
    ("%conn add pg postgres -phunter22", "%conn add pg postgres -p***"),
    ("%conn add pg postgres pass=hunter22 port=5", "%conn add pg postgres pass=*** port=5"),
    ("%conn add pg rest authentication.pass='hunter22'", "%conn add pg rest authentication.pass=***"),
    ("%conn credential x hunter22 more", "%conn credential x ***"),
    ("  %conn credential x=hunter22", "  %conn credential x=***"),
    ("conn credential 'x y' \\\n  hunter22", "conn credential 'x y' \\\n  ***"),
    ("%conn secret lite hunter22", "%conn secret lite ***"),
    ("r = %conn secret lite password=hunter22", "r = %conn secret lite ***"),
    ("get_ipython().run_line_magic('conn', 'credential x hunter22')",
     "get_ipython().run_line_magic('conn', 'credential x ***')"),
    ("%sql --password hunter22 select 1", "%sql --password *** select 1"),
    ("%%sql --password=hunter22\nselect 1", "%%sql --password=***\nselect 1"),
    ("%siege_sql --password hunter22 select 1", "%siege_sql --password *** select 1"),
    ("%%siege_sql postgresql://me:hunter22@h/db\nselect 1", "%%siege_sql postgresql://me:***@h/db\nselect 1"),
    ('%sql postgresql://me@h/db -a {"password": "hunter22"}', '%sql postgresql://me@h/db -a {"password": ***}'),
    ("%sqlcmd connect pg postgres password=hunter22", "%sqlcmd connect pg postgres password=***"),
    ("%sql -p df", "%sql -p df"),
    ("%sql scott/hunter22@h select 1", "%sql scott/***@h select 1"),
    ("%conn add q oracle scott/hunter22@h", "%conn add q oracle scott/***@h"),
    ("%conn add q jdbc:oracle:thin:scott/hun/ter@22@//h:1521/x", "%conn add q jdbc:oracle:thin:scott/***@//h:1521/x"),
    ("%conn add pg postgres password:=hunter22", "%conn add pg postgres password:=***"),
    ("%conn add pg rest authentication.token=hunter22 x=1", "%conn add pg rest authentication.token=*** x=1"),
    ("%conn add db catalog api_key=hunter22", "%conn add db catalog api_key=***"),
    ("%conn add pg \\\n  host=h \\\n  password=hunter22", "%conn add pg \\\n  host=h \\\n  password=***"),
    ("x = 1\n  %conn add pg password=hunter22\ny = 2", "x = 1\n  %conn add pg password=***\ny = 2"),
    ("conn add pg postgres password=hunter22", "conn add pg postgres password=***"),
    ("r = %sql postgresql://u:hunter22@h/db SELECT 1", "r = %sql postgresql://u:***@h/db SELECT 1"),
    ("%conn postgresql://u:hun@ter/22@h/db", "%conn postgresql://u:***@h/db"),
    ("%conn redis://:hunter22@h", "%conn redis://:***@h"),
    ("%%sql\nATTACH 'host=h password=hunter22 dbname=x' AS d", "%%sql\nATTACH 'host=h password=*** dbname=x' AS d"),
    ("%%sql pg\nCREATE ROLE x PASSWORD 'hunter22';", "%%sql pg\nCREATE ROLE x PASSWORD ***;"),
    ("%%sql my\nALTER USER x IDENTIFIED BY 'hunter22'", "%%sql my\nALTER USER x IDENTIFIED BY ***"),
    ("%%sql\nCREATE SECRET (TYPE s3, SECRET 'hunter22')", "%%sql\nCREATE SECRET (TYPE s3, SECRET ***)"),
    ("%%sql\nSELECT 1 WHERE token = 'hunter22'", "%%sql\nSELECT 1 WHERE token = ***"),
    ("get_ipython().run_line_magic('conn', 'add x y password=hunter22')",
     "get_ipython().run_line_magic('conn', 'add x y password=***')"),
]  # fmt: skip

UNTOUCHED = [
    "%conn add pg postgres password:=env:PGPASSWORD",
    "%conn add pg postgres password:=keyring:warehouse password2:=vault:x",
    "%conn add token-db duckdb database=tokens.db",
    "%conn kinds", "%conn credential shared", "%conn credential rm shared", "%conn secret 'my warehouse'",
    "%conn add --port 5 bypass=1 by-pass=2", "%client prefs compass=north", "%conn export a/b /tmp/it.json",
    "%%sql\nSELECT a -price, 'me/you@h', pass FROM t -- password\nWHERE pass = :pass",
    "%%sql\nSELECT * FROM users WHERE password = :pw AND token = {{ token }} AND secret = $1",
    "%%sql\nSELECT token, secret FROM t JOIN s ON t.a == s.token",
    "password = getpass.getpass()",
    "conn = connect(password='of his own code')",
    "sql = 'postgresql://u:pw@h'",
    "url = 'postgresql://u:of-his-own-code@h'\n%conn warehouse",
]


@pytest.mark.parametrize(("typed", "kept"), TYPED, ids=range(len(TYPED)))
def test_a_typed_secret_is_found(typed: str, kept: str) -> None:
    assert redact(typed) == kept


@pytest.mark.parametrize("typed", UNTOUCHED)
def test_all_else_is_remembered_as_it_was(typed: str) -> None:
    assert redact(typed) == typed
    assert mask(typed) == typed


def test_a_known_secret_is_hidden_in_any_cell() -> None:
    masking.know("hunter22")
    assert redact("x = 'hunter22'") == f"x = '{MASK}'"


@pytest.mark.parametrize(("typed", "known"), [
    ("%conn add pg postgres password='hunter22 x'", True),
    ("%conn postgresql://u:hunter22 x@h", False),
    ("%conn credential x hunter22 x", True),
    ("%conn add x -p hunter22", True),
    ("%conn add x pass=hunter22", True),
    ("%conn add q jdbc:oracle:thin:scott/hunter22@//h:1521/x", True),
    ("%conn add x mail/hunter22@h", False),
    ("%sql postgresql://u:hunter22@h/db", True),
    ("%%sql\nATTACH 'host=h password=hunter22' AS d", True),
    ("%%sql\nCREATE ROLE x PASSWORD 'hunter22'", True),
    ("%%sql\nSELECT 1 WHERE token = 'hunter22'", False),
])  # fmt: skip
def test_what_is_a_secret_for_sure_is_quoted_by_no_error(typed: str, known: bool) -> None:
    redact(typed)
    assert (mask("no such thing: hunter22") == f"no such thing: {MASK}") is (known and "22 x" not in typed)
    assert (mask("hunter22 x") != "hunter22 x") is known


def test_the_names_of_all_declared_secrets_are_covered() -> None:
    found, broken = adapters.load_all()
    assert not broken
    names = {name for adapter in found for f in fields(adapter.params_type) if f.secret
             for name in (f.path, f.path.rpartition(".")[2])}  # fmt: skip
    print(sorted(names))
    assert names
    for name in names:
        assert redact(f"%conn add x y {name}=hunter-{name}") == f"%conn add x y {name}={MASK}"


def test_a_strangers_secret_may_have_any_name() -> None:
    line = "%conn add x stranger pin=12345 monkey.pin=54321 spin=abcdef"
    assert redact(line) == line

    class Stranger(Params):
        pin: Secret

    assert redact(line) == f"%conn add x stranger pin={MASK} monkey.pin={MASK} spin=abcdef"


def test_every_magic_of_ours_is_looked_at() -> None:
    assert set(SiegeMagics.magics["line"]) | set(SiegeMagics.magics["cell"]) <= set(_MAGICS)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Any]:
    config = Config()
    config.HistoryManager.hist_file = str(tmp_path / "history.sqlite")
    config.HistoryManager.db_log_output = True
    made = InteractiveShell(config=config)
    made.run_line_magic("load_ext", "siege_nb")
    yield made
    made.run_line_magic("unload_ext", "siege_nb")
    atexit.unregister(made.atexit_operations)
    made.history_manager.end_session()
    made.history_manager.close()
    made.history_manager.outputs.clear()  # all shells of a process share it
    made.restore_sys_module_state()


def test_nothing_that_ipython_keeps_of_a_cell_holds_a_secret(shell: Any, tmp_path: Path) -> None:
    shell.run_line_magic("logstart", f"-o -r {tmp_path}/all.log")
    cells = ["%conn add pg postgres host=h password=hunter22", "from siege_nb import Secret",
             "v = 'v0gel-kan4rien'; s = Secret(v); v", "print(v); display(v)", "raise ValueError(v)",
             "print('hunter' + '22')", "%conn nosuch"]  # fmt: skip
    for cell in cells:
        shell.run_cell(cell, store_history=True)
    # As long as the process lives: the terminal's own In, _i, %history, %recall, %notebook.
    shell.run_cell(f"%notebook {tmp_path}/all.ipynb", store_history=True)
    shell.run_line_magic("logstop", "")
    manager = shell.history_manager
    memory = repr([manager.input_hist_raw, manager.input_hist_parsed, manager.outputs, manager.exceptions,
                   {name: value for name, value in shell.user_ns.items() if name.startswith("_i")},
                   manager._i00, manager._i, manager._ii])  # fmt: skip
    assert "v0gel" not in memory
    assert "hunter22" not in memory
    assert f"v = '{MASK}'; s = Secret(v); v" in memory
    assert "password=***" in memory
    manager.writeout_cache()
    files = {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()}
    assert {"all.log", "all.ipynb", "history.sqlite"} <= set(files)
    leaks = [name for name, data in files.items() if b"v0gel" in data or b"hunter22" in data]
    assert leaks == []
    assert all(b"%conn nosuch" in data or b"'nosuch'" in data for name, data in files.items() if "journal" not in name)


def test_a_cell_is_not_on_disk_before_it_has_ended(shell: Any, tmp_path: Path) -> None:
    shell.user_ns["read"] = lambda: b"v0gel" in (tmp_path / "history.sqlite").read_bytes()
    shell.run_cell("from siege_nb import Secret\nSecret('v0gel-kan4rien')\nfound = read()", store_history=True)
    assert shell.user_ns["found"] is False
    shell.history_manager.writeout_cache()
    assert not shell.user_ns["read"]()
    rows = shell.history_manager.get_tail(5, include_latest=True)
    assert any("found = read()" in source and MASK in source for _, _, source in rows)
