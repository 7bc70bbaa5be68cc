"""Inner loops in machine code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])

_ANY_ORDER = frozenset({"reassoc", "contract", "arcp", "nsz"})


def compiled(function: Function) -> Function:
    """Compile at the first call by numba, without the GIL; kept on disk where there is a place.

    Divisions by zero give infinity and NaN, as in numpy. Nothing is lost but seconds where neither
    the folder of the module nor the user's cache can be written: numba would then refuse.
    """
    return _compiled(function, frozenset())


def compiled_in_any_order(function: Function) -> Function:
    """The same for loops whose sums may be taken in any order, several terms at once.

    The order is the same in every run on a machine; on another processor the last digits may
    differ.
    """
    return _compiled(function, _ANY_ORDER)


def _compiled(function: Function, liberties: frozenset[str]) -> Function:
    options: dict[str, Any] = {
        "nogil": True,
        "error_model": "numpy",
        "fastmath": set(liberties) or False,
    }
    try:
        made = numba.njit(cache=True, **options)(function)
    except RuntimeError:
        made = numba.njit(**options)(function)
    return cast(Function, made)
