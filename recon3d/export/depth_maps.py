"""Depth maps as files that other programs read: 16-bit PNG, and NPY with every digit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float

from recon3d.core.scene import Unit
from recon3d.run.files import atomic_path

_LARGEST = 65535


def png_step(unit: Unit, farthest: float) -> float:
    """What one grey level of the PNGs means, in scene units.

    A millimetre where the scene has metres, as depth cameras write it; otherwise the finest step
    that still reaches `farthest`.
    """
    return 0.001 if unit == "metre" or farthest <= 0 else farthest / _LARGEST


def write_depth_map(stem: Path, depth_z: Float[np.ndarray, "h w"], step: float) -> None:
    """Write stem + .png and .npy; 0 = unknown in both, in the PNG also what 16 bits cannot reach.

    Raises:
        OutputError: the place cannot be written.
    """
    from PIL import Image

    levels = np.rint(depth_z / step)
    levels[levels > _LARGEST] = 0
    with atomic_path(stem.with_name(f"{stem.name}.png")) as part:
        Image.fromarray(levels.astype(np.uint16)).save(part)
    with atomic_path(stem.with_name(f"{stem.name}.npy")) as part:
        np.save(part, depth_z.astype(np.float32, copy=False))
