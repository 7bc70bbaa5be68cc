"""How rich a lens the photos themselves can tell: from simple to rich, while they hold it.

Mapping knows an unknown lens by a focal length and one radial term around the middle of the photo.
That is the foot of a ladder whose rungs are the principal point, the second radial term and
tangential distortion. A rung is kept only where

- its numbers are sure: their covariance, which also counts what photos have in common (jackknife),
  sets them apart from 0, and a principal point is known far better than from makers' tolerances;
- observations that it was not fitted to (one of every other point's) are predicted better, photo
  for photo, by more than chance.

What a set cannot hold (a plane seen from straight above, a walk straight ahead, a turn on the
spot, few photos) fails one of the two and keeps the simple lens. Self-calibration and its
critical motions: Sturm, "Critical motion sequences for monocular self-calibration", CVPR 1997;
weighing a richer lens against the photos: Förstner and Wrobel, "Photogrammetric Computer
Vision", 2016, section 15.4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import sparse

from recon3d.core.camera import Distortion, Intrinsics, PinholeCamera
from recon3d.core.lens import FOCAL_AND_CENTRE, LENSES, folds_over, intrinsics_of
from recon3d.core.scene import CameraEstimate, LensStep
from recon3d.run.task import Task
from recon3d.sfm.bundle import Bundle, Tracks, adjust_bundle, bundle_covariance
from recon3d.sfm.least_squares import Patience
from recon3d.sfm.placed_bundle import (
    CENTRE_STD,
    FEATURE_BIAS_PX,
    Placed,
    bundle_of_camera,
    centre_prior,
    is_surely_off,
    thinned,
    with_lens,
)

_CENTRE = ("cx", "cy")
_NAMES = (*FOCAL_AND_CENTRE, *LENSES["brown"].coefficients)
FEWEST_PHOTOS = 5
"""Fewer leave too little that was not fitted."""
# Whether a rung holds shows in fewer points than its values deserve.
_POINTS_TO_DECIDE, _POINTS_TO_FIT = 1_500, 6_000
# Each photo must still be held by some.
_POINTS_PER_PHOTO = 25
# The equations grow with the square of the photos; more make a lens no surer.
_MOST_PHOTOS = 200
_FEWEST_SIGHTINGS_TO_HOLD_OUT = 3
_CENTRE_HELD = CENTRE_STD / 10
# Of the sum of squares, which counts single ones: far below what a rung must gain.
_PATIENCE = Patience(rounds=20, damping=1e-4, most_damping=1e8, converged=1e-5)
# A better lens must be better by more than chance would make it.
_MOST_STANDARD_ERRORS = 1.0
# Far below what any photo can tell: the order of sums, which follows from the number of threads,
# must not show.
_DECIMALS_PX, _DECIMALS = 6, 9


@dataclass(frozen=True)
class _Rung:
    """What a richer lens has in addition."""

    words: str
    values: tuple[str, ...]
    above: str | None = None
    """The rung without which this one is not tried."""


_RUNGS = (
    _Rung("principal point", _CENTRE),
    _Rung("second radial term", ("k2",)),
    # Around a wrong principal point it would make up for that.
    _Rung("tangential distortion", ("p1", "p2"), above="principal point"),
)


@dataclass(frozen=True)
class FoundLens:
    """What became of one unknown camera."""

    estimate: CameraEstimate
    is_richer: bool
    """Than the one that it was placed with."""


def find_lenses(
    placement: Placed, estimates: Mapping[str, CameraEstimate], task: Task
) -> dict[str, FoundLens]:
    """Climb the ladder for every unknown camera, with its own photos.

    estimates: by camera, the simple lens of each one that is to be found.

    Raises:
        Cancelled: the task was stopped.
    """
    found = {}
    for key, estimate in estimates.items():
        ids = [photo_id for photo_id, camera in placement.camera_of.items() if camera == key]
        found[key] = _find_lens(placement, key, ids, estimate, task)
    return found


def _find_lens(
    placement: Placed, key: str, photo_ids: Sequence[str], estimate: CameraEstimate, task: Task
) -> FoundLens:
    if len(photo_ids) < FEWEST_PHOTOS:
        return FoundLens(estimate, False)
    if len(photo_ids) > _MOST_PHOTOS:
        photo_ids = most_bound(placement, photo_ids, _MOST_PHOTOS)
    start = bundle_of_camera(placement, photo_ids, estimate.intrinsics, _POINTS_TO_FIT)
    if isinstance(start, str):
        return FoundLens(estimate, False)
    few = thinned(*start, max(_POINTS_TO_DECIDE, _POINTS_PER_PHOTO * len(photo_ids)))
    try:
        names, steps = _climb(*few, estimate.intrinsics.pinhole, key, task)
        estimate = replace(estimate, steps=steps)
        if not any(step.kept for step in steps):
            return FoundLens(estimate, False)
        return FoundLens(_fitted(*start, names, estimate, task), True)
    except np.linalg.LinAlgError:
        # Photos that hang on each other by next to nothing.
        return FoundLens(estimate, False)


def most_bound(placement: Placed, photo_ids: Sequence[str], most: int) -> list[str]:
    """The photos that share most points: from the best one on, the next best to those before."""
    order = {photo_id: index for index, photo_id in enumerate(placement.cam_from_world)}
    ours = [order[photo_id] for photo_id in photo_ids]
    point, photo = placement.observations.T
    sees = sparse.csr_matrix(
        (np.ones(len(photo), np.int32), (photo, point)), (len(order), len(placement.xyz_world))
    )[ours]
    shared = (sees @ sees.T).toarray()
    np.fill_diagonal(shared, 0)
    chosen = [int(shared.sum(axis=1).argmax())]
    bound = shared[chosen[0]].copy()
    while len(chosen) < most:
        bound[chosen] = -1
        chosen.append(int(bound.argmax()))
        bound += shared[chosen[-1]]
    return [photo_ids[index] for index in sorted(chosen)]


def _climb(
    bundle: Bundle, tracks: Tracks, camera: PinholeCamera, key: str, task: Task
) -> tuple[tuple[str, ...], tuple[LensStep, ...]]:
    """The names of the values that the photos hold, and what was tried."""
    size = camera.width_px, camera.height_px
    held_out = to_hold_out(tracks)
    seen, unseen = tracks.where(~held_out), tracks.where(held_out)
    names: tuple[str, ...] = ("k1",)
    bundle = with_lens(bundle, "brown")
    prior = centre_prior(bundle.lens, *size)
    best = adjust_bundle(bundle, seen, _free(names), prior, task, _PATIENCE)
    steps: list[LensStep] = []
    for number, rung in enumerate(_RUNGS):
        if rung.above and not any(step.kept and step.adds == rung.above for step in steps):
            continue
        task.step(number, len(_RUNGS), f"lens of {key}: {rung.words}")
        free = _free((*names, *rung.values))
        richer = adjust_bundle(best, seen, free, prior, task, _PATIENCE)
        spread = bundle_covariance(richer, seen, free, prior)
        why = _why_not(best, richer, spread, rung, unseen, size)
        steps.append(LensStep(rung.words, not why, why))
        if not why:
            best, names = richer, (*names, *rung.values)
    return names, tuple(steps)


def _why_not(
    simpler: Bundle,
    richer: Bundle,
    spread: Float[np.ndarray, "p p"],
    rung: _Rung,
    unseen: Tracks,
    size: tuple[int, int],
) -> str:
    """Why a rung is not kept; empty where it is."""
    added = [_NAMES.index(name) for name in rung.values]
    offset = richer.values[added] - simpler.values[added]
    covariance = spread[np.ix_(added, added)]
    if rung.values == _CENTRE:
        std_px = float(np.sqrt(np.diag(covariance).max()))
        if not std_px <= _CENTRE_HELD * max(size):
            known = f" (± {std_px:.0f} px)" if np.isfinite(std_px) else ""
            return f"the photos leave it open{known}"
    if not is_surely_off(offset, covariance):
        return "no different from none within its error"
    if folds_over(richer.lens, intrinsics_of(richer.lens, richer.values, *size)):
        return "it would map two directions to one pixel"
    if not predicts_better(simpler, richer, unseen):
        return "observations that it was not fitted to are predicted no better"
    return ""


def predicts_better(simpler: Bundle, richer: Bundle, unseen: Tracks) -> bool:
    """Whether the richer lens is nearer to unseen observations, on the mean over photos."""
    noise_px = simpler.noise_px(unseen)
    gain = simpler.soft_squares(unseen, noise_px) - richer.soft_squares(unseen, noise_px)
    return gains_surely(gain, unseen.photo)


def gains_surely(gain: Float[np.ndarray, "n"], photo: Int[np.ndarray, "n"]) -> bool:
    """Whether what observations gain is more than chance, on the mean over their photos."""
    if not np.isfinite(gain).all():
        return False
    counts = np.bincount(photo)
    sums = np.bincount(photo, gain)
    per_photo = sums[counts > 0] / counts[counts > 0]
    if len(per_photo) < FEWEST_PHOTOS:
        return False
    error = per_photo.std(ddof=1) / np.sqrt(len(per_photo))
    return bool(per_photo.mean() > _MOST_STANDARD_ERRORS * error)


def to_hold_out(tracks: Tracks) -> Bool[np.ndarray, "n"]:
    """One observation of every other point that keeps two without it."""
    order = np.random.default_rng(0).permutation(len(tracks.point))
    _, first = np.unique(tracks.point[order], return_index=True)
    often = np.bincount(tracks.point) >= _FEWEST_SIGHTINGS_TO_HOLD_OUT
    chosen = order[first]
    chosen = chosen[often[tracks.point[chosen]]][::2]
    out = np.zeros(len(tracks.point), bool)
    out[chosen] = True
    return out


def _fitted(
    bundle: Bundle, tracks: Tracks, names: tuple[str, ...], estimate: CameraEstimate, task: Task
) -> CameraEstimate:
    pinhole = estimate.intrinsics.pinhole
    bundle = with_lens(bundle, "brown")
    prior = centre_prior(bundle.lens, pinhole.width_px, pinhole.height_px)
    free = _free(names)
    bundle = adjust_bundle(bundle, tracks, free, prior, task, _PATIENCE)
    variances = np.diag(bundle_covariance(bundle, tracks, free, prior))
    std_px = np.sqrt(variances[[0, 2, 3]] + [0, FEATURE_BIAS_PX**2, FEATURE_BIAS_PX**2])
    fx, _, cx, cy = (round(float(value), _DECIMALS_PX) for value in bundle.values[:4])
    coefficients = tuple(round(float(value), _DECIMALS) for value in bundle.values[4:8])
    if "p1" in names:
        distortion = Distortion("brown", coefficients)
    else:
        distortion = Distortion("radial", coefficients[: 2 if "k2" in names else 1])
    focal_std, cx_std, cy_std = (round(float(std), _DECIMALS_PX) for std in std_px)
    return replace(
        estimate,
        intrinsics=Intrinsics(
            PinholeCamera(pinhole.width_px, pinhole.height_px, fx, fx, cx, cy), distortion
        ),
        focal_std_px=focal_std,
        centre_std_px=(cx_std, cy_std) if "cx" in names else None,
    )


def _free(names: Sequence[str]) -> Float[np.ndarray, "p q"]:
    """A column for the focal length, which both directions share, and one for each name."""
    free = np.zeros((len(_NAMES), 1 + len(names)))
    free[:2, 0] = 1
    for column, name in enumerate(names, start=1):
        free[_NAMES.index(name), column] = 1
    return free
