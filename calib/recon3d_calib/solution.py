"""Corners -> the lens that explains them, whether the board is flat or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from recon3d.core.lens import LENSES, LensName
from recon3d.run.task import Task
from recon3d_calib import adjust
from recon3d_calib.adjust import Fit, Freedom, Sightings
from recon3d_calib.board import Board
from recon3d_calib.choice import CHOSEN_FROM, Trial, choose_lens
from recon3d_calib.detection import Detection
from recon3d_calib.errors import CalibrationError
from recon3d_calib.flatness import Bend, bend_of_board
from recon3d_calib.outliers import drop_outliers
from recon3d_calib.start import Sharing, first_fit, free_values
from recon3d_calib.usable import FEWEST_PHOTOS


@dataclass(frozen=True, eq=False)
class Solution:
    """A lens and where the board was, and what they rest on."""

    fit: Fit
    free: Freedom
    sightings: Sightings
    """Corners that were left out have no weight."""
    ids: tuple[str, ...]
    """The photos of the sightings."""
    verdicts: dict[str, str]
    """Why the other photos were left out, by their ids."""
    trials: tuple[Trial, ...]
    bend: Bend
    sharing: Sharing

    @property
    def overlooked(self) -> Float[np.ndarray, "p"]:
        """What a bend of the board that is left aside would change of the lens's values."""
        aside = self.bend.sure and not self.free.bow
        return (self.bend.fit.values - self.fit.values) * aside

    def covariance(self) -> Float[np.ndarray, "p p"]:
        """Of the lens's values; infinite where the photos leave one open."""
        spread = adjust.covariance(self.fit, self.sightings, self.free)
        return spread + np.outer(self.overlooked, self.overlooked)

    def zoom_std(self, spread: Float[np.ndarray, "p p"]) -> Float[np.ndarray, "m"]:
        """Standard deviation of each photo's zoom as a share of it; spread: the covariance."""
        return adjust.zoom_std(self.fit, self.sightings, self.free, spread)


def solve(
    detections: Sequence[Detection],
    board: Board,
    lens: LensName | None,
    sharing: Sharing,
    task: Task,
) -> Solution:
    """Reject what does not fit, choose the lens, and see whether the board is flat.

    Where it bends so much that it matters and nobody said that it does not, all is done once
    more with a board that bends: what looked like outliers and like a richer lens may have been
    the board.

    Raises:
        CalibrationError: the corners fit no lens, or too few photos agree.
        Cancelled: the task was stopped.
    """
    flat = _solved(detections, board, lens, sharing, task)
    if sharing.bent_board is None and flat.bend.matters:
        return _solved(detections, board, lens, replace(sharing, bent_board=True), task)
    return flat


def _solved(
    detections: Sequence[Detection],
    board: Board,
    lens: LensName | None,
    sharing: Sharing,
    task: Task,
) -> Solution:
    verdicts: dict[str, str] = {}
    start, sightings, ids = _start(detections, verdicts, task)
    names = (lens,) if lens else CHOSEN_FROM
    bent = " (the board bends)" if sharing.bent_board else ""
    task.step(0, 3, f"rejecting corners that do not fit{bent}")
    fits, sightings, ids = drop_outliers(start, sightings, ids, names, verdicts, sharing, task)
    if len(ids) < FEWEST_PHOTOS:
        raise CalibrationError(
            f"Only {len(ids)} photos agree with each other; at least {FEWEST_PHOTOS} are needed.",
            hint="Use a flat, stiff board and sharp photos of one camera, with one focal length "
            "(no zoom, no autofocus between them).",
        )
    task.step(1, 3, f"choosing the lens model{bent}")
    fits = {name: fit for name, fit in fits.items() if name in names}
    if not fits:
        raise CalibrationError(
            f"The corners fit no lens of the model {lens}.",
            hint="Let recon3d choose the model, or check the kind and the size of the board.",
        )
    trials = choose_lens(fits, sightings, detections[0].size, task, sharing)
    chosen = next(trial.lens for trial in trials if trial.chosen)
    fit, free = fits[chosen], free_values(LENSES[chosen], sharing)
    task.step(2, 3, "asking whether the board is flat")
    bend = bend_of_board(board, fit, sightings, free, task)
    return Solution(fit, free, sightings, tuple(ids), verdicts, trials, bend, sharing)


def _start(
    detections: Sequence[Detection], verdicts: dict[str, str], task: Task
) -> tuple[dict[LensName, Fit], Sightings, list[str]]:
    """Lenses without coefficients, the photos that they are for, and these photos' ids."""
    everything = flattened(detections)
    size = detections[0].size
    starts = {
        name: found
        for name, lens in LENSES.items()
        if lens.starts_from is None and (found := first_fit(lens, everything, size, task))
    }
    if not starts:
        raise CalibrationError(
            "The corners that were found fit no camera.",
            hint="Check the kind and the size of the board, and that it is flat.",
        )
    widest, good = max(starts.values(), key=lambda start: len(start[1]))
    for index, detection in enumerate(detections):
        if index not in good:
            verdicts[detection.photo_id] = "its corners fit no camera: they were counted wrongly"
    # A start that cannot place a board takes its place from the one that can place most.
    fits = {
        name: _with_poses_of(fit, photos, widest, good) for name, (fit, photos) in starts.items()
    }
    return fits, everything.of_photos(good), [detections[i].photo_id for i in good]


def _with_poses_of(
    fit: Fit, photos: Int[np.ndarray, "k"], widest: Fit, good: Int[np.ndarray, "m"]
) -> Fit:
    own = np.isin(photos, good)
    places = np.searchsorted(good, photos[own])
    rotations, translations = widest.rotations.copy(), widest.translations.copy()
    rotations[places], translations[places] = fit.rotations[own], fit.translations[own]
    return replace(fit, rotations=rotations, translations=translations, zooms=widest.zooms)


def flattened(detections: Sequence[Detection]) -> Sightings:
    """All corners in one table."""
    counts = [len(detection.points_px) for detection in detections]
    board = np.concatenate([detection.points_board for detection in detections])
    return Sightings(
        np.repeat(np.arange(len(detections)), counts),
        np.concatenate([board, np.zeros((len(board), 1))], axis=1),
        np.concatenate([detection.points_px for detection in detections]),
        np.ones(len(board)),
    )
