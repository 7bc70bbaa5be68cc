"""What stands in each block of the town: houses on their plots, trees, hedges, parked cars."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from recon3d.depth.synthetic.shapes import Shape
from town import houses
from town.ground import (
    BLOCK_U,
    BLOCK_V,
    DENSE,
    FIELD,
    HOUSES,
    PARK,
    VERGE,
    chance,
    height,
    land_use,
    place,
)
from town.houses import Piece

PLOT_U, PLOT_V = (BLOCK_U - 2 * VERGE) / 3, (BLOCK_V - 2 * VERGE) / 2
_KINDS_OF_TREES = 14
_MOST = 1 << 20


@dataclass(frozen=True, eq=False)
class Standing:
    """A surface in the town's frame."""

    shape: Shape
    material: int
    owner: int
    """A number of the thing that it is part of, which its colours come from."""
    foot: float
    """Height of the thing's floor."""


class Block:
    """Puts things into one block; the same block is the same in every stretch of the town."""

    def __init__(self, i: int, j: int, seed: int) -> None:
        self.i, self.j, self.seed = i, j, seed
        self.rng = np.random.default_rng([seed, i + _MOST, j + _MOST])
        self.standing: list[Standing] = []

    def put(
        self, pieces: list[Piece], u: float, v: float, yaw: float = 0.0, size: float = 1.0,
        reach: float = 0.0,
    ) -> None:  # fmt: skip
        """Stand a thing at a place of the block's plan, turned about z from the u direction.

        reach: half its size; its floor is level with the ground's mean that far around.
        """
        u, v = u + self.i * BLOCK_U, v + self.j * BLOCK_V
        x, y = place(u, v, self.seed)
        ahead, behind = place(u + 2, v, self.seed), place(u - 2, v, self.seed)
        turn = yaw + np.arctan2(ahead[1] - behind[1], ahead[0] - behind[0])
        around = [(a * reach, b * reach) for a in (-1, 1) for b in (-1, 1)]
        z = float(np.mean([height(x + a, y + b, self.seed) for a, b in around]))
        owner = int(self.rng.integers(1, _MOST))
        for shape, material in pieces:
            placed = shape.scaled_evenly(size).at(x, y, z, turn)
            self.standing.append(Standing(placed, material, owner, z))

    def tree(self, u: float, v: float, low: float, high: float) -> None:
        """Plant one of some kinds, between low and high tall."""
        kind = int(self.rng.integers(_KINDS_OF_TREES))
        self.put(_tree(kind, self.seed), u, v, self.rng.uniform(0, 6), self.rng.uniform(low, high))

    def fill(self) -> None:
        """Put there all that this kind of block has."""
        use = land_use(self.i, self.j, self.seed)
        if use == HOUSES:
            for column in range(3):
                for row in range(2):
                    self._plot(column, row)
        elif use == DENSE:
            self._dense()
        elif use == PARK:
            for u, v in self.rng.uniform([7, 7], [BLOCK_U - 7, BLOCK_V - 7], (16, 2)):
                self.tree(u, v, 5, 12)
        elif use == FIELD:
            for v in self.rng.uniform(8, BLOCK_V - 8, int(self.rng.integers(0, 5))):
                self.tree(VERGE + 1.5, v, 3, 8)
        else:
            for u in np.arange(VERGE + 2, BLOCK_U - VERGE - 1, 8.5):
                for v in np.arange(VERGE + 2, BLOCK_V - VERGE - 1, 8.5):
                    self.tree(*(np.array([u, v]) + self.rng.uniform(-2.4, 2.4, 2)), 7, 15)
        self._parked_cars(use)

    def _plot(self, column: int, row: int) -> None:
        """The same drives as the ground's paint, which asks for the same chances."""
        rng, back = self.rng, np.pi * row
        p, q = 3 * self.i + column, 2 * self.j + row

        def spot(a: float, b: float) -> tuple[float, float]:
            return VERGE + column * PLOT_U + a, VERGE + (b if row == 0 else 2 * PLOT_V - b)

        self.put(
            houses.house(rng), *spot(rng.uniform(11, 12), rng.uniform(11, 12.5)), back, reach=4
        )
        right = chance(p, q, self.seed + 109) < 0.5
        drive = (18.4 if right else 1.6) + 1.55
        if rng.random() < 0.55:
            self.put(houses.garage(rng), *spot(drive, 15.5), back, reach=2)
        if rng.random() < 0.55:
            self.put(houses.car(rng), *spot(drive, rng.uniform(3, 9)), np.pi / 2, reach=1)
        if rng.random() < 0.5:
            self.put(houses.shed(rng), *spot(20.5 if right else 3.0, 23.5), back, reach=1)
        for b in rng.uniform(18.5, 25, int(rng.integers(1, 4))):
            self.tree(*spot(rng.uniform(1.5, 10), b), 2.5, 7)
        if rng.random() < 0.5:
            self.tree(*spot(6.5, rng.uniform(2, 4)), 2, 6)
        if rng.random() < 0.6:
            for b in np.arange(1.7, PLOT_V, 3.5):
                self.put(houses.hedge(rng, 3.6), *spot(0, b), np.pi / 2, reach=1)
        if rng.random() < 0.6 and row == 0:
            for a in np.arange(1.8, PLOT_U, 3.6):
                self.put(houses.hedge(rng, 3.7), *spot(a, PLOT_V), 0, reach=1)

    def _dense(self) -> None:
        rng, drawn = self.rng, self.rng.random()
        if drawn < 0.12:
            self.put(houses.church(rng), BLOCK_U / 2, BLOCK_V / 2, 0, reach=8)
            for u in np.linspace(10, BLOCK_U - 10, 7):
                self.tree(u, BLOCK_V - 9, 5, 9)
            return
        if drawn < 0.45:
            for v, yaw in ((VERGE + 12, 0.0), (BLOCK_V - VERGE - 12, np.pi)):
                u = VERGE + 3.0
                while u < BLOCK_U - VERGE - 17:
                    x, y = rng.uniform(14, 24), rng.uniform(10, 13)
                    x = min(x, BLOCK_U - VERGE - 3 - u)
                    self.put(
                        houses.flat_roofed(rng, x, y, int(rng.integers(2, 6))),
                        u + x / 2,
                        v,
                        yaw,
                        reach=6,
                    )
                    u += x + rng.uniform(2, 6)
        elif drawn < 0.6:
            self.put(houses.hall(rng), BLOCK_U * 0.3, BLOCK_V / 2, np.pi / 2, reach=8)
            self.put(houses.flat_roofed(rng, 26, 18, 2), BLOCK_U * 0.7, BLOCK_V / 2, 0, reach=8)
        else:
            for v, yaw in ((VERGE + 11, 0.0), (BLOCK_V - VERGE - 11, np.pi)):
                u = VERGE + 2.0
                while u < BLOCK_U - VERGE - 9:
                    x = rng.uniform(7, 10)
                    self.put(houses.town_house(rng, x), u + x / 2, v, yaw, reach=4)
                    u += x
        for u in np.arange(VERGE + 1, BLOCK_U - VERGE, 11):
            self.tree(u, VERGE + 0.8, 3.5, 7)
            self.tree(u + 4, BLOCK_V / 2 + rng.uniform(-3, 3), 3, 8)

    def _parked_cars(self, use: int) -> None:
        """Along the two streets of the block's lower corner, unless they are lanes in fields."""
        rng = self.rng
        if use < FIELD or land_use(self.i - 1, self.j, self.seed) < FIELD:
            for v in np.arange(13.0, BLOCK_V - 12, 6.5):
                if rng.random() < 0.35:
                    self.put(houses.car(rng), rng.choice([-2.1, 2.1]), v, np.pi / 2, reach=1)
        if use < FIELD or land_use(self.i, self.j - 1, self.seed) < FIELD:
            for u in np.arange(13.0, BLOCK_U - 12, 6.5):
                if rng.random() < 0.35:
                    self.put(houses.car(rng), u, rng.choice([-2.1, 2.1]), 0, reach=1)


def blocks(low: np.ndarray, high: np.ndarray, seed: int) -> Iterator[Block]:
    """All blocks that may reach into a rectangle of the town."""
    # Streets bend by at most 12 m.
    first = np.floor((low - 12) / [BLOCK_U, BLOCK_V]).astype(int)
    last = np.floor((high + 12) / [BLOCK_U, BLOCK_V]).astype(int)
    for i in range(first[0], last[0] + 1):
        for j in range(first[1], last[1] + 1):
            block = Block(i, j, seed)
            block.fill()
            yield block


@lru_cache(maxsize=2 * _KINDS_OF_TREES)
def _tree(kind: int, seed: int) -> list[Piece]:
    rng = np.random.default_rng([seed, kind])
    return houses.fir(rng) if kind % 5 == 4 else houses.leafy_tree(rng)
