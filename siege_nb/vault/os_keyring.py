"""The operating system's keyring, asked through a child process so that nothing it does reaches this one."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from siege_nb.declare import Secret
from siege_nb.errors import VaultError

LIMIT = 3.0
#: Seconds a person gets who is asked to unlock it. Only for what is known to be kept there.
PATIENCE = 30.0
#: Where `keyring:NAME` looks; `keyring set siege_nb NAME` puts it there.
SERVICE = "siege_nb"
KEYS = "siege_nb vault"
_CHILD = Path(__file__).with_name("os_keyring_child.py")


@dataclass(frozen=True, slots=True)
class Usable:
    """Whether a keyring can be used: its name, or the reason why not."""

    name: str = ""
    reason: str = ""


@cache
def usable() -> Usable:
    """Whether the OS keyring keeps what it is given, tried once per process: a dead one costs up to 3 seconds."""
    try:
        return Usable(name=_ask("probe")["keyring"])
    except VaultError as error:
        return Usable(reason=error.message)


def secret(name: str) -> Secret | None:
    """What the user keeps in the keyring under this name."""
    value = _ask("get", SERVICE, name, limit=PATIENCE)["value"]
    return None if value is None else Secret(value)


def key(account: str) -> str | None:
    """The key that a keyring keeps for an account, as hex."""
    value: str | None = _ask("get", KEYS, account, limit=PATIENCE)["value"]
    return value


def make_key(account: str, keyring: str) -> str | None:
    """The key that this keyring keeps for an account, a new random one if need be; None if it keeps nothing."""
    value: str | None = _ask("make", KEYS, account, keyring)["value"]
    return value


def _ask(*words: str, limit: float = LIMIT) -> dict[str, Any]:
    """The child's answer. A value comes through a pipe only we read: never an argument, a variable or a file."""
    # -P: the folder of this file and the working directory hold no modules for the child.
    command = [sys.executable, "-P", str(_CHILD), *words]
    null = subprocess.DEVNULL
    try:
        ran = subprocess.run(command, stdin=null, stdout=subprocess.PIPE, stderr=null, timeout=limit, check=False)
        answer: dict[str, Any] = json.loads(ran.stdout.rpartition(b"\n")[2])
    except subprocess.TimeoutExpired:
        answer = {"reason": f"it did not answer within {limit:g} seconds; it may be locked"}
    except (OSError, ValueError):
        answer = {"reason": "it could not be asked"}
    if "reason" in answer:
        raise VaultError(f"The keyring of the operating system cannot be used: {answer['reason']}.")
    return answer
