"""Which kinds of scenes there are, and how often."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from recon3d.depth.synthetic.gaps import before_far, solids, thin
from recon3d.depth.synthetic.indoors import corridor, floating_room, room, table
from recon3d.depth.synthetic.outdoors import facade, lone_object, rocks, terrain
from recon3d.depth.synthetic.scene import Scene

KINDS: Mapping[Callable[[np.random.Generator], Scene], float] = {
    room: 0.2,
    floating_room: 0.1,
    corridor: 0.04,
    table: 0.09,
    facade: 0.11,
    rocks: 0.04,
    terrain: 0.06,
    lone_object: 0.07,
    solids: 0.11,
    thin: 0.09,
    before_far: 0.09,
}
"""How to draw a scene of each kind, and its share of all."""


def draw_scene(rng: np.random.Generator) -> Scene:
    """A random scene of a random kind."""
    kinds = list(KINDS)
    return kinds[rng.choice(len(kinds), p=list(KINDS.values()))](rng)
