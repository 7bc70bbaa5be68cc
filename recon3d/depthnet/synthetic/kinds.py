"""Which kinds of scenes there are, and how often."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from recon3d.depthnet.synthetic.indoors import corridor, room, table
from recon3d.depthnet.synthetic.outdoors import facade, lone_object, rocks, terrain
from recon3d.depthnet.synthetic.scene import Scene

_KINDS: tuple[tuple[Callable[[np.random.Generator], Scene], float], ...] = (
    (room, 0.36),
    (corridor, 0.05),
    (table, 0.15),
    (facade, 0.17),
    (rocks, 0.06),
    (terrain, 0.09),
    (lone_object, 0.12),
)


def draw_scene(rng: np.random.Generator) -> Scene:
    """A random scene of a random kind."""
    draw, _ = _KINDS[rng.choice(len(_KINDS), p=[share for _, share in _KINDS])]
    return draw(rng)
