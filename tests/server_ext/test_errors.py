"""What an error becomes on its way out: a status, JSON for the asker, a line or a traceback for the log."""

from __future__ import annotations

import logging
import re
from typing import Any, ClassVar

import pytest
from tornado import web

from jupyter_server_ext.handler import Handler
from siege_nb import masking
from siege_nb.declare import Part, Secret, structure
from siege_nb.errors import (
    AccessError,
    ConflictError,
    InvalidError,
    Issue,
    NotFoundError,
    SealedError,
    UnknownKindError,
)
from tests.server_ext.conftest import told

CANARY = "tr0ub4dor&3/canary"


class Raising(Handler):
    """Fails as the test wants."""

    error: ClassVar[Exception]

    async def get(self) -> None:
        raise self.error

    put = get


@pytest.fixture
def fail_with(serve, ask):
    path = serve(Raising, name="siege_nb")

    async def fail(error: Exception, verb: str = "GET", **kwargs: Any) -> Any:
        Raising.error = error
        return await ask(path, verb, **kwargs)

    return fail


@pytest.fixture
def secret():
    yield Secret(CANARY)
    masking.forget(CANARY)


@pytest.mark.parametrize(
    ("error", "status", "type_"),
    [
        (InvalidError("The profile", [Issue("port", "is required")]), 400, "InvalidError"),
        (UnknownKindError("There is no such kind.", hint="Kinds: duckdb"), 400, "UnknownKindError"),
        (NotFoundError("There is no connection named 'x'."), 404, "NotFoundError"),
        (ConflictError("It was changed."), 409, "ConflictError"),
        (AccessError("It is locked.", hint="Ask its owner."), 403, "AccessError"),
        (web.HTTPError(400, "Missing %s", "argument"), 400, "HTTPError"),
    ],
)
async def test_an_error_the_asker_can_mend_is_told_in_full(error, status, type_, fail_with):
    answer = await fail_with(error)
    assert answer.code == status
    assert answer.headers["Content-Type"].startswith("application/json")
    said = told(answer)["error"]
    assert said.pop("issues") == [{"path": i.path, "message": i.message} for i in getattr(error, "issues", ())]
    message = error.message if hasattr(error, "message") else "Missing argument"
    assert said == {"type": type_, "message": message, "hint": getattr(error, "hint", "")}


async def test_a_conflict_with_a_stated_condition_is_a_failed_precondition(fail_with):
    answer = await fail_with(ConflictError("It was changed."), "PUT", headers=None, body=b"{}")
    assert answer.code == 409
    headers = {"If-Match": '"7"', **answer.request.headers}
    assert (await fail_with(ConflictError("It was changed."), "PUT", headers=headers, body=b"{}")).code == 412


@pytest.mark.parametrize("error", [RuntimeError("the path /srv/x"), SealedError("the path /srv/x"), KeyError("/srv/x")])
async def test_an_error_of_the_servers_gives_an_id_and_no_text(error, fail_with, caplog):
    answer = await fail_with(error)
    assert answer.code == 500
    said = told(answer)["error"]
    assert said["type"] == type(error).__name__
    assert b"/srv/x" not in answer.body
    assert re.fullmatch("[0-9a-f]{12}", said["id"])
    logged = [record.getMessage() for record in caplog.records if said["id"] in record.getMessage()]
    assert len(logged) == 1
    assert "/srv/x" in logged[0]
    assert "Traceback" in logged[0]


async def test_secrets_leave_neither_by_an_answer_nor_by_the_log(secret, fail_with, caplog):
    errors = [
        InvalidError("The URL", [Issue(f"params.{CANARY}", f"should not be {CANARY!r}")], hint=f"Not {CANARY}."),
        NotFoundError(f"There is nothing at postgresql://u:{CANARY}@h/db."),
        AccessError(f"{CANARY} is locked."),
        RuntimeError(f"login failed for u:{CANARY}"),
        web.HTTPError(400, "Not with %s", CANARY),
    ]
    answers = [await fail_with(error) for error in errors]
    assert [answer.code for answer in answers] == [400, 404, 403, 500, 400]
    assert all(b"canary" not in answer.body for answer in answers)
    assert sum(answer.body.count(b"***") for answer in answers) == 8
    logged = "\n".join(logging.Formatter().format(record) for record in caplog.records)
    assert "login failed for u:***" in logged
    assert "canary" not in logged


async def test_a_token_in_the_address_stays_out_of_the_log(ask, jp_auth_header, caplog):
    token = jp_auth_header["Authorization"].split()[1]
    answer = await ask(f"siege/api/health?token={token}", "PUT", headers={}, body=b"no JSON")
    assert answer.code == 405
    await ask(f"siege/api/health?token={token}x", "PUT", headers={}, body=b"{}")
    assert "_xsrf" in caplog.text
    assert token not in caplog.text


async def test_wrong_fields_of_a_declaration_come_with_their_paths(fail_with):
    class Login(Part):
        port: int
        password: Secret

    with pytest.raises(InvalidError) as caught:
        structure(Login, {"port": "many", "password": 4711, "usr": 1})
    said = told(await fail_with(caught.value))["error"]
    assert [issue["path"] for issue in said["issues"]] == ["port", "password", "usr"]
    assert "4711" not in str(said)
