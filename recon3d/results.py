"""What goes into a run and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any, Literal

from recon3d.core.depth import PredictedDepth, SceneDepth
from recon3d.core.scene import ImageSet, PosedPhotos
from recon3d.core.surface import Mesh, PointCloud, TexturedMesh, sparse_surface
from recon3d.core.target_frame import TargetFrame
from recon3d.georef.control.bars import SceneBars
from recon3d.georef.control.markers import Markers
from recon3d.georef.control.stage import FittedControl, NoControl
from recon3d.photos.mask_command import MaskCommand, with_masks
from recon3d.photos.panorama_views import PanoramaViews
from recon3d.run.stage import StageResult
from recon3d.segmentation.object_masks import PHOTOS, FoundMasks, with_found_masks
from recon3d.surface import relief
from recon3d.texture.maps import Maps


class Until(IntEnum):
    """Where a run may end; each includes the ones before it."""

    INGEST = 1
    POSE = 2
    DEPTH = 3
    FUSE = 4
    MESH = 5
    TEXTURE = 6


Components = Literal["largest", "all"]
"""Which of the scenes that the photos show become models."""

OPTIONAL_FILES = (
    "intrinsics", "poses", "masks", "drawn_masks", "sensor_depth", "gcp", "gcp_marks", "scale_bars",
)  # fmt: skip
"""The fields of Inputs that hold a file or folder, or nothing."""


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The user's files; only `photos` is needed."""

    photos: Path | Sequence[Path]
    """A folder (searched recursively), a video, or several folders and photo files."""
    intrinsics: Path | None = None
    """File of the camera's intrinsics; without it they are estimated."""
    poses: Path | None = None
    """File or folder of known camera poses; replaces structure from motion."""
    masks: Path | None = None
    """Folder of masks named like the photos, white = keep."""
    drawn_masks: Path | None = None
    """Folder of masks that a person drew on the upright photos in the window (`drawn_mask_path`);
    they outrank `masks`."""
    mask_command: MaskCommand | None = None
    """A program that makes masks of the photos that have none. It is no setting, since a file of
    settings from elsewhere must not start programs."""
    sensor_depth: Path | None = None
    """Folder of a depth camera's maps (`ingest.depth_unit`); needs poses and intrinsics."""
    gcp: Path | None = None
    """File of ground control points: their coordinates, perhaps with their marks in photos."""
    gcp_marks: Path | None = None
    """File of marks, where they are not in the former."""
    scale_bars: Path | None = None
    """File of known lengths between points that `gcp_marks` or `gcp` marks."""
    markers: Markers | None = None
    """The same three, set by hand in place of files."""
    excluded: frozenset[str] = frozenset()
    """Photos to leave out: their ids, which are their paths below the folder, or patterns such as
    `blurred/*`."""
    named_below: Path | None = None
    """Folder below which photos are named; None: what all of them have in common."""

    @property
    def files(self) -> dict[str, Path]:
        """By field: whatever there is besides photos."""
        named = {name: getattr(self, name) for name in OPTIONAL_FILES}
        return {name: path for name, path in named.items() if path}


