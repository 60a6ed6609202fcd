"""Why a function gave nothing: the store raises; these give None, False or an empty list, and keep the reason."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from siege_nb.errors import DamagedError, InvalidError, NotFoundError, SiegeError

logger = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

_thread = threading.local()


class ProfileWarning(UserWarning):
    """A file of profiles cannot be read; what it holds is left out."""


def last_error() -> SiegeError | None:
    """Why the last profile function on this thread gave None, False or less than there is; None if it did not."""
    return getattr(_thread, "error", None)


def or_else(instead: Callable[[], Any], *raised: type[SiegeError]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function give `instead()` where ours would raise, and keep the reason; `raised` are raised all the same."""

    def soften(work: Callable[P, R]) -> Callable[P, R]:
        @wraps(work)
        def softened(*args: P.args, **kwargs: P.kwargs) -> R:
            _thread.error = None
            try:
                return work(*args, **kwargs)
            except SiegeError as error:
                if isinstance(error, raised):
                    raise
                notice(error)
            result: R = instead()
            return result

        return softened

    return soften


#: Nothing is softened; the reason of an earlier call is forgotten.
raising = or_else(bool, SiegeError)
false = or_else(bool)
#: A code or an id that cannot be one is a mistake of the caller, and raised.
nothing = or_else(type(None), InvalidError)
empty = or_else(list, InvalidError)


def notice(error: SiegeError) -> None:
    """Keep the reason, and say it where that matters: a damaged file is warned of, what is not there is asked for."""
    error.__traceback__ = error.__context__ = None  # frames would keep what was typed alive
    _thread.error = error
    if isinstance(error, DamagedError):
        warnings.warn(str(error), ProfileWarning, stacklevel=3)
    else:
        logger.log(logging.DEBUG if isinstance(error, NotFoundError) else logging.WARNING, "%s", error)
