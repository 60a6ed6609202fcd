"""A kernel's history on disk holds no secret: neither one typed where it must not be, nor one that came to be known."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path

import pytest

from tests.kernel.kernel import Kernel, kernel

LOAD = "%load_ext siege_nb"
TYPED = "hunter22-typ3d"
KNOWN = "kan4rien-kn0wn"
NAMED = "n4med-ge1st"

CELLS = {
    f"%conn add pg postgres host=h database=d username=u password={TYPED}": "must not be typed on the line",
    f"%conn add pg postgres host=h --password {TYPED}": "",
    f"%conn add pg postgres host=h database=d username=u password:={TYPED}": "no reference to a secret",
    f"conn add pg postgres host=h \\\n  password='{TYPED}'": "",
    f"%conn postgresql://u:{TYPED}@localhost/db": "",
    f"%sql postgresql://u:{TYPED}@localhost/db SELECT 1": "",
    f"get_ipython().run_line_magic('conn', 'add pg postgres password={TYPED}')": "must not be typed",
    f"%conn add pg postgres host=h username=u -p {TYPED}": "",
    f"%conn add pg postgres host=h username=u pass={TYPED}": "pass: there is no such field",
    f"%conn credential x {TYPED}": "One word is needed",
    f"%conn secret lite {TYPED}": "One word is needed",
    f"%sql --password {TYPED} SELECT 1": "There is no option --password",
    f"%conn add q jdbc:oracle:thin:scott/{TYPED}@//h:1521/x": "must not be typed",
    f"%%sql\nCREATE ROLE x PASSWORD '{TYPED}'": "",
    f"from siege_nb import Secret\nname = '{NAMED}'; named = Secret(name)": "",
    f"print('{KNOWN}')": "",
    f"raise ValueError('{KNOWN}')": "ValueError",
    "%history": "%history",
    "%history 2-5": "password=***",
    "In, _i, _ii, _iii, _i2": "password=***",
    "%recall 3": "",
    "%macro typed 3-9": "",
    "%macro -q also 2\nalso": "",
    "%save typed.py 2-9": "password=***",
    "%history -f history.txt 1-12": "",
    "%notebook all.ipynb": "",
}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Everywhere this test's kernel writes."""
    for name in ("HOME", "IPYTHONDIR", "SIEGE_CONFIG_DIR", "SIEGE_DATA_DIR", "TMPDIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
        (tmp_path / name.lower()).mkdir(mode=0o700)
    return tmp_path


def copies(folder: Path, *secrets: str) -> dict[str, int]:
    found = {}
    for file in folder.rglob("*"):
        if file.is_file() and (count := sum(file.read_bytes().count(secret.encode()) for secret in secrets)):
            found[file.name] = count
    return found


def heard(it: Kernel, *secrets: str) -> list[str]:
    texts = [(message["msg_type"], json.dumps(message, default=str, ensure_ascii=False)) for message in it.heard]
    return [kind for kind, text in texts if any(secret in text for secret in secrets)]


def test_no_secret_is_in_the_history(files: Path) -> None:
    with kernel(files, LOAD) as it:
        it.run("from siege_nb import Secret\nimport getpass\ns = Secret(getpass.getpass())", answer=KNOWN)
        for cell, said in CELLS.items():
            ran = it.run(cell)
            assert said in ran.text + ran.error, cell
        tail = it.ask("history", raw=True, output=False, hist_access_type="tail", n=30)
        it.run("get_ipython().history_manager.writeout_cache()")
    assert any("password=***" in source for _, _, source in tail["history"])
    (history,) = files.rglob("history.sqlite")
    with sqlite3.connect(history) as db:
        kept = [source for (source,) in db.execute("SELECT source_raw FROM history ORDER BY line")]
    db.close()
    print(f"{len(kept)} cells in the history, {len(it.heard)} messages")
    assert len(kept) >= len(CELLS) + 2
    assert "%conn add pg postgres host=h database=d username=u password=***" in kept
    assert "print('***')" in kept
    assert {"history.txt", "typed.py", "all.ipynb"} <= {file.name for file in files.iterdir()}
    assert copies(files, TYPED, KNOWN, NAMED) == {}
    assert heard(it, TYPED, KNOWN) == []
    assert set(heard(it, NAMED)) <= {"execute_input"}, "the echo of a cell comes before the cell has run"


def test_without_the_extension_it_would_be_found(files: Path) -> None:
    with kernel(files) as it:
        it.run(f"x = '{TYPED}'")
        it.run("get_ipython().history_manager.writeout_cache()")
    assert copies(files, TYPED)["history.sqlite"] > 0
    assert heard(it, TYPED) == ["execute_input"]


def test_history_goes_on_after_unloading_and_after_a_fork(files: Path) -> None:
    fork = "import os\npid = os.fork()\nif pid == 0:\n    os._exit(0)\ndone = os.waitpid(pid, 0)"
    with kernel(files, LOAD, "import warnings; warnings.simplefilter('ignore')", fork, "after = 'fork'",
                "%unload_ext siege_nb", "after = 'unloading'") as it:  # fmt: skip
        ran = it.run("ip = get_ipython(); [*vars(ip.kernel.session), *vars(ip.history_manager), *vars(ip.logger)]")
        assert not {"send", "store_inputs", "log_write", "_writeout_input_cache"} & set(re.findall(r"\w+", ran.text))
        it.run("get_ipython().history_manager.end_session()")
    assert copies(files, "after = 'fork'", "after = 'unloading'")["history.sqlite"] >= 2
