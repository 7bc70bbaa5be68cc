"""Holes closed by smooth patches as fine as what surrounds them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from recon3d.core.surface import Mesh
from recon3d.surface.cleaning.patches import close_with_fan, close_with_rings
from recon3d.surface.topology import Loops, border_loops, edge_uses, half_edges

_TENSION = 0.02
"""How much a patch is a soap film (1) rather than a bent sheet (0): a sheet takes on the slope at
the rim, but a noisy rim would make it bulge. At 0.02 the slope counts for some seven edges."""


def fill_holes(mesh: Mesh, hole_size: float) -> Mesh:
    """Close holes whose radius is below hole_size times the model's diagonal, and mark the faces.

    Colours flow in from the rim. The rim of a sheet is no hole, however small the sheet.
    """
    rims = _rims(mesh)
    diagonal = float(np.linalg.norm(np.ptp(mesh.vertices, axis=0)))
    return _closed(mesh, rims, np.flatnonzero(rims.is_hole & (rims.radius < hole_size * diagonal)))


def _closed(mesh: Mesh, rims: _Rims, closed: Int[np.ndarray, "k"]) -> Mesh:
    marked = np.zeros(len(mesh.faces), bool) if mesh.inferred is None else mesh.inferred
    if len(closed) == 0:
        return replace(mesh, inferred=marked)
    faces, added = _patches(mesh, rims, closed)
    return replace(
        _with_smooth_vertices(mesh, faces, added),
        inferred=np.concatenate([marked, np.ones(len(faces), bool)]),
    )


def close_every_hole(mesh: Mesh) -> Mesh:
    """Close all borders, however large and of whatever kind, and mark the faces."""
    rims = _rims(mesh)
    return _closed(mesh, rims, np.flatnonzero(rims.loops.sizes >= 3))


def count_holes(mesh: Mesh) -> int:
    """Rims that a surface goes around, whatever their size; outer rims do not count."""
    return int(_rims(mesh).is_hole.sum())


@dataclass(frozen=True, eq=False)
class _Rims:
    """Every border loop of a mesh, and what shape it has."""

    loops: Loops
    radius: Float[np.ndarray, "l"]
    """Largest distance of a vertex from the middle."""
    width: Float[np.ndarray, "l"]
    """From the rim to the innermost place, in edges: area over half the length, over an edge."""
    is_hole: Bool[np.ndarray, "l"]
    """The surface lies outside the loop."""


def _rims(mesh: Mesh) -> _Rims:
    loops = border_loops(mesh.faces)
    count, own, size = len(loops.starts), loops.loop_of_vertex, loops.sizes
    if count == 0:
        return _Rims(loops, np.zeros(0), np.zeros(0), np.zeros(0, bool))
    at = mesh.vertices.astype(np.float64)
    after = np.arange(len(own)) + 1
    after[loops.starts + size - 1] = loops.starts
    start, end = at[loops.vertices], at[loops.vertices[after]]
    middle = np.add.reduceat(start, loops.starts) / size[:, None]
    away = np.linalg.norm(start - middle[own], axis=1)
    length = np.add.reduceat(np.linalg.norm(end - start, axis=1), loops.starts)
    turned = np.add.reduceat(np.cross(start - middle[own], end - middle[own]), loops.starts)
    area, edge = np.linalg.norm(turned, axis=1) / 2, length / size
    borders = edge_uses(mesh.faces).borders
    # The corner across each border edge, found by the vertex that the edge begins at.
    across = np.zeros(len(at), np.int64)
    across[half_edges(mesh.faces)[borders, 0]] = mesh.faces[borders // 3, (borders + 2) % 3]
    beyond = np.linalg.norm(at[across[loops.vertices]] - middle[own], axis=1)
    rim = np.linalg.norm((start + end) / 2 - middle[own], axis=1)
    outward = np.add.reduceat(beyond - rim, loops.starts) / size
    # The end of a tube, whose faces lie along the axis, is neither; it is closed like a hole.
    is_hole = (size >= 3) & (outward > -0.3 * edge)
    radius = np.maximum.reduceat(away, loops.starts)
    return _Rims(loops, radius, 2 * area / length / edge, is_hole)


def _patches(
    mesh: Mesh, rims: _Rims, closed: Int[np.ndarray, "k"]
) -> tuple[Int[np.ndarray, "f 3"], int]:
    """The faces of all patches, and how many vertices follow the mesh's own in them."""
    known = np.unique(_edge_codes(mesh, half_edges(mesh.faces)))
    patches, first = [], len(mesh.vertices)
    for index in closed:
        start = rims.loops.starts[index]
        loop = rims.loops.vertices[start : start + rims.loops.sizes[index]]
        loop = _along_its_length(mesh.vertices[loop], loop)
        faces, added = close_with_rings(loop, round(float(rims.width[index])), first)
        if added == 0 and len(loop) > 3 and _doubles_an_edge(mesh, faces, loop, known):
            faces, added = close_with_fan(loop, first), 1
        patches.append(faces)
        first += added
    return np.concatenate(patches).astype(np.int32), first - len(mesh.vertices)


