"""What is installed and allowed here, each with the one line that mends it."""

from __future__ import annotations

import os
import platform
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from siege_nb import adapters
from siege_nb.errors import SiegeError
from siege_nb.settings import Settings
from siege_nb.state import Audit, Directory
from siege_nb.vault import Vault
from siege_nb.workspace import actor

_ELSEWHERE = "make it yours, or name another place in SIEGE_CONFIG_DIR and SIEGE_DATA_DIR"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `mend` is what to do about it."""

    what: str
    found: str
    well: bool = True
    mend: str = ""


def findings() -> Iterator[Finding]:
    """Everything worth knowing when something does not work."""
    yield Finding("siege_nb", f"{version('siege-nb')} on Python {platform.python_version()}")
    try:
        settings = Settings.from_environment()
    except SiegeError as error:
        yield Finding("settings", error.message, False, error.hint or "set or unset the variable")
    else:
        yield _directory("profiles", settings.config_dir)
        yield _directory("keys", settings.data_dir)
        audit = Audit(settings.config_dir, settings.data_dir / "audit.key", actor())
        # Looking may finish a change that was cut short, which is to be on record like any other.
        yield _secrets(settings, Directory(settings.config_dir, audit=audit))
        yield from _log(audit, settings.data_dir)
    found, broken = adapters.load_all()
    for adapter in sorted(found, key=lambda a: a.kind):
        missing = adapter.missing_driver()
        # A driver that is not installed is a choice, not an ailment.
        yield Finding(f"kind {adapter.kind}", "not installed" if missing else "ready", mend=missing)
    for name, why in broken.items():
        yield Finding(f"kind {name}", f"broken plug-in: {why}", False, "update or uninstall the package that brings it")
    if not adapters.load("mysql").missing_driver():
        yield _mysql_extension()


def _directory(what: str, path: Path) -> Finding:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return Finding(what, f"{path} (made when first needed)")
    except OSError as error:
        return Finding(what, f"{path} cannot be looked at: {error.strerror}", False, _ELSEWHERE)
    if not stat.S_ISDIR(mode):
        return Finding(what, f"{path} is no directory", False, _ELSEWHERE)
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        return Finding(what, f"{path} may not be read and written by you", False, _ELSEWHERE)
    if mode & 0o077 and sys.platform != "win32":
        return Finding(what, f"{path} can be read by others", False, f"chmod 700 {shlex.quote(str(path))}")
    return Finding(what, str(path))


def _secrets(settings: Settings, directory: Directory) -> Finding:
    try:
        return Finding("secrets", Vault(settings, directory).describe())
    except SiegeError as error:
        return Finding("secrets", error.message, False, error.hint)


def _log(audit: Audit, data_dir: Path) -> Iterator[Finding]:
    try:
        other = audit.other_key()
    except SiegeError as error:
        yield Finding("audit log", error.message, False, error.hint)
        return
    if other:
        found = f"its last record was written with the key {other}, which is not in {data_dir}: one config directory "
        mend = "set SIEGE_DATA_DIR to the same directory in every kernel, server and shell"
        yield Finding("audit log", f"{found}is used with two data directories", False, mend)




def _mysql_extension() -> Finding:
    """Whether MySQL's C extension loads in the order that %load_ext siege_nb loads it; asked in a fresh process."""
    tried = subprocess.run(
        [sys.executable, "-c", "import ssl, _mysql_connector, pyarrow, mysql.connector as m; assert m.HAVE_CEXT"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if tried.returncode == 0:
        return Finding("mysql C extension", "loads when it comes before pyarrow and pandas: %load_ext siege_nb first")
    reason = tried.stderr.strip().rpartition("\n")[2]
    return Finding(
        "mysql C extension", f"does not load: {reason}", False, "pip install 'mysql-connector-python>=9.7,<10'"
    )
