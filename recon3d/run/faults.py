"""Errors that nobody has foreseen where they came up, but that are no mistake in the program."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from recon3d.core.errors import InputError, ReconError, is_lack_of_memory, not_enough_memory
from recon3d.language import word
from recon3d.run.files import lack_of_space

_IMPOSSIBLE_PATHS = {
    errno.ENAMETOOLONG: "the name is too long",
    errno.ELOOP: "its links lead in a circle",
}


def fault_of_the_machine(error: Exception, place: Path) -> ReconError | None:
    """The error for a person where memory, a disk or a path is at fault; None for any other.

    place: where the work was writing.
    """
    if is_lack_of_memory(error):
        return not_enough_memory(word("go on"))
    if isinstance(error, OSError) and error.errno in _IMPOSSIBLE_PATHS:
        name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else place
        return InputError(
            f"Cannot use {name}: {_IMPOSSIBLE_PATHS[error.errno]}.", hint="Choose another name."
        )
    return lack_of_space(error, place)
