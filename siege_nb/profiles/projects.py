"""Projects, as the first system's functions have them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from siege_nb.declare import structure
from siege_nb.errors import NotFoundError, SiegeError
from siege_nb.models.project import ProjectProfile
from siege_nb.profiles.documents import based_on, created, document, key, loaded, merged, saved
from siege_nb.profiles.places import HERE, Place, at, path, rows
from siege_nb.profiles.reasons import empty, false, nothing, raising
from siege_nb.store.shapes import PROJECTS

_FOLDERS = ("input", "output", "data", "reports", "logs", "config")


@raising
def create_project_config(
    project_name: str, project_code: str, base_directory: Place = "projects", **kwargs: Any
) -> dict[str, Any]:
    """A new project; nothing is saved or made. Keyword arguments other than description are its settings."""
    base = Path(base_directory) / project_code
    what = f"Project {project_code!r}"
    given = {
        "project_name": project_name,
        "project_code": project_code,
        "description": kwargs.pop("description", ""),
        "directories": {"base": str(base), **{name: str(base / name) for name in _FOLDERS}},
        "settings": kwargs,
    }
    return created(PROJECTS, structure(ProjectProfile, given, what=what), what)


@raising
def save_project_config(config: Mapping[str, Any], config_directory: Place = HERE) -> str:
    """Write a project and give the path of its file; ConflictError when it was changed since this dict was loaded."""
    project = _project(config)
    projects = at(config_directory).store.projects
    saved(config, projects.put(project, expected=based_on(config, projects, project.project_code)).version)
    return path(config_directory, PROJECTS.file(project.project_code))


@nothing
def load_project_config(project_code: str, config_directory: Place = HERE) -> dict[str, Any] | None:
    """A project, or None; a damaged file is warned of."""
    kept = at(config_directory).store.projects.find(project_code)
    return loaded(document(PROJECTS, kept.item), kept.version)


@false
def update_project_config(project_code: str, updates: Mapping[str, Any], config_directory: Place = HERE) -> bool:
    """Change the named fields; of directories and settings only the keys that are given."""
    at(config_directory).store.projects.update(
        project_code, lambda project: _project(merged(document(PROJECTS, project), updates, depth=1))
    )
    return True


@empty
def list_projects(config_directory: Place = HERE) -> list[dict[str, Any]]:
    """All projects by their codes: code, name, description, config_file."""
    return [
        {
            "code": row.key,
            "name": row.name,
            "description": row.summary.get("description") or "",
            "config_file": path(config_directory, row.file),
        }
        for row in sorted(rows(at(config_directory).store.projects), key=lambda row: row.key)
    ]


@false
def setup_project_directories(config: Mapping[str, Any]) -> bool:
    """Make a project's directories, each with a .gitkeep; what is there already stays as it is."""
    try:
        for directory in _project(config).directories.values():
            Path(directory).mkdir(parents=True, exist_ok=True)
            (Path(directory) / ".gitkeep").touch()
    except OSError as error:
        problem = f"{error.filename}: {error.strerror}"
    else:
        return True
    raise SiegeError(f"The project's directories were not all made: {problem}.")


@nothing
def get_project_path(config: Mapping[str, Any], directory_type: str = "base") -> str | None:
    """The path of one of a project's directories: base, input, output, data, reports, logs or config."""
    directories = _project(config).directories
    if directory_type not in directories:
        there = f"There are: {', '.join(directories)}." if directories else "There are none."
        raise NotFoundError(f"The project has no directory {directory_type!r}.", hint=there)
    return directories[directory_type]


@false
def delete_project_config(project_code: str, config_directory: Place = HERE) -> bool:
    """Remove a project, from its clients too; its directories stay."""
    at(config_directory).remove_project(project_code)
    return True


def _project(given: Mapping[str, Any]) -> ProjectProfile:
    what = f"Project {given.get('project_code')!r}"
    key(given, "project_code", what)
    return structure(ProjectProfile, copy.deepcopy(dict(given)), what=what, at_rest=True)
