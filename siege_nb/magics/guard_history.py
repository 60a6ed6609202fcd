"""What IPython remembers of a cell: its lines, outputs and errors, without the secrets in them.

A line of our magics may hold a password that nobody was meant to type there. It is refused, but IPython stores a cell
before it runs it: so it is found by how it is written. Everything else is known by the time the cell has ended; until
then nothing of it goes to disk. A value that comes to be known in a later cell is not looked for in earlier ones.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from siege_nb import masking
from siege_nb.masking import MASK, mask

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from siege_nb.declare import Part

#: Names that mean a secret, also of kinds that are not loaded.
SECRET = (
    r"passw(?:or)?d|passphrase|pwd|secret|token|credential|bearer|dsn|connection_?string|webhook"
    r"|(?:api|access|private|account|master|encryption|shared|signing|service|sas)[_-]?key"
)
#: One of these is in every text that has something to find: looking for them costs next to nothing.
_STEMS = ("pass", "pw", "-p", "secret", "token", "credential", "bearer", "dsn", "connection", "webhook", "key",
          "identified", "://", "@")  # fmt: skip
_MAGICS = ("client", "conn", "siege_sql", "sqlcmd", "sql")


class History:
    """Stands between one shell and its history."""

    def __init__(self, ip: InteractiveShell, manager: Any) -> None:
        self._ip = ip
        self._manager = manager
        self._store_inputs, self._store_output = manager.store_inputs, manager.store_output
        self._write_lines = manager._writeout_input_cache
        #: The cell that runs, and its line if somebody wanted to write it.
        self._running: int | None = None
        self._held: list[tuple[int, str, str]] = []
        #: What is yet to be logged of the cell that runs.
        self._to_log: Callable[[], None] | None = None

    def store_inputs(self, line_num: int, source: str, source_raw: str | None = None) -> None:
        """What HistoryManager.store_inputs does, without what was typed and is known."""
        raw = redact(source if source_raw is None else source_raw)
        self._running = line_num
        self._store_inputs(line_num, self._transformed(raw, source, source_raw), raw)

    def write_lines(self, conn: Any) -> None:
        """What HistoryManager writes to its file with, except for the cell that runs. Its lock is held."""
        manager = self._manager
        self._held += [line for line in manager.db_input_cache if line[0] == self._running]
        manager.db_input_cache = [line for line in manager.db_input_cache if line[0] != self._running]
        self._write_lines(conn)

    def _transformed(self, raw: str, source: str, source_raw: str | None) -> str:
        if raw == source_raw:
            return source
        try:
            return str(self._ip.transform_cell(raw))
        except Exception:  # a cell that cannot be read is remembered as it was typed
            return raw

    def store_output(self, line_num: int) -> None:
        """What HistoryManager.store_output does, masked."""
        shown = self._manager.output_hist_reprs
        if line_num in shown:
            shown[line_num] = mask(shown[line_num])
        self._store_output(line_num)

    def log_write_to(self, write: Callable[[str, str], None]) -> Callable[..., None]:
        """What IPython's %logstart writes with, masked; the lines of a cell only before its output."""

        def log_write(data: str, kind: str = "input") -> None:
            if kind == "input":
                self._to_log = lambda: write(redact(data), kind)
            else:
                self._log()
                write(mask(data), kind)

        return log_write

    def _log(self) -> None:
        if (log := self._to_log) is not None:
            self._to_log = None
            log()

    def settle(self) -> None:
        """Mask what the cell that ends has come to tell, and let its line be written."""
        manager, shell = self._manager, self._ip
        self._log()
        with manager.db_input_cache_lock:
            lines, self._held, self._running = self._held + manager.db_input_cache, [], None
            manager.db_input_cache = [(n, redact(a), redact(b)) for n, a, b in lines]
        for kept in (manager.input_hist_parsed, manager.input_hist_raw):
            kept[-1] = redact(kept[-1])
        manager._i00 = redact(manager._i00)
        for number in (shell.execution_count - 1, shell.execution_count):
            if (name := f"_i{number}") in shell.user_ns:
                shell.user_ns[name] = redact(shell.user_ns[name])
            if masking.known():
                self._settle_outputs(number)
        self._write()

    def _write(self) -> None:
        manager = self._manager
        if manager.save_flag is not None and len(manager.db_input_cache) >= max(manager.db_cache_size, 1):
            if restart := getattr(manager, "_restart_thread_if_stopped", None):  # a fork has stopped it
                restart()
            manager.save_flag.set()

    def _settle_outputs(self, number: int) -> None:
        # IPython keeps outputs and errors of its own for %notebook, which writes them to a file. Since 9.0 or later.
        for output in getattr(self._manager, "outputs", {}).get(number, ()):
            bundle = output.bundle
            if "stream" in bundle:  # in pieces, as it was written
                bundle = {"stream": ["".join(bundle["stream"])]}
            output.bundle = masking.masked(bundle)
        errors = getattr(self._manager, "exceptions", {})
        if number in errors:
            errors[number] = masking.masked(errors[number])


