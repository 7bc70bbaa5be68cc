"""Two estimators as one: `--depth-model A+B` fills what A is not sure of from B."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import tee
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from recon3d.core.depth import DepthEstimator, DepthRequest, PredictedDepth
from recon3d.core.errors import AlignmentError, EstimatorError
from recon3d.core.scene import View
from recon3d.depth.alignment import fit_alignment, sample
from recon3d.depth.anchors import Anchors, seen_from
from recon3d.depth.cleanup import without_flying_pixels
from recon3d.depth.method_digest import method_digest
from recon3d.depth.spreading import spread

Map = Float32[np.ndarray, "h w"]

_UNSURE, _SURE = 0.2, 0.5
"""Up to the first confidence a pixel is filled, from the second on it is kept; between, blended."""
_MOST = 0.45
"""Confidence of a filled pixel at most: others must confirm it before it becomes surface."""
_ANCHOR_ROWS = 40
_ANCHOR_SIGMA = 0.02
"""Of confident pixels and of points that do not say how certain they are; share of the depth."""
_JUMP = 0.2
"""Two depths that differ by more than this share belong to two surfaces: no blending."""
_NODES = (9, 12)
_LEAST_ANCHORS = 30


class DepthCompletion:
    """A measures, B guesses: B is aligned to what A is sure of and to the sparse points."""

    def __init__(self, sure: DepthEstimator, guess: DepthEstimator) -> None:
        """Join two estimators; the first must speak in scene units."""
        self._sure, self._guess = sure, guess
        self.name = f"{sure.name}+{guess.name}"
        method = method_digest(
            Path(__file__).parent,
            ("completion.py", "cleanup.py", "spreading.py"),
            {},
            ("opencv", "numpy"),
        )
        self.digest = f"filled-{method}-{sure.digest}-{guess.digest}"
        self.source_views = sure.source_views

    def predict(
        self, requests: Iterable[DepthRequest], check_cancelled: Callable[[], None]
    ) -> Iterator[PredictedDepth]:
        """A's depth in scene units, with B's where A is not sure.

        Raises:
            EstimatorError: as A and B, or A does not speak in scene units.
        """
        own, first, second = tee(requests, 3)
        measured_maps = self._sure.predict(first, check_cancelled)
        guessed_maps = self._guess.predict(second, check_cancelled)
        for request, measured, guessed in zip(own, measured_maps, guessed_maps, strict=True):
            if measured.kind != "scene":
                raise EstimatorError(
                    f"{self._sure.name} sees one photo at a time and cannot be filled.",
                    hint=f"Write {self._guess.name}+{self._sure.name}, or choose one of the two.",
                )
            check_cancelled()
            yield fill(request, measured, guessed)


def fill(
    request: DepthRequest, measured: PredictedDepth, guessed: PredictedDepth
) -> PredictedDepth:
    """Measured depth where it is sure, guessed depth fitted to it elsewhere; smooth in between.

    Where the guess does not fit, the measured depth stays as it is, with the reason as its warning.
    """
    try:
        aligned = _aligned(request, measured, guessed)
    except AlignmentError as error:
        return replace(measured, warning=str(error))
    kept = np.clip((measured.confidence - _UNSURE) / (_SURE - _UNSURE), 0, 1)
    kept = np.where(measured.values > 0, kept * kept * (3 - 2 * kept), 0).astype(np.float32)
    both = (measured.values > 0) & (aligned.values > 0)
    log_measured, log_guess = (np.log(np.where(both, d.values, 1)) for d in (measured, aligned))
    off = log_measured - log_guess
    trusted = both & (kept == 1) & (np.abs(off) < _JUMP)
    off_everywhere = spread(np.where(trusted, off, 0), trusted.astype(np.float32))
    fitted = aligned.values * np.exp(off_everywhere)
    left = off - off_everywhere
    blended = fitted * np.exp(kept * left)
    # Across a jump the mean of two surfaces would hang in the air between them.
    apart = ~both | (np.abs(left) > _JUMP)
    chosen = np.where((kept > 0.5) | (fitted <= 0), measured.values, fitted)
    values = np.where(apart, chosen, blended)
    filling = np.minimum(aligned.confidence, _MOST)
    confidence = np.where(
        fitted > 0, kept * measured.confidence + (1 - kept) * filling, measured.confidence
    )
    return PredictedDepth(
        values.astype(np.float32), "scene", confidence.astype(np.float32), measured.camera
    )


def _aligned(
    request: DepthRequest, measured: PredictedDepth, guessed: PredictedDepth
) -> PredictedDepth:
    """The guess in scene units, without ramps across its edges."""
    if guessed.kind != "scene":
        anchors = Anchors.joined([_points(request), _sure_pixels(measured)])
        values = sample(guessed.values, anchors.uv)
        fit = fit_alignment(guessed.kind, values, anchors, _NODES, _LEAST_ANCHORS)
        guessed = fit.apply(guessed)
    depth_z = without_flying_pixels(guessed.values, guessed.camera)
    return PredictedDepth(depth_z, "scene", guessed.confidence, guessed.camera)


def _points(request: DepthRequest) -> Anchors:
    frame = request.reference
    sigma = request.points_sigma
    if sigma is None:
        sigma = np.full(len(request.points_world), _ANCHOR_SIGMA)
    view = View(frame.view_id, frame.camera, frame.cam_from_world)
    return seen_from(view, request.points_world, sigma)


def _sure_pixels(measured: PredictedDepth) -> Anchors:
    """A grid of them."""
    height, width = measured.values.shape
    step = max(1, height // _ANCHOR_ROWS)
    row, column = np.mgrid[step // 2 : height : step, step // 2 : width : step].reshape(2, -1)
    depth_z = measured.values[row, column].astype(np.float64)
    uv = np.stack([(column + 0.5) / width, (row + 0.5) / height], axis=1)
    sure = (measured.confidence[row, column] >= _SURE) & (depth_z > 0)
    return Anchors(uv, depth_z, np.full(len(depth_z), _ANCHOR_SIGMA)).where(sure)
