"""How surveyed points fit the cameras: a similarity, its residuals, and what looks wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from recon3d.core.geodesy import changed_similarity, similarity_slopes
from recon3d.core.scene import ImageSet, PosedScene
from recon3d.core.transform import Similarity, fit_similarity
from recon3d.core.triangulation import LocatedPoint, triangulate_agreeing
from recon3d.georef.back_projection import view_pixel
from recon3d.georef.control.points import ControlPoint
from recon3d.georef.known_scale import PhotoPixel

_STEPS = 20
# Marks further from what the others say are of something else: times the error of a mark, and of
# the photo's longer side, since cameras bend more than hands shake.
_WRONG_SIGMAS, _WRONG_SHARE = 6.0, 0.004
# Chance of a false alarm in all points together.
_FALSE_ALARM = 1e-3


@dataclass(frozen=True, eq=False)
class LocatedMarks:
    """A place where placed photos show it."""

    place: LocatedPoint
    errors_px: Mapping[str, float]
    """By photo: from its mark to where it shows the place."""
    wrong_px: Mapping[str, float]
    """The same of marks that were left out, since the others agree on another place."""
    contradicts: bool
    """Its two marks do not meet, and nobody can tell which is wrong."""


@dataclass(frozen=True, eq=False)
class SeenPoint:
    """A surveyed point where the placed photos show it."""

    point: ControlPoint
    place: LocatedPoint
    errors_px: Mapping[str, float]
    """By photo: from its mark to where it shows the place."""
    wrong_px: Mapping[str, float]
    """The same of marks that were left out, since the others agree on another place."""


@dataclass(frozen=True, eq=False)
class SurveyFit:
    """The cameras' world brought onto the survey."""

    enh_from_world: Similarity
    covariance: Float[np.ndarray, "7 7"]
    """Of log scale, turn about east, north and up, and the shift of the points' middle, as the
    error bars of points and marks promise it."""
    middle_world: Float[np.ndarray, "3"]
    residuals_m: Float[np.ndarray, "n 3"]
    """Model minus survey."""
    expected: Float[np.ndarray, "n 3 3"]
    """Covariance of each point's difference, before the fit takes its share of it."""
    surprise: Float[np.ndarray, "n"]
    """Squared residual in units of its own error bar, with 3 degrees of freedom (Baarda 1968)."""
    chi2: float

    @property
    def freedom(self) -> int:
        """Numbers measured beyond those that the fit needs."""
        return 3 * len(self.residuals_m) - 7

    @property
    def variance_factor(self) -> float:
        """Squared ratio of what residuals are to what the error bars promise."""
        return self.chi2 / self.freedom

    def difference(
        self, seen: SeenPoint, accuracy_m: float
    ) -> tuple[Float[np.ndarray, "3"], float]:
        """Model minus survey of a point that was not used, and how surprising that is."""
        xyz = seen.place.xyz_world
        gap = self.enh_from_world @ xyz - np.array(seen.point.enh_m)
        slope = similarity_slopes(self.enh_from_world, (xyz - self.middle_world)[None])[0]
        promised = slope @ self.covariance @ slope.T * max(1.0, self.variance_factor)
        own = _covariance(self.enh_from_world, seen.place.covariance, accuracy_m)
        return gap, float(gap @ np.linalg.solve(promised + own, gap))


def locate(
    point: ControlPoint, scene: PosedScene, image_set: ImageSet, mark_px: float
) -> SeenPoint | None:
    """Triangulate a point from its marks, all of which are in placed photos.

    Returns None where no place is in front of all photos that show it.
    """
    found = locate_marks(point.marks, scene, image_set, mark_px)
    if found is None:
        return None
    return SeenPoint(point, found.place, found.errors_px, found.wrong_px)


def locate_marks(
    marks: Sequence[PhotoPixel], scene: PosedScene, image_set: ImageSet, mark_px: float
) -> LocatedMarks | None:
    """Triangulate a place from two marks or more, all of which are in placed photos.

    Returns None where no place is in front of all photos that show it.
    """
    sightings = [view_pixel(scene, image_set, mark) for mark in marks]
    views, uv_px = [view for view, _ in sightings], np.stack([uv for _, uv in sightings])
    longest_px = max(max(view.camera.width_px, view.camera.height_px) for view in views)
    limit_px = max(_WRONG_SIGMAS * mark_px, _WRONG_SHARE * longest_px)
    found = triangulate_agreeing(views, uv_px, mark_px, limit_px)
    if found is None:
        return None
    place, off_px = found
    is_off = off_px > limit_px
    is_wrong = is_off & (len(views) > 2)
    by_photo = [(view.photo_id, float(off)) for view, off in zip(views, off_px, strict=True)]
    return LocatedMarks(
        place,
        {photo: off for (photo, off), wrong in zip(by_photo, is_wrong, strict=True) if not wrong},
        {photo: off for (photo, off), wrong in zip(by_photo, is_wrong, strict=True) if wrong},
        contradicts=bool(is_off.any()) and len(views) == 2,
    )


