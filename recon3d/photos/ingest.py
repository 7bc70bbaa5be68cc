"""The user's files become upright photos, or get a verdict that says why not."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from recon3d.core.errors import InputError
from recon3d.core.orientation import DescribedPixels, Size, assumption_in_words, size_tells
from recon3d.core.ranges import Range, check_ranges
from recon3d.core.scene import Exif, ImageSet
from recon3d.language import word
from recon3d.photos.decoding import USUAL_BYTES, decoding_bytes
from recon3d.photos.depth_images import read_depth_levels
from recon3d.photos.finding import FoundFiles
from recon3d.photos.image_set_files import (
    Item,
    depth_path,
    mask_path,
    picture_path,
    read_flaws,
    read_image_set,
    read_item,
    write_image_set,
    write_item,
)
from recon3d.photos.judging import check_is_photo, counted, judged, nothing_left
from recon3d.photos.masks import read_mask
from recon3d.photos.naming import named
from recon3d.photos.pictures import Picture, read_picture, read_size
from recon3d.photos.sharpness import sharpness
from recon3d.photos.video import film_orientation, pick_frames, read_frames
from recon3d.photos.video_colour import flaw_of
from recon3d.run.files import atomic_path, write_json
from recon3d.run.memory import SharedMemory
from recon3d.run.stage import Stage
from recon3d.run.task import Task

__all__ = ["INGEST", "IngestConfig", "check_excluded", "ingest", "read_image_set"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class IngestConfig:
    """Which files become photos."""

    blur_limit: Annotated[float, Range(least=0, below=1)] = 0.2
    """Leave out a photo whose sharpness is below this share of the image set's median.
    0 keeps everything; raise it to be stricter."""

    video_frames: Annotated[int, Range(least=2)] = 150
    """At most this many frames are picked from a video, sharp ones that overlap well.
    More frames cost time in every later stage."""

    orientation: DescribedPixels = "auto"
    """Which pixels your intrinsics, poses, masks, depth maps and marks are for where EXIF turns a
    photo: stored as they lie in the file, or upright as viewers show them. auto goes by their
    size; where it fits both, cameras and depth are taken for stored, masks and marks for
    upright."""

    depth_unit: Annotated[float, Range(above=0, below=1000)] = 0.001
    """Metres that one grey level of the depth maps means: 0.001 is a millimetre, which most depth
    cameras write; TUM's sets have 0.0002."""

    def __post_init__(self) -> None:
        """Refuse shares and counts that mean nothing."""
        check_ranges(self, "ingest")


def ingest(files: FoundFiles, config: IngestConfig, folder: Path, task: Task) -> None:
    """Decode, judge and normalise every file into `folder`.

    Upright 8-bit JPEG files are copied byte for byte; anything else becomes a JPEG of quality 97
    without chroma subsampling. The transparent part of a cut-out photo counts as masked, unless
    the photo has a mask of its own.

    Raises:
        InputError: no file is a usable photo, or a video cannot be decoded.
        Cancelled: finished items are kept.
    """
    if files.video:
        items = _ingest_video(files, files.video, config, folder, task)
    else:
        items = _ingest_photos(files, config, folder, task)
    items = judged(items, folder, config.blur_limit, files.moments)
    bad = [item.verdict for item in items if item.reason]
    if len(bad) == len(items):
        raise nothing_left(bad)
    if bad:
        task.warn(f"left out {len(bad)} of {len(items)} files: {counted(bad)}")
    _log.info("%d of %d files are photos, %.1f s", len(items) - len(bad), len(items), task.seconds)
    for warning in _assumptions(items, files, config.orientation):
        task.warn(warning)
    write_image_set(
        folder,
        items,
        sequential=files.video is not None,
        orientation=config.orientation,
        depth_unit=config.depth_unit,
    )


def check_excluded(image_set: ImageSet, excluded: Collection[str], task: Task) -> None:
    """Say what the user leaves out in vain.

    Raises:
        InputError: no photo is left.
    """
    ids = [photo.id for photo in image_set.photos] + [
        verdict.photo_id for verdict in image_set.verdicts
    ]
    unknown = sorted(name for name, meant in named(ids, excluded).items() if not meant)
    if unknown:
        more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
        task.warn(f"no photo is called {', '.join(unknown[:3])}{more}, so nothing was left out")
    if not image_set.photos:
        raise InputError(
            f"You left out all {len(image_set.excluded)} good photos.",
            hint="Include at least two that show the same from different places.",
        )


def _ingest_photos(files: FoundFiles, config: IngestConfig, folder: Path, task: Task) -> list[Item]:
    def work(number: int, photo_id: str) -> Item:
        make = partial(_ingest_photo, number, photo_id, files, config.orientation, folder, memory)
        return _once(folder, number, make)

    memory = SharedMemory(max(task.runtime.room_bytes, USUAL_BYTES))
    pool = ThreadPoolExecutor(task.runtime.threads, thread_name_prefix="ingest")
    try:
        jobs = [pool.submit(work, number, name) for number, name in enumerate(files.paths)]
        for _ in task.each(as_completed(jobs), len(jobs), lambda job: job.result().id):
            pass
        return [job.result() for job in jobs]
    finally:
        pool.shutdown(cancel_futures=True)


