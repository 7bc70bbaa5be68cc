"""The named photo sets: where their files lie and what is known of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from recon3d.bench.truth import (
    CamerasByPhoto,
    read_llff_cameras,
    read_pose_truth,
    read_surveyed_cameras,
)
from recon3d.core.errors import InputError
from recon3d.results import Inputs

ROOM_VOXEL = 0.01
"""Metres; rooms from a depth camera are judged at one centimetre."""


@dataclass(frozen=True, kw_only=True)
class BenchSet:
    """One set of photos; paths are below the set's folder."""

    what: str
    """For the table's reader."""
    photos: str = "images"
    intrinsics: str | None = None
    poses: str | None = None
    masks: str | None = None
    sensor_depth: str | None = None
    """The depth camera's maps are the input."""
    first: int = 0
    """Use only this many photos; 0 uses all."""
    rendered: int = 0
    """So many photos of the town are rendered on first use; 0: the set consists of files."""
    overrides: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """Settings by stage that this set is judged at."""
    room: bool = False
    """Seen from inside: stills look through the near walls."""
    true_cameras: Callable[[Path], CamerasByPhoto] | None = None
    """Reads the true cameras from the set's folder."""
    unit: str = "units"
    """Of the true cameras, for the table."""
    true_depth: str | None = None
    """Depth camera's maps that results are compared with, of the photos' size."""
    true_mesh: str | None = None
    peer_mesh: str | None = None
    """Another program's mesh of the same photos in the true cameras' frame: a peer, no truth."""
    peer_name: str = ""
    """Whose mesh it is and from where."""
    reach: float = 0.0
    """Surface farther than this from all cameras is not compared; 0: all is."""
    thresholds_m: tuple[float, ...] = ()
    """Metres at which the mesh is judged. Empty: against a true mesh at shares of its diagonal,
    against a peer or the sensor's own surface (where there is `true_depth`) not at all."""
    true_texture: str | None = None
    """Points of the true surface and their colours, "points" and "rgb" in an .npz."""
    credit: str = ""
    """Whose photos they are, under which licence; empty where they may not be shown."""

    def inputs(self, folder: Path) -> Inputs:
        """The set as a user would give it."""

        def below(name: str | None) -> Path | None:
            return folder / name if name else None

        photos: Path | list[Path] = folder / self.photos
        if self.first:
            photos = sorted((folder / self.photos).glob("*.color.jpg"))[: self.first]
        return Inputs(
            photos=photos,
            intrinsics=below(self.intrinsics),
            poses=below(self.poses),
            masks=below(self.masks),
            sensor_depth=below(self.sensor_depth),
        )


_KITCHEN = BenchSet(
    what="RGB-D walk through a kitchen, poses given: fusing",
    photos=".",
    intrinsics="camera-intrinsics.txt",
    poses=".",
    sensor_depth=".",
    overrides={"fuse": {"voxel_size": ROOM_VOXEL}},
    room=True,
)


def _part_of_kitchen(count: int) -> BenchSet:
    return BenchSet(
        **{**vars(_KITCHEN), "what": f"first {count} frames of kitchen_rgbd", "first": count}
    )


def _town(count: int) -> BenchSet:
    return BenchSet(
        what=f"{count} rendered photos of a town from a drone; all truth known",
        rendered=count,
        intrinsics="K.json",
        true_cameras=partial(read_pose_truth, name="cameras.json"),
        unit="m",
        true_mesh="mesh.ply",
        # Flown 80 m high, photos see ground out to 160 m, but from there it is only grazed.
        reach=130.0,
        # 2, 4 and 8 pixels, which are 8 cm wide straight below and 13 cm at the upper edge.
        thresholds_m=(0.2, 0.4, 0.8),
        credit="ours, MIT",
    )


