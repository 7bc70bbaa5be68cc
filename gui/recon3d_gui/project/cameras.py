"""Which intrinsics a run will use, told in words. Reads files: not for the main thread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from recon3d.core.camera import Intrinsics
from recon3d.core.errors import InputError
from recon3d.core.scene import CameraEstimate, Exif, Photo

_MOST_SHOWN = 4
_SOURCES = {
    "given": "from your file",
    "exif, refined": "from the photos, refined",
    "guessed, refined": "estimated",
    "exif": "from the photos",
    "depth network": "guessed by a network",
    "guessed": "guessed",
}


@dataclass(frozen=True)
class KnownPhoto:
    """What is known of one photo before a run."""

    photo_id: str
    path: Path
    width_px: int
    height_px: int
    camera: str = ""
    """Make and model; empty: the photo does not say."""
    focal_mm: float | None = None
    """35 mm equivalent."""
    orientation: int = 1
    """EXIF's."""


@dataclass(frozen=True)
class Told:
    """Lines to show, and what is wrong."""

    lines: tuple[str, ...] = ()
    trouble: str = ""


def tell_file(file: Path, shots: Sequence[KnownPhoto]) -> Told:
    """What a camera file says of these photos: just what a run would take from it."""
    from recon3d.photos.fitted_cameras import fit_to_photos
    from recon3d.photos.intrinsics import read_camera_file

    if not shots:
        return Told(("Add photos to see whether it fits them.",))
    photos = [_photo(shot) for shot in shots]
    usual_size = Counter((photo.width_px, photo.height_px) for photo in photos).most_common(1)[0][0]
    try:
        found = read_camera_file(file, usual_size)
        fitted = fit_to_photos(photos, found, file).intrinsics
    except InputError as error:
        # Its hint speaks of options of the command line.
        return Told((), str(error))
    cameras = Counter(fitted.values()).most_common()
    lines = [line for camera, _ in cameras[:_MOST_SHOWN] for line in _describe(camera)]
    if len(cameras) > 1:
        lines.insert(0, f"{len(cameras)} cameras for {len(photos)} photos:")
    scaled = [] if found.by_name or _holds(found.shared, usual_size) else ["scaled to the photos"]
    return Told((*lines, *scaled))


def tell_photos(shots: Sequence[KnownPhoto]) -> Told:
    """What the photos say of their cameras and lenses."""
    if not shots:
        return Told(("Nothing yet: add photos first.",))
    lenses = Counter((shot.camera, _rounded(shot.focal_mm)) for shot in shots)
    lines = [
        f"{_lens(camera, focal_mm)}: {_share(count, len(shots))}"
        for (camera, focal_mm), count in lenses.most_common(_MOST_SHOWN)
    ]
    if len(lenses) > _MOST_SHOWN:
        lines.append(f"and {len(lenses) - _MOST_SHOWN} more")
    return Told(tuple(lines))


def tell_plan(file: Path | None, shots: Sequence[KnownPhoto]) -> str:
    """The one sentence: where the next run takes its intrinsics from."""
    if file:
        return f"From {file.name}"
    known = sum(shot.focal_mm is not None for shot in shots)
    if not shots:
        return "Known once there are photos"
    if known == len(shots):
        return "Focal length from the photos, then refined"
    return "Estimated from the photos" if known == 0 else "Partly from the photos, then refined"


def tell_run(pose_folder: Path) -> Told:
    """The cameras that a finished run has used, with their uncertainty."""
    from recon3d.sfm.register import read_posed_photos

    try:
        scene = read_posed_photos(pose_folder).scene
    except (OSError, ValueError, KeyError, TypeError):
        return Told((), "The run's cameras cannot be read: its workspace is damaged.")
    groups = list(scene.cameras.items())
    lines = [line for name, found in groups[:_MOST_SHOWN] for line in _estimate(name, found)]
    more = [f"and {len(groups) - _MOST_SHOWN} more"] if len(groups) > _MOST_SHOWN else []
    return Told((*lines, *more))


def _estimate(name: str, found: CameraEstimate) -> Iterable[str]:
    yield f"{name}: {_SOURCES[found.source]}"
    yield from _describe(found.intrinsics, found.focal_std_px, found.centre_std_px)


def _describe(
    intrinsics: Intrinsics,
    focal_std_px: float | None = None,
    centre_std_px: tuple[float, float] | None = None,
) -> Iterable[str]:
    camera, lens = intrinsics.pinhole, intrinsics.distortion
    sure = "" if focal_std_px is None else f" ± {focal_std_px:.1f}"
    across, down = ("", "") if centre_std_px is None else (f" ± {std:.1f}" for std in centre_std_px)
    yield f"fx {camera.fx_px:.1f}   fy {camera.fy_px:.1f}{sure} px"
    yield f"cx {camera.cx_px:.1f}{across}   cy {camera.cy_px:.1f}{down} px"
    yield f"{camera.width_px} × {camera.height_px} px"
    if lens.model == "none":
        yield "no distortion"
    else:
        yield f"{lens.model}: " + ", ".join(f"{value:.4g}" for value in lens.coefficients)


def _photo(shot: KnownPhoto) -> Photo:
    exif = Exif(orientation=shot.orientation)
    return Photo(
        shot.photo_id, str(shot.path), shot.width_px, shot.height_px, exif, "", shot.camera
    )


def _holds(cameras: Iterable[Intrinsics], size: tuple[int, int]) -> bool:
    return any((c.pinhole.width_px, c.pinhole.height_px) == size for c in cameras)


def _rounded(focal_mm: float | None) -> int | None:
    return None if focal_mm is None else round(focal_mm)


def _lens(camera: str, focal_mm: int | None) -> str:
    lens = f"{focal_mm} mm" if focal_mm else ""
    return ", ".join(filter(None, (camera, lens))) or "Nothing about camera and lens"


def _share(count: int, total: int) -> str:
    if total == 1:
        return "1 photo"
    return f"all {total} photos" if count == total else f"{count} of {total} photos"
