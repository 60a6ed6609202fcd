"""Where things live and how long they keep; the environment is read once, here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from siege_nb.errors import InvalidError, Issue

#: Where the key that seals secrets may come from; "auto" tries them in the order of DECISIONS: keyring, env, keyfile.
VaultPolicy = Literal["auto", "keyring", "env", "keyfile", "passphrase", "memory"]

# Field, variable, and what platformdirs calls the place.
_DIRECTORIES = (
    ("config_dir", "SIEGE_CONFIG_DIR", "user_config_path"),
    ("data_dir", "SIEGE_DATA_DIR", "user_data_path"),
)


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
        """The settings of this process; SIEGE_* variables that make no sense are named, not ignored.

        An empty variable counts as unset. A directory that is none is refused here, before anything is closed or made.
        """
        env = {name: value for name, value in (os.environ if environ is None else environ).items() if value}
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
        found: dict[str, Any] = {"vault": policy, "vault_key_file": None, "deadline": deadline}
        if "SIEGE_VAULT_KEY_FILE" in env:
            found["vault_key_file"] = _absolute(env["SIEGE_VAULT_KEY_FILE"])
        for field, variable, standard in _DIRECTORIES:
            given = env.get(variable)
            found[field] = override.get(field) or (_absolute(given) if given else _standard(standard))
            if in_the_way := _no_directory(found[field]):
                issues.append(Issue(field if field in override else variable, f"{in_the_way} is no directory"))
        if issues:
            raise InvalidError("The environment", issues)
        return cls(**(found | override))


def _absolute(path: str) -> Path:
    # Not Path's own expanduser, which raises where there is no such home: `~nobody` is then a name like any other.
    return Path(os.path.expanduser(path)).absolute()


def _no_directory(path: Path) -> Path | None:
    """What stands where a directory is or will be made; nothing is asked of what may not be looked at."""
    there = next((place for place in (path, *path.parents) if os.path.lexists(place)), path)
    return None if os.path.isdir(there) else there


def _standard(name: str) -> Path:
    import platformdirs

    return Path(getattr(platformdirs, name)("siege_nb", appauthor=False))