def redact(source: str) -> str:
    """A cell without the secrets that are typed in lines of our magics, nor those that are known.

    What is found in a line of %conn or %client is known from then on: the error that refuses it must not quote it.
    """
    return mask(_without_typed(source, _declared()))


@lru_cache(maxsize=1)  # asked more than once of each cell; a long one takes a second for a megabyte
def _without_typed(source: str, declared: frozenset[str]) -> str:
    folded = source.casefold()
    if any(name in source for name in _MAGICS) and (declared or any(stem in folded for stem in _STEMS)):
        return _region().sub(lambda found: _without_secrets(found, declared), source)
    return source


@cache
def _region() -> re.Pattern[str]:
    """What belongs to a magic of ours: a line and what continues it, or a whole cell; with %, without, or called."""
    names = "|".join(_MAGICS)
    line = r"(?:[^\n]*\\\n)*[^\n]*"
    return re.compile(
        rf"^[ \t]*%%(?P<cell>{names})\b[\s\S]*"
        rf"|%(?P<line>{names})\b{line}"
        rf"|^[ \t]*(?P<bare>{names})[ \t]+\w{line}"
        rf"|run_(?:line|cell)_magic\(\s*['\"](?P<called>{names})['\"]{line}",
        re.MULTILINE,
    )


def _without_secrets(found: re.Match[str], declared: frozenset[str]) -> str:
    text = found[0]
    # As the shell reads words, quotes may begin and end within one; in SQL a quote ends what stands within quotes.
    plain = (found["line"] or found["bare"] or "sql") not in ("sql", "siege_sql")
    for pattern, sure in _patterns(plain, declared):
        text = pattern.sub(_starred_and_known if sure or found["called"] in ("conn", "client") else _starred, text)
    return text


def _starred(found: re.Match[str]) -> str:
    return f"{found['before']}{MASK}"


def _starred_and_known(found: re.Match[str]) -> str:
    bare = found["value"].strip("'\"")
    for value in {found["value"], bare, re.split("[;&]", bare)[0]}:  # PWD=…;Database=…
        if not masking.is_mask(value):
            masking.know(value)
    return _starred(found)


def _declared() -> frozenset[str]:
    """The names of secrets that kinds loaded so far declare and that do not tell it: a stranger's may be anything."""
    if "siege_nb.adapters.base" not in sys.modules:
        return frozenset()
    from siege_nb.adapters.base import Params

    kinds, names = list(Params.__subclasses__()), set[str]()
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        names |= _untold(kind)
    return frozenset(names)


@cache
def _untold(kind: type[Part]) -> frozenset[str]:
    from siege_nb.declare import fields

    names = {field.path.rpartition(".")[2] for field in fields(kind) if field.secret}
    return frozenset(name for name in names if not re.search(SECRET, name, re.IGNORECASE))


