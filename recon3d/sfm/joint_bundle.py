"""All placed photos with all their lenses as one bundle in a frame of anchors, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from recon3d.core.camera import Distortion, Intrinsics
from recon3d.core.lens import LENSES, Lens, LensName
from recon3d.core.scene import CameraEstimate
from recon3d.core.transform import (
    Rigid,
    Similarity,
    fit_similarity,
    quaternion_wxyz,
    rotation_from_quaternion,
)
from recon3d.run.task import Task
from recon3d.sfm.anchors import Anchors
from recon3d.sfm.bundle import (
    Bundle,
    BundleEquations,
    FurtherLens,
    Prior,
    Tracks,
    bundle_cost,
    moved,
    with_points_nearer,
)
from recon3d.sfm.least_squares import Patience, descend
from recon3d.sfm.placed_bundle import CENTRE_STD, Placed

if TYPE_CHECKING:  # it imports pycolmap
    from recon3d.sfm.mapping import Placement

# The weak shapes that anchors straighten lie far below the diagonal.
_PATIENCE = Patience(rounds=25, damping=1e-6, most_damping=1e8, converged=1e-6, rounds_converged=2)
MOST_PHOTOS = 1000
"""The equations are dense in the photos; more than this take minutes and gigabytes."""
# Features of a photo err together (lens, detector) by more than their residuals tell, so they
# count as if each erred by a pixel, as photogrammetry usually has it.
LEAST_NOISE_PX = 1.0
"""What a feature counts for at best."""
_RADIAL: tuple[LensName, ...] = ("radial1", "radial2")
_BROWN: Mapping[int, LensName] = {4: "brown", 5: "brown", 8: "rational", 12: "thin-prism"}
# Far below what any photo tells: the order of sums, which follows from the number of threads, must
# not show.
_DECIMALS = 9
_POINT_ROUNDS = 8
_MOST_TIMES_USUAL = 5.0


@dataclass(frozen=True, eq=False)
class JointBundle:
    """Photos, lenses and points in a frame of anchors."""

    bundle: Bundle
    tracks: Tracks
    free: Float[np.ndarray, "p q"]
    prior: Prior
    photo_ids: tuple[str, ...]
    keys: tuple[str, ...]
    """Of the cameras, in the order of their values."""
    frame_from_world: Similarity

    @property
    def centres(self) -> Float[np.ndarray, "m 3"]:
        """Where the photos were taken."""
        return -np.einsum("mji,mj->mi", self.bundle.rotations, self.bundle.translations)

    @property
    def noise_px(self) -> float:
        """Of a feature, whatever a few wrong ones say."""
        return self.bundle.noise_px(self.tracks)

    def thinned(self, photo_points: int) -> JointBundle:
        """The same with so many points for each photo on the mean, the ones that most see first."""
        counts = np.bincount(self.tracks.point, minlength=len(self.bundle.points_world))
        order = np.random.default_rng(0).permutation(len(counts))
        order = order[np.argsort(-counts[order], kind="stable")]
        # Only long tracks would leave photos at the rim alone.
        order = np.concatenate([order[::2], order[1::2]])
        enough = np.cumsum(counts[order]) <= photo_points * len(self.photo_ids)
        return self.of_points(np.sort(order[enough]))

    def of_points(self, points: Int[np.ndarray, "g"]) -> JointBundle:
        """With some points only."""
        tracks = self.tracks.where(np.isin(self.tracks.point, points))
        tracks = replace(tracks, point=np.searchsorted(points, tracks.point))
        bundle = replace(self.bundle, points_world=self.bundle.points_world[points])
        return replace(self, bundle=bundle, tracks=tracks)

    def joined(self, points_frame: Float[np.ndarray, "g 3"], tracks: Tracks) -> JointBundle:
        """With further points, which the tracks count from 0; they come last."""
        before, count = self.tracks, len(self.bundle.points_world)
        spreads = [
            np.ones(len(each.photo)) if each.spread is None else each.spread
            for each in (before, tracks)
        ]
        both = Tracks(
            np.concatenate([before.photo, tracks.photo]),
            np.concatenate([before.point, tracks.point + count]),
            np.concatenate([before.points_px, tracks.points_px]),
            np.concatenate(spreads),
        )
        points = np.concatenate([self.bundle.points_world, points_frame])
        return replace(self, bundle=replace(self.bundle, points_world=points), tracks=both)

    def adjusted(self, anchors: Anchors, task: Task, patience: Patience = _PATIENCE) -> JointBundle:
        """The least squares of features and anchors together.

        Raises:
            Cancelled: the task was stopped.
            numpy.linalg.LinAlgError: photos hang on each other by nothing.
        """
        noise_px = self.noise_px
        # What counts is the ratio of the two.
        share = min(1.0, noise_px / LEAST_NOISE_PX)
        anchors = replace(
            anchors, centre_std=anchors.centre_std * share, point_std=anchors.point_std * share
        )
        found = descend(
            self.bundle,
            lambda bundle: bundle_cost(bundle, self.tracks, self.prior, noise_px, anchors),
            lambda bundle: BundleEquations(
                bundle, self.tracks, self.free, self.prior, noise_px, anchors
            ),
            partial(moved, self.free),
            task,
            patience,
        )
        return replace(self, bundle=found)

    def with_cameras_of(self, found: JointBundle) -> JointBundle:
        """The photos and lenses of another, and all of this one's points settled before them."""
        bundle = replace(
            self.bundle,
            values=found.bundle.values,
            rotations=found.bundle.rotations,
            translations=found.bundle.translations,
        )
        noise_px = found.noise_px
        for _ in range(_POINT_ROUNDS):
            bundle = with_points_nearer(bundle, self.tracks, noise_px)
        return replace(self, bundle=bundle)

    def in_world_of(self, before: Placed) -> JointBundle:
        """The same, whose world is that of a placement of the same photos and points.

        Points that no longer take part are dropped.
        """
        points = np.unique(self.tracks.point)
        kept = self.of_points(points)
        # Anchors in a row leave open how the frame turns around them.
        was = _centres(before.cam_from_world[photo_id] for photo_id in self.photo_ids)
        far = np.linalg.norm(before.xyz_world[points] - np.median(was, axis=0), axis=1)
        near = far <= _MOST_TIMES_USUAL * np.median(far)
        world_from_frame = fit_similarity(
            np.concatenate([kept.centres, kept.bundle.points_world[near]]),
            np.concatenate([was, before.xyz_world[points[near]]]),
        )
        return replace(kept, frame_from_world=world_from_frame.inverse())

    def placed(self, before: Placement) -> Placement:
        """A placement with the cameras and points that were found, in its own world."""
        kept = self.in_world_of(before)
        return replace(
            before,
            cam_from_world=kept.poses(),
            cameras=kept.estimates(before.cameras),
            xyz_world=kept.points(),
            error_px=kept.errors_px(),
            observations=np.stack([kept.tracks.point, kept.tracks.photo], axis=1),
            sightings_px=kept.tracks.points_px,
        )

    def poses(self) -> dict[str, Rigid]:
        """cam_from_world of the photos, in the world that they came from."""
        world_from_frame = self.frame_from_world.inverse()
        found = {}
        for photo_id, rotation, translation in zip(
            self.photo_ids, self.bundle.rotations, self.bundle.translations, strict=True
        ):
            pose = world_from_frame.move_camera(Rigid(rotation, translation))
            turn = [round(value, 12) for value in quaternion_wxyz(pose.rotation)]
            shift = np.round(pose.translation, _DECIMALS)
            found[photo_id] = Rigid(rotation_from_quaternion(turn), shift)
        return found

    def points(self) -> Float[np.ndarray, "k 3"]:
        """In the world that they came from."""
        return np.round(self.frame_from_world.inverse() @ self.bundle.points_world, _DECIMALS)

    def errors_px(self) -> Float[np.ndarray, "k"]:
        """The mean distance of each point from where photos see it; 0 where none does."""
        misses = np.linalg.norm(self.bundle.residuals_px(self.tracks), axis=1)
        count = np.bincount(self.tracks.point, minlength=len(self.bundle.points_world))
        sums = np.bincount(self.tracks.point, misses, len(count))
        return np.round(sums / np.maximum(count, 1), _DECIMALS)

    def estimates(self, before: Mapping[str, CameraEstimate]) -> dict[str, CameraEstimate]:
        """The cameras with the lenses that were found; given ones stay."""
        found = dict(before)
        start = 0
        for key in self.keys:
            estimate = before[key]
            count = 4 + len(_lens_of(estimate.intrinsics).coefficients)
            values = [round(float(v), _DECIMALS) for v in self.bundle.values[start : start + count]]
            start += count
            if estimate.source == "given":
                continue
            old = estimate.intrinsics
            coefficients = tuple(values[4 : 4 + len(old.distortion.coefficients)])
            pinhole = replace(
                old.pinhole, fx_px=values[0], fy_px=values[1], cx_px=values[2], cy_px=values[3]
            )
            lens = Intrinsics(pinhole, Distortion(old.distortion.model, coefficients))
            found[key] = replace(estimate, intrinsics=lens)
        return found


