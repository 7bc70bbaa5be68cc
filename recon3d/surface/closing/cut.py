"""The cheapest surface between free space and matter: a minimal s-t cut."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from recon3d.surface.closing.tetrahedra import Tetrahedra, Votes

_STEPS_PER_UNIT = 1000
"""Max-flow counts in whole numbers."""


def free_cells(mesh: Tetrahedra, votes: Votes) -> Bool[np.ndarray, "t"]:
    """Which cells are free space, so that facets between free and solid cost least together.

    Goldberg's push-relabel of ortools; the same input gives the same cut.
    """
    from ortools.graph.python import max_flow

    flow = max_flow.SimpleMaxFlow()
    count = len(mesh.cells)
    source, sink = count, count + 1
    cell, k = np.nonzero(mesh.neighbours >= 0)
    # From a free cell to a solid one: what the facet costs with free space on the first's side.
    capacity = np.rint(votes.facets[cell, k] * _STEPS_PER_UNIT).astype(np.int64)
    used = capacity > 0
    flow.add_arcs_with_capacity(
        cell[used].astype(np.int32), mesh.neighbours[cell, k][used], capacity[used]
    )
    both = np.minimum(votes.free, votes.solid)
    for votes_for, ends in ((votes.free - both, "free"), (votes.solid - both, "solid")):
        whole = np.rint(votes_for * _STEPS_PER_UNIT).astype(np.int64)
        cells = np.flatnonzero(whole).astype(np.int32)
        terminal = np.full(len(cells), source if ends == "free" else sink, np.int32)
        start, end = (terminal, cells) if ends == "free" else (cells, terminal)
        flow.add_arcs_with_capacity(start, end, whole[cells])
    status = flow.solve(source, sink)
    if status != flow.OPTIMAL:
        raise RuntimeError(f"max-flow: {status}")
    free = np.zeros(count + 2, bool)
    free[flow.get_source_side_min_cut()] = True
    return free[:count]
