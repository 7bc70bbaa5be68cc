"""What puts one component of the photos into the frame of another, whatever it is known from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse
from scipy.sparse import csgraph

from recon3d.core.geodesy import similarity_slopes
from recon3d.core.transform import Similarity

_NAMES_TOLD = 3


class ApartError(Exception):
    """Two components do not become one; the message says why."""


def joined_words(ids: Sequence[str], by: str) -> str:
    """Which photos were joined to the largest component, and by what."""
    names = ", ".join(ids[:_NAMES_TOLD])
    more = f" and {len(ids) - _NAMES_TOLD} more" if len(ids) > _NAMES_TOLD else ""
    return f"{len(ids)} photos ({names}{more}) were joined to the others by {by}."


@dataclass(frozen=True, eq=False)
class Tie:
    """How a component, the source, lies in the frame of another, the target."""

    target_from_source: Similarity
    off: float
    """How far the source's photos may be from their true places among the target's, as a root mean
    square in the target's units."""
    by: str
    """What it is known from, and how exactly."""
    is_coarse: bool = False
    """Not good to a few pixels, so that surfaces which both show may lie double."""


def hang_together(observations: Int[np.ndarray, "m 2"]) -> bool:
    """Whether points that several photos see tie all these photos to each other.

    observations: (point, photo), as a placement has them.
    """
    if not len(observations):
        return True
    point, photo = (np.unique(column, return_inverse=True)[1] for column in observations.T)
    points, photos = int(point.max()) + 1, int(photo.max()) + 1
    links = sparse.coo_matrix(
        (np.ones(len(point)), (point, points + photo)), shape=(points + photos,) * 2
    )
    return int(csgraph.connected_components(links, directed=False)[0]) == 1


def reach(points: Float[np.ndarray, "n 3"]) -> float:
    """The usual distance of points from their middle; a few far ones do not count."""
    return float(np.median(np.linalg.norm(points - np.median(points, axis=0), axis=1)))


def spread(points: Float[np.ndarray, "n 3"]) -> float:
    """Root mean square distance of points from their middle."""
    return float(np.sqrt(((points - points.mean(axis=0)) ** 2).sum(axis=1).mean()))


def expected_error(
    fit: Similarity,
    paired: Float[np.ndarray, "n 3"],
    sigma: float,
    at: Float[np.ndarray, "m 3"],
) -> float:
    """How far off a similarity puts points that it was not fitted to, as one standard deviation.

    Args:
        fit: target_from_source.
        paired: The points of the source that it was fitted to.
        sigma: One standard deviation of a coordinate of these in the target.
        at: Points of the source.
    """
    slopes = similarity_slopes(fit, paired)
    covariance = sigma**2 * np.linalg.pinv(np.einsum("nri,nrj->ij", slopes, slopes))
    moved = similarity_slopes(fit, at)
    variances = np.einsum("nri,ij,nrj->n", moved, covariance, moved)
    return float(np.sqrt(np.median(variances)))
