"""GPS readings of photos as anchors of a bundle, each as sure as it turns out to be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from recon3d.core.geodesy import GpsFit, fit_gps
from recon3d.run.task import Task
from recon3d.sfm.anchors import Anchors
from recon3d.sfm.gps_readings import GpsReadings
from recon3d.sfm.joint_bundle import JointBundle
from recon3d.sfm.placed_bundle import Placed

GPS_FOLDS = 3
"""Every third stretch is held back at a time."""
_STRETCHES = 12
_ROUNDS, _SETTLED = 5, 0.05
# The median of squared lengths of three coordinates, in variances.
_MEDIAN_SQUARE = 2.366
# So many readings' worth is GPS's usual error believed against what it is here.
_PRIOR_READINGS = 6


@dataclass(frozen=True, eq=False)
class GpsAnchors:
    """Readings, and the photos that they are of."""

    photo: Int[np.ndarray, "n"]
    readings: GpsReadings

    @staticmethod
    def of(placement: Placed, readings: GpsReadings) -> GpsAnchors:
        """Readings of placed photos only."""
        order = {photo_id: index for index, photo_id in enumerate(placement.cam_from_world)}
        photo = np.array([order[photo_id] for photo_id in readings.photo_ids], np.int64)
        return GpsAnchors(photo, readings)

    def fit(self, placement: Placed) -> GpsFit | None:
        """The similarity of the placement onto the readings; None where there is none."""
        poses = placement.cam_from_world.values()
        centres = np.stack([pose.inverse().translation for pose in poses])
        return fit_gps(centres[self.photo], self.readings.enu_m, np.random.default_rng(0))

    @property
    def stretches(self) -> Int[np.ndarray, "n"]:
        """The part of the flight of each; neighbours err alike, so all of one is held back."""
        count = len(self.photo)
        return np.arange(count) * min(_STRETCHES, count) // count

    def where(self, keep: Bool[np.ndarray, "n"]) -> GpsAnchors:
        """Only some of them."""
        return GpsAnchors(self.photo[keep], self.readings.where(keep))

    def anchors(self, factor: Float[np.ndarray, "n"]) -> Anchors:
        """factor: how much less sure each reading is than it says."""
        return Anchors(
            photo=self.photo,
            centre_world=self.readings.enu_m,
            centre_std=self.readings.std_m * factor[:, None],
        )

    def squares(self, joint: JointBundle, factor: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
        """How far the photos are from their readings, in standard deviations, squared."""
        bundle = joint.bundle
        return self.anchors(factor).squares(bundle.rotations, bundle.translations)

    def distances(self, joint: JointBundle) -> Float[np.ndarray, "n"]:
        """In metres."""
        gaps = joint.centres[self.photo] - self.readings.enu_m
        return np.asarray(np.linalg.norm(gaps, axis=1))

    def factor(self, joint: JointBundle) -> Float[np.ndarray, "n"]:
        """How sure readings are, by how far the photos are from them."""
        stated = self.readings.is_stated
        squares = self.squares(joint, np.ones(len(self.photo))) / _MEDIAN_SQUARE
        variance = np.ones(len(squares))
        if stated.any():
            # A bend that is still there must not make them count less than the others.
            variance[stated] = max(1.0, float(np.median(squares[stated])))
        if (rest := ~stated).any():
            scatter = float(np.median(squares[rest])) * rest.sum()
            variance[rest] = (_PRIOR_READINGS + scatter) / (_PRIOR_READINGS + rest.sum())
        return np.sqrt(variance)

    def settled(self, joint: JointBundle, task: Task) -> tuple[JointBundle, Float[np.ndarray, "n"]]:
        """Adjusted until it is known how sure the readings are, and their factor."""
        factor = self.factor(joint)
        for _ in range(_ROUNDS):
            joint = joint.adjusted(self.anchors(factor), task)
            before, factor = factor, self.factor(joint)
            if np.abs(factor / before - 1).max() < _SETTLED:
                break
        return joint, factor
