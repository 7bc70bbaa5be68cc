"""The folder of an image set: numbered pictures, masks and depth, an item file for each photo.

Numbers instead of names, because not every library opens a path with umlauts.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from recon3d.core.orientation import DescribedPixels
from recon3d.core.scene import Exif, ImageSet, Photo, Verdict
from recon3d.photos.depth_images import read_depth_m
from recon3d.photos.naming import named
from recon3d.run.files import FileMapping, write_json


@dataclass(frozen=True, kw_only=True)
class Item:
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
    flaw: str = ""
    """What makes a good photo worse than it looks."""
    copy_of: str = ""
    """Id of the photo that it is left out for; good if that one is not used."""

    @property
    def verdict(self) -> Verdict:
        """Why it is left out."""
        return Verdict(self.id, False, self.reason, self.advice)


def write_image_set(
    folder: Path,
    items: Sequence[Item],
    *,
    sequential: bool,
    orientation: DescribedPixels = "auto",
    depth_unit: float = 0.001,
) -> None:
    """Write down which items are photos and which are left out.

    Args:
        folder: Where their pixels are.
        items: Every file.
        sequential: Whether they are frames of a video.
        orientation: Which pixels of turned photos the user's cameras and marks are for.
        depth_unit: Metres of one grey level of the depth maps.
    """
    write_json(
        folder / "image_set.json",
        {
            "sequential": sequential,
            "orientation": orientation,
            "depth_unit": depth_unit,
            "items": [asdict(item) for item in items],
        },
    )


def read_image_set(folder: Path, excluded: Collection[str] = ()) -> ImageSet:
    """Read what `ingest` wrote; depth one file at a time.

    excluded: photos to leave out, as `named` understands them.
    """
    content = json.loads((folder / "image_set.json").read_text(encoding="utf-8"))
    judged = [_item_from_json(fields) for fields in content["items"]]
    items = _without(judged, excluded)
    good = [item for item in items if not item.reason]
    return ImageSet(
        photos=tuple(_photo(item) for item in good),
        verdicts=tuple(item.verdict for item in items if item.reason),
        sequential=content["sequential"],
        pictures={item.id: picture_path(folder, item.number) for item in good},
        masks={item.id: mask_path(folder, item.number) for item in good if item.has_mask},
        sensor_depth=FileMapping(
            {item.id: depth_path(folder, item.number) for item in good if item.has_depth},
            partial(read_depth_m, unit_m=content["depth_unit"]),
        ),
        depth_unit=content["depth_unit"],
        orientation=content["orientation"],
        excluded=tuple(
            before.id
            for before, after in zip(judged, items, strict=True)
            if after.reason and not before.reason
        ),
    )


def read_items(folder: Path) -> list[Item]:
    """Every file that `ingest` looked at, used or not."""
    content = json.loads((folder / "image_set.json").read_text(encoding="utf-8"))
    return [_item_from_json(fields) for fields in content["items"]]


def read_flaws(folder: Path) -> list[str]:
    """What makes good photos worse than they look, each with how many photos it is true of."""
    flawed: dict[str, list[str]] = defaultdict(list)
    for item in read_items(folder):
        if item.flaw and not item.reason:
            flawed[item.flaw].append(item.id)
    return [
        f"{ids[0]}{f' and {len(ids) - 1} more' if len(ids) > 1 else ''}: {flaw}"
        for flaw, ids in flawed.items()
    ]


def _without(items: Sequence[Item], excluded: Collection[str]) -> list[Item]:
    """The items, some left out on purpose; the next copy of such a photo takes its place."""
    left_out = {*chain.from_iterable(named([item.id for item in items], excluded).values())}
    kept: list[Item] = []
    heirs: dict[str, str] = {}
    for item in items:
        if item.id in left_out:
            item = replace(item, reason="you left it out", advice="Include it to use it again.")
        elif item.copy_of in left_out:
            heir = heirs.setdefault(item.copy_of, item.id)
            item = (
                replace(item, reason="", advice="", copy_of="")
                if heir == item.id
                else replace(item, reason=f"it is a copy of {heir}", copy_of=heir)
            )
        kept.append(item)
    return kept


def read_item(folder: Path, number: int) -> Item | None:
    """The item if an earlier, interrupted run finished it."""
    path = _item_path(folder, number)
    if not path.exists():
        return None
    return _item_from_json(json.loads(path.read_text(encoding="utf-8")))


def write_item(folder: Path, item: Item) -> Item:
    """Write it, after its picture: an item on the disk means that its pixels are there too."""
    write_json(_item_path(folder, item.number), asdict(item))
    return item


def _item_path(folder: Path, number: int) -> Path:
    return folder / "items" / f"{number:06d}.json"


def picture_path(folder: Path, number: int) -> Path:
    """Upright 8-bit JPEG."""
    return folder / "pictures" / f"{number:06d}.jpg"


def mask_path(folder: Path, number: int) -> Path:
    """PNG of the picture's size, 255 = keep, 0 = hide."""
    return folder / "masks" / f"{number:06d}.png"


def depth_path(folder: Path, number: int) -> Path:
    """The depth camera's 16-bit levels, turned as the photo is."""
    return folder / "depth" / f"{number:06d}.png"


def _photo(item: Item) -> Photo:
    return Photo(
        item.id, item.path, item.width_px, item.height_px, item.exif, item.sha256, _group(item)
    )


def _group(item: Item) -> str:
    """Same camera, size and focal length: a zoomed or turned photo is a group of its own."""
    name = f"{item.exif.make or ''} {item.exif.model or ''}".strip() or "unknown camera"
    focal = f" {item.exif.focal_px:.0f} px" if item.exif.focal_px else ""
    return f"{name} {item.width_px}x{item.height_px}{focal}"


def _item_from_json(fields: dict[str, Any]) -> Item:
    return Item(**{**fields, "exif": exif_from_json(fields["exif"])})


def exif_from_json(stored: Mapping[str, Any]) -> Exif:
    """What `asdict` made of it, once it went through JSON."""
    places = {
        name: tuple(stored[name])
        for name in ("gps_deg_m", "gps_std_m", "down_cam")
        if stored.get(name)
    }
    return Exif(**{**stored, **places})