def _along_its_length(
    points: Float[np.ndarray, "n 3"], loop: Int[np.ndarray, "n"]
) -> Int[np.ndarray, "n"]:
    """Start at a far end, so that a strip runs across a narrow hole."""
    centred = points - points.mean(0)
    farthest = centred[(centred**2).sum(1).argmax()]
    return np.roll(loop, -int((centred @ farthest).argmin()))


def _doubles_an_edge(
    mesh: Mesh,
    faces: Int[np.ndarray, "f 3"],
    loop: Int[np.ndarray, "n"],
    known: Int[np.ndarray, "e"],
) -> bool:
    """Whether a chord across the loop already is an edge elsewhere."""
    chords = np.unique(_edge_codes(mesh, half_edges(faces)))
    rim = _edge_codes(mesh, np.stack([loop, np.roll(loop, -1)], axis=1))
    chords = np.setdiff1d(chords, rim)
    place = np.searchsorted(known, chords).clip(max=len(known) - 1)
    return bool((known[place] == chords).any())


def _edge_codes(mesh: Mesh, ends: Int[np.ndarray, "h 2"]) -> Int[np.ndarray, "h"]:
    wide = ends.astype(np.int64)
    codes: np.ndarray = wide.min(1) * len(mesh.vertices) + wide.max(1)
    return codes


def _with_smooth_vertices(mesh: Mesh, patches: Int[np.ndarray, "f 3"], added: int) -> Mesh:
    """The mesh with the patches, their vertices where they bend least under a little tension."""
    faces = np.concatenate([mesh.faces, patches])
    if added == 0:
        return replace(mesh, faces=faces, normals=None, inferred=None)
    values = mesh.vertices.astype(np.float64)
    if mesh.rgb is not None:
        values = np.hstack([values, mesh.rgb])
    new = _least_bent(faces, patches, values, added)
    vertices = np.concatenate([mesh.vertices, new[:, :3].astype(np.float32)])
    if mesh.rgb is None:
        return Mesh(vertices, faces)
    colours = np.rint(new[:, 3:].clip(0, 255)).astype(np.uint8)
    return Mesh(vertices, faces, rgb=np.concatenate([mesh.rgb, colours]))


def _least_bent(
    faces: Int[np.ndarray, "f 3"],
    patches: Int[np.ndarray, "p 3"],
    values: Float[np.ndarray, "v c"],
    added: int,
) -> Float[np.ndarray, "n c"]:
    """Values of the new vertices; minimises squared Laplacians plus tension over the patches."""
    from scipy.sparse import coo_array, diags_array
    from scipy.sparse.linalg import splu

    own = len(values)
    touched = np.zeros(own + added, bool)
    touched[patches] = True
    rows = np.flatnonzero(touched)
    near = faces[touched[faces].any(1)]
    involved, local = np.unique(near, return_inverse=True)
    ends = half_edges(local.reshape(-1, 3))
    ends = np.concatenate([ends, ends[:, ::-1]])
    count = len(involved)
    adjacent = coo_array((np.ones(len(ends)), ends.T), shape=(count, count)).tocsr()
    adjacent.data[:] = 1
    degree = adjacent.sum(1)
    graph = (diags_array(degree) - adjacent).tocsr()
    even = diags_array(1 / degree) @ graph
    at_rows = np.searchsorted(involved, rows)
    is_new = involved >= own
    laplacian = even.tocsr()[at_rows]
    new, fixed = np.flatnonzero(is_new), np.flatnonzero(~is_new)
    bend = laplacian[:, new].T
    known = values[involved[fixed]]
    system = bend @ laplacian[:, new] + _TENSION * even[new][:, new]
    wanted = -(bend @ (laplacian[:, fixed] @ known)) - _TENSION * (even[new][:, fixed] @ known)
    solved: np.ndarray = splu(system.tocsc()).solve(np.asarray(wanted))
    return solved
