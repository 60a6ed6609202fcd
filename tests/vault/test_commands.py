"""`siege vault` and `siege migrate`: what they print, and with which exit code."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from siege_nb.cli import app
from siege_nb.settings import Settings
from siege_nb.workspace import Workspace
from tests.vault.conftest import KEY, ROOT
from tests.vault.test_migrate import connection


@pytest.fixture(autouse=True)
def _policy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIEGE_VAULT", "keyfile")


@pytest.fixture
def config() -> Path:
    return Settings.from_environment().config_dir


def siege(*words: str) -> Result:
    return CliRunner().invoke(app, words)


def test_migrate_says_what_it_did_and_shows_no_value(config: Path) -> None:
    connection(config, "c1", password="hunter-22222", note_token="hunter-33333")
    said = "connections/connection_c1.json: connection_params.password sealed"
    would = siege("migrate", "--dry-run")
    assert f"{said} (not done: --dry-run)\n" in would.stdout
    assert "1 of 1 files would be changed" in would.stdout
    assert "hunter-22222" in (config / "connections" / "connection_c1.json").read_text()
    done = siege("migrate")
    assert f"{said}\n" in done.stdout
    assert "note_token may be a secret" in done.stderr
    assert (would.exit_code, done.exit_code) == (1, 1)
    assert "hunter" not in would.output + done.output
    connection(config, "c1", password="hunter-22222")
    assert siege("migrate").exit_code == 0
    again = siege("migrate")
    assert (again.exit_code, again.stdout) == (0, "0 of 1 files were changed\n")


def test_status_rotate_and_finish(config: Path) -> None:
    assert "nothing is sealed yet" in siege("vault", "status").stdout
    assert not config.exists()
    connection(config, "c1", password="hunter-22222")
    siege("migrate")
    (key,) = Workspace().vault.status()
    said = siege("vault", "status").stdout
    assert "vault.key" in said
    assert f"{key.name}  primary      made {key.written.created[:10]}  1 sealed in 1 files" in said
    said = siege("vault", "rotate").stdout
    assert "1 secret sealed anew" in said
    assert f"the key {key.name} still opens, and is needed by: what others are saving now, until" in said
    assert "siege vault rotate --finish" in said
    said = siege("vault", "status").stdout
    assert f"{key.name}  decrypt-only" in said
    assert "  0 sealed in 0 files" in said
    assert siege("vault", "rotate", "--finish").stdout.startswith("0 secrets sealed anew")


def test_move(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIEGE_VAULT_KEY", KEY)
    siege("vault", "rotate")
    moved = siege("vault", "move", "--to", "env")
    assert moved.stdout == "The keys here are wrapped by the key in the variable SIEGE_VAULT_KEY from now on.\n"
    assert "SIEGE_VAULT=keyfile would move it back at the next save: set SIEGE_VAULT=env" in moved.stderr
    monkeypatch.setenv("SIEGE_VAULT", "env")
    moved = siege("vault", "move", "--to", "keyfile")
    assert (moved.exit_code, "keyfile" in moved.stderr) == (0, True)
    assert siege("vault", "move", "--to", "keyring").exit_code == 1
    assert siege("vault", "move", "--to", "cloud").exit_code == 2


def test_a_passphrase_is_typed_unseen_at_a_terminal(config: Path) -> None:
    script = [sys.executable, "-c", "from siege_nb.cli import app; app()", "vault", "move", "--to", "passphrase"]
    environment = os.environ | {"SIEGE_VAULT": "passphrase"}
    unasked = subprocess.run(
        script, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment, cwd=ROOT, check=False
    )
    assert (unasked.returncode, "nobody is here to give it" in unasked.stderr) == (1, True)
    assert not config.exists()
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        script, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=ROOT, start_new_session=True
    ) as asked:
        os.close(theirs)
        seen = b""
        for prompt in (b"New passphrase of the vault: ", b"Once more: "):
            while prompt not in seen:
                seen += os.read(ours, 1000)
            os.write(ours, b"five random words\n")
        try:
            while piece := os.read(ours, 1000):
                seen += piece
        except OSError:  # how a terminal says that the other side is gone
            pass
    os.close(ours)
    assert asked.returncode == 0
    assert b"wrapped by a passphrase from now on" in seen
    assert b"random words" not in seen
