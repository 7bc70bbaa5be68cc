"""The frame that a model leaves the workspace in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Float

from recon3d.core.scene import Unit
from recon3d.core.transform import Similarity


@dataclass(frozen=True, eq=False)
class Georeference:
    """Where the target frame lies on the earth, or in the coordinates of a survey."""

    source: Literal["control points", "poses", "gps"]
    crs: str
    """The coordinate reference system, as pyproj reads it; empty where nobody has named it."""
    crs_from_target: Similarity
    """East, north and height in metres."""


@dataclass(frozen=True, eq=False)
class TargetFrame:
    """Where the model stands and how large it is: z-up, its origin on the ground below it."""

    target_from_world: Similarity
    unit: Unit
    """Of lengths in the target frame."""
    report: Mapping[str, object] = field(default_factory=dict)
    """Numbers for people: which cues told scale and up, how sure they are, which were rejected."""
    up_world: Float[np.ndarray, "3"] | None = None
    """Unit; known even where the model keeps the frame of its cameras. For pictures of it."""
    georeference: Georeference | None = None
    """None where nothing tells."""
