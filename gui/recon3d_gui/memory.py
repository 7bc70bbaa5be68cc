"""Memory that was given up goes back to the system."""

from __future__ import annotations

import ctypes
import sys


def return_freed_memory() -> None:
    """Hand back what lies free between things in use; takes some milliseconds.

    Pictures of many megabytes come and go with each project, and small ones stay between them.
    glibc keeps such gaps unless it is asked; other systems do this by themselves.
    """
    if sys.platform != "linux":
        return
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):  # another C library
        return
    trim(ctypes.c_size_t(0))
