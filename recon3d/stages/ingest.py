"""The user's files become upright photos, or get a verdict that says why not."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from statistics import median
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from recon3d.core.errors import InputError, require
from recon3d.core.scene import Album, Exif, Photo, Verdict
from recon3d.io.naming import split_role
from recon3d.io.photos import FoundFiles
from recon3d.io.pictures import Picture, read_depth_mm, read_mask, read_picture
from recon3d.io.sharpness import sharpness
from recon3d.io.video import pick_frames, read_frames
from recon3d.run.device import Runtime
from recon3d.run.files import FileMapping, atomic_path, write_json
from recon3d.run.task import Task

VERSION = 1

_log = logging.getLogger(__name__)

_SMALLEST_PX = 64
# With fewer photos the median is no measure of what is usual.
_FEWEST_TO_JUDGE_BLUR = 4


@dataclass(frozen=True, kw_only=True)
class IngestConfig:
    """Which files become photos."""

    blur_limit: float = 0.2
    """Leave out a photo whose sharpness is below this share of the album's median.
    0 keeps everything; raise it to be stricter."""

    video_frames: int = 150
    """At most this many frames are picked from a video, sharp ones that overlap well.
    More frames cost time in every later stage."""

    def __post_init__(self) -> None:
        """Refuse shares and counts that mean nothing."""
        require(0 <= self.blur_limit < 1, "ingest.blur_limit", self.blur_limit, "0 up to 1")
        require(self.video_frames >= 2, "ingest.video_frames", self.video_frames, "2 or more")


@dataclass(frozen=True, kw_only=True)
class _Item:
    """What became of one file; its pixels lie under the same number."""

    number: int
    id: str
    path: str
    sha256: str
    pixels_sha256: str = ""
    width_px: int = 0
    height_px: int = 0
    exif: Exif = Exif()  # noqa: RUF009 - frozen
    sharpness: float = 0.0
    has_mask: bool = False
    has_depth: bool = False
    reason: str = ""
    """Why it is left out; empty for a good photo."""
    advice: str = ""


def ingest(
    files: FoundFiles, config: IngestConfig, folder: Path, task: Task, runtime: Runtime
) -> None:
    """Decode, judge and normalise every file into `folder`.

    Upright 8-bit JPEG files are copied byte for byte; anything else becomes a JPEG of quality 97
    without chroma subsampling. The transparent part of a cut-out photo counts as masked, unless
    the photo has a mask of its own. Pictures are numbered, because not every library opens a path
    with umlauts.

    Raises:
        InputError: no file is a usable photo, or a video cannot be decoded.
        Cancelled: finished items are kept.
    """
    if files.video:
        items = _ingest_video(files, files.video, config, folder, task)
    else:
        items = _ingest_photos(files, folder, task, runtime)
    items = _leave_out(items, config)
    good = [item for item in items if not item.reason]
    bad = [Verdict(item.id, False, item.reason, item.advice) for item in items if item.reason]
    if not good:
        raise _nothing_left(bad)
    if bad:
        task.warn(f"left out {len(bad)} of {len(items)} files: {_counted(bad)}")
    _log.info("%d of %d files are photos, %.1f s", len(good), len(items), task.seconds)
    write_json(
        folder / "album.json",
        {
            "sequential": files.video is not None,
            "photos": [asdict(item) for item in good],
            "verdicts": [asdict(verdict) for verdict in bad],
        },
    )


def read_album(folder: Path) -> Album:
    """Read what `ingest` wrote; masks and depth one file at a time."""
    content = json.loads((folder / "album.json").read_text(encoding="utf-8"))
    items = [_item_from_json(fields) for fields in content["photos"]]
    return Album(
        photos=tuple(_photo(item) for item in items),
        verdicts=tuple(Verdict(**fields) for fields in content["verdicts"]),
        sequential=content["sequential"],
        pictures={item.id: _picture_path(folder, item.number) for item in items},
        masks={item.id: _mask_path(folder, item.number) for item in items if item.has_mask},
        sensor_depth=FileMapping(
            {item.id: _depth_path(folder, item.number) for item in items if item.has_depth},
            read_depth_mm,
        ),
    )


def _ingest_photos(files: FoundFiles, folder: Path, task: Task, runtime: Runtime) -> list[_Item]:
    def work(number: int, photo_id: str) -> _Item:
        return _once(folder, number, lambda: _ingest_photo(number, photo_id, files, folder))

    # A 50-megapixel photo needs about half a GiB while it is decoded.
    threads = max(1, min(runtime.threads, runtime.memory_bytes >> 29))
    pool = ThreadPoolExecutor(threads, thread_name_prefix="ingest")
    try:
        jobs = [pool.submit(work, number, name) for number, name in enumerate(files.paths)]
        for _ in task.each(as_completed(jobs), len(jobs), lambda job: job.result().id):
            pass
        return [job.result() for job in jobs]
    finally:
        pool.shutdown(cancel_futures=True)


def _ingest_photo(number: int, photo_id: str, files: FoundFiles, folder: Path) -> _Item:
    path = files.paths[photo_id]
    item = _Item(number=number, id=photo_id, path=str(path), sha256=files.sha256[photo_id])
    try:
        picture = read_picture(path)
        _check_is_photo(photo_id, picture)
        keep = _keep(picture, files.masks.get(photo_id))
        if photo_id in files.sensor_depth:
            _copy_depth(files.sensor_depth[photo_id], _depth_path(folder, number), picture.rgb)
    except InputError as error:
        return replace(item, reason=str(error), advice=error.hint)
    with atomic_path(_picture_path(folder, number)) as part:
        if picture.is_plain_jpeg:
            shutil.copyfile(path, part)
        else:
            _save_jpeg(picture.rgb, part)
    if keep is not None:
        with atomic_path(_mask_path(folder, number)) as part:
            Image.fromarray(keep.astype(np.uint8) * 255).save(part)
    return replace(
        _seen(item, picture.rgb),
        exif=picture.exif,
        has_mask=keep is not None,
        has_depth=photo_id in files.sensor_depth,
    )


def _ingest_video(
    files: FoundFiles, video: Path, config: IngestConfig, folder: Path, task: Task
) -> list[_Item]:
    if files.masks or files.sensor_depth:
        raise InputError(
            "Masks and depth images cannot be given with a video.",
            hint="Save its frames as photos first, and name the masks like them.",
        )
    picks = folder / "picks.json"
    if not picks.exists():
        chosen = pick_frames(
            video, config.video_frames, lambda done, total: task.step(done, total, "looking")
        )
        write_json(picks, {"frames": chosen})
    numbers = json.loads(picks.read_text(encoding="utf-8"))["frames"]
    items = {n: item for n in numbers if (item := _finished(folder, n))}
    todo = [number for number in numbers if number not in items]
    for number, rgb in task.each(read_frames(video, todo), len(todo), lambda pair: str(pair[0])):
        with atomic_path(_picture_path(folder, number)) as part:
            _save_jpeg(rgb, part)
        name = f"frame-{number:06d}.jpg"
        item = _Item(number=number, id=name, path=str(video), sha256="")
        items[number] = _keep_item(folder, _seen(item, rgb))
    return [items[number] for number in sorted(items)]


def _once(folder: Path, number: int, make: Callable[[], _Item]) -> _Item:
    return _finished(folder, number) or _keep_item(folder, make())


def _finished(folder: Path, number: int) -> _Item | None:
    path = _item_path(folder, number)
    if not path.exists():
        return None
    return _item_from_json(json.loads(path.read_text(encoding="utf-8")))


def _keep_item(folder: Path, item: _Item) -> _Item:
    """Written last, so that an item on the disk means that its picture is there too."""
    write_json(_item_path(folder, item.number), asdict(item))
    return item


def _seen(item: _Item, rgb: UInt8[np.ndarray, "h w 3"]) -> _Item:
    pixels_sha256 = hashlib.sha256(rgb.tobytes()).hexdigest()
    return replace(
        item,
        sha256=item.sha256 or pixels_sha256,
        pixels_sha256=pixels_sha256,
        width_px=rgb.shape[1],
        height_px=rgb.shape[0],
        sharpness=sharpness(rgb),
    )


def _check_is_photo(photo_id: str, picture: Picture) -> None:
    height_px, width_px = picture.rgb.shape[:2]
    role = split_role(photo_id)[1] or PurePosixPath(photo_id).parent.name.lower()
    if picture.mode.startswith("I") and role.startswith("depth"):
        raise InputError("it is a depth image", hint="Give its folder as --depth.")
    levels = len(np.unique(picture.rgb[::4, ::4]))
    if picture.mode == "1" or (role.startswith("mask") and levels <= 2):
        raise InputError("it is a mask", hint="Give its folder as --masks.")
    if min(width_px, height_px) < _SMALLEST_PX:
        raise InputError(
            f"it is only {width_px}x{height_px} pixels", hint="Use the photo at its full size."
        )


def _keep(picture: Picture, mask: Path | None) -> Bool[np.ndarray, "h w"] | None:
    height_px, width_px = picture.rgb.shape[:2]
    keep = read_mask(mask, width_px, height_px) if mask else picture.opaque
    if keep is not None and not keep.any():
        raise InputError("its mask hides all of it", hint="In masks, white means keep.")
    return keep


def _copy_depth(source: Path, target: Path, rgb: UInt8[np.ndarray, "h w 3"]) -> None:
    depth_z = read_depth_mm(source)
    (height, width), (rgb_height, rgb_width) = depth_z.shape, rgb.shape[:2]
    if abs(width / height * rgb_height / rgb_width - 1) > 0.02:
        raise InputError(
            f"its depth image is {width}x{height}, the photo {rgb_width}x{rgb_height}",
            hint="Depth images must show what the photo shows, at any size.",
        )
    with atomic_path(target) as part:
        shutil.copyfile(source, part)


def _save_jpeg(rgb: UInt8[np.ndarray, "h w 3"], path: Path) -> None:
    Image.fromarray(rgb).save(path, "JPEG", quality=97, subsampling=0)


def _leave_out(items: Sequence[_Item], config: IngestConfig) -> list[_Item]:
    """Judge the photos beside each other: copies and hopeless blur."""
    judged, first_with = [], dict[str, str]()
    usual = median([item.sharpness for item in items if not item.reason] or [0.0])
    few = sum(not item.reason for item in items) < _FEWEST_TO_JUDGE_BLUR
    for item in items:
        twin = first_with.get(item.sha256) or first_with.get(item.pixels_sha256)
        if item.reason:
            pass
        elif twin:
            item = replace(item, reason=f"it is a copy of {twin}", advice="One of them is enough.")
        elif not few and item.sharpness < config.blur_limit * usual:
            share = item.sharpness / usual
            item = replace(
                item,
                reason=f"it is blurred: {share:.0%} of the sharpness that is usual here",
                advice="Take it again from a steady hand, or lower --ingest.blur-limit.",
            )
        else:
            first_with |= {item.sha256: item.id, item.pixels_sha256: item.id}
        judged.append(item)
    return judged


def _photo(item: _Item) -> Photo:
    return Photo(
        item.id, item.path, item.width_px, item.height_px, item.exif, item.sha256, _group(item)
    )


def _group(item: _Item) -> str:
    """Same camera, size and focal length: a zoomed or turned photo is a group of its own."""
    name = f"{item.exif.make or ''} {item.exif.model or ''}".strip() or "unknown camera"
    focal = f" {item.exif.focal_px:.0f} px" if item.exif.focal_px else ""
    return f"{name} {item.width_px}x{item.height_px}{focal}"


def _nothing_left(bad: Sequence[Verdict]) -> InputError:
    advice = Counter(verdict.advice for verdict in bad if verdict.advice)
    return InputError(
        f"None of the {len(bad)} files is a usable photo: {_counted(bad)}.",
        hint=" ".join(text for text, _ in advice.most_common(2)),
    )


def _counted(bad: Sequence[Verdict]) -> str:
    """Up to three reasons, the most common first, each with an example."""
    reasons = Counter(verdict.reason for verdict in bad)
    example = {verdict.reason: verdict.photo_id for verdict in reversed(bad)}
    shown = [f"{example[r]} ({r})" if n == 1 else f"{example[r]} and {n - 1} more ({r})"
             for r, n in reasons.most_common(3)]  # fmt: skip
    return ", ".join(shown) + (", ..." if len(reasons) > 3 else "")


def _item_from_json(fields: dict[str, Any]) -> _Item:
    exif = dict(fields.pop("exif"))
    if exif["gps_deg_m"]:
        exif["gps_deg_m"] = tuple(exif["gps_deg_m"])
    return _Item(**fields, exif=Exif(**exif))


def _item_path(folder: Path, number: int) -> Path:
    return folder / "items" / f"{number:06d}.json"


def _picture_path(folder: Path, number: int) -> Path:
    return folder / "pictures" / f"{number:06d}.jpg"


def _mask_path(folder: Path, number: int) -> Path:
    return folder / "masks" / f"{number:06d}.png"


def _depth_path(folder: Path, number: int) -> Path:
    return folder / "depth" / f"{number:06d}.png"
