"""Scenes beside the largest: photos that were placed, but share too little with it to be joined."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from recon3d.core.ranges import Range, check_ranges
from recon3d.core.scene import ImageSet, PosedPhotos, Verdict
from recon3d.run.stage import Stage
from recon3d.run.task import Task
from recon3d.sfm.posed_files import read_scene, sample_colours, write_pictures, write_scene

if TYPE_CHECKING:  # it imports pycolmap
    from recon3d.sfm.mapping import Placement

# Two photos that match are often of the largest scene and wrongly placed, and make no model.
_FEWEST_PHOTOS = 3
_NAMES_TOLD = 3


@dataclass(frozen=True, kw_only=True)
class OtherSceneConfig:
    """Which of the scenes that the photos show."""

    number: Annotated[int, Range(least=2)]
    """2 is the largest after the one that a run goes on with by itself."""

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        check_ranges(self, "scene")


def worth_a_model(placement: Placement) -> Iterator[Placement]:
    """The other scenes of a placement that add enough photos."""
    placed = {*placement.cam_from_world}
    for other in placement.others:
        if len(other.cam_from_world.keys() - placed) >= _FEWEST_PHOTOS:
            yield other
        placed |= other.cam_from_world.keys()


def tell_other_scenes(posed: PosedPhotos) -> Iterator[str]:
    """A sentence on each scene that the photos show besides the largest."""
    largest = {view.photo_id for view in posed.scene.views}
    for number, other in enumerate(posed.others, start=2):
        ids = [view.photo_id for view in other.scene.views if view.photo_id not in largest]
        names = ", ".join(ids[:_NAMES_TOLD])
        more = f" and {len(ids) - _NAMES_TOLD} more" if len(ids) > _NAMES_TOLD else ""
        reason = other.scene.report.get("apart") or "the two share too little"
        yield (
            f"{len(ids)} of the photos left out ({names}{more}) form a scene of their own, apart "
            f"from the {len(largest)} of the largest: {reason}. With `--components all` it "
            f"becomes model {number}; photos that overlap both would join them."
        )


def photos_of(image_set: ImageSet, posed: PosedPhotos, number: int) -> ImageSet:
    """The image set as if only the photos of one of the other scenes had been given."""
    ids = {view.photo_id for view in posed.others[number - 2].scene.views}
    photos = tuple(photo for photo in image_set.photos if photo.id in ids)
    return replace(image_set, photos=photos, verdicts=())


def take_other_scene(
    image_set: ImageSet, posed: PosedPhotos, config: OtherSceneConfig, folder: Path, task: Task
) -> None:
    """Undistort the photos of one of the other scenes into `folder`."""
    other = posed.others[config.number - 2]
    views = other.scene.views
    write_pictures(folder, image_set, views, other.intrinsics, task)
    scene = replace(other.scene, points=sample_colours(folder, other.scene, task))
    write_scene(folder, scene, tuple(Verdict(view.photo_id, True) for view in views))


OTHER_SCENE = Stage(
    name="scene",
    result="posed",
    version=2,
    run=take_other_scene,
    read=read_scene,
)