def joint_bundle(
    placement: Placed, cameras: Mapping[str, CameraEstimate], frame_from_world: Similarity
) -> JointBundle:
    """All of a placement, in another frame.

    Observations that their photo cannot have (behind the camera) are left out.
    """
    ids = tuple(placement.cam_from_world)
    keys = tuple(dict.fromkeys(placement.camera_of[photo_id] for photo_id in ids))
    of_photo = np.array([keys.index(placement.camera_of[photo_id]) for photo_id in ids])
    lenses = [_lens_of(cameras[key].intrinsics) for key in keys]
    starts = np.cumsum([0, *(4 + len(lens.coefficients) for lens in lenses)])
    values = np.concatenate([_values(cameras[key].intrinsics) for key in keys])
    poses = [frame_from_world.move_camera(placement.cam_from_world[photo_id]) for photo_id in ids]
    bundle = Bundle(
        lenses[0],
        values,
        np.stack([pose.rotation for pose in poses]),
        np.stack([pose.translation for pose in poses]),
        frame_from_world @ placement.xyz_world,
        tuple(
            FurtherLens(lens, int(start), of_photo == number)
            for number, (lens, start) in enumerate(zip(lenses, starts[:-1], strict=True))
            if number
        ),
    )
    point, photo = placement.observations.T
    tracks = Tracks(photo, point, np.asarray(placement.sightings_px, np.float64))
    tracks = tracks.where(np.isfinite(bundle.residuals_px(tracks)).all(axis=1))
    free, prior = _what_is_free([cameras[key] for key in keys], starts.tolist())
    return JointBundle(bundle, tracks, free, prior, ids, keys, frame_from_world)


