"""Rows as JSON that every reader takes."""

from __future__ import annotations

import json
import math
from datetime import date, datetime, time
from typing import Any


def as_json(rows: list[dict[str, Any]]) -> str:
    """The rows as an array of objects; what JSON has no word for is text, and what is no number is null."""
    return json.dumps(_plain(rows), ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    match value:
        case float():
            return value if math.isfinite(value) else None
        case bytes():
            return value.hex()
        case datetime() | date() | time():
            return value.isoformat()
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case None | bool() | int() | str():
            return value
    return str(value)  # a decimal keeps its digits so
