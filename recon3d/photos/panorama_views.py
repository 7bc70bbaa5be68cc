"""360-degree photos -> rectilinear views that everything after takes for ordinary photos."""

from __future__ import annotations

import hashlib
import io
import json
import logging
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Annotated

import cv2
import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from recon3d.core.camera import Intrinsics, PinholeCamera, pixel_rays
from recon3d.core.equirectangular import VIEWS, uv_of_directions, view_camera
from recon3d.core.errors import InputError
from recon3d.core.ranges import Range, check_ranges
from recon3d.core.rig import RigPhoto
from recon3d.core.scene import Exif
from recon3d.core.transform import Rigid
from recon3d.photos.finding import FoundFiles
from recon3d.photos.image_set_files import exif_from_json
from recon3d.photos.masks import read_mask
from recon3d.photos.naming import named
from recon3d.photos.panoramas import PanoramaKind, Panoramas
from recon3d.photos.pictures import read_picture
from recon3d.photos.video import pick_frames, read_frames
from recon3d.run.files import atomic_path, write_json
from recon3d.run.stage import Stage
from recon3d.run.task import Task

_log = logging.getLogger(__name__)

_INDEX = "panoramas.json"
_RIG = "panorama"
_JPEG_QUALITY = 97
# Interpolation looks that many pixels around, and columns go on at the other side.
_BORDER_PX = 4


@dataclass(frozen=True, kw_only=True)
class PanoramaConfig:
    """How 360-degree photos become views."""

    photos: PanoramaKind = "auto"
    """Which photos or videos are 360-degree ones (equirectangular, twice as wide as high). auto:
    those that say so themselves, as cameras write it; all: every one; none."""

    nadir: bool = False
    """Also use the view straight down, which shows the tripod or the photographer."""

    field_of_view_deg: Annotated[float, Range(least=90, most=120)] = 100.0
    """Of each of the views to the front, right, back, left and up. 90 is a cube without overlap;
    more shows what lies at its edges from one side to the other."""

    video_frames: Annotated[int, Range(least=2)] = 40
    """At most this many frames are picked from a 360-degree video. Each becomes several photos."""

    def __post_init__(self) -> None:
        """Refuse shares and counts that mean nothing."""
        check_ranges(self, "panorama")

    @property
    def views(self) -> tuple[str, ...]:
        """The names of the views that are used."""
        return tuple(name for name in VIEWS if self.nadir or name != "down")


@dataclass(frozen=True, kw_only=True)
class PanoramaView:
    """One view of a panorama, as a file."""

    panorama: str
    """Id of the panorama."""
    name: str
    """One of `VIEWS`."""
    file: str
    """Below the folder of the stage."""
    sha256: str
    side_px: int
    focal_px: float
    mask: str
    """File of its mask; empty where there is none."""
    exif: Exif

    @property
    def intrinsics(self) -> Intrinsics:
        """Exactly known."""
        return Intrinsics(PinholeCamera.centred(self.side_px, self.side_px, self.focal_px))

    @property
    def rig_photo(self) -> RigPhoto:
        """All views of a panorama look from one place."""
        place = Rigid(VIEWS[self.name], np.zeros(3))
        return RigPhoto(_RIG, self.name, self.panorama, place)


@dataclass(frozen=True, eq=False)
class PanoramaViews:
    """The views of all panoramas."""

    folder: Path
    views: Mapping[str, PanoramaView]
    """By photo id."""
    refused: Mapping[str, tuple[str, str]]
    """By id of the file: why it cannot be used, and what to do."""
    digest: str = ""

    @property
    def intrinsics(self) -> dict[str, Intrinsics]:
        """By photo id."""
        return {photo_id: view.intrinsics for photo_id, view in self.views.items()}

    @property
    def rigs(self) -> dict[str, RigPhoto]:
        """By photo id."""
        return {photo_id: view.rig_photo for photo_id, view in self.views.items()}

    def in_place_of_panoramas(self, files: FoundFiles) -> FoundFiles:
        """The files, each panorama replaced by its views; there may be more frames of a video."""
        of: dict[str, dict[str, Path]] = {}
        for photo_id, view in self.views.items():
            of.setdefault(view.panorama, {})[photo_id] = self.folder / view.file
        frames = [panorama for panorama in of if panorama not in files.paths]
        paths: dict[str, Path] = {}
        for file_id, path in files.paths.items():
            if not frames and file_id not in of:
                paths[file_id] = path
            for panorama in frames or [file_id]:
                paths |= of.get(panorama, {})
        mine = self.views
        masks = {name: self.folder / view.mask for name, view in mine.items() if view.mask}
        return FoundFiles(
            paths,
            {**files.sha256, **{name: view.sha256 for name, view in mine.items()}},
            {name: path for name, path in files.masks.items() if name in paths} | masks,
            files.sensor_depth,
            self.digest,
            frozenset(self.with_views(files.excluded)),
            files.notes,
            exif={name: view.exif for name, view in mine.items()},
            moments={name: view.panorama for name, view in mine.items()},
            refused=self.refused,
            drawn={name: path for name, path in files.drawn.items() if name in paths},
        )

    def with_views(self, excluded: Collection[str]) -> set[str]:
        """Names and patterns of photos, the panoramas among them replaced by their views."""
        panoramas = [*dict.fromkeys(view.panorama for view in self.views.values())]
        meant = named(panoramas, excluded)
        out = {name for name in excluded if not meant[name]}
        gone = {panorama for found in meant.values() for panorama in found}
        return out | {name for name, view in self.views.items() if view.panorama in gone}


