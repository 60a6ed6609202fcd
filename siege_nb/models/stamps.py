"""Times and names as profiles hold them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

CODE = r"[A-Za-z0-9_-]{1,64}"
_DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(1, 10))}


def now() -> datetime:
    """This instant, in UTC."""
    return datetime.now(UTC)


def aware(stamp: datetime) -> datetime:
    """A time with its zone; old files hold naive ones, which were written in local time."""
    return stamp.astimezone(UTC)


def safe_code(code: str) -> str:
    """A code that is also part of a file name, on every file system."""
    if not re.fullmatch(CODE, code):
        raise ValueError("should be 1 to 64 letters, digits, - or _")
    if code.upper() in _DEVICES:
        raise ValueError("is the name of a device on Windows and cannot be part of a file name")
    return code


Stamp = Annotated[datetime, AfterValidator(aware)]
Code = Annotated[str, AfterValidator(safe_code), WithJsonSchema({"type": "string", "pattern": f"^{CODE}$"})]