@dataclass(eq=False)
class Results:
    """What a run has made so far; None for the stages it did not reach."""

    workspace: Path
    panoramas: StageResult[PanoramaViews] | None = None
    """The views of 360-degree photos, where there are some."""
    image_set: StageResult[ImageSet] | None = None
    posed: StageResult[PosedPhotos] | None = None
    command_masks: StageResult[Mapping[str, Path]] | None = None
    """Of a program of the user's own, where there is one; `image_set` has them too."""
    found_masks: StageResult[FoundMasks] | None = None
    """Of the object, where they are wanted; `posed` has them too."""
    control: StageResult[FittedControl] | None = None
    """How ground control points fit the cameras, where there are some."""
    bars: StageResult[SceneBars] | None = None
    """How long scale bars are in the scene, where there are some."""
    predictions: StageResult[Mapping[str, PredictedDepth]] | None = None
    aligned: StageResult[Mapping[str, PredictedDepth]] | None = None
    """The predictions in scene units, with planes in plain regions and where nothing was confirmed;
    themselves, where none of it is needed."""
    depth_steps: list[StageResult[Mapping[str, PredictedDepth]]] = field(default_factory=list)
    """From the predictions to `aligned`, which is the last of them."""
    depth: StageResult[Mapping[str, SceneDepth]] | None = None
    surface: StageResult[tuple[Mesh, PointCloud]] | None = None
    mesh: StageResult[Mesh] | None = None
    textured: StageResult[TexturedMesh] | None = None
    detailed: StageResult[Mesh] | None = None
    """The mesh with more faces, where maps are to be made of them."""
    maps: StageResult[Maps] | None = None
    """Beside the texture, where they are wanted."""
    levels: StageResult[Sequence[Mesh]] | None = None
    """Coarser versions of the mesh, where there are to be some."""
    textured_levels: StageResult[Sequence[TexturedMesh]] | None = None
    frame: StageResult[TargetFrame] | None = None
    """Of whatever the run has reached; how it is exported."""
    written: tuple[Path, ...] = ()
    warnings: list[str] = field(default_factory=list)
    others: list[Results] = field(default_factory=list)
    """Of the scenes beside the largest, each in a workspace of its own below this one."""

    @property
    def album(self) -> StageResult[ImageSet] | None:
        """The name of `image_set` until version 0.1."""
        return self.image_set

    def add_command_masks(self, masks: StageResult[Mapping[str, Path]]) -> None:
        """Masks for the image set, which act from here on as given ones do."""
        assert self.image_set
        self.command_masks, self.image_set = masks, self.image_set.joined(masks, with_masks)

    def add_found_masks(self, masks: StageResult[FoundMasks]) -> None:
        """Masks for the placed photos, from depth on."""
        assert self.posed
        self.found_masks, self.posed = masks, self.posed.joined(masks, with_found_masks)

    @property
    def panorama_of(self) -> dict[str, str]:
        """By photo id, of the views of 360-degree photos: which one."""
        views = self.panoramas.value.views if self.panoramas else {}
        return {photo_id: view.panorama for photo_id, view in views.items()}

    @property
    def photo_masks(self) -> dict[str, Path]:
        """By photo id: the mask of a photo as it was taken, whoever made it."""
        found = self.found_masks.value.photos if self.found_masks else {}
        return {**found, **(self.image_set.value.masks if self.image_set else {})}

    @property
    def found_masks_folder(self) -> str:
        """Below the workspace, with the masks of `found_masks`; empty where there are none."""
        if not (self.found_masks and self.found_masks.value.photos):
            return ""
        return (self.found_masks.folder / PHOTOS).relative_to(self.workspace).as_posix()

    @property
    def survey(self) -> StageResult[FittedControl] | NoControl:
        """What ground control points say of the frame."""
        return self.control or NoControl()

    @property
    def scale_bars(self) -> StageResult[SceneBars] | SceneBars:
        """What known lengths between markers say of the scale."""
        return self.bars or SceneBars()

    @property
    def to_clean(
        self,
    ) -> tuple[
        StageResult[PosedPhotos],
        StageResult[Mapping[str, SceneDepth]],
        StageResult[tuple[Mesh, PointCloud]],
    ]:
        """What the mesh is made of, once there is a surface."""
        assert self.posed
        assert self.depth
        assert self.surface
        return self.posed, self.depth, self.surface

    @property
    def reached(self) -> dict[str, StageResult[Any]]:
        """What the run has come to, in order, by the names of the fields above."""
        return {name: made for name, made in vars(self).items() if isinstance(made, StageResult)}

    @property
    def stages(self) -> list[StageResult[Any]]:
        """The stages that were reached, in order."""
        made: list[StageResult[Any]] = []
        for name, result in self.reached.items():
            made += [*self.depth_steps, result] if name == "aligned" else [result]
        return [*dict.fromkeys(made)]


@dataclass(frozen=True)
class Forecast:
    """What a run would do with a workspace as it is, in the names of stages."""

    kept: tuple[str, ...]
    """Finished there already."""
    computed: tuple[str, ...]
    """To be computed."""
    complete: bool
    """False where more stages follow, which depend on what those will find."""
    photos: int = 0
    """In the image set, where that is finished; else 0."""
    megapixels: float = 0.0
    """Of a typical one of them."""


def in_unit_of_depth(
    posed: StageResult[PosedPhotos], predictions: StageResult[Mapping[str, PredictedDepth]]
) -> StageResult[PosedPhotos]:
    """The camera of a single photo, in the unit of its depth."""
    return posed.map(lambda photo: relief.in_unit_of_depth(photo, predictions.value))


def latest_surface(made: Results) -> tuple[Mesh, PointCloud]:
    """The surface as far as the run has come."""
    # Before there is a surface, the sparse points say where the ground is.
    assert made.posed
    points = made.posed.value.scene.points
    surface, cloud = made.surface.value if made.surface else sparse_surface(points)
    return (made.mesh.value if made.mesh else surface), cloud


def latest_result(made: Results) -> StageResult[Mesh]:
    """The same without its points, as a stage's result."""
    latest: StageResult[Any] | None = made.mesh or made.surface or made.posed
    assert latest
    return latest.map(lambda _: latest_surface(made)[0])