def split_panoramas(panoramas: Panoramas, config: PanoramaConfig, folder: Path, task: Task) -> None:
    """Write the views of every panorama into `folder`; what an earlier run has written stays.

    Raises:
        InputError: fewer than two photos would be left, or the video cannot be decoded.
    """
    files, rows = panoramas.files, list[dict[str, object]]()
    refused = dict(panoramas.refused)
    taken = set(files.paths)
    if files.video:
        picks = _picked(files.video, config, folder, task)
        todo = [n for n in picks if not _is_split(folder, n)]
        for number, rgb in task.each(read_frames(files.video, todo), len(todo), _frame_name):
            _split(number, _frame_name((number, rgb)), rgb, None, Exif(), config, folder)
        sources = [(number, _frame_name((number, None))) for number in picks]
    else:
        sources = list(enumerate(panoramas.ids))
        for number, panorama in task.each(sources, len(sources), lambda source: source[1]):
            if not _is_split(folder, number):
                try:
                    _split_photo(number, panorama, files, config, folder)
                except InputError as error:
                    refused[panorama] = str(error), error.hint
    for number, panorama in sources:
        if panorama in refused:
            continue
        found = json.loads(_done_path(folder, number).read_text(encoding="utf-8"))
        for view in found["views"]:
            view_id = _view_id(panorama, view["name"], taken)
            taken.add(view_id)
            rows.append({"id": view_id, **view})
    used = len(sources) - len(refused.keys() & {panorama for _, panorama in sources})
    others = 0 if files.video else len(files.paths) - len(panoramas.ids) - len(panoramas.refused)
    if used == 1 and not others:
        raise InputError(
            f"{sources[0][1]} is the only 360-degree photo, and one place alone shows no depth.",
            hint="Take several, a step or two apart.",
        )
    _log.info("%d panoramas became %d views, %.1f s", used, len(rows), task.seconds)
    write_json(folder / _INDEX, {"views": rows, "refused": refused})


def read_panorama_views(folder: Path) -> PanoramaViews:
    """Read what `split_panoramas` wrote."""
    stored = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
    views = {}
    for row in stored["views"]:
        photo_id = row.pop("id")
        views[photo_id] = PanoramaView(**{**row, "exif": exif_from_json(row["exif"])})
    refused = {name: (reason, advice) for name, (reason, advice) in stored["refused"].items()}
    return PanoramaViews(folder, views, refused, digest=f"panoramas {folder.name}")


def with_border(panorama: UInt8[np.ndarray, "h w *c"]) -> UInt8[np.ndarray, "h2 w2 *c"]:
    """With what lies beyond the edges: the other side, and beyond a pole half around."""
    half, last = panorama.shape[1] // 2, len(panorama) - _BORDER_PX
    above, below = panorama[:_BORDER_PX][::-1], panorama[last:][::-1]
    tall = np.concatenate([np.roll(above, half, 1), panorama, np.roll(below, half, 1)])
    wrap = ((0, 0), (_BORDER_PX, _BORDER_PX), *((0, 0) for _ in panorama.shape[2:]))
    return np.pad(tall, wrap, mode="wrap")


