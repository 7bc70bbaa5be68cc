"""Reading parts of files that may lie, told apart from a machine that is short of memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def or_else(read: Callable[[], T], otherwise: T) -> T:
    """What `read` gives; `otherwise` where a decoder throws, whatever it throws.

    For what a photo can do without, such as a tag; whole pictures are opened by `decoding`.

    Raises:
        MemoryError: it says something of the machine and nothing of the file.
    """
    try:
        return read()
    except MemoryError:
        raise
    except Exception:  # damaged tags end in any error of any decoder
        return otherwise