def _centres(poses: Iterable[Rigid]) -> Float[np.ndarray, "m 3"]:
    return np.stack([pose.inverse().translation for pose in poses])


def _lens_of(intrinsics: Intrinsics) -> Lens:
    distortion = intrinsics.distortion
    count = len(distortion.coefficients)
    if distortion.model == "radial":
        return LENSES[_RADIAL[count - 1]]
    if distortion.model == "brown":
        return LENSES[_BROWN[count]]
    return LENSES["pinhole" if distortion.model == "none" else distortion.model]


def _values(intrinsics: Intrinsics) -> Float[np.ndarray, "p"]:
    pinhole, coefficients = intrinsics.pinhole, intrinsics.distortion.coefficients
    missing = len(_lens_of(intrinsics).coefficients) - len(coefficients)
    head = (pinhole.fx_px, pinhole.fy_px, pinhole.cx_px, pinhole.cy_px)
    return np.array([*head, *coefficients, *[0.0] * missing])


def _what_is_free(
    estimates: Sequence[CameraEstimate], starts: Sequence[int]
) -> tuple[Float[np.ndarray, "p q"], Prior]:
    """What a lens has had free before, so that anchors make it no richer."""
    count = starts[-1]
    columns: list[Float[np.ndarray, "p"]] = []
    middle, std = np.zeros(count), np.full(count, np.inf)
    for estimate, start in zip(estimates, starts, strict=False):
        if estimate.source == "given":
            continue
        pinhole = estimate.intrinsics.pinhole
        focal = np.zeros(count)
        focal[start], focal[start + 1] = 1, pinhole.fy_px / pinhole.fx_px
        columns.append(focal)
        terms = [start + 4 + n for n in range(len(estimate.intrinsics.distortion.coefficients))]
        if estimate.centre_std_px is not None:
            middle[start + 2 : start + 4] = pinhole.width_px / 2, pinhole.height_px / 2
            std[start + 2 : start + 4] = CENTRE_STD * max(pinhole.width_px, pinhole.height_px)
            terms += [start + 2, start + 3]
        columns += [np.eye(count)[term] for term in terms]
    free = np.stack(columns, axis=1) if columns else np.zeros((count, 0))
    return free, Prior(middle, std)
