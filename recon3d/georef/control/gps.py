"""GPS of photos beside surveyed points: two systems, and what is open between them.

A receiver may have another height datum than the survey, or an antenna above the lens, and a
survey may have axes of its own. So readings hold the shape of the model and which way is up,
while a datum, found from readings and points together, takes up what is open: where both have a
coordinate reference system a shift, else also a turn about up and a scale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from recon3d.core.errors import ConfigError
from recon3d.core.scene import ImageSet, Point, PosedPhotos
from recon3d.core.transform import Similarity, rotations_from_axis_angle
from recon3d.georef.crs import transform
from recon3d.run.task import Task
from recon3d.sfm.anchors import believed, soft
from recon3d.sfm.gps_anchors import GPS_FOLDS, GpsAnchors
from recon3d.sfm.gps_readings import read_gps
from recon3d.sfm.joint_bundle import JointBundle
from recon3d.sfm.lens_ladder import gains_surely
from recon3d.sfm.placed_bundle import Placed

# Maps and surveys enlarge by no more than UTM does.
_SCALE_STD = 4e-4
# Neither height datum nor antenna is so far off: the system has the wrong name.
_ELSEWHERE_M = 1000.0
# Until the datum moves by so small a share of the surest reading.
_ROUNDS, _SETTLED = 8, 0.05
_REWEIGHTED = 20


@dataclass(frozen=True)
class GpsBeside:
    """What GPS did in the adjustment to control points, for the report."""

    readings: int
    used: bool
    why: str = ""
    """Why it took no part; empty where it did."""
    error_m: float = 0.0
    """One standard deviation of a horizontal reading, as the adjustment found it."""
    off_m: float = 0.0
    """Median distance of the photos from their readings afterwards."""
    shift_m: tuple[float, float, float] | None = None
    """Survey minus GPS in east, north and height; None where the survey's system has no name."""
    turn_deg: float = 0.0
    """Of the survey's north against GPS's, anticlockwise."""
    scale: float = 1.0
    """Metres of the survey in one of GPS's."""
    enh_from_world: dict[str, object] | None = None
    """The frame in which points and readings have settled."""


@dataclass(frozen=True, eq=False)
class GpsDatum:
    """Readings in axes of their own, and what is open between these and a survey."""

    anchors: GpsAnchors
    """In metres about `about_m`."""
    about_m: Float[np.ndarray, "3"]
    is_tied: bool
    """The axes are those of the survey, so that only a shift is open."""
    gps_from_world: Similarity
    """The photos brought onto their readings."""

    def settled(
        self,
        joint: JointBundle,
        factor: Float[np.ndarray, "n"],
        points: Int[np.ndarray, "u"],
        enh_m: Float[np.ndarray, "u 3"],
        std_m: Float[np.ndarray, "u 3"],
        task: Task,
    ) -> tuple[JointBundle, Similarity]:
        """A bundle adjusted to readings and surveyed points at once, and survey_from_gps.

        points: which of the bundle's are surveyed, with coordinates and standard deviations.
        factor: how much less sure readings are than they say.

        Raises:
            Cancelled: the task was stopped.
            numpy.linalg.LinAlgError: photos hang on each other by nothing.
        """
        readings = self.anchors.readings
        finest_m = _SETTLED * float((readings.std_m * factor[:, None]).min())
        datum: Similarity | None = None
        for _ in range(_ROUNDS):
            # As if the model were rigid: then both pull in balance, and the least squares follow.
            survey_from_joint = self._fit(joint.bundle.points_world[points], enh_m, std_m**2)
            before, datum = datum, survey_from_joint @ self._stands(joint.centres, factor)
            gaps = np.inf if before is None else datum @ readings.enu_m - before @ readings.enu_m
            if np.abs(gaps).max() < finest_m:
                break
            anchors = replace(
                self.anchors.anchors(factor),
                point=points,
                point_world=datum.inverse() @ enh_m,
                point_std=std_m / datum.scale,
            )
            joint = joint.adjusted(anchors, task)
        assert datum
        return joint, datum

    def holds_better(
        self,
        centres_m: Float[np.ndarray, "m 3"],
        settle: Callable[[GpsDatum, Float[np.ndarray, "k"]], JointBundle],
        factor: Float[np.ndarray, "n"],
        task: Task,
    ) -> bool:
        """Whether readings that were held back are nearer where the others and points hold all.

        centres_m: of the photos in the survey's axes, as they stand by the points.
        settle: adjusts to points and to some of the readings, with their factor.

        Raises:
            Cancelled: the task was stopped.
        """
        stretch, gain = self.anchors.stretches, np.zeros(len(factor))
        for fold in range(GPS_FOLDS):
            task.step(fold, GPS_FOLDS, "asking whether GPS holds the cameras better")
            out = stretch % GPS_FOLDS == fold
            told = replace(self, anchors=self.anchors.where(~out))
            held, usual = self.anchors.where(out), factor[out]
            stand = told._stands(centres_m, factor[~out]) @ held.readings.enu_m
            before = (stand - centres_m[held.photo]) / held.readings.std_m / usual[:, None]
            joint = settle(told, factor[~out])
            gain[out] = soft((before**2).sum(axis=1)) - soft(held.squares(joint, usual))
        return gains_surely(gain, stretch)

    def shift_m(self, survey_from_gps: Similarity, about_m: Float[np.ndarray, "3"]) -> Point | None:
        """Survey minus GPS, whose own coordinates are about such a place; None if loose."""
        if not self.is_tied:
            return None
        east, north, height = (about_m - self.about_m + survey_from_gps.translation).tolist()
        return round(east, 4), round(north, 4), round(height, 4)

    def _stands(
        self, centres_m: Float[np.ndarray, "m 3"], factor: Float[np.ndarray, "n"]
    ) -> Similarity:
        """What brings readings onto the photos, whatever wrong ones say."""
        readings = self.anchors.readings
        here = centres_m[self.anchors.photo]
        variance = (readings.std_m * factor[:, None]) ** 2
        left = np.ones((len(here), 1))
        for _ in range(_REWEIGHTED):
            fit = self._fit(readings.enu_m, here, variance / left)
            gaps = fit @ readings.enu_m - here
            left = believed((gaps**2 / variance).sum(axis=1))[:, None]
        return fit

    def _fit(
        self,
        source: Float[np.ndarray, "n 3"],
        target: Float[np.ndarray, "n 3"],
        variance: Float[np.ndarray, "n 3"],
    ) -> Similarity:
        """The best similarity that keeps what is up, and the rest too where axes are tied."""
        level = 1 / variance[:, :2].mean(axis=1)
        total, turn, scale = level.sum(), 1.0 + 0.0j, 1.0
        if not self.is_tied:
            # East and north as complex numbers: turn and scale are one factor.
            was, now = (each[:, 0] + 1j * each[:, 1] for each in (source, target))
            was, now = was - level @ was / total, now - level @ now / total
            factor = complex(level @ (was.conj() * now))
            known = _SCALE_STD**-2
            scale = (abs(factor) + known) / (float(level @ abs(was) ** 2) + known)
            turn = factor / abs(factor)
        rotation = np.array(
            [[turn.real, -turn.imag, 0.0], [turn.imag, turn.real, 0.0], [0.0, 0.0, 1.0]]
        )
        weight = 1 / np.column_stack([1 / level, 1 / level, variance[:, 2]])
        gaps = target - scale * source @ rotation.T
        return Similarity(scale, rotation, (weight * gaps).sum(axis=0) / weight.sum(axis=0))


