"""A surface that resists bending, and the way along its normals on which it gives in."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int32

_CREASE_RAD = 0.1
"""Angle from which on a vertex resists ever less: an edge of the thing shall not be bent round."""
_COTANGENTS = (0.05, 5.0)
"""Flat triangles have boundless ones, obtuse angles negative ones."""
_MOST_STEPS = 60
_PRECISE = 1e-3
_TINY = 1e-30


class Plate:
    """The bending energy of a mesh as it lies: squared angles between neighbours, summed.

    The thin plate of Kobbelt et al. 1998: the Laplacian by cotangents (Pinkall and Polthier 1993),
    in shares of the edges around each vertex, squared. It does not depend on how fine the mesh is.
    Where the mesh as it lies is creased the weight falls with the angle, as in Cauchy's robust
    estimator: ripple is evened out and edges stay.
    """

    def __init__(
        self,
        vertices: Float64[np.ndarray, "v 3"],
        faces: Int32[np.ndarray, "f 3"],
        normals: Float64[np.ndarray, "v 3"],
        free: Bool[np.ndarray, "v"],
    ) -> None:
        """Only free vertices move and are bent; all are looked at."""
        laplacian, edge = _laplacian(vertices, faces)
        self._laplacian, self._back = laplacian, laplacian.T.tocsr()
        self._normals, self._free = normals, free
        self._bent = laplacian @ vertices
        per_edge = 1 / np.maximum(edge, _TINY) ** 2
        squared_angle = (self._bent**2).sum(1) * per_edge
        self._price = np.where(free, per_edge / (1 + squared_angle / _CREASE_RAD**2), 0)
        self.edge = edge
        """Mean length of the edges around each vertex."""

    def give_in(
        self,
        gradient: Float64[np.ndarray, "v"],
        stiffness: Float64[np.ndarray, "v"],
        bending: float,
    ) -> Float64[np.ndarray, "v"]:
        """How far each vertex goes along its normal; 0 for those that are held.

        The least of gradient d + stiffness d^2 / 2 + bending x energy(d) / 2, by conjugate
        gradients. Their sums are numpy's own: BLAS adds in another order for each number of
        threads.
        """
        price = bending * self._price
        right = -gradient - self._along(self._back @ (price[:, None] * self._bent))
        squared = self._back.copy()
        squared.data **= 2
        diagonal = np.maximum(stiffness + squared @ price, _TINY)
        residual = np.where(self._free, right, 0)
        d = np.zeros(len(residual))
        preconditioned = residual / diagonal
        way = preconditioned
        left = float((residual * preconditioned).sum())
        enough = _PRECISE**2 * left
        for _ in range(_MOST_STEPS):
            if left <= enough:
                break
            pushed = self._normals * way[:, None]
            resisted = self._along(self._back @ (price[:, None] * (self._laplacian @ pushed)))
            resisted = np.where(self._free, stiffness * way + resisted, 0)
            step = left / max(float((way * resisted).sum()), _TINY)
            d += step * way
            residual = residual - step * resisted
            preconditioned = residual / diagonal
            before, left = left, float((residual * preconditioned).sum())
            way = preconditioned + left / before * way
        return d

    def _along(self, vectors: Float64[np.ndarray, "v 3"]) -> Float64[np.ndarray, "v"]:
        return np.asarray((vectors * self._normals).sum(1))


def _laplacian(
    vertices: Float64[np.ndarray, "v 3"], faces: Int32[np.ndarray, "f 3"]
) -> tuple[Any, Float64[np.ndarray, "v"]]:
    """(each vertex less the weighted mean of its neighbours, mean length of its edges)."""
    from scipy.sparse import coo_array, diags_array

    rows, columns, cotangents, lengths = [], [], [], []
    for corner in range(3):
        i, j, k = (faces[:, (corner + step) % 3] for step in range(3))
        one, two = vertices[i] - vertices[k], vertices[j] - vertices[k]
        across = np.linalg.norm(np.cross(one, two), axis=1)
        cotangent = (one * two).sum(1) / np.maximum(across, _TINY)
        cotangents += [np.clip(cotangent, *_COTANGENTS)] * 2
        lengths += [np.linalg.norm(one - two, axis=1)] * 2
        rows += [i, j]
        columns += [j, i]
    count = len(vertices)
    row = np.concatenate(rows)
    entries = (np.concatenate(cotangents), (row, np.concatenate(columns)))
    weights = coo_array(entries, shape=(count, count)).tocsr()
    total = np.asarray(weights.sum(axis=1)).ravel()
    uses = np.bincount(row, minlength=count)
    edge = np.bincount(row, np.concatenate(lengths), count) / np.maximum(uses, 1)
    mean = diags_array(1 / np.maximum(total, _TINY)) @ weights
    laplacian = diags_array(np.where(total > 0, 1.0, 0.0)) - mean
    return laplacian.tocsr(), edge
