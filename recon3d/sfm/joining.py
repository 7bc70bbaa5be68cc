"""A second look at what the mapper left apart: photos without a pose, and models of their own.

The mapper takes in a photo where that photo alone shows enough of the model. Here all that two
models share counts together: matches between their photos tie points of the one to points of the
other, which gives the similarity between them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from recon3d.core.transform import Rigid
from recon3d.run.task import Task
from recon3d.sfm.component_tie import ApartError, Tie, joined_words
from recon3d.sfm.feature_ties import (
    FEWEST_TIES,
    Alignment,
    Pair,
    Ties,
    align,
    find_ties,
    usual_error,
)
from recon3d.sfm.features import PhotoDatabase, read_descriptors
from recon3d.sfm.mapping import Placement, as_placement, bound_photos, extend, rebuild
from recon3d.sfm.matching import compare_loosely, count_putative
from recon3d.sfm.overlapping import overlapping_pairs
from recon3d.sfm.pycolmap_library import pycolmap
from recon3d.sfm.retrieval import look_similarity
from recon3d.sfm.rigs import rigid3d

Guide = Callable[[Placement, Placement], Tie | None]

# With how many of the most similar placed photos a photo without a pose is compared again.
_PARTNERS = 8
_WORST_ERROR_GROWTH = 1.5
# Standard deviations that a guide may be off.
_MOST_SIGMAS = 3.0


@dataclass(frozen=True, eq=False)
class Joined:
    """The models after the second look."""

    models: tuple[pycolmap.Reconstruction, ...]
    """The largest first."""
    reasons: tuple[str, ...]
    """Of each model: why it stays apart from the largest; empty where that was not tried."""
    brought: tuple[str, ...] = ()
    """Photos that the largest model owes to it, in the order of the image set."""
    joined: tuple[str, ...] = ()
    """Of each model that the largest took in: a sentence on what ties the two."""


def join(
    database: PhotoDatabase,
    models: Sequence[pycolmap.Reconstruction],
    *,
    compare: bool,
    seed: int,
    task: Task,
    moving_only: bool = False,
    guide: Guide | None = None,
) -> Joined:
    """Bring photos and models that were left apart into the largest model, where evidence holds.

    Args:
        database: Of the photos; gets what comparing again finds.
        models: The largest first; none is changed.
        compare: Compare the photos again, loosely; without it they have been.
        seed: Of all that is random.
        task: To step.
        moving_only: As for `match_pairs`.
        guide: What else says how two models lie to each other, roughly. Where matches leave them
            apart, more are looked for between photos that then show the same, and must agree with
            it.
    """
    unchanged = Joined(tuple(models), ("",) * len(models))
    if not models or models[0].num_reg_images() == len(database.photos):
        return unchanged
    if compare:
        pairs = _pairs_to_compare(database, models, seed)
        compare_loosely(
            database,
            pairs,
            seed=seed,
            threads=task.runtime.threads,
            task=task,
            moving_only=moving_only,
        )
    # Models that the second look has built anew may hold more than those from before.
    every = [*_extended(database, models[0], seed, task), *models[1:]]
    largest, *waiting = sorted(every, key=lambda model: -model.num_reg_images())
    matcher = _Matcher(database, compare, seed, task, moving_only, guide)
    apart: list[pycolmap.Reconstruction] = []
    reasons: list[str] = []
    joined: list[str] = []
    while waiting:
        model = waiting.pop(0)
        known = _registered(largest).union(*map(_registered, apart))
        if _registered(model) <= known:
            continue
        try:
            grown, by = matcher.merged(largest, model)
        except ApartError as reason:
            apart.append(model)
            reasons.append(str(reason))
        else:
            new = sorted(_registered(grown) - _registered(largest))
            joined.append(joined_words([database.photos[n - 1].id for n in new], by))
            largest = grown
            # What stayed apart from a part of it may fit the whole.
            waiting, apart, reasons = [*apart, *waiting], [], []
    before, after = _registered(models[0]), _registered(largest)
    brought = tuple(database.photos[number - 1].id for number in sorted(after - before))
    return Joined((largest, *apart), ("", *reasons), brought, tuple(joined))


@dataclass(frozen=True, eq=False)
class _Matcher:
    """Makes one of two models by what their photos match."""

    database: PhotoDatabase
    compare: bool
    seed: int
    task: Task
    moving_only: bool
    guide: Guide | None

    def merged(
        self, target: pycolmap.Reconstruction, source: pycolmap.Reconstruction
    ) -> tuple[pycolmap.Reconstruction, str]:
        """The two as one, and what ties them.

        Raises:
            ApartError: they stay apart.
        """
        ties = find_ties(self.database, target, source)
        try:
            alignment = _aligned(ties, target, source, self.seed)
            model = self._rebuilt(ties, alignment, target, source)
        except ApartError as reason:
            start = self.guide and self.guide(
                as_placement(self.database, target), as_placement(self.database, source)
            )
            if start is None:
                raise
            return self._guided(target, source, start, reason)
        return model, f"{len(alignment.agreeing)} points that both show"

    def _guided(
        self,
        target: pycolmap.Reconstruction,
        source: pycolmap.Reconstruction,
        start: Tie,
        reason: ApartError,
    ) -> tuple[pycolmap.Reconstruction, str]:
        """The same from where something else puts the source.

        reason: why they stay apart without it.
        """
        database = self.database
        pairs = overlapping_pairs(target, source, start.target_from_source, _PARTNERS)
        pairs = sorted((min(a, b) - 1, max(a, b) - 1) for a, b in pairs)
        if not self.compare:
            with database.open() as stored:
                pairs = [(a, b) for a, b in pairs if not stored.exists_matches(a + 1, b + 1)]
        compare_loosely(
            database,
            pairs,
            seed=self.seed,
            threads=self.task.runtime.threads,
            task=self.task,
            moving_only=self.moving_only,
        )
        ties = find_ties(database, target, source)
        if not len(ties):
            raise reason
        moved = start.target_from_source @ ties.source_xyz
        most_off = _MOST_SIGMAS * start.off + usual_error(ties, target)
        near = ties.where(np.linalg.norm(moved - ties.target_xyz, axis=1) <= most_off)
        alignment = align(near, target, source, seed=self.seed)
        if alignment is None:
            raise reason
        # Ties of one small spot may turn all the rest away from where the guide says it is.
        centres = np.array([source.images[n].projection_center() for n in source.reg_image_ids()])
        moved = alignment.target_from_source @ centres - start.target_from_source @ centres
        if np.median(np.linalg.norm(moved, axis=1)) > most_off:
            raise reason
        model = self._rebuilt(near, alignment, target, source)
        count = len(alignment.agreeing)
        return model, f"{count} points that both show where {start.by} says"

    def _rebuilt(
        self,
        ties: Ties,
        alignment: Alignment,
        target: pycolmap.Reconstruction,
        source: pycolmap.Reconstruction,
    ) -> pycolmap.Reconstruction:
        """Both models, adjusted as one.

        Raises:
            ApartError: the photos of both do not hold together then.
        """
        mine, theirs = _registered(target), _registered(source)
        poses = {number: target.images[number].cam_from_world() for number in mine}
        for number in sorted(theirs - mine):
            matrix = source.images[number].cam_from_world().matrix()
            pose = Rigid(matrix[:, :3], matrix[:, 3])
            poses[number] = rigid3d(alignment.target_from_source.move_camera(pose))
        cameras = {**_cameras(source), **_cameras(target)}
        merged = rebuild(self.database, poses, cameras, seed=self.seed, task=self.task)
        bridges = sum(
            bool(seen & mine) and bool(seen - mine)
            for seen in (
                {element.image_id for element in point.track.elements}
                for point in merged.points3D.values()
            )
        )
        before_px = max(model.compute_mean_reprojection_error() for model in (target, source))
        holds = merged.compute_mean_reprojection_error() <= _WORST_ERROR_GROWTH * before_px
        if not holds or bridges < FEWEST_TIES:
            raise ApartError(
                f"{len(ties)} points of the two look alike, but the photos do not fit together by "
                "them"
            )
        return merged


def _aligned(
    ties: Ties, target: pycolmap.Reconstruction, source: pycolmap.Reconstruction, seed: int
) -> Alignment:
    if len(ties) < FEWEST_TIES:
        raise ApartError(f"the two share {f'only {len(ties)}' if len(ties) else 'no'} points")
    alignment = align(ties, target, source, seed=seed)
    if alignment is None:
        raise ApartError(f"{len(ties)} points of the two look alike, but too few of them lie alike")
    return alignment


def _extended(
    database: PhotoDatabase, model: pycolmap.Reconstruction, seed: int, task: Task
) -> list[pycolmap.Reconstruction]:
    """The model with the photos that hold by themselves in it, and then models of the others.

    The first is the model itself where no photo holds.
    """
    extended, *others = extend(database, model, seed=seed, task=task)
    before = _registered(model)
    loose = _registered(extended) - bound_photos(extended, before)
    for frame_id in sorted({extended.images[number].frame_id for number in loose}):
        extended.deregister_frame(frame_id)
    # Without their frames too, which the covariance asks for poses.
    extended.tear_down()
    return [extended if _registered(extended) > before else model, *others]


def _pairs_to_compare(
    database: PhotoDatabase, models: Sequence[pycolmap.Reconstruction], seed: int
) -> list[Pair]:
    """Every photo outside the largest model with the likeliest photos of the models."""
    placed = [np.array(sorted(_registered(model))) - 1 for model in models]
    # Looks are at most 1, so they decide between pairs with as many matches, such as none.
    likely = count_putative(database) + look_similarity(read_descriptors(database), seed)
    pairs: set[Pair] = set()
    for index in sorted({*range(len(database.photos))} - {*placed[0].tolist()}):
        others = [members for members in placed if index not in members]
        partners = np.unique(np.concatenate(others))
        ranked = partners[np.argsort(-likely[index, partners], kind="stable")]
        ranked = ranked[np.isfinite(likely[index, ranked])]
        pairs |= {(min(index, n), max(index, n)) for n in ranked[:_PARTNERS].tolist()}
    return sorted(pairs)


def _registered(model: pycolmap.Reconstruction) -> set[int]:
    return set(model.reg_image_ids())


def _cameras(model: pycolmap.Reconstruction) -> dict[int, pycolmap.Camera]:
    """Those that placed a photo."""
    numbers = {model.images[number].camera_id for number in model.reg_image_ids()}
    return {number: model.cameras[number] for number in sorted(numbers)}
