"""What looks like a secret where none is declared: by what a key is called, or by what a text holds.

It errs on the safe side, for a refusal costs a sentence and a password in a file costs the password. Harmless are:
nothing, true and false, stars, numbers below 1000, references, what is sealed, and names that speak *of* a secret
(`password_policy`, `token_url`, `secret_name`): such a value is judged by its text alone. A project's directories are
paths, whatever they are called.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

from siege_nb.declare.model import Part
from siege_nb.declare.secret import REFERENCE_KEY, SEALED_PREFIX, SOURCES, Secret
from siege_nb.errors import InvalidError, Issue
from siege_nb.masking import is_mask

# A word or two neighbours that end so mean a secret, wherever they stand: userPassword, fs.azure.account.key.STORE.
_ENDINGS = tuple(
    """
    password passwords passwd passwort passphrase passcode pwd secret secrets token tokens credential credentials
    authorization basicauth connectionstring apikey apikeys accesskey privatekey secretkey accountkey sharedkey
    storagekey masterkey encryptionkey signingkey authkey subscriptionkey sessionkey sshkey hmackey aeskey fernetkey
    """.split()
)
# These mean one only as the last word, or they would be found in many a harmless name.
_LAST = frozenset("pass pin pw sas jwt".split())
# A name with such a last word speaks of a secret and is none.
_ABOUT = frozenset(
    """
    account age algorithm at attempts backend class column count database date dir directory driver email enabled
    endpoint engine env expiration expires expiry field file folder format header host hostname id kind label length
    lifetime limit manager max method min mode module name param path plugin policy port prefix prompt provider region
    required rotation rules scheme scope scopes separator service size status store stored strategy strength suffix
    timeout ttl type uri url user username variable version
    """.split()
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_DIRECTORIES = "directories."
#: A number below is a count or a size.
_SMALL = 1000

_KEY_FILE = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
# As their makers let them begin; and a header that is an authorization.
_TOKEN = re.compile(
    r"\b(?:gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[a-z]-[\w-]{10,}|sk-(?:proj-|ant-)?\w{20,}"
    r"|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*|(?i:bearer|basic)\s+[\w+/=.~-]{16,})"
)
_LOGIN = re.compile(r"(?<=//)([^\s/?#\"'<>:@]*):([^\s/?#\"'<>]*)@")
# A / in a password is no part of any URL, and typed all the same; a port is no password.
_ODD_LOGIN = re.compile(r"(?<=://)([^\s/:@]*):(?!\d+(?:[/?#,;]|$)|[{$<])([^\s@\"'<>]{1,1000})@")
_BARE_LOGIN = re.compile(
    r"^(?!(?:mailto|email|sips?|xmpp|acct):)([^\s/:@]+):([^\s@/]+)@(?!sha256:)(?=[\w.\-\[\]:]+(?:/|$))"
)
_ORACLE = re.compile(r"(?<=:)([^\s/:@]+)/([^\s@/]+)@(?=[\w/])")
# In a query these are secrets too.
_IN_QUERY = frozenset(("key", "sig", "signature"))
_PLACE = re.compile(r"[<{$%(]+(\w[\w -]*|)[>})]*[sd]?|\$[A-Z_]+")
# Without any of these no pattern here fits: most texts are looked at once only, and every save looks at all of them.
_TELLING = re.compile(r"[=@]|://|-----|gh[pousr]_|github_pat_|glpat-|xox|sk-|eyJ|(?i:bearer|basic)\s")
# Two words where a host and a port would be.
_AUTHORITY = re.compile(r"(?<!docker://)(?<!oci://)(?<=://)[^\s/?#;@\"'<>\\,]+:[^\s/?#;@\"'<>\\]*")
_HOST = r"(?:\[[^\]]*\]|[^:,]*)(?::(?:\d{0,5}|[{$*%][^,]*))?"
_HOSTS = re.compile(rf"{_HOST}(?:,{_HOST})*|:\w+:?")
# password=…, as URLs have it, as libpq's and Redis's addresses, and as ODBC's, where only the next ; ends it.
_PAIR = re.compile(r"(^|[?&#,\s(])([\w.-]+=)(\"[^\"]*\"|'[^']*'|<[^>]*>|[^\s&;]+)")
_ODBC = re.compile(r"(^|;)([ \w.-]{1,100}=\s*)(\{[^}]*\}|[^\s;][^;]*)(?=;|$)")


def named(name: str) -> bool:
    """A key of this name holds a secret: password, dbPassword, auth.secret.key, extra_headers.Authorization."""
    return _named(name[:200])


@lru_cache(4096)
def _named(name: str) -> bool:
    words = [word.casefold() for word in _WORD.findall(name)]
    if not words or (words[-1] in _ABOUT and words[-2:] != ["secret", "id"]):  # of Vault's AppRole it is the secret
        return False
    pairs = [first + second for first, second in pairwise(words)]
    return words[-1] in _LAST or any(word.endswith(_ENDINGS) for word in (*words, *pairs))


def without(text: str) -> str:
    """The text without the secrets that show in it: a login in a URL, password=…, a key file, a token of a known form.

    What stands for one stays: password=***, password=${PGPASSWORD}, <token>.
    """
    if not _TELLING.search(text):
        return text
    text = _TOKEN.sub("", _KEY_FILE.sub("", text))
    for pattern in (_LOGIN, _ODD_LOGIN, _BARE_LOGIN):
        text = pattern.sub(_login, text)
    if text.startswith("jdbc:oracle:"):
        text = _ORACLE.sub(r"\1@", text)
    text = _AUTHORITY.sub(_authority, text)
    if ";" in text:
        text = _ODBC.sub(_pair, text)
    return _PAIR.sub(_pair, text)


class Found(NamedTuple):
    """What looks like a secret: its dotted path, the value, and what of it may be told; None when all of it is one."""

    path: str
    value: Any
    rest: str | None


def suspects(value: Any, *, besides: Any = None) -> Iterator[Found]:
    """What looks like a secret in a model or a document, but for the fields that are the same in another model.

    Declared secrets are passed over. What a declared field is called says nothing, for its maker said that it is none.
    """
    for path, name, leaf in _leaves(value, besides):
        if _called_so(name, leaf):
            yield Found(path, leaf, None)
        elif isinstance(leaf, str) and (rest := without(leaf)) != leaf:
            yield Found(path, leaf, rest)


def suspect(name: str, value: Any) -> bool:
    """A value of this name looks like a secret."""
    return any(suspects({name: value}))


def refuse(value: Any, there: Any, what: str) -> None:
    """Raise InvalidError for what looks like a secret in a model or document that is not `there` already."""
    if value is there:
        return
    found = list(suspects(value, besides=there))
    known = {(bare(one.path), repr(one.value)) for one in suspects(there)} if found else set()
    said = "looks like a secret, and would be written readable"
    fresh = [Issue(one.path[:200], said) for one in found if (bare(one.path), repr(one.value)) not in known]
    if fresh:
        hint = 'A secret belongs in a field that is declared as one, or name its place: {"$secret": "env:NAME"}.'
        raise InvalidError(what, fresh, hint=hint)


def bare(path: str) -> str:
    """The path without the places in lists: what stands behind another element has not changed."""
    return ".".join(step for step in path.split(".") if not step.isdecimal())


def _leaves(value: Any, besides: Any = None, path: str = "", name: str = "") -> Iterator[tuple[str, str, Any]]:
    """Every value with its path, and with that part of it that nobody has declared."""
    if isinstance(value, str):  # first, for most are
        yield path, name, value
        return
    below = f"{path}." if path else ""
    if isinstance(value, Part):
        same = type(besides) is type(value)
        for field in type(value).model_fields:
            inner, other = getattr(value, field), getattr(besides, field) if same else None
            if not same or inner != other:
                yield from _leaves(inner, other, below + field, field if isinstance(inner, Mapping) else "")
        for key, inner in (value.model_extra or {}).items():
            yield from _leaves(inner, None, below + key, key)
    elif isinstance(value, Mapping):
        if set(value) == {REFERENCE_KEY} and _refers(value[REFERENCE_KEY]):
            return
        for key, inner in value.items():
            yield from _leaves(inner, None, f"{below}{key}", f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple | set | frozenset):
        for number, inner in enumerate(value):
            yield from _leaves(inner, None, f"{below}{number}", name)
    elif not isinstance(value, Secret):
        yield path, name, value


def _called_so(name: str, value: Any) -> bool:
    """There is something of this name, and the name is a secret's."""
    if name.startswith(_DIRECTORIES) or not named(name):
        return False
    if isinstance(value, str):
        return not _stands_for_one(value) and not value.startswith(f"{SEALED_PREFIX}v2.")
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) >= _SMALL


def _refers(written: Any) -> bool:
    source, _, name = str(written).partition(":")
    return source in SOURCES and bool(name)


def _login(found: re.Match[str]) -> str:
    user, password = found[1], found[2]
    return found[0] if _stands_for_one(password) else f"{user}@"


def _authority(found: re.Match[str]) -> str:
    hosts = found[0]
    return hosts if _HOSTS.fullmatch(hosts) else ""


def _pair(found: re.Match[str]) -> str:
    before, name, value = found.groups()
    key = name.strip(" =\t\r\n")
    called = named(key) or (before in ("?", "&") and key.casefold() in _IN_QUERY)
    return found[0] if not called or _stands_for_one(value) else before + name


def _stands_for_one(value: str) -> bool:
    """A text that says where a secret would be: nothing, stars, {password}, ${PGPASSWORD}, %(token)s, <your key>."""
    inner = _PLACE.fullmatch(value)
    return not value.strip() or is_mask(value) or bool(inner and (not inner[1] or named(inner[1])))
