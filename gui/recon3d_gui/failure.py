"""Why something that was asked for did not come about, as every process of the program tells it."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path

from recon3d.core.errors import ReconError
from recon3d.run.faults import fault_of_the_machine


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
    if fault := fault_of_the_machine(error, Path.cwd()):
        details = "".join(traceback.format_exception(error))
        return Failure(f"{what}: {fault}", fault.hint, details)
    return Failure(
        f"{what}: {error or type(error).__name__}.",
        "If it happens again, please report it with the details.",
        "".join(traceback.format_exception(error)),
    )