def fit_survey(seen: Sequence[SeenPoint], accuracy_m: Sequence[float]) -> SurveyFit:
    """Generalised least squares, from Umeyama's similarity on.

    Each point weighs by the error bars of its coordinates and of its place in the model.

    Raises:
        ValueError: fewer than 3 points, or all in one place.
    """
    world = np.stack([one.place.xyz_world for one in seen])
    enh = np.array([one.point.enh_m for one in seen], np.float64)
    # Coordinates of millions of metres would leave the equations few digits.
    middle_world, middle = world.mean(0), enh.mean(0)
    world, enh = world - middle_world, enh - middle
    fit = fit_similarity(world, enh)
    for _ in range(_STEPS):
        expected = np.stack(
            [
                _covariance(fit, one.place.covariance, accuracy)
                for one, accuracy in zip(seen, accuracy_m, strict=True)
            ]
        )
        weights = np.linalg.inv(expected)
        slopes = similarity_slopes(fit, world)
        gaps = enh - fit @ world
        normal = np.einsum("nki,nkl,nlj->ij", slopes, weights, slopes)
        covariance = np.linalg.pinv(normal, rcond=1e-15, hermitian=True)
        change = covariance @ np.einsum("nki,nkl,nl->i", slopes, weights, gaps)
        fit = changed_similarity(fit, change)
        if np.abs(change).max() < 1e-12 * (1 + np.abs(enh).max()):
            break
    gaps = enh - fit @ world
    left = expected - slopes @ covariance @ slopes.transpose(0, 2, 1)
    surprise = np.einsum("ni,nij,nj->n", gaps, np.linalg.pinv(left, 1e-6, hermitian=True), gaps)
    shift = middle + fit.translation - fit.scale * fit.rotation @ middle_world
    return SurveyFit(
        Similarity(fit.scale, fit.rotation, shift),
        covariance,
        middle_world,
        -gaps,
        expected,
        surprise,
        float(np.einsum("ni,nij,nj->", gaps, weights, gaps)),
    )


def suspects(seen: Sequence[SeenPoint], accuracy_m: Sequence[float]) -> list[int]:
    """The points that contradict the others, the worst first (data snooping, Baarda 1968).

    One at a time, and each without those before: a wrong point spoils the residuals of good ones.
    Four points left are the fewest that can tell which of them is wrong.
    """
    left, found = [*range(len(seen))], list[int]()
    while len(left) > 3:
        fit = fit_survey([seen[i] for i in left], [accuracy_m[i] for i in left])
        worst = int(np.argmax(fit.surprise))
        rest = fit.freedom - 3
        # Without the worst point's share, the others say how far the error bars can be believed.
        factor = max(0.0, fit.chi2 - float(fit.surprise[worst])) / rest
        if chance(float(fit.surprise[worst]), factor, rest) > _FALSE_ALARM / len(left):
            break
        found.append(left.pop(worst))
    return found


def is_surprising(surprise: float, fit: SurveyFit, points: int) -> bool:
    """Whether a check point is further off than chance explains; its error bar is widened."""
    return chance(surprise, 1.0, fit.freedom) <= _FALSE_ALARM / points


def chance(surprise: float, variance_factor: float, freedom: int) -> float:
    """Of a surprise so large: by the error bars, or by the residuals where those are larger."""
    from scipy import stats

    if variance_factor <= 1:
        return float(stats.chi2.sf(surprise, 3))
    return float(stats.f.sf(surprise / variance_factor / 3, 3, freedom))


def _covariance(
    enh_from_world: Similarity, place: Float[np.ndarray, "3 3"], accuracy_m: float
) -> Float[np.ndarray, "3 3"]:
    """Of a point's place in the model, in metres, and of its coordinates together."""
    turn = enh_from_world.scale * enh_from_world.rotation
    covariance: np.ndarray = turn @ place @ turn.T + accuracy_m**2 * np.eye(3)
    return covariance
