"""Times and names as profiles hold them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo, WithJsonSchema

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


def typeable(name: str) -> str:
    """A name that can be typed after a command, and that no other can be mistaken for."""
    if name.startswith("-"):
        raise ValueError("should not begin with -, as options do")
    if "/" in name:
        raise ValueError("should have no / in it, which parts a client from its connection")
    if name != name.strip():
        raise ValueError("should have no spaces around it")
    if re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", name):
        raise ValueError("should have no control characters in it")
    return name


def _typeable(name: str, info: ValidationInfo) -> str:
    # One that already stands in a file is let be, so that it can change.
    return name if info.context and info.context.get("at_rest") else typeable(name)


Stamp = Annotated[datetime, AfterValidator(aware)]
Code = Annotated[str, AfterValidator(safe_code), WithJsonSchema({"type": "string", "pattern": f"^{CODE}$"})]
Name = Annotated[str, AfterValidator(_typeable)]
