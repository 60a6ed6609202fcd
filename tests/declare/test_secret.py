"""A secret shows itself to nobody, whatever is done to it; what is typed is a password whatever it looks like."""

from __future__ import annotations

import base64
import contextlib
import copy
import dataclasses
import io
import json
import pickle
import pprint
import traceback
import urllib.parse
import warnings
from collections.abc import Callable

import pandas as pd
import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from siege_nb.declare import Part, Reference, Secret, secrets_of, structure, unstructure, with_secrets
from siege_nb.errors import InvalidError, SealedError
from siege_nb.masking import MASK

CANARY = "c4nary-Wört'\"x"
TOKEN = "encrypted:v2.abcdefgh." + "0" * 24 + ":" + "ab" * 6 + ":" + "0" * 32


class Login(Part):
    username: str = "anna"
    password: Secret
    spare: list[Secret] = []
    headers: dict[str, Secret] = {}


class Counted(Part):
    password: Secret
    port: int


@dataclasses.dataclass
class Box:
    password: Secret


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    password: Secret


def spelled(value: str) -> set[str]:
    raw = value.encode()
    return {
        value, repr(value)[1:-1], json.dumps(value)[1:-1], urllib.parse.quote(value), raw.hex(),
        base64.b64encode(raw).decode()[:-4], "c4nary",
    }  # fmt: skip


def frame() -> pd.DataFrame:
    return pd.DataFrame({"name": ["a", "b"], "password": [Secret(CANARY), Secret(CANARY)]})


def csv() -> str:
    return str(frame().to_csv())


def show_validation() -> str:
    try:
        Login.model_validate({"password": CANARY, "username": [CANARY], "nope": 1})
    except ValidationError as error:
        return f"{error!r} {error}"
    raise AssertionError("it was valid")


def show_structure() -> str:
    try:
        structure(Counted, {"password": CANARY, "port": "x"})
    except InvalidError as error:
        return "".join(traceback.format_exception(error)) + repr(error.issues) + repr(vars(error))
    raise AssertionError("it was valid")


def warned() -> str:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.warn(f"odd password {Secret(CANARY)!r}", UserWarning, stacklevel=1)
    return str(caught[0].message)


def listed() -> str:
    from IPython.lib.pretty import pretty

    return str(pretty({"login": Login(password=Secret(CANARY)), "all": [Secret(CANARY)]}))


def whos() -> str:
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell()
    shell.user_ns.update(password=Secret(CANARY), login=Login(password=Secret(CANARY)))
    with contextlib.redirect_stdout(io.StringIO()) as out:
        shell.run_line_magic("whos", "")
        print(shell.object_inspect_mime("password")["text/plain"])
        print(shell.display_formatter.format(Secret(CANARY)), shell.display_formatter.format(Box(Secret(CANARY))))
    InteractiveShell.clear_instance()
    return out.getvalue()


def secret() -> Secret:
    return Secret(CANARY)


def login() -> Login:
    return Login(password=secret(), spare=[secret()], headers={"x": secret()})


WAYS: dict[str, Callable[[], object]] = {
    "repr": lambda: repr(secret()),
    "str": lambda: str(secret()),
    "ascii": lambda: ascii(secret()),
    "format": lambda: "{} {!r} {:>20}".format(secret(), secret(), secret()),  # noqa: UP032
    "f-string": lambda: f"{secret()} {secret()!s} {secret()!r} {secret():<30}",
    "percent": lambda: "%s %r" % (secret(), secret()),  # noqa: UP031
    "in a list": lambda: [secret()],
    "in a dict": lambda: {"a": secret()},
    "vars": lambda: vars(secret()),
    "__dict__": lambda: secret().__dict__,
    "dir": lambda: dir(secret()),
    "the slot": lambda: secret()._value,
    "hash": lambda: hash(secret()),
    "pickle": lambda: pickle.dumps(secret()),
    "pickle in a model": lambda: pickle.dumps(login()),
    "copy": lambda: repr(copy.copy(secret())),
    "deepcopy": lambda: repr(copy.deepcopy(login())),
    "json": lambda: json.dumps(secret()),
    "json default=str": lambda: json.dumps({"a": secret()}, default=str),
    "json default=vars": lambda: json.dumps({"a": secret()}, default=vars),
    "iter": lambda: list(secret()),  # type: ignore[call-overload]
    "bytes": lambda: bytes(secret()),  # type: ignore[call-overload]
    "len": lambda: len(secret()),  # type: ignore[arg-type]
    "add": lambda: "password: " + secret(),  # type: ignore[operator]
    "join": lambda: ",".join([secret()]),  # type: ignore[list-item]
    "compare": lambda: secret() < secret(),  # type: ignore[operator]
    "int": lambda: int(secret()),  # type: ignore[call-overload]
    "dataclass repr": lambda: repr(Box(secret())),
    "dataclass asdict": lambda: dataclasses.asdict(Slotted(secret())),
    "pprint": lambda: pprint.pformat({"box": Box(secret()), "login": login(), "slots": Slotted(secret())}),
    "model repr": lambda: repr(login()),
    "model str": lambda: str(login()),
    "model dict": lambda: dict(login()),
    "model vars": lambda: vars(login()),
    "model_dump": lambda: login().model_dump(),
    "model_dump json mode": lambda: login().model_dump(mode="json"),
    "model_dump_json": lambda: login().model_dump_json(),
    "unstructure": lambda: unstructure(login()),
    "TypeAdapter": lambda: TypeAdapter(dict[str, Login]).dump_json({"a": login()}),
    "json schema with a default": lambda: Login.model_json_schema(),
    "pydantic error": show_validation,
    "our error": show_structure,
    "warning": warned,
    "IPython pretty": listed,
    "%whos, ? and display": whos,
    "DataFrame": lambda: repr(frame()),
    "DataFrame html": lambda: frame().to_html(),
    "DataFrame csv": csv,
    "DataFrame json": lambda: frame().to_json(),
    "DataFrame dict": lambda: frame().to_dict(),
    "DataFrame pickle": lambda: pickle.dumps(frame()),
    "DataFrame describe": lambda: frame().describe(),
    "Series str": lambda: frame()["password"].astype(str).tolist(),
}


