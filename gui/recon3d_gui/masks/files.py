"""Masks on the disk: where a project keeps those that are drawn, and what a new one begins with."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from recon3d.core.errors import InputError
from recon3d.core.orientation import DescribedPixels
from recon3d.photos.masks import read_mask
from recon3d.photos.pictures import read_preview
from recon3d.run.files import atomic_path

MOST_PX = 4096
"""Longer side of a mask that is drawn; a run brings it to the photo's size."""


@dataclass(frozen=True, eq=False)
class Sheet:
    """What one draws on."""

    rgb: UInt8[np.ndarray, "h w 3"]
    """The photo as it is shown: upright."""
    keep: Bool[np.ndarray, "h w"]
    problem: str = ""
    """Why the mask that it should begin with could not be used."""


def read_sheet(photo: Path, mask: Path | None, described: DescribedPixels) -> Sheet:
    """A photo and the mask to begin with; without one all of it is kept.

    described: which pixels the mask is for (`read_mask`).

    Raises:
        InputError: the photo cannot be shown.
    """
    preview = read_preview(photo, MOST_PX)
    height_px, width_px = preview.rgb.shape[:2]
    keep, problem = np.ones((height_px, width_px), bool), ""
    if mask is not None:
        try:
            size = (width_px, height_px)
            keep = read_mask(mask, size, preview.exif.orientation, described)
        except InputError as error:
            problem = f"{error} {error.hint}".strip()
    return Sheet(preview.rgb, keep, problem)


def write_mask(target: Path, grey: UInt8[np.ndarray, "h w"]) -> None:
    """Write a mask as PNG, white = keep, whole or not at all.

    Raises:
        OutputError: the place cannot be written.
    """
    with atomic_path(target) as part:
        Image.fromarray(grey).save(part, "PNG", compress_level=3)


def remove_mask(target: Path) -> None:
    """Take a mask away, and folders that are empty then."""
    target.unlink(missing_ok=True)
    with suppress(OSError):
        target.parent.rmdir()


def new_masks_folder(workspace: Path) -> Path:
    """Beside the workspace and named like it; never one that is there already, or of others."""
    number, folder = 1, workspace.with_name(f"{workspace.stem}_masks")
    while folder.exists():
        number += 1
        folder = workspace.with_name(f"{workspace.stem}_masks_{number}")
    return folder
