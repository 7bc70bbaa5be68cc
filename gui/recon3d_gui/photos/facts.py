"""What is known of a photo from its file alone, and its small picture."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from recon3d.core.errors import InputError, NotEnoughMemoryError
from recon3d.core.scene import Exif
from recon3d.photos.naming import VIDEO_SUFFIXES
from recon3d.run.documents import parse_json

THUMBNAIL_PX = 160
"""Longer side of a thumbnail."""

# As much as judging sharpness looks at.
_JUDGED_PX = 640
_FULL_FRAME_DIAGONAL_MM = math.hypot(36.0, 24.0)


@dataclass(frozen=True, kw_only=True)
class PhotoFacts:
    """What the file says; of a file that is no photo only why."""

    width_px: int = 0
    height_px: int = 0
    camera: str = ""
    focal_mm: float | None = None
    """35 mm equivalent."""
    taken_at: str = ""
    """ISO 8601."""
    orientation: int = 1
    """EXIF's: how the stored pixels are turned to be upright."""
    sharpness: float = 0.0
    """Comparable among the photos of one place only."""
    reason: str = ""
    """Why it cannot be used; empty for a good photo."""
    advice: str = ""

    @property
    def line(self) -> str:
        """Camera, lens, time and size for people, as far as they are known."""
        return _joined(self.lens, self.taken_at[:16].replace("T", " "), self.size)

    @property
    def lens(self) -> str:
        """Camera and focal length."""
        return _joined(self.camera, f"{self.focal_mm:.0f} mm" if self.focal_mm else "")

    @property
    def size(self) -> str:
        """In pixels."""
        return f"{self.width_px} × {self.height_px}" if self.width_px else ""


@dataclass(frozen=True, eq=False)
class Thumbnail:
    """A photo's facts with its small picture; None where the file shows nothing."""

    facts: PhotoFacts
    rgb: UInt8[np.ndarray, "h w 3"] | None


def make_thumbnail(file: Path) -> Thumbnail:
    """Look at a photo, or at the first frame of a video; a broken file is a fact, no error."""
    from PIL import Image

    from recon3d.photos.pictures import read_preview
    from recon3d.photos.sharpness import sharpness
    from recon3d.photos.video import film_orientation, read_frames

    try:
        if file.suffix.lower() in VIDEO_SUFFIXES:
            rgb = next((rgb for _, rgb in read_frames(file, [0])), None)
            if rgb is None:
                return Thumbnail(PhotoFacts(reason="the video has no frames"), None)
            facts = PhotoFacts(
                width_px=rgb.shape[1], height_px=rgb.shape[0], orientation=film_orientation(file)
            )
        else:
            preview = read_preview(file, _JUDGED_PX)
            rgb = preview.rgb
            facts = _facts(preview.exif, preview.width_px, preview.height_px, sharpness(rgb))
    except (InputError, NotEnoughMemoryError) as error:
        return Thumbnail(PhotoFacts(reason=str(error), advice=error.hint), None)
    image = Image.fromarray(rgb)
    image.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    return Thumbnail(facts, np.asarray(image))


def _facts(exif: Exif, width_px: int, height_px: int, sharpness: float) -> PhotoFacts:
    focal_px = exif.focal_px
    return PhotoFacts(
        width_px=width_px,
        height_px=height_px,
        camera=_camera(exif),
        focal_mm=focal_px * _FULL_FRAME_DIAGONAL_MM / math.hypot(width_px, height_px)
        if focal_px
        else None,
        taken_at=exif.taken_at or "",
        orientation=exif.orientation,
        sharpness=round(sharpness, 6),
    )


def _joined(*parts: str) -> str:
    return " · ".join(part for part in parts if part)


def _camera(exif: Exif) -> str:
    """NIKON CORPORATION, NIKON D3200 -> NIKON D3200."""
    make, model = exif.make or "", exif.model or ""
    first = make.split(" ")[0]
    return model if model.lower().startswith(first.lower()) else f"{first} {model}".strip()


def facts_to_text(facts: PhotoFacts) -> str:
    """One line that `facts_from_text` reads."""
    return json.dumps(asdict(facts))


def facts_from_text(text: str | bytes) -> PhotoFacts:
    """Read what `facts_to_text` wrote.

    Raises:
        ValueError: it is damaged, or of another version.
    """
    fields = parse_json(text if isinstance(text, str) else text.decode())
    usual = asdict(PhotoFacts(focal_mm=0.0))
    if not isinstance(fields, dict) or fields.keys() != usual.keys():
        raise ValueError("not the facts of a photo")
    for name, value in fields.items():
        if not (isinstance(value, type(usual[name])) or (name == "focal_mm" and value is None)):
            raise ValueError(f"{name}: got {value!r}")
    return PhotoFacts(**fields)
