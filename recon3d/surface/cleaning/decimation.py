"""Fewer triangles where neither shape nor colour needs them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Int32, UInt8

from recon3d.core.sparse_solving import conjugate_gradients
from recon3d.core.surface import Mesh, median_edge, vertex_normals
from recon3d.surface.rays import MeshRays

_COLOUR_HEIGHT = 2.0
"""Median edges by which white is lifted above black while triangles are merged. Higher keeps more
of the colours and less of the shape: docs/MESH.md has the numbers."""
_BRIGHTNESS = np.array([0.299, 0.587, 0.114]) / 255
_PULL = 0.05
"""Weight of a vertex's own colour in samples; only what no sample lies near keeps it."""
_SOLVER_STEPS = 30


def decimate(mesh: Mesh, faces: int, fixed: Bool[np.ndarray, "v"] | None = None) -> Mesh:
    """Quadric edge collapse (Garland and Heckbert 1997) to at most `faces` triangles; 0 = all.

    Vertices that are fixed keep place and colour, and so do the edges between them.

    Brightness counts as relief: every vertex is lifted along its normal by how bright it is, the
    lifted surface is decimated, and its vertices are let down again. So edges of colour keep
    triangles as edges of shape do. Colours are then fitted to all of the old ones.
    """
    if not 0 < faces < len(mesh.faces):
        return mesh
    if mesh.rgb is None:
        fewer, _, became = _collapsed(mesh, mesh.vertices, faces, fixed)
    else:
        brightness = mesh.rgb @ _BRIGHTNESS
        # About the median: the less is lifted, the less folds in corners.
        height = _COLOUR_HEIGHT * median_edge(mesh) * (brightness - np.median(brightness))
        lift = (height[:, None] * vertex_normals(mesh)).astype(np.float32)
        lifted, about, became = _collapsed(mesh, mesh.vertices + lift, faces, fixed)
        fewer = _let_down(mesh, lift, lifted, about)
        fewer = replace(fewer, rgb=_fitted_colours(mesh, fewer))
    if fixed is not None:
        fewer = _put_back(mesh, fixed, fewer, became)
    if mesh.inferred is None:
        return fewer
    middles = fewer.vertices[fewer.faces].mean(1)
    return replace(fewer, inferred=mesh.inferred[MeshRays(mesh).nearest(middles)[0]])


def _collapsed(
    mesh: Mesh,
    vertices: Float32[np.ndarray, "v 3"],
    faces: int,
    fixed: Bool[np.ndarray, "v"] | None,
) -> tuple[Mesh, Float32[np.ndarray, "n 3"], Int32[np.ndarray, "v"]]:
    """The decimated mesh, about where its vertices were before the lift, and which is which."""
    # Late, because numba takes a second to import.
    from recon3d.surface.edge_collapse import collapse

    places, left, became = collapse(vertices.astype(np.float64), mesh.faces, faces, fixed)
    known = became >= 0
    count = np.bincount(became[known], minlength=len(places))
    sums = [np.bincount(became[known], mesh.vertices[known, i], len(places)) for i in range(3)]
    about = np.stack(sums, axis=1) / count[:, None]
    return Mesh(places.astype(np.float32), left), about.astype(np.float32), became


def _let_down(
    mesh: Mesh,
    lift: Float32[np.ndarray, "v 3"],
    fewer: Mesh,
    about: Float32[np.ndarray, "n 3"],
) -> Mesh:
    """Take the lift off again where the lifted surface says how much it was.

    In thin walls the lifted sides may pass through each other; a vertex that finds the other
    side goes where its own merged vertices lay on average.
    """
    lifted = replace(mesh, vertices=mesh.vertices + lift)
    face, weights = MeshRays(lifted).nearest(fewer.vertices)
    corners = mesh.faces[face]
    there = _mix(vertex_normals(lifted), corners, weights)
    same_side = (there * vertex_normals(fewer)).sum(1, keepdims=True) > 0
    down = fewer.vertices - _mix(lift, corners, weights)
    return replace(fewer, vertices=np.where(same_side, down, about).astype(np.float32))


def _put_back(
    mesh: Mesh, fixed: Bool[np.ndarray, "v"], fewer: Mesh, became: Int32[np.ndarray, "v"]
) -> Mesh:
    """Fixed vertices where they were to the last digit, so that parts fit together."""
    rows = np.flatnonzero(fixed & (became >= 0))
    vertices = fewer.vertices.copy()
    vertices[became[rows]] = mesh.vertices[rows]
    if mesh.rgb is None or fewer.rgb is None:
        return replace(fewer, vertices=vertices)
    rgb = fewer.rgb.copy()
    rgb[became[rows]] = mesh.rgb[rows]
    return replace(fewer, vertices=vertices, rgb=rgb)


def _fitted_colours(mesh: Mesh, fewer: Mesh) -> UInt8[np.ndarray, "n 3"]:
    """Colours whose interpolation comes nearest to every vertex of the finer mesh."""
    from scipy.sparse import csr_array, diags_array

    assert mesh.rgb is not None
    face, weights = MeshRays(fewer).nearest(mesh.vertices)
    samples, count = len(face), len(fewer.vertices)
    mixing = csr_array(
        (weights.ravel(), fewer.faces[face].ravel(), np.arange(0, 3 * samples + 1, 3)),
        shape=(samples, count),
    )
    near, at = MeshRays(mesh).nearest(fewer.vertices)
    own = _mix(mesh.rgb.astype(np.float32), mesh.faces[near], at)
    system = (mixing.T @ mixing + diags_array(np.full(count, _PULL))).tocsr()
    wanted = mixing.T @ mesh.rgb.astype(np.float64) + _PULL * own
    # A few steps suffice, and one channel at a time is enough: the system is nearly diagonal.
    fitted = [
        conjugate_gradients(
            system, wanted[:, channel], own[:, channel], share=1e-5, most_steps=_SOLVER_STEPS
        )
        for channel in range(3)
    ]
    return np.rint(np.stack(fitted, axis=1).clip(0, 255)).astype(np.uint8)


def _mix(
    values: Float[np.ndarray, "v c"],
    corners: Int[np.ndarray, "n 3"],
    weights: Float32[np.ndarray, "n 3"],
) -> Float[np.ndarray, "n c"]:
    mixed: np.ndarray = np.einsum("nk,nkc->nc", weights, values[corners])
    return mixed