SETS: Mapping[str, BenchSet] = {
    "example": BenchSet(
        what="24 photo-like renders that ship with recon3d; all truth known",
        photos="photos",
        intrinsics="photos/K.json",
        true_cameras=partial(read_pose_truth, name="truth/cameras.json"),
        unit="m",
        true_mesh="truth/truth_mesh.ply",
        true_texture="truth/texture.npz",
        credit="ours, MIT",
    ),
    "fountain": BenchSet(
        what="11 photos of a facade (Strecha et al. 2008), true intrinsics given",
        intrinsics="K.json",
        true_cameras=partial(read_surveyed_cameras, name="true_cameras.json"),
        unit="m",
        peer_mesh="openmvs_refined.npz",
        peer_name="OpenMVS's refined mesh of the same photos (a peer, no truth)",
        reach=14.0,
        thresholds_m=(0.01, 0.02, 0.05),
    ),
    "lund_door": BenchSet(
        what="12 photos of a facade, EXIF only; COLMAP's reference cameras as truth",
        true_cameras=partial(read_pose_truth, name="colmap_model"),
        credit="test data of GTSfM, BSD licence",
    ),
    "banana": BenchSet(
        what="16 photos around fruit on a carpet, EXIF only",
        credit="example data of OpenDroneMap, MIT",
    ),
    "chair": BenchSet(
        what="21 phone-like photos around a chair, distorted, calibration given",
        photos=".",
        intrinsics="intrinsic_DSC-HX5_3648x2736_to_640x480.yaml",
        credit="example data of BoofCV, CC BY 4.0",
    ),
    "village_aerial": BenchSet(
        what="28 oblique aerial photos, EXIF only",
        credit="Andrew Zaborowski, OpenStreetMap-PL, Boruszyn, CC BY 3.0",
    ),
    "mary_rose": BenchSet(
        what="69 photos of an object on a turntable, masks and intrinsics given",
        intrinsics="K.json",
        masks="masks",
        true_cameras=partial(read_llff_cameras, name="poses_bounds.npy", photos="images"),
    ),
    "berlin_three": BenchSet(
        what="3 street photos with masks, EXIF only",
        masks="masks",
        credit="example data of OpenSfM, BSD licence",
    ),
    "kitchen_rgbd": _KITCHEN,
    "office_rgbd": BenchSet(
        what="RGB-D walk through an office, poses given: fusing",
        photos="images",
        intrinsics="K.txt",
        poses="poses.txt",
        sensor_depth="depth",
        overrides={"fuse": {"voxel_size": ROOM_VOXEL}},
        room=True,
    ),
    "kitchen_posed": BenchSet(
        what="50 photos of the kitchen with poses; depth and mesh compared with the depth camera's",
        intrinsics="K.json",
        poses="cameras.json",
        true_depth="depth",
        thresholds_m=(0.02, 0.05, 0.1),
        room=True,
    ),
    "office_posed": BenchSet(
        what="75 photos of the office with poses; depth and mesh compared with the depth camera's",
        photos="images",
        intrinsics="K.txt",
        poses="poses.txt",
        true_depth="depth",
        thresholds_m=(0.02, 0.05, 0.1),
        room=True,
    ),
    **{f"memory_{count}": _part_of_kitchen(count) for count in (25, 50, 100)},
    **{f"town_{count}": _town(count) for count in (50, 100, 500)},
}
MEMORY_SETS = tuple(name for name in SETS if name.startswith("memory_"))
"""The same walk in three lengths: their peak memory must not differ."""
TOWN_SETS = tuple(name for name in SETS if name.startswith("town_"))
"""The same flight in three sizes, whose photos are rendered; they take hours."""

_FOLDERS = {"office_posed": "office_rgbd", **dict.fromkeys(MEMORY_SETS, "kitchen_rgbd")}


def set_folder(name: str, data: Path | None) -> Path:
    """Where a set lies.

    Raises:
        InputError: it is not there; says where it was looked for.
    """
    if name == "example":
        folder = Path(__file__).resolve().parents[2] / "examples"
        hint = "It comes with the source code of recon3d, not with the installed package."
    else:
        folder = (data or Path("RECON3D_DATA")) / _FOLDERS.get(name, name)
        hint = "Give --data, or set RECON3D_DATA to the folder that holds the photo sets."
    if not folder.is_dir():
        raise InputError(f"The photo set {name} is not in {folder}.", hint=hint)
    return folder
