"""Minimal s-t cuts, and with them the cheapest surface between free space and matter."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int64, Integer

from recon3d.surface.closing.tetrahedra import Tetrahedra, Votes

_STEPS_PER_UNIT = 1000
"""Max-flow counts in whole numbers."""


def free_cells(mesh: Tetrahedra, votes: Votes) -> Bool[np.ndarray, "t"]:
    """Which cells are free space, so that facets between free and solid cost least together."""
    cell, k = np.nonzero(mesh.neighbours >= 0)
    # From a free cell to a solid one: what the facet costs with free space on the first's side.
    capacity = np.rint(votes.facets[cell, k] * _STEPS_PER_UNIT).astype(np.int64)
    used = capacity > 0
    both = np.minimum(votes.free, votes.solid)
    free, solid = (
        np.rint((each - both) * _STEPS_PER_UNIT).astype(np.int64)
        for each in (votes.free, votes.solid)
    )
    return minimal_cut(cell[used], mesh.neighbours[cell, k][used], capacity[used], free, solid)


def minimal_cut(
    start: Integer[np.ndarray, "e"],
    end: Integer[np.ndarray, "e"],
    capacity: Int64[np.ndarray, "e"],
    source: Int64[np.ndarray, "n"],
    sink: Int64[np.ndarray, "n"],
) -> Bool[np.ndarray, "n"]:
    """Which nodes lie on the source's side of a cheapest cut.

    Goldberg's push-relabel of ortools; the same input gives the same cut.

    Args:
        start: By arc: the node it leaves.
        end: The node it goes to.
        capacity: What it costs to have its start on the source's side and its end not.
        source: What it costs to have a node on the sink's side.
        sink: What it costs to have it on the source's side.
    """
    from ortools.graph.python import max_flow

    flow = max_flow.SimpleMaxFlow()
    count = len(source)
    flow.add_arcs_with_capacity(start.astype(np.int32), end.astype(np.int32), capacity)
    nodes = np.arange(count, dtype=np.int32)
    for costs, terminal in ((source, count), (sink, count + 1)):
        used = costs > 0
        ends = (np.full(int(used.sum()), terminal, np.int32), nodes[used])
        flow.add_arcs_with_capacity(*(ends if terminal == count else ends[::-1]), costs[used])
    status = flow.solve(count, count + 1)
    if status != flow.OPTIMAL:
        raise RuntimeError(f"max-flow: {status}")
    on_source = np.zeros(count + 2, bool)
    on_source[flow.get_source_side_min_cut()] = True
    return on_source[:count]
