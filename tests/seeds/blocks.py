"""The code blocks of the documents that siege_nb grew from, where these are at hand."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

#: Beside the repository; whoever clones it does not have them.
FOLDER = Path(__file__).parents[3] / "shared" / "seeds"
#: Why tests of what is in there are skipped.
MISSING = f"the documents are not at hand: {FOLDER}"

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A code block as it is written, under its heading."""

    language: str
    text: str
    heading: str
    line: int


def blocks(number: str) -> list[Block]:
    """Every code block of a document, in order; none where it is not at hand."""
    found = []
    for path in FOLDER.glob(f"{number}_*.txt"):
        text = path.read_text()
        fences = list(_FENCED.finditer(text))
        # A comment in a block begins as a heading does.
        headings = [m for m in _HEADING.finditer(text) if not any(f.start() < m.start() < f.end() for f in fences)]
        for fence in fences:
            heading = [m[1] for m in headings if m.start() < fence.start()][-1]
            found.append(Block(fence[1], fence[2], heading, text.count("\n", 0, fence.start()) + 1))
    return found
