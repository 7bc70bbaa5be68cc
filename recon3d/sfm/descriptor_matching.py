"""SIFT descriptors of two photos -> features that are each other's nearest, all compared.

Descriptors are bytes, so their scalar products are whole numbers that processors multiply exactly,
in any order, by any number of threads: the same photos have the same matches on every machine.
COLMAP's index (FAISS) misses some, and two of its threads have once built it in two ways.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
from jaxtyping import Bool, Float, Int8, Int32, UInt8, UInt32

from recon3d.sfm.largest_products import COLUMN_BITS, ROW_BITS, largest_of_tile, merge_largest

# How far apart a match may be on the unit sphere, as COLMAP has it.
_MOST_RAD = 0.7
_LENGTH = 512.0
# So that a product and a place fit into 32 bits; descriptors are 512 long, but for rounding.
_MOST_SQUARED = 1 << (31 - COLUMN_BITS)
_NOTHING = -1

Products = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Of (r, 128) and (128, c) signed bytes: (r, c), exactly."""


@contextmanager
def matching_pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Threads to match pairs in; torch, which starts threads of its own, is held to one in each."""
    import torch

    before = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(before)


def match_descriptors(
    first: UInt8[np.ndarray, "n 128"], second: UInt8[np.ndarray, "m 128"], most_ratio: float
) -> UInt32[np.ndarray, "k 2"]:
    """Rows of both that are each other's nearest, and clearly nearer than the second nearest.

    Args:
        first: Of one photo, about 512 long, as COLMAP stores them.
        second: Of the other.
        most_ratio: Of the angle to the nearest by that to the second nearest (Lowe 2004).

    Raises:
        ValueError: descriptors are far longer than SIFT's.
    """
    if not len(first) or not len(second):
        return np.empty((0, 2), np.uint32)
    of_first, of_second = nearest_two(first, second, fastest_products())
    there = of_first[:, 2]
    is_mutual = of_second[there, 2] == np.arange(len(first))
    is_distinct = _is_distinct(of_first, most_ratio)
    rows = np.flatnonzero(is_mutual & is_distinct & _is_distinct(of_second, most_ratio)[there])
    return np.column_stack([rows, there[rows]]).astype(np.uint32)


def products_of_bytes(
    rows: Int8[np.ndarray, "r 128"], columns: Int8[np.ndarray, "128 c"]
) -> Int32[np.ndarray, "r c"]:
    """By instructions for whole numbers; without them torch multiplies one by one."""
    import torch

    made: np.ndarray = torch._int_mm(torch.from_numpy(rows), torch.from_numpy(columns)).numpy()
    return made


def products_of_floats(
    rows: Int8[np.ndarray, "r 128"], columns: Int8[np.ndarray, "128 c"]
) -> Int32[np.ndarray, "r c"]:
    """By those that every processor has: sums of 128 such products stay below 2**24."""
    import torch

    made = torch.from_numpy(rows).float() @ torch.from_numpy(columns).float()
    whole: np.ndarray = made.to(torch.int32).numpy()
    return whole


def fastest_products() -> Products:
    """Whichever of the two this processor is faster at, by three to five times."""
    import torch

    # Not every build of torch can tell.
    has_instructions = getattr(torch.cpu, "_is_vnni_supported", lambda: False)
    return products_of_bytes if has_instructions() else products_of_floats


def nearest_two(
    first: UInt8[np.ndarray, "n 128"], second: UInt8[np.ndarray, "m 128"], multiply: Products
) -> tuple[Int32[np.ndarray, "n 3"], Int32[np.ndarray, "m 3"]]:
    """The largest and the second largest product of each row with the other's rows, and where.

    The place is that of the largest; among equal ones any. -1 where there is no second.
    """
    for each in (first, second):
        if int((each.astype(np.int32) ** 2).sum(axis=1).max()) >= _MOST_SQUARED:
            raise ValueError("descriptors are longer than those of SIFT")
    of_first = np.full((len(first), 3), _NOTHING, np.int32)
    of_second = np.full((len(second), 3), _NOTHING, np.int32)
    # Bytes less 128 have a sign; what that takes from a product hangs on one of the two each.
    signed_first, signed_second = ((each ^ 128).view(np.int8) for each in (first, second))
    add_first = 128 * first.sum(axis=1, dtype=np.int32)
    add_second = 128 * second.sum(axis=1, dtype=np.int32) - 128**3
    for column in range(0, len(second), 1 << COLUMN_BITS):
        below = slice(column, column + (1 << COLUMN_BITS))
        part = np.ascontiguousarray(signed_second[below].T)
        for row in range(0, len(first), 1 << ROW_BITS):
            across = slice(row, row + (1 << ROW_BITS))
            tile = multiply(signed_first[across], part)
            in_rows, in_columns = (np.empty((size, 2), np.int32) for size in tile.shape)
            largest_of_tile(tile, add_first[across], add_second[below], in_rows, in_columns)
            merge_largest(
                in_rows, np.zeros(len(in_rows), np.int32), COLUMN_BITS, column, of_first[across]
            )
            merge_largest(in_columns, add_second[below], ROW_BITS, row, of_second[below])
    return of_first, of_second


def _is_distinct(found: Int32[np.ndarray, "n 3"], most_ratio: float) -> Bool[np.ndarray, "n"]:
    nearest_rad, second_rad = _angle(found[:, 0]), _angle(found[:, 1])
    distinct: np.ndarray = (nearest_rad <= _MOST_RAD) & (nearest_rad < most_ratio * second_rad)
    return distinct


def _angle(product: Int32[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    angle: np.ndarray = np.arccos(np.minimum(product / _LENGTH**2, 1.0))
    return angle
