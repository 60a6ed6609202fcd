"""Whether a text may change what is in a database, and how; whatever is not surely a read is taken to write.

What a function does that a SELECT calls (nextval, a stored function) cannot be known: a SELECT is a read, unless it
makes a table (INTO) or takes locks (FOR UPDATE). Settings, PRAGMA and USE are no writes where they end with the
session; what is kept beyond it (SET GLOBAL, PRAGMA user_version = …, RESET MASTER) is one. The words of transactions
are none: each statement between them is looked at by itself.
"""

from __future__ import annotations

import re
from itertools import dropwhile, islice

from siege_nb.query.session import Queryable
from siege_nb.query.statements import STANDARD, Grammar, first_word, outside, split


def writes(text: str, grammar: Grammar = STANDARD) -> bool:
    """Whether a statement of the text is not surely a read."""
    return bool(writing(text, grammar))


def writing(text: str, grammar: Grammar = STANDARD) -> list[str]:
    """What each statement does that is not surely a read: 'DELETE', 'DROP TABLE', 'WITH … INSERT'."""
    return [what for statement in split(text, grammar) if (what := _writing(statement, grammar))]


def announced(session: Queryable, text: str) -> list[str]:
    """What a text would do on a session that is not surely a read; cut by the session's own rules, as it will be sent.

    To be called in the session's thread: some ask the engine where statements end.
    """
    return [what for statement in session.split(text) for what in writing(statement, session.grammar)]


# What stands behind these only reads, as long as none of the writing words is in it.
_READS = frozenset("SELECT WITH VALUES TABLE FROM SUMMARIZE PIVOT UNPIVOT FETCH CLOSE LIST USE".split())
_SHOWS = frozenset("SHOW HELP".split())
_EXPLAINS = frozenset("EXPLAIN DESCRIBE DESC".split())
_TRANSACTIONS = frozenset("BEGIN START COMMIT END ROLLBACK ABORT SAVEPOINT RELEASE".split())

# t.update is a column; 1.UPDATE is none.
_WRITING = (
    r"(?<![A-Z_] \. )\b(?:INSERT|(?:FOR (?:NO KEY )?)?UPDATE|DELETE|MERGE|INTO|FOR (?:KEY )?SHARE|LOCK IN SHARE MODE)\b"
)
_WRITES = re.compile(_WRITING)
# To cut a megabyte of numbers into words takes a second, to look for these a few milliseconds.
_SUSPECT = ("INSERT", "UPDATE", "DELETE", "MERGE", "INTO", "SHARE")
# SQL Server needs no semicolon between statements: any of its verbs may stand behind a SELECT.
_UNCUT = re.compile(
    rf"{_WRITING}|\b(?:ALTER|BACKUP|BULK|CREATE|DBCC|DENY|DISABLE|DROP|ENABLE|EXEC|EXECUTE|GRANT|KILL|RECONFIGURE"
    r"|RENAME|RESTORE|REVERT|REVOKE|SHUTDOWN|TRUNCATE|WRITETEXT|UPDATETEXT)\b"
)
# The part of an EXPLAIN that has the statement behind it run.
_ANALYZE = re.compile(r"\w+ (?:\([^()]*\)|ANALY[SZ]E(?: VERBOSE)?)(?: FORMAT = \w+)? ?")
_ANALYZES = re.compile(r"\bANALY[SZ]E\b")
# MariaDB's SET STATEMENT … FOR runs what is behind it.
_OUTLIVES_SET = re.compile(r"\b(?:GLOBAL|PERSIST|PERSIST_ONLY|PASSWORD|DEFAULT ROLE|SET STATEMENT)\b")
_OUTLIVES_RESET = re.compile(r"RESET (?:MASTER|SLAVE|REPLICA|BINARY|PERSIST|QUERY)\b")
_TRANSACTION = re.compile(
    r"(?:BEGIN|START|COMMIT|END|ROLLBACK|ABORT)(?: (?:TRANSACTION|TRAN|WORK|DEFERRED|IMMEDIATE|EXCLUSIVE|CONCURRENT"
    r"|READ|ONLY|WRITE|ISOLATION|LEVEL|SERIALIZABLE|REPEATABLE|COMMITTED|UNCOMMITTED|WITH|CONSISTENT|SNAPSHOT|NOT"
    r"|DEFERRABLE|AND|NO|CHAIN|RELEASE|,))*"
    r"|(?:SAVEPOINT|RELEASE|ROLLBACK(?: WORK| TRANSACTION)? TO)(?: SAVEPOINT)?(?: \w+)?"
)
# A quoted name is not seen here: what stands before it would be taken for the pragma.
_PRAGMA = re.compile(r"PRAGMA (?:\w+ \. )?(\w+)((?: [=(].*)?)")
# These are asked for something, or set something that ends with the session.
_PRAGMAS = frozenset(
    """
    ANALYSIS_LIMIT AUTOMATIC_INDEX BUSY_TIMEOUT CACHE_SIZE CACHE_SPILL CASE_SENSITIVE_LIKE CELL_SIZE_CHECK
    CHECKPOINT_FULLFSYNC COLLATION_LIST COMPILE_OPTIONS DATA_VERSION DATABASE_LIST DATABASE_SIZE DEFER_FOREIGN_KEYS
    DISABLE_OBJECT_CACHE DISABLE_OPTIMIZER DISABLE_PROFILING DISABLE_PROGRESS_BAR ENABLE_OBJECT_CACHE ENABLE_OPTIMIZER
    ENABLE_PROFILING ENABLE_PROGRESS_BAR ENABLE_PROFILE EXPLAIN_OUTPUT FOREIGN_KEYS FOREIGN_KEY_CHECK FOREIGN_KEY_LIST
    FREELIST_COUNT FULLFSYNC FUNCTION_LIST FUNCTIONS HARD_HEAP_LIMIT IGNORE_CHECK_CONSTRAINTS INDEX_INFO INDEX_LIST
    INDEX_XINFO INTEGRITY_CHECK LOCKING_MODE MAX_PAGE_COUNT MEMORY_LIMIT METADATA_INFO MMAP_SIZE MODULE_LIST
    PAGE_COUNT PLATFORM PRAGMA_LIST QUERY_ONLY QUICK_CHECK READ_UNCOMMITTED RECURSIVE_TRIGGERS REVERSE_UNORDERED_SELECTS
    SECURE_DELETE SHOW SHOW_DATABASES SHOW_TABLES SHOW_TABLES_EXPANDED SOFT_HEAP_LIMIT STATS STORAGE_INFO SYNCHRONOUS
    TABLE_INFO TABLE_LIST TABLE_XINFO TEMP_STORE THREADS TRUSTED_SCHEMA USER_AGENT VERIFY_EXTERNAL VERSION
    """.split()
)
# These do something even without a value.
_PRAGMA_ACTS = frozenset("INCREMENTAL_VACUUM WAL_CHECKPOINT OPTIMIZE FORCE_CHECKPOINT CHECKPOINT SHRINK_MEMORY".split())