def rectilinear(
    bordered: UInt8[np.ndarray, "h w *c"],
    name: str,
    camera: PinholeCamera,
    interpolation: int = cv2.INTER_CUBIC,
) -> UInt8[np.ndarray, "h2 w2 *c"]:
    """A view of an equirectangular picture.

    Args:
        bordered: As `with_border` makes it of one that is twice as wide as high.
        name: Of the view, one of `VIEWS`.
        camera: Of the view.
        interpolation: OpenCV's.
    """
    height_px, width_px = (side - 2 * _BORDER_PX for side in bordered.shape[:2])
    uv = uv_of_directions(pixel_rays(camera) @ VIEWS[name], width_px)
    uv[..., 1] *= 2 * height_px / width_px
    # OpenCV's first pixel is centred on (0, 0).
    x, y = np.moveaxis((uv - 0.5 + _BORDER_PX).astype(np.float32), -1, 0)
    return np.asarray(cv2.remap(bordered, x, y, interpolation))


def _split_photo(
    number: int, panorama: str, files: FoundFiles, config: PanoramaConfig, folder: Path
) -> None:
    picture = read_picture(files.paths[panorama])
    keep = picture.opaque
    if mask := files.drawn.get(panorama) or files.masks.get(panorama):
        height_px, width_px = picture.rgb.shape[:2]
        keep = read_mask(mask, (width_px, height_px), 1, "upright")
    _split(number, panorama, picture.rgb, keep, picture.exif, config, folder)


def _split(
    number: int,
    panorama: str,
    rgb: UInt8[np.ndarray, "h w 3"],
    keep: Bool[np.ndarray, "h w"] | None,
    exif: Exif,
    config: PanoramaConfig,
    folder: Path,
) -> None:
    camera = view_camera(rgb.shape[1], config.field_of_view_deg)
    rows: list[PanoramaView] = []
    wide = with_border(rgb)
    wide_keep = None if keep is None else with_border(keep.astype(np.uint8) * 255)
    for name in config.views:
        file, mask = f"views/{number:06d}_{name}.jpg", ""
        if wide_keep is not None:
            shown = rectilinear(wide_keep, name, camera, cv2.INTER_NEAREST)
            if not shown.any():
                continue
            mask = f"masks/{number:06d}_{name}.png"
            with atomic_path(folder / mask) as part:
                Image.fromarray(shown).save(part)
        data = io.BytesIO()
        Image.fromarray(rectilinear(wide, name, camera)).save(
            data, "JPEG", quality=_JPEG_QUALITY, subsampling=0
        )
        with atomic_path(folder / file) as part:
            part.write_bytes(data.getbuffer())
        rows.append(
            PanoramaView(
                panorama=panorama,
                name=name,
                file=file,
                sha256=hashlib.sha256(data.getbuffer()).hexdigest(),
                side_px=camera.width_px,
                focal_px=camera.fx_px,
                mask=mask,
                exif=_exif_of_view(exif, name, camera, has_gps=not rows),
            )
        )
    write_json(_done_path(folder, number), {"views": [asdict(row) for row in rows]})


def _exif_of_view(exif: Exif, name: str, camera: PinholeCamera, *, has_gps: bool) -> Exif:
    """has_gps: one view of each panorama; five at one place would count as five readings."""
    down = exif.down_cam
    if down is not None:
        x, y, z = (VIEWS[name] @ np.array(down)).tolist()
        down = (x, y, z)
    return replace(
        exif,
        focal_px=camera.fx_px,
        gps_deg_m=exif.gps_deg_m if has_gps else None,
        down_cam=down,
        orientation=1,
    )


def _picked(film: Path, config: PanoramaConfig, folder: Path, task: Task) -> list[int]:
    picks = folder / "picks.json"
    if not picks.exists():
        chosen = pick_frames(
            film, config.video_frames, lambda done, total: task.step(done, total, "looking")
        )
        write_json(picks, {"frames": chosen})
    numbers: list[int] = json.loads(picks.read_text(encoding="utf-8"))["frames"]
    return numbers


def _frame_name(frame: tuple[int, object]) -> str:
    return f"frame-{frame[0]:06d}.jpg"


def _view_id(panorama: str, name: str, taken: Collection[str]) -> str:
    """The panorama's id and which view it is; numbered where a file is called so already."""
    pure = PurePosixPath(panorama)
    view_id, number = pure.with_name(f"{pure.stem}_{name}.jpg").as_posix(), 1
    while view_id in taken:
        number += 1
        view_id = pure.with_name(f"{pure.stem}_{name} ({number}).jpg").as_posix()
    return view_id


def _is_split(folder: Path, number: int) -> bool:
    return _done_path(folder, number).exists()


def _done_path(folder: Path, number: int) -> Path:
    """Written after its views: what is there means that they are, too."""
    return folder / "items" / f"{number:06d}.json"


SPLIT_PANORAMAS = Stage(
    name="panoramas",
    result="panoramas",
    version=1,
    run=split_panoramas,
    read=read_panorama_views,
    libraries=("pillow", "opencv"),
)
