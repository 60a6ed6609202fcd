"""The tables and the picture of README.md, made from the code: python -m tests.readme writes them."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

import grimp

from siege_nb import adapters, errors, profiles
from siege_nb.magics import client, conn, grammar
from siege_nb.magics.config import SqlMagic
from siege_nb.models import access

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
#: What fits under the name of a room in the picture.
WIDEST = 60


def parts() -> dict[str, str]:
    """Each generated part of the page by its name."""
    return {
        "magics": _code(f"{client.HELP}\n\n{conn.HELP}\n\n{grammar.HELP}"),
        "settings": _settings(),
        "kinds": _kinds(),
        "endpoints": _endpoints(),
        "faces": _faces(),
        "access": access.table(),
        "errors": _code("\n".join((errors.__doc__ or "").splitlines()[2:]).strip()),
        "benchmarks": _benchmarks(),
        "house": _house(rooms()),
    }


def written(page: str) -> str:
    """The page with its generated parts as the code has them now."""
    for name, text in parts().items():
        page, found = re.subn(
            rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)",
            lambda m, text=text: f"{m[1]}{text}\n{m[2]}",
            page,
            flags=re.DOTALL,
        )
        assert found == 1, f"README has no place for {name}"
    return page


def _code(text: str) -> str:
    return f"```text\n{text}\n```"


def _settings() -> str:
    """The settings of the SQL cell; those that another tool's users know come as they know them."""
    rows = ["| `%config SqlMagic.…` | default | |", "|---|---|---|"]
    for name, trait in sorted(SqlMagic.class_own_traits(config=True).items()):
        rows.append(f"| `{name}` | `{trait.default()!r}` | {trait.help} |")
    return "\n".join(rows)


def _kinds() -> str:
    found, broken = adapters.load_all()
    assert not broken, broken
    rows = ["| kind | | also called | extra | fields |", "|---|---|---|---|---|"]
    for adapter in sorted(found, key=lambda a: a.kind):
        names = ", ".join(f"`{name}`" for name in adapter.params_type.model_fields)
        also = ", ".join(f"`{alias}`" for alias in adapter.aliases)
        extra = f"`[{adapter.extra}]`" if adapter.extra else ""
        rows.append(f"| `{adapter.kind}` | {adapter.title} | {also} | {extra} | {names} |")
    return "\n".join(rows)


def _faces() -> str:
    """The functions of the original library, by the module they stand in."""
    found: dict[str, list[str]] = {}
    for name in profiles.__all__:
        value = getattr(profiles, name)
        module = str(getattr(value, "__module__", "")).rpartition(".")[2]
        found.setdefault(module, []).append(f"`{name}`")
    return "\n".join(f"- **{module}**: {', '.join(sorted(names))}" for module, names in sorted(found.items()))


def _endpoints() -> str:
    from jupyter_server_ext.app import ROUTES

    rows = ["| endpoint | gives |", "|---|---|"]
    for path, handler in ROUTES:
        rows.append(f"| `GET {path.lstrip('/')}` | {(handler.__doc__ or '').splitlines()[0]} |")
    return "\n".join(rows)


def rooms() -> dict[str, set[str]]:
    """Each room of the house with the rooms it imports from."""
    graph = grimp.build_graph("siege_nb", "jupyter_server_ext", cache_dir=None)
    found: dict[str, set[str]] = {}
    for module in graph.modules - {"siege_nb"}:  # the front door only leads on
        below = {_room(imported) for imported in graph.find_modules_directly_imported_by(module)}
        found.setdefault(_room(module), set()).update(below)
    return {room: below - {room} for room, below in found.items()}


def reached(room: str, below: dict[str, set[str]]) -> set[str]:
    """All rooms under a room."""
    return below[room].union(*(reached(other, below) for other in below[room]))


def _room(module: str) -> str:
    house, _, inner = module.partition(".")
    return inner.partition(".")[0] if house == "siege_nb" else house


def _house(below: dict[str, set[str]]) -> str:
    order = sorted(below, key=lambda room: (-len(reached(room, below)), room))
    lines = [f'    {room}["<b>{room}</b><br/>{_meaning(room)}"]' for room in order]
    for room in order:
        # What follows from two other arrows is not drawn, or nobody would see the house for its arrows.
        implied = set().union(*(reached(other, below) for other in below[room]))
        lines += [f"    {room} --> {other}" for other in order if other in below[room] - implied]
    return "\n".join(["```mermaid", "flowchart TD", *lines, "```"])


def _meaning(room: str) -> str:
    module = importlib.import_module(room if room == "jupyter_server_ext" else f"siege_nb.{room}")
    said = re.split(r"[.;]", (module.__doc__ or "").splitlines()[0])[0].replace("`", "")
    if len(said) > WIDEST:
        said = said.partition(": ")[0]
    return said.replace("%%", "#37;#37;")  # %% begins a comment


def _benchmarks() -> str:
    rows = ["| row | ours | peer | limit | ours/peer | ours/limit |", "|---|---|---|---|---|---|"]
    for file in sorted((ROOT / "benchmarks" / "results").glob("*.json")):
        for row in json.loads(file.read_text()):
            times = " | ".join("–" if row[k] is None else f"{row[k] * 1000:.2f} ms" for k in ("ours", "peer", "limit"))
            ratios = " | ".join(
                "–" if row[k] is None else f"{row[k]:.2f}" for k in ("ours_over_peer", "ours_over_limit")
            )
            rows.append(f"| {file.stem}: {row['name']} | {times} | {ratios} |")
    return "\n".join(rows)


if __name__ == "__main__":
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")
