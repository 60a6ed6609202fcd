"""Any error as the status and the JSON that tell of it, known secrets masked."""

from __future__ import annotations

from http.client import responses
from typing import Any

from tornado.web import HTTPError

from siege_nb.errors import AccessError, ConflictError, InvalidError, NotFoundError, SiegeError
from siege_nb.masking import mask

_STATUS: dict[type[SiegeError], int] = {InvalidError: 400, AccessError: 403, NotFoundError: 404, ConflictError: 409}


def status_of(error: BaseException | None, *, conditional: bool = False) -> int:
    """The HTTP status of an error; a conflict with a stated condition (If-Match) is 412."""
    if isinstance(error, HTTPError):
        return error.status_code
    status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 500)
    return 412 if status == 409 and conditional else status


def payload(error: BaseException | None, status: int, incident: str) -> dict[str, Any]:
    """The body of an error. Of what is not the asker's doing it gives an id into the log, and none of the text."""
    kind = type(error).__name__ if error else "Error"
    said: dict[str, Any] = {"type": kind, "message": responses.get(status, "Unknown"), "hint": "", "issues": []}
    if isinstance(error, SiegeError) and status < 500:
        said |= {"message": mask(error.message), "hint": mask(error.hint)}
        if isinstance(error, InvalidError):
            said["issues"] = [{"path": mask(issue.path), "message": mask(issue.message)} for issue in error.issues]
    elif isinstance(error, HTTPError):
        said["message"] = mask(error.get_message() or said["message"])
    else:
        said |= {"message": f"The server could not do this. Its log says why, under {incident}.", "id": incident}
    return {"error": said}
