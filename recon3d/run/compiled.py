"""Inner loops in machine code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile at the first call by numba, without the GIL; kept on disk where there is a place.

    Divisions by zero give infinity and NaN, as in numpy. Nothing is lost but seconds where neither
    the folder of the module nor the user's cache can be written: numba would then refuse.
    """
    # Never with sums in any order: just compiled, they had other last digits than from the disk.
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        made = numba.njit(cache=True, **options)(function)
    except RuntimeError:
        made = numba.njit(**options)(function)
    return cast(Function, made)
