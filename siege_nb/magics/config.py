"""%config SqlMagic.*: jupysql's settings by their names, and ours. Every one of them acts, or says that it cannot."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from traitlets import Bool, Dict, Float, Int, TraitError, TraitType, Unicode, observe, validate
from traitlets.config.configurable import Configurable

from siege_nb.show import Look
from siege_nb.texttable import STYLES

if TYPE_CHECKING:
    from siege_nb.query.binds import Mode
    from siege_nb.query.session import Take

#: How long the free memory that was measured counts as what is free: to ask costs a tenth of a small cell.
_MEASURED_FOR = 1.0


class Choice(TraitType[str, Any]):
    """One of some words; True and False may stand for two of them, and other words for one that is meant the same."""

    def __init__(self, words: Sequence[str], *, also: Mapping[Any, str], help: str) -> None:
        self.words, self.also = tuple(words), dict(also)
        super().__init__(default_value=self.words[0], help=f"{help} One of: {', '.join(filter(None, self.words))}.")
        self.tag(config=True)

    def validate(self, obj: Any, value: Any) -> str:
        """The word that is meant, whatever its letter case."""
        meant = value.casefold() if isinstance(value, str) else value
        for word in self.words:
            if word.casefold() == meant:
                return word
        if isinstance(meant, bool | str) and meant in self.also:
            return str(self.also[meant])
        there = ", ".join(word or "''" for word in dict.fromkeys([*self.words, *filter(_is_word, self.also)]))
        raise TraitError(f"SqlMagic.{self.name} is one of {there}, not {value!r}.")


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and value != ""


class SqlMagic(Configurable):
    """How %sql and %%sql behave."""

    autopandas = Bool(False, help="Hand results over as pandas frames.").tag(config=True)
    autopolars = Bool(False, help="Hand results over as polars frames.").tag(config=True)
    polars_dataframe_kwargs = Dict(help="What polars.DataFrame is given besides the rows.").tag(config=True)
    displaylimit = Int(10, allow_none=True, help="Rows shown, of all that are held; 0 for all.").tag(config=True)
    autolimit = Int(0, allow_none=True, help="Rows taken where --limit says nothing; 0 for all.").tag(config=True)
    max_result_bytes = Int(
        0, help="Bytes that a result may fill before it is cut, loudly: 0 is a quarter of free memory, -1 no limit."
    ).tag(config=True)
    displaycon = Bool(True, help="Name the connection under the rows.").tag(config=True)
    feedback = Int(1, help="0 says only what must be said, 2 also what can be done with a result.").tag(config=True)
    style = Choice(tuple(STYLES), also={}, help="The lines of a table in plain text.")
    max_cell_width = Int(256, help="Characters of a value that are shown; 0 for all.").tag(config=True)
    grid = Choice(("", "itables"), also={False: "", "none": ""}, help="itables: tables to search, sort and turn over.")
    short_errors = Bool(True, help="Errors of a statement without Python's traceback.").tag(config=True)
    named_parameters = Choice(
        ("auto", "enabled", "disabled"), also={"warn": "auto", "": "auto", True: "enabled", False: "auto"},
        help=":name is a bind where it can be one (auto, and jupysql's warn), wherever it stands, or never.",
    )  # fmt: skip
    jinja = Choice(("on", "off"), also={True: "on", False: "off"}, help="{{ name }} in SQL is a template.")
    column_local_vars = Bool(False, help="Make a variable of each column instead of a result.").tag(config=True)
    autocommit = Bool(True, help="Each statement counts at once; without it you COMMIT.").tag(config=True)
    sticky = Bool(False, help="A connection named before SQL is in use from then on.").tag(config=True)
    timeout = Float(0.0, help="Seconds after which a statement is stopped; 0 for never.").tag(config=True)
    progress_after = Float(2.0, help="Seconds after which a statement shows how far it is; -1: never.").tag(config=True)
    lazy_execution = Bool(False, help="On Spark: hand over its frame, and compute nothing.").tag(config=True)
    completion = Choice(("auto", "off"), also={True: "auto", False: "off"}, help="Complete names in SQL.")
    dsn_filename = Unicode("~/.jupysql/connections.ini", help="Where --section looks, besides %conn.").tag(config=True)

    def __init__(self, **given: Any) -> None:
        self._free = (float("-inf"), 0)
        super().__init__(**given)

    @validate("displaylimit", "autolimit", "max_cell_width", "timeout")
    def _is_amount(self, proposal: Any) -> Any:
        value, name = proposal["value"], proposal["trait"].name
        if value is not None and not 0 <= value < float("inf"):
            raise TraitError(f"SqlMagic.{name} is 0 or more, not {value}.")
        return value or 0

    @validate("feedback")
    def _is_level(self, proposal: Any) -> Any:
        if proposal["value"] not in (0, 1, 2):
            raise TraitError(f"SqlMagic.feedback is one of 0, 1, 2, not {proposal['value']}.")
        return proposal["value"]

    @validate("max_result_bytes")
    def _is_size(self, proposal: Any) -> Any:
        if proposal["value"] < -1:
            raise TraitError(f"SqlMagic.max_result_bytes is -1, 0 or a number of bytes, not {proposal['value']}.")
        return proposal["value"]

    @validate("dsn_filename")
    def _is_path(self, proposal: Any) -> Any:
        return str(Path(proposal["value"]).expanduser())

    @observe("autopandas", "autopolars")
    def _only_one(self, change: Any) -> None:
        other = "autopolars" if change["name"] == "autopandas" else "autopandas"
        if change["new"] and getattr(self, other):
            setattr(self, other, False)

    @observe("lazy_execution")
    def _tell_where(self, change: Any) -> None:
        if change["new"]:
            sys.stderr.write("SqlMagic.lazy_execution acts on Spark connections; others run what they are asked.\n")

    @observe("grid")
    def _bring_grid(self, change: Any) -> None:
        from siege_nb.query import grid

        if change["new"] and grid.available():
            grid.load()  # its script is saved in the cell that asks for it, not in the first that shows rows
        elif change["new"]:
            sys.stderr.write("SqlMagic.grid: itables is not here; tables stay as they are. %pip install -U itables\n")

    @property
    def look(self) -> Look:
        """How results are shown."""
        return Look(
            displaylimit=self.displaylimit,
            max_cell_width=self.max_cell_width,
            displaycon=self.displaycon,
            feedback=self.feedback,
            style=self.style,
            grid=self.grid,
        )

    @property
    def binds(self) -> Mode:
        """What of a text is bound to values."""
        return cast("Mode", self.named_parameters)

    @property
    def type(self) -> str:
        """What a result is handed over as where a cell does not say."""
        return "pandas" if self.autopandas else "polars" if self.autopolars else "result"

    def take(self, limit: int | None, into: Any = None) -> Take:
        """How much a cell takes that has this --limit, and where to; the guard holds in any case."""
        from siege_nb.query.session import Take

        rows = self.autolimit if limit is None else limit
        return Take(rows or None, self._memory(), into)

    def _memory(self) -> int | None:
        if self.max_result_bytes:
            return None if self.max_result_bytes < 0 else int(self.max_result_bytes)
        at, free = self._free
        if time.monotonic() - at > _MEASURED_FOR:
            free = _free_memory()
            self._free = (time.monotonic(), free)
        return free // 4 or None


def _free_memory() -> int:
    """Bytes that this machine, or the container it is, can still give; 0 where it does not tell."""
    try:
        import psutil  # type: ignore[import-untyped,unused-ignore]  # ipykernel brings it
    except ImportError:
        return 0
    free = int(psutil.virtual_memory().available)
    try:
        limit, used = (int((_CGROUP / f"memory.{name}").read_text()) for name in ("max", "current"))
        kept = re.search(r"^inactive_file (\d+)$", (_CGROUP / "memory.stat").read_text(), re.MULTILINE)
    except (OSError, ValueError):  # no container, or one without a limit: "max"
        return free
    return min(free, max(limit - used + int(kept[1] if kept else 0), 4))


_CGROUP = Path("/sys/fs/cgroup")
