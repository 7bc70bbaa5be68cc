"""The two largest numbers of each row and column of large tables that come tile by tile."""

from __future__ import annotations

import numpy as np

from recon3d.run.compiled import compiled

ROW_BITS, COLUMN_BITS = 8, 10
"""Of a place in a tile: its rows and columns at most, as powers of two."""
_LANES = 64


@compiled
def largest_of_tile(tile, add_first, add_second, in_rows, in_columns):
    """The two largest of each row and column of a tile of signed products.

    A product and its place make one number, so that the larger of two is all that is asked. What
    is the same for all of a column is left out of its numbers.
    """
    rows, columns = tile.shape
    low = np.int32(-(1 << 31))
    best, second = np.empty(_LANES, np.int32), np.empty(_LANES, np.int32)
    best_below = np.full(columns, low, np.int32)
    second_below = np.full(columns, low, np.int32)
    add_across = np.empty(columns, np.int32)
    for j in range(columns):
        add_across[j] = (add_second[j] << COLUMN_BITS) + j
    whole = columns - columns % _LANES
    for i in range(rows):
        best[:] = low
        second[:] = low
        add = np.int32(add_first[i] << COLUMN_BITS)
        # Sums may leave 32 bits and come back.
        for j in range(0, whole, _LANES):
            for lane in range(_LANES):
                product = np.int32(tile[i, j + lane] << COLUMN_BITS)
                value = np.int32(product + np.int32(add_across[j + lane] + add))
                second[lane] = max(second[lane], min(value, best[lane]))
                best[lane] = max(best[lane], value)
        for lane in range(columns - whole):
            product = np.int32(tile[i, whole + lane] << COLUMN_BITS)
            value = np.int32(product + np.int32(add_across[whole + lane] + add))
            second[lane] = max(second[lane], min(value, best[lane]))
            best[lane] = max(best[lane], value)
        top, next_top = low, low
        for lane in range(_LANES):
            next_top = max(next_top, max(second[lane], min(top, best[lane])))
            top = max(top, best[lane])
        in_rows[i, 0], in_rows[i, 1] = top, next_top
        add = np.int32((add_first[i] << ROW_BITS) + i)
        for j in range(columns):
            value = np.int32(np.int32(tile[i, j] << ROW_BITS) + add)
            second_below[j] = max(second_below[j], min(value, best_below[j]))
            best_below[j] = max(best_below[j], value)
    in_columns[:, 0] = best_below
    in_columns[:, 1] = second_below


@compiled
def merge_largest(found, add, bits, start, known):
    """Put the two largest of a tile, which begins at a place, beside the two largest so far."""
    for n in range(len(found)):
        best, second = (found[n, 0] >> bits) + add[n], (found[n, 1] >> bits) + add[n]
        if best > known[n, 0]:
            known[n, 2] = start + (found[n, 0] & ((1 << bits) - 1))
        known[n, 1] = max(max(known[n, 1], second), min(known[n, 0], best))
        known[n, 0] = max(known[n, 0], best)