def gps_beside(
    posed: PosedPhotos,
    placement: Placed,
    image_set: ImageSet,
    crs: str,
    enh_from_world: Similarity,
) -> GpsDatum | None:
    """The readings of placed photos, where structure from motion has believed them.

    crs: of the survey, as pyproj reads it; empty where nobody said.
    enh_from_world: of the survey, roughly.
    """
    report = posed.scene.report.get("gps")
    if not (isinstance(report, Mapping) and report.get("used")):
        return None
    readings = read_gps(image_set.photos).of([*placement.cam_from_world])
    stated = {photo.id: photo.exif.gps_deg_m for photo in image_set.photos}
    places = np.array([stated[photo_id] for photo_id in readings.photo_ids], np.float64)
    poses = [placement.cam_from_world[photo_id] for photo_id in readings.photo_ids]
    centres = enh_from_world @ np.stack([pose.inverse().translation for pose in poses])
    enh_m = _in_crs(places, crs, np.median(centres, axis=0)) if crs else None
    is_tied = enh_m is not None
    if enh_m is None:
        # Surveyed heights follow the earth's curve, as altitudes do; a tangent plane leaves it.
        enh_m = np.column_stack([readings.enu_m[:, :2], places[:, 2]])
    about_m = np.median(enh_m, axis=0)
    anchors = GpsAnchors.of(placement, replace(readings, enu_m=enh_m - about_m))
    fit = anchors.fit(placement)
    if fit is None:
        return None
    return GpsDatum(
        anchors, about_m, is_tied, _upright(fit.enu_from_world, anchors, enh_from_world)
    )


def _upright(
    gps_from_world: Similarity, anchors: GpsAnchors, enh_from_world: Similarity
) -> Similarity:
    """Turned about the line of flight, of which GPS of a single strip says nothing.

    The survey says roughly what is up.
    """
    enu_m = anchors.readings.enu_m
    middle = np.median(enu_m, axis=0)
    along = np.linalg.svd(enu_m - middle, full_matrices=False)[2][0]
    is_up = gps_from_world.rotation @ enh_from_world.rotation[2]
    was, should = (up - (up @ along) * along for up in (is_up, np.array([0.0, 0.0, 1.0])))
    angle = float(np.arctan2(np.cross(was, should) @ along, was @ should))
    turn = rotations_from_axis_angle((angle * along)[None])[0]
    return Similarity(1.0, turn, middle - turn @ middle) @ gps_from_world


def _in_crs(
    places_deg_m: Float[np.ndarray, "n 3"], crs: str, survey_m: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "n 3"] | None:
    """Latitudes, longitudes and altitudes in a survey's system.

    None where that cannot be its name, since the survey lies elsewhere.
    """
    try:
        found = transform(places_deg_m[:, [1, 0, 2]], "EPSG:4326", crs)
    except ConfigError:  # it does not reach there
        return None
    away_m = float(np.linalg.norm((np.median(found, axis=0) - survey_m)[:2]))
    return found if away_m < _ELSEWHERE_M else None