def _writing(statement: str, grammar: Grammar) -> str:
    """What the statement does, if it is not surely a read."""
    # A comment for others; what stands in it MySQL runs.
    if grammar.hashes and re.search(r"/\*M?!", statement):
        return first_word(statement, grammar) or "/*! … */"
    first = first_word(statement, grammar)
    if first in _READS:
        letters = statement.upper()
        if not grammar.brackets and not any(word in letters for word in _SUSPECT):
            return ""
        return _found(_proper(statement, grammar).lstrip("( "), first, _UNCUT if grammar.brackets else _WRITES)
    if first in _SHOWS:
        return ""
    if first in _EXPLAINS:
        return _explained(statement, grammar)
    if first in _TRANSACTIONS:
        return "" if _TRANSACTION.fullmatch(_proper(statement, grammar)) else first
    if first in ("SET", "RESET"):
        return _setting(_proper(statement, grammar), first, grammar)
    if first == "PRAGMA":
        return _pragma(_proper(statement, grammar))
    return _named(_proper(statement, grammar, most=8)) or "an unknown statement"


def _proper(statement: str, grammar: Grammar, most: int | None = None) -> str:
    """The words and signs of a statement in capitals, a blank between them; no literals, quoted names or comments."""
    found = outside(statement, r"\w+|[^\w\s]", grammar)
    return " ".join(token[0].upper() for token in islice(found, most))


def _found(text: str, first: str, pattern: re.Pattern[str]) -> str:
    # UNPIVOT … INTO NAME is how it names its columns.
    found = pattern.search(text.replace(" INTO NAME ", " ", 1) if first == "UNPIVOT" else text)
    return f"{first} … {found[0]}" if found else ""


def _explained(statement: str, grammar: Grammar) -> str:
    """An EXPLAIN runs nothing, unless it is to ANALYZE."""
    text = _proper(statement, grammar).lstrip("( ")
    if not _ANALYZES.search(text) and not _quotes_an_option(statement, grammar):
        return ""
    prefix = _ANALYZE.match(text)
    what = _writing(text[prefix.end() :], grammar) if prefix else "ANALYZE"
    return f"{text.partition(' ')[0]} ANALYZE {what}" if what else ""


def _quotes_an_option(statement: str, grammar: Grammar) -> bool:
    """Whether an option of an EXPLAIN is in quotes: it may be "analyze", or U&"\\0061nalyze"."""
    tokens = dropwhile(lambda token: token[0] == "(", outside(statement, r"\w+|[^\w\s]", grammar))
    opening = next(islice(tokens, 1, None), None)
    if opening is None or opening[0] != "(":
        return False
    depth, begin = 1, opening.end()
    for token in tokens:
        if any(quote in statement[begin : token.start()] for quote in "\"'`$"):
            return True
        depth += {"(": 1, ")": -1}.get(token[0], 0)
        if not depth or token[0].upper() in ("SELECT", "WITH"):
            break  # behind them is the statement; or there are none, but a query in brackets
    return False


def _setting(text: str, first: str, grammar: Grammar) -> str:
    outlives = _OUTLIVES_RESET if first == "RESET" and grammar.hashes else _OUTLIVES_SET
    found = outlives.search(text) or (_UNCUT.search(text) if grammar.brackets else None)
    return f"{first} {found[0].removeprefix(f'{first} ')}" if found else ""


def _pragma(text: str) -> str:
    found = _PRAGMA.fullmatch(text)
    name, rest = (found[1], found[2]) if found else ("", "")
    harmless = name in _PRAGMAS or (name not in _PRAGMA_ACTS and not rest)
    return "" if found and harmless else f"PRAGMA {name}".rstrip()


def _named(text: str) -> str:
    """The verb, and what it is done to where that is the gist: DELETE, but DROP TABLE."""
    words = [word for word in text.split() if re.match(r"[^\W\d]", word)]
    if words and words[0] in ("CREATE", "ALTER", "DROP", "TRUNCATE"):
        return " ".join([words[0], *[word for word in words[1:] if word not in ("OR", "REPLACE")][:1]])
    return words[0] if words else ""
