"""Where things live and how long they keep; the environment is read once, here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from siege_nb.errors import InvalidError, Issue

#: Where the key that seals secrets may come from; "auto" tries them in the order of DECISIONS: keyring, env, keyfile.
VaultPolicy = Literal["auto", "keyring", "env", "keyfile", "memory"]


@dataclass(frozen=True, slots=True)
class Settings:
    """One installation's settings. The working directory is never among them unless asked for by name."""

    config_dir: Path
    data_dir: Path
    vault: VaultPolicy = "auto"
    vault_key_file: Path | None = None
    #: Seconds a connection test, a ping or opening a session may take in all.
    deadline: float = 10.0

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None, **override: Any) -> Settings:
        """The settings of this process; SIEGE_* variables that make no sense are named, not ignored."""
        env = os.environ if environ is None else environ
        issues: list[Issue] = []
        policy = env.get("SIEGE_VAULT", "auto")
        if policy not in get_args(VaultPolicy):
            issues.append(Issue("SIEGE_VAULT", f"should be one of {', '.join(get_args(VaultPolicy))}, not {policy!r}"))
        deadline = 10.0
        try:
            deadline = float(env.get("SIEGE_DEADLINE", deadline))
        except ValueError:
            issues.append(Issue("SIEGE_DEADLINE", f"should be seconds, not {env['SIEGE_DEADLINE']!r}"))
        if not 0 < deadline <= 600:
            issues.append(Issue("SIEGE_DEADLINE", f"should be between 0 and 600 seconds, not {deadline:g}"))
        if issues:
            raise InvalidError("The environment", issues)
        found: dict[str, Any] = {
            "config_dir": _directory(env, "SIEGE_CONFIG_DIR", "user_config_path"),
            "data_dir": _directory(env, "SIEGE_DATA_DIR", "user_data_path"),
            "vault": policy,
            "vault_key_file": Path(env["SIEGE_VAULT_KEY_FILE"]) if env.get("SIEGE_VAULT_KEY_FILE") else None,
            "deadline": deadline,
        }
        return cls(**(found | override))


def _directory(env: Mapping[str, str], variable: str, standard: str) -> Path:
    if env.get(variable):
        return Path(env[variable]).expanduser().absolute()
    import platformdirs

    return Path(getattr(platformdirs, standard)("siege_nb", appauthor=False))