def _ingest_photo(
    number: int,
    photo_id: str,
    files: FoundFiles,
    described: DescribedPixels,
    folder: Path,
    memory: SharedMemory,
) -> Item:
    item = Item(
        number=number,
        id=photo_id,
        path=str(files.paths[photo_id].absolute()),
        sha256=files.sha256[photo_id],
    )
    if photo_id in files.refused:
        reason, advice = files.refused[photo_id]
        return replace(item, reason=reason, advice=advice)
    try:
        with memory.taken(_decoding_bytes(photo_id, files), f"decode {photo_id}"):
            return _taken_in(item, files, described, folder)
    except InputError as error:
        return replace(item, reason=str(error), advice=error.hint)


def _decoding_bytes(photo_id: str, files: FoundFiles) -> int:
    """What a photo takes with its mask and depth, by what their headers say."""
    needed_bytes = decoding_bytes(*read_size(files.paths[photo_id]))
    masks = files.drawn if photo_id in files.drawn else files.masks
    for companions in (masks, files.sensor_depth):
        if photo_id in companions:
            with suppress(InputError):  # told by who reads it, as what it is
                needed_bytes += decoding_bytes(*read_size(companions[photo_id]))
    return needed_bytes


def _taken_in(item: Item, files: FoundFiles, described: DescribedPixels, folder: Path) -> Item:
    """The item with its pixels, mask and depth on the disk."""
    number, path = item.number, files.paths[item.id]
    picture = read_picture(path)
    check_is_photo(item.id, picture)
    if drawn := files.drawn.get(item.id):
        keep = _keep(picture, drawn, "upright")
    else:
        keep = _keep(picture, files.masks.get(item.id), described)
    if item.id in files.sensor_depth:
        source, orientation = files.sensor_depth[item.id], picture.exif.orientation
        levels = read_depth_levels(source, _size(picture), orientation, described)
        with atomic_path(depth_path(folder, number)) as part:
            Image.fromarray(levels).save(part, "PNG")
    with atomic_path(picture_path(folder, number)) as part:
        if picture.is_plain_jpeg:
            shutil.copyfile(path, part)
        else:
            _save_jpeg(picture.rgb, part)
    if keep is not None:
        with atomic_path(mask_path(folder, number)) as part:
            Image.fromarray(keep.astype(np.uint8) * 255).save(part)
    return replace(
        _seen(item, picture.rgb),
        exif=files.exif.get(item.id, picture.exif),
        flaw=picture.flaw,
        has_mask=keep is not None,
        has_depth=item.id in files.sensor_depth,
    )


def _ingest_video(
    files: FoundFiles, video: Path, config: IngestConfig, folder: Path, task: Task
) -> list[Item]:
    if files.masks or files.drawn or files.sensor_depth:
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
    items = {n: item for n in numbers if (item := read_item(folder, n))}
    todo = [number for number in numbers if number not in items]
    exif, flaw = Exif(orientation=film_orientation(video)), flaw_of(video)
    for number, rgb in task.each(read_frames(video, todo), len(todo), lambda pair: str(pair[0])):
        with atomic_path(picture_path(folder, number)) as part:
            _save_jpeg(rgb, part)
        name = f"frame-{number:06d}.jpg"
        item = Item(number=number, id=name, path=str(video.absolute()), sha256="", exif=exif)
        items[number] = write_item(folder, replace(_seen(item, rgb), flaw=flaw))
    return [items[number] for number in sorted(items)]


def _once(folder: Path, number: int, make: Callable[[], Item]) -> Item:
    return read_item(folder, number) or write_item(folder, make())


def _seen(item: Item, rgb: UInt8[np.ndarray, "h w 3"]) -> Item:
    pixels_sha256 = hashlib.sha256(np.ascontiguousarray(rgb).data).hexdigest()
    return replace(
        item,
        sha256=item.sha256 or pixels_sha256,
        pixels_sha256=pixels_sha256,
        width_px=rgb.shape[1],
        height_px=rgb.shape[0],
        sharpness=sharpness(rgb),
    )


def _keep(
    picture: Picture, mask: Path | None, described: DescribedPixels
) -> Bool[np.ndarray, "h w"] | None:
    keep = picture.opaque
    if mask:
        keep = read_mask(mask, _size(picture), picture.exif.orientation, described)
    if keep is not None and not keep.any():
        raise InputError("its mask hides all of it", hint="In masks, white means keep.")
    return keep


def _size(picture: Picture) -> Size:
    height_px, width_px = picture.rgb.shape[:2]
    return width_px, height_px


def _assumptions(
    items: Sequence[Item], files: FoundFiles, described: DescribedPixels
) -> Iterator[str]:
    """Where nothing says which pixels the masks and depth maps of turned photos are for."""
    unclear = [
        item.id
        for item in items
        if described == "auto"
        and not item.reason
        and not size_tells((item.width_px, item.height_px), item.exif.orientation)
    ]
    if masked := [
        photo_id for photo_id in unclear if photo_id in files.masks and photo_id not in files.drawn
    ]:
        yield assumption_in_words(word("masks"), masked, "upright")
    if measured := [photo_id for photo_id in unclear if photo_id in files.sensor_depth]:
        yield assumption_in_words("depth maps", measured, "stored")


def _save_jpeg(rgb: UInt8[np.ndarray, "h w 3"], path: Path) -> None:
    Image.fromarray(rgb).save(path, "JPEG", quality=97, subsampling=0)


INGEST = Stage(
    name="ingest",
    result="image_set",
    version=6,
    run=ingest,
    read=read_image_set,
    libraries=("pillow", "opencv"),
    warnings=read_flaws,
)
