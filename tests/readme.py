"""The tables of README.md, made from the code: python -m tests.readme writes them."""

from __future__ import annotations

import json
import re
from pathlib import Path

from siege_nb import adapters, errors
from siege_nb.magics import client, conn, grammar

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"


def parts() -> dict[str, str]:
    """Each generated part of the page by its name."""
    return {
        "magics": _code(f"{client.HELP}\n\n{conn.HELP}\n\n{grammar.HELP}"),
        "kinds": _kinds(),
        "endpoints": _endpoints(),
        "errors": _code("\n".join((errors.__doc__ or "").splitlines()[2:]).strip()),
        "benchmarks": _benchmarks(),
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


def _endpoints() -> str:
    from jupyter_server_ext.app import ROUTES

    rows = ["| endpoint | gives |", "|---|---|"]
    for path, handler in ROUTES:
        rows.append(f"| `GET {path.lstrip('/')}` | {(handler.__doc__ or '').splitlines()[0]} |")
    return "\n".join(rows)


def _benchmarks() -> str:
    rows = ["| row | ours | peer (jupysql) | limit | ours/peer | ours/limit |", "|---|---|---|---|---|---|"]
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
