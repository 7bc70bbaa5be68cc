"""The search over one photo: at low resolution first, where windows span more, then finer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from recon3d.core.depth import PredictedDepth, SceneDepth
from recon3d.core.scene import View
from recon3d.depth.patchmatch.kernel_types import WORST, Numbers, Photos, Priors, State
from recon3d.depth.patchmatch.levels import (
    Map,
    Picture,
    Planes,
    camera_at,
    enlarged,
    inverse_of,
    nearest,
    side_by_side,
    with_slopes,
)
from recon3d.depth.patchmatch.triangles import triangulated

SHARES = (0.25, 0.5)
"""Of the depth map's resolution. Beginning with the full one, what is plain finds anything."""
_ROUNDS = (3, 1)
"""At each of these; with the other views' depth only at the last, as that is good already."""
_BAND_ROWS = 32
"""Done between two looks at whether someone wants to stop."""

_NOISE_GREY = 1.0
"""Standard deviation of camera noise at these resolutions."""
_EDGE_GREY = 12.0
"""Difference of grey from a window's centre at which a sample counts less by a sigma."""
_TEXTURE_GREY = 8.0
"""Standard deviation of a window's grey at which priors count half."""
_ROOM = 1.25
"""For what is nearer and farther than anything known."""
_SPREAD, _TILT = 0.02, 0.17
"""One sigma of depth around priors, as a share of it, and of their direction (10 degrees)."""
_STAY = 0.1, 0.7
"""What leaving the depth from before costs at confidence 0, and more at 1; NCC costs 0 to 2 ..."""
_COARSER = 0.3
"""... and leaving the plane that was found at the resolution before ..."""
_TRIANGLES = 0.6
"""... and leaving the triangle between confirmed points ..."""
_DISAGREE = 0.2
"""... and a pixel's distance to where another view's depth leads back to, up to three."""


@dataclass(frozen=True, eq=False)
class Seen:
    """A view with what is to be known of it."""

    view: View
    depth: PredictedDepth
    pictures: Sequence[UInt8[np.ndarray, "_h _w"]]
    """Its photo in grey, at SHARES of the depth map's resolution."""

    def at(self, level: int, *, with_depth: bool) -> Picture:
        """The view at SHARES[level]."""
        grey = self.pictures[level]
        inverse_z = inverse_of(nearest(self.depth.values, grey.shape)) if with_depth else None
        return Picture(self.view, camera_at(self.depth.camera, SHARES[level]), grey, inverse_z)


def search(
    own: Seen,
    confirmed: SceneDepth,
    sources: Sequence[Seen],
    active: Bool[np.ndarray, "H W"],
    seed: int,
    check: Callable[[], None],
    *,
    geometric: bool,
) -> tuple[Float32[np.ndarray, "H W"], Float32[np.ndarray, "H W"]]:
    """Depth of the active pixels, 0 = not found, and how unlike the sources look (1 - NCC).

    Slanted-plane PatchMatch (Bleyer et al. 2011) with the propagation and view selection of Xu
    and Tao 2019, and planes between confirmed points as a prior (Xu and Tao 2020).

    Args:
        own: The photo, with what was thought of its depth before.
        confirmed: What other views confirm of that.
        sources: Views to compare with, one at least.
        active: Pixels to search for; the others stay what they are and lend their planes.
        seed: Of what is tried at random.
        check: Called often; may raise.
        geometric: Whether the sources' own depth has a say.
    """
    inverse_z = inverse_of(np.where(confirmed.depth_z > 0, confirmed.depth_z, own.depth.values))
    least, most = np.percentile(inverse_z[inverse_z > 0], [0.5, 99.5]) * (1 / _ROOM, _ROOM)
    found: State | None = None
    between: Planes | None = None
    for level in range(len(SHARES))[-1 if geometric else 0 :]:
        picture = own.at(level, with_depth=False)
        size = picture.grey.shape
        wanted = nearest(active, size)
        if between is None:
            between = triangulated(confirmed.depth_z, confirmed.agreeing_views, wanted)
        else:
            between = enlarged(between, size)
        before = with_slopes(nearest(inverse_z, size))
        stay = _STAY[0] + _STAY[1] * nearest(own.depth.confidence, size)
        guesses: list[tuple[Planes, Map | float]] = [(before, stay), (between, _TRIANGLES)]
        if found is not None:
            guesses.append((enlarged(found.planes, size), _COARSER))
        others = [source.at(level, with_depth=geometric) for source in sources]
        numbers = _numbers(picture.camera.fx_px, least, most, _DISAGREE if geometric else 0.0)
        photos, priors = side_by_side(picture, others), _priors(guesses)
        found = _search_level(photos, priors, wanted, numbers, _ROUNDS[level], seed, check)
    assert found is not None
    inverse_z = enlarged(found.planes, active.shape)[..., 0]
    unlike = nearest(found.unlike, active.shape)
    # Where no source shows a pixel, anything is as good.
    good = active & (unlike < WORST) & (inverse_z > least) & (inverse_z < most)
    return np.divide(1, inverse_z, out=np.zeros_like(inverse_z), where=good), unlike


def _priors(guesses: Sequence[tuple[Planes, Map | float]]) -> Priors:
    """Planes with what leaving them costs; of the second the direction matters too."""
    return Priors(
        np.stack([planes for planes, _ in guesses]),
        np.stack(
            [np.where(planes[..., 0] > 0, np.float32(cost), 0) for planes, cost in guesses]
        ).astype(np.float32),
        np.arange(len(guesses)) == 1,
    )


def _numbers(focal_px: float, least: float, most: float, disagree: float) -> Numbers:
    return Numbers(
        focal_px=np.float32(focal_px),
        least=np.float32(least),
        most=np.float32(most),
        noise=np.float32(_NOISE_GREY**2),
        edge=np.float32(2 * _EDGE_GREY**2),
        texture=np.float32(_TEXTURE_GREY**2),
        spread=np.float32(_SPREAD),
        tilt=np.float32(_TILT),
        disagree=np.float32(disagree),
    )


def _search_level(
    photos: Photos,
    priors: Priors,
    wanted: Bool[np.ndarray, "h w"],
    numbers: Numbers,
    rounds: int,
    seed: int,
    check: Callable[[], None],
) -> State:
    import cv2

    # Late, because numba takes a second to import.
    from recon3d.depth.patchmatch import kernel

    size = wanted.shape
    kernel_px = 2 * kernel.REACH_PX + 1
    near = cv2.dilate(wanted.astype(np.uint8), np.ones((kernel_px, kernel_px), np.uint8)) > 0
    state = State(
        priors.planes[0].copy(),
        np.full(size, WORST, np.float32),
        np.full(size, WORST, np.float32),
        np.zeros((*size, len(photos.sources)), bool),
    )
    for top, bottom in _bands(size[0]):
        check()
        kernel.start(photos, priors, wanted, near, numbers, top, bottom, state)
    for number in range(rounds):
        for colour in (0, 1):
            for top, bottom in _bands(size[0]):
                check()
                kernel.improve(
                    photos, priors, wanted, numbers, top, bottom, colour, number, seed, state
                )
    return state


def _bands(rows: int) -> Iterator[tuple[int, int]]:
    for top in range(0, rows, _BAND_ROWS):
        yield top, min(rows, top + _BAND_ROWS)