@cache
def _patterns(plain: bool, declared: frozenset[str]) -> list[tuple[re.Pattern[str], bool]]:
    """How secrets are written after a name that means one, and whether what stands there is one for sure."""
    # A declared name stands as a whole word of a name: `key` is one of private_key, and none of monkey.
    whole = [rf"(?<![^\W_.-]){name}(?![^\W_.-])" for name in sorted(declared)]
    name = rf"(?<![\w.-])[\w.-]*(?:{'|'.join([SECRET, *whole])})[\w.-]*"
    double, single, bare = r'"(?:\\.|[^"\\\n])*(?:"|$)', r"'(?:\\.|[^'\\\n])*(?:'|$)", r"(?:\\.|[^\s\"'\\])"
    value = rf"(?P<value>(?:{double}|{single}|{bare})+)" if plain else rf"(?P<value>{double}|{single}|{bare}+)"
    is_ = r"\s*(?::=(?!(?:env|keyring|vault):)|=(?!=))\s*"
    # postgresql://user:password@host, whatever stands in the password
    # and jdbc:oracle:thin:user/password@host.
    found = [
        (r"(?P<before>\b[\w+.-]+://[^\s:/@'\"]*:)(?P<value>[^\s'\"]+)(?=@)", True),
        (r"(?P<before>\bthin:[^\s:/@'\"]*/)(?P<value>[^\s'\"]+)(?=@)", True),
    ]
    # Nothing belongs behind the name there, for it is asked for.
    asked, word = r"(?:credential\s+(?!rm\s)|secret\s+)", rf"(?:{double}|{single}|[^\s:=\"'])+"
    if plain:
        found += [
            (rf"(?P<before>\A\s*%?conn\s+{asked}{word}(?:[\s:=]|\\\n)+)(?P<value>[^\s\\][\s\S]*)", True),
            (rf"(?P<before>{name}{is_}){value}", True),
            (rf"(?P<before>(?<![\w-])(?:pass|pw){is_}){value}", True),
            (rf"(?P<before>(?<!\S)-p(?:\s+|=)){value}", True),
            (rf"(?P<before>(?<!\S)-p){value}", False),
            (r"(?P<before>(?<!\S)[\w.-]+/)(?P<value>[^\s/@]+)(?=@)", False),
            (rf"(?P<before>(?<!\S)(?=--){name}\s+){value}", True),
            (rf"(?P<before>(?<![\w.=-])(?:password|passwd|pwd|passphrase)\s+)(?!:?=){value}", True),
        ]
    else:
        found += [
            # --connection_arguments {"password": "…"}
            (rf"(?P<before>[\"']{name}[\"']\s*:\s*){value}", False),
            (rf"(?P<before>\bconn['\"]\s*,\s*['\"]\s*{asked}[^\s:='\"]+[\s:=]+)(?P<value>[^'\"\n]+)", True),
            (r"(?P<before>\A\s*%{0,2}sql\s+[\w.-]+/)(?P<value>[^\s/@]+)(?=@)", False),
            (rf"(?P<before>(?<![^\s'\"])(?=--){name}[ \t=]+){value}", False),
            # ATTACH 'host=… password=…'; CREATE ROLE … PASSWORD '…', IDENTIFIED BY '…', CREATE SECRET (… SECRET '…')
            (rf"(?P<before>'(?:[^'\n]*[^'\n\w.-])?{name}\s*=\s*)(?P<value>[^\s';&]+)", True),
            (rf"(?P<before>(?:\bidentified\s[\w\s]*?\b(?:by|as|using)|{name})\s*\(?\s*)(?P<value>{single})", True),
            # WHERE token = 'electronics' may be anything; a bind is none.
            (rf"(?P<before>{name}{is_})(?![:?$%{{]){value}", False),
        ]
    return [(re.compile(pattern, re.IGNORECASE | re.MULTILINE), sure) for pattern, sure in found]
