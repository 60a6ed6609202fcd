"""A password typed in a notebook is found in no file afterwards, in no spelling."""

from __future__ import annotations

import base64
import json
import os
import stat
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from tests.kernel.kernel import Kernel, kernel
from tests.servers import Postgres

CANARY = "kanarien/v0gel:@&=+ %ü!"
ROLE = "canary_role"


def spellings(text: str) -> list[bytes]:
    raw = text.encode()
    found = [raw, quote(text).encode(), quote(text, safe="").encode(), quote_plus(text).encode(), raw.hex().encode()]
    found += [json.dumps(text)[1:-1].encode(), repr(text)[1:-1].encode(), text.encode("utf-16-le")]
    # Without the ends: where it stands behind a user name, base64 cuts it elsewhere.
    found += [base64.b64encode(b"\0" * shift + raw)[4:-4] for shift in range(3)]
    return found


def hits(text: str, *folders: Path) -> list[str]:
    found = []
    for folder in folders:
        for file in folder.rglob("*"):
            if file.is_file() and any(spelling in file.read_bytes() for spelling in spellings(text)):
                found.append(str(file))
    return found


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Everywhere a kernel of this test can write: home, history, profiles, keys, the notebook's folder, the log."""
    for name in ("HOME", "IPYTHONDIR", "SIEGE_CONFIG_DIR", "SIEGE_DATA_DIR", "TMPDIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
        (tmp_path / name.lower()).mkdir(mode=0o700)
    # No keyring on this machine: no bus that one could answer on.
    monkeypatch.setenv("SIEGE_VAULT", "auto")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/no-bus")
    return [tmp_path]


def add(postgres: Postgres) -> str:
    where = f"host={postgres.host} port={postgres.port} database=postgres username={ROLE}"
    return f"%conn add pg postgres {where}"


LOGGED = "import logging; logging.basicConfig(filename='everything.log', level=1)"


def test_a_typed_password_is_in_no_file(postgres: Postgres, tmp_path: Path, folders: list[Path]) -> None:
    postgres.sql(f"DROP ROLE IF EXISTS {ROLE}")
    postgres.sql(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{CANARY}'")
    cells = ["%conn test pg", "%conn pg", "%sql SELECT current_user", "%sql SELEC 1", "%conn", "%xmode Verbose",
             "%sql SELECT nosuch", "get_ipython().magics_manager.registry['SiegeMagics'].siege.workspace.store"
             ".connections.find_named('pg')"]  # fmt: skip
    with kernel(tmp_path, "%load_ext siege_nb", LOGGED) as it:
        outputs = [it.run(add(postgres), answer=CANARY)]
        assert outputs[0].status == "ok", outputs[0].error
        outputs += [it.run(cell) for cell in cells]
        postgres.sql(f"ALTER ROLE {ROLE} PASSWORD 'another'")
        it.run("%conn close --all")
        refused = it.run("%conn pg")
        assert refused.status == "error"
        outputs.append(refused)
        _save(it, tmp_path, outputs)
    assert ROLE in outputs[3].text
    assert "Secrets are sealed with a key in" in outputs[0].text, "no word of where the key is kept"
    (profile,) = (tmp_path / "siege_config_dir" / "connections").glob("*.json")
    assert "encrypted:v2." in profile.read_text()
    assert stat.S_IMODE(profile.stat().st_mode) == 0o600
    assert (tmp_path / "notebook.json").stat().st_size > 1000
    assert (tmp_path / "everything.log").exists()
    assert hits("pg", *folders), "the search itself finds nothing"
    assert hits(CANARY, *folders) == []


def test_where_policy_forbids_the_key_file_saving_refuses(
    postgres: Postgres, tmp_path: Path, folders: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIEGE_VAULT", "keyring")
    with kernel(tmp_path, "%load_ext siege_nb") as it:
        ran = it.run(add(postgres), answer=CANARY)
        assert ran.status == "error"
        assert ran.name == "VaultError"
        assert "SIEGE_VAULT" in ran.error, "it does not say what to do"
        _save(it, tmp_path, [ran])
    assert not list((tmp_path / "siege_config_dir").rglob("*.json"))
    assert hits(CANARY, *folders) == []


def test_a_password_on_the_line_is_refused(tmp_path: Path, folders: list[Path]) -> None:
    with kernel(tmp_path, "%load_ext siege_nb") as it:
        ran = it.run("%conn add pg postgres host=h database=d username=u password=hunter22")
        assert ran.status == "error"
        assert "must not be typed on the line" in ran.error
        assert "hunter22" not in ran.error
        ran = it.run("%conn add pg postgres host=h database=d username=u")
        assert "cannot be asked for here" in ran.error
        assert "password:=env:" in ran.error
    assert os.listdir(tmp_path / "siege_config_dir") == []


def _save(it: Kernel, folder: Path, outputs: list[object]) -> None:
    """What a notebook would keep of it: every output, and IPython's history on disk."""
    it.run("get_ipython().history_manager.writeout_cache()")
    (folder / "notebook.json").write_text(json.dumps([vars(output) for output in outputs], default=str))
