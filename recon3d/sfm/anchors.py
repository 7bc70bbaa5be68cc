"""What other instruments say of where photos were taken and where points lie, for least squares.

Each pulls the photos and points of a bundle as strongly as its error bar allows. Positions of
photos count robustly (Cauchy), because GPS sometimes errs by far; surveyed points count in full.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

# Where a position's pull begins to fade, in standard deviations of its length.
_SOFT_SIGMAS = 3.0


def _none() -> Int[np.ndarray, "0"]:
    return np.empty(0, np.int64)


def _nowhere() -> Float[np.ndarray, "0 3"]:
    return np.empty((0, 3))


@dataclass(frozen=True, eq=False, kw_only=True)
class Anchors:
    """Positions in the frame of a bundle, with standard deviations by axis."""

    photo: Int[np.ndarray, "a"] = field(default_factory=_none)
    """Indices of the photos whose place is known."""
    centre_world: Float[np.ndarray, "a 3"] = field(default_factory=_nowhere)
    centre_std: Float[np.ndarray, "a 3"] = field(default_factory=_nowhere)
    point: Int[np.ndarray, "b"] = field(default_factory=_none)
    """Indices of the points whose place is known."""
    point_world: Float[np.ndarray, "b 3"] = field(default_factory=_nowhere)
    point_std: Float[np.ndarray, "b 3"] = field(default_factory=_nowhere)

    def squares(
        self, rotations: Float[np.ndarray, "m 3 3"], translations: Float[np.ndarray, "m 3"]
    ) -> Float[np.ndarray, "a"]:
        """How far each photo is from its place, in standard deviations, squared."""
        gaps = self._gaps(rotations, translations) / self.centre_std
        return np.asarray((gaps**2).sum(axis=1))

    def cost(
        self,
        rotations: Float[np.ndarray, "m 3 3"],
        translations: Float[np.ndarray, "m 3"],
        points_world: Float[np.ndarray, "k 3"],
    ) -> float:
        """Sum of squares in standard deviations, less of photos that are far off."""
        squares = self.squares(rotations, translations)
        off = (points_world[self.point] - self.point_world) / self.point_std
        return float(soft(squares).sum() + (off**2).sum())

    def pull_photos(
        self,
        rotations: Float[np.ndarray, "m 3 3"],
        translations: Float[np.ndarray, "m 3"],
        normal: Float[np.ndarray, "m 6 6"],
        pull: Float[np.ndarray, "m 6"],
    ) -> None:
        """Add to the equations of each photo's turn and shift, as `Bundle` takes them."""
        # Of C = -R^T t under R -> exp(w) R, t -> t + s: dC = -R^T ([t]x w + s).
        turn, shift = rotations[self.photo], translations[self.photo]
        x, y, z = shift.T
        zero = np.zeros_like(x)
        cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)
        back = -turn.transpose(0, 2, 1)
        slopes = np.concatenate([back @ cross, back], axis=2)
        gaps = self._gaps(rotations, translations)
        weight = believed(self.squares(rotations, translations))
        rows = slopes * (weight[:, None] / self.centre_std**2)[..., None]
        np.add.at(normal, self.photo, slopes.transpose(0, 2, 1) @ rows)
        np.add.at(pull, self.photo, np.einsum("adi,ad->ai", rows, gaps))

    def pull_points(
        self,
        points_world: Float[np.ndarray, "k 3"],
        normal: Float[np.ndarray, "k 3 3"],
        pull: Float[np.ndarray, "k 3"],
    ) -> None:
        """Add to the equations of each point."""
        weight = 1 / self.point_std**2
        normal[self.point] += np.eye(3) * weight[:, None]
        pull[self.point] += (points_world[self.point] - self.point_world) * weight

    def _gaps(
        self, rotations: Float[np.ndarray, "m 3 3"], translations: Float[np.ndarray, "m 3"]
    ) -> Float[np.ndarray, "a 3"]:
        centres = -np.einsum("aji,aj->ai", rotations[self.photo], translations[self.photo])
        return np.asarray(centres - self.centre_world)


def soft(squares: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """Cauchy's cost of squared misses in standard deviations."""
    return np.asarray(_SOFT_SIGMAS**2 * np.log1p(squares / _SOFT_SIGMAS**2))


def believed(squares: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """The share of its pull that is left to each of such misses."""
    return np.asarray(1 / (1 + squares / _SOFT_SIGMAS**2))
