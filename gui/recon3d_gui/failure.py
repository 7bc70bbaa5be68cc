"""Why something that was asked for did not come about, as every process of the program tells it."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from recon3d.core.errors import ReconError, is_lack_of_memory, not_enough_memory


@dataclass(frozen=True)
class Failure:
    """What was there before stays."""

    message: str
    hint: str = ""
    details: str = ""
    """For someone who is to find the mistake; empty where the message says everything."""


def failure_of(error: Exception, what: str) -> Failure:
    """An error in words.

    what: was not possible, where nobody has foreseen the error.
    """
    if isinstance(error, ReconError):
        return Failure(str(error), error.hint)
    if is_lack_of_memory(error):
        short = not_enough_memory("go on")
        details = "".join(traceback.format_exception(error))
        return Failure(f"{what}: {short}", short.hint, details)
    return Failure(
        f"{what}: {error or type(error).__name__}.",
        "If it happens again, please report it with the details.",
        "".join(traceback.format_exception(error)),
    )
