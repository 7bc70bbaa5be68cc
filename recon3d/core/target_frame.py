"""The frame that a model leaves the workspace in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from recon3d.core.scene import Unit
from recon3d.core.transform import Similarity


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