def everything_shown(way: Callable[[], object]) -> str:
    try:
        made = way()
    except Exception as error:
        shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
        return f"{shown} {error!r} {error.args!r}"
    return f"{made!r} {made}" + (made.decode("latin-1") if isinstance(made, bytes) else "")


@pytest.mark.parametrize("name", WAYS)
def test_a_secret_leaks_in_no_way(name: str) -> None:
    shown = everything_shown(WAYS[name])
    assert [spelling for spelling in spelled(CANARY) if spelling in shown] == []


def test_there_are_enough_ways_and_the_search_can_find() -> None:
    assert len(WAYS) >= 50
    assert "c4nary" in everything_shown(lambda: dataclasses.asdict(Open(CANARY)))


@dataclasses.dataclass
class Open:
    password: str


def test_a_secret_is_known_to_the_mask_from_the_start() -> None:
    from siege_nb.masking import mask

    Secret("just-typed-value")
    assert mask("at just-typed-value end") == f"at {MASK} end"


def test_pickle_and_writing_say_what_to_do() -> None:
    with pytest.raises(SealedError, match="pickled"):
        pickle.dumps(secret())
    with pytest.raises(SealedError, match="the vault seals it first"):
        unstructure(login())
    with pytest.raises(SealedError, match="at rest"):
        Reference("env:X").reveal()


def test_secrets_compare_by_value_and_hash_alike() -> None:
    assert Secret("one-value") == Secret("one-value")
    assert Secret("one-value") != Secret("other-value")
    assert Secret("env:X") != Reference("env:X")
    assert Secret("x") != "x"
    assert len({hash(Secret("one-value")), hash(Secret("other-value"))}) == 1
    assert Secret("\ud800 odd") == Secret("\ud800 odd")


@pytest.mark.parametrize("typed", [
    TOKEN, "encrypted:abc123", "env:AWS_SECRET_KEY", "keyring:warehouse", "vault:shared", "  spaced ", "", "*a*",
    "\ud800lone",
])  # fmt: skip
def test_what_is_typed_is_a_password_whatever_it_looks_like(typed: str) -> None:
    password = structure(Login, {"password": typed}).password
    assert type(password) is Secret
    assert password.reveal() == typed


@pytest.mark.parametrize("typed", ["***", "*", "••••••", "●●●", " *** "])
@pytest.mark.parametrize("at_rest", [False, True])
def test_a_mask_is_no_secret(typed: str, at_rest: bool) -> None:
    with pytest.raises(InvalidError, match="is a mask, not a secret") as caught:
        structure(Login, {"password": typed}, at_rest=at_rest)
    assert [issue.path for issue in caught.value.issues] == ["password"]


@pytest.mark.parametrize("typed", [{"$secret": "env:X"}, 5, None, ["a"], b"bytes"])
def test_a_form_takes_text_only(typed: object) -> None:
    with pytest.raises(InvalidError, match="password"):
        structure(Login, {"password": typed})


@pytest.mark.parametrize(("written", "source"), [
    (TOKEN, "encrypted"), ("encrypted:abc123", "encrypted"), ({"$secret": "env:X"}, "env"),
    ({"$secret": "keyring:warehouse"}, "keyring"), ({"$secret": "vault:shared"}, "vault"),
])  # fmt: skip
def test_references_are_read_at_rest_and_written_back_as_they_were(written: object, source: str) -> None:
    login = structure(Login, {"password": written}, at_rest=True)
    assert isinstance(login.password, Reference)
    assert login.password.source == source
    assert unstructure(login)["password"] == written
    assert source in repr(login.password)


@pytest.mark.parametrize("written", [
    {"$secret": "env:"}, {"$secret": "http://x"}, {"$secret": "nothing"}, {"$secret": "env:X", "more": 1},
    {"other": "env:X"}, {"$secret": "encrypted:v2.x"},
])  # fmt: skip
def test_bad_references_are_refused(written: object) -> None:
    with pytest.raises(InvalidError, match="password"):
        structure(Login, {"password": written}, at_rest=True)


def test_every_secret_is_found_and_replaced_by_its_path() -> None:
    found = dict(secrets_of(login()))
    assert list(found) == ["password", "spare.0", "headers.x"]
    changed = with_secrets(login(), {"spare.0": Reference("env:SPARE")})
    assert {path: type(secret) for path, secret in secrets_of(changed)} == {
        "password": Secret, "spare.0": Reference, "headers.x": Secret,
    }  # fmt: skip


def test_a_plain_pydantic_model_may_hold_one() -> None:
    class Foreign(BaseModel):
        token: Secret

    foreign = Foreign.model_validate({"token": CANARY})
    assert "c4nary" not in f"{foreign!r} {foreign}"
    assert Foreign.model_json_schema()["properties"]["token"]["writeOnly"] is True
