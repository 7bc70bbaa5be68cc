"""Which kinds of scenes there are, and how often."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from recon3d.depth.synthetic.indoors import corridor, room, table
from recon3d.depth.synthetic.outdoors import facade, lone_object, rocks, terrain
from recon3d.depth.synthetic.scene import Scene

KINDS: Mapping[Callable[[np.random.Generator], Scene], float] = {
    room: 0.36,
    corridor: 0.05,
    table: 0.15,
    facade: 0.17,
    rocks: 0.06,
    terrain: 0.09,
    lone_object: 0.12,
}
"""How to draw a scene of each kind, and its share of all."""


def draw_scene(rng: np.random.Generator) -> Scene:
    """A random scene of a random kind."""
    kinds = list(KINDS)
    return kinds[rng.choice(len(kinds), p=list(KINDS.values()))](rng)
