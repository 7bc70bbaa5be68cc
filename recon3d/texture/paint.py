"""Faces and photos -> all that decides the colour of every point of a surface."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Bool, Float32, Int32, UInt8

from recon3d.core.camera import project
from recon3d.core.scene import View
from recon3d.core.sparse_solving import conjugate_gradients
from recon3d.core.surface import Mesh
from recon3d.surface.topology import face_neighbours
from recon3d.texture.graph import vertex_graph
from recon3d.texture.labelling import choose_labels, merge_small
from recon3d.texture.seams import Blend, nodes_of_view
from recon3d.texture.sight import Candidates, sample

_CHANGE_COST = 0.6
"""Of a seam along one edge of usual length, in units of log quality: a photo that shows a face
with twice the pixels is worth 0.35."""
_WORST = 1.5
_SMALL = 12
_GREY = np.float32(128)


def choose_photos(
    mesh: Mesh, found: Candidates, check: Callable[[], None]
) -> Int32[np.ndarray, "f"]:
    """One photo for each face, with as few and as short seams as quality allows; -1 = unseen."""
    neighbours = face_neighbours(mesh.faces)
    best = found.quality.max(1, keepdims=True)
    ratio = np.maximum(found.quality, 1e-9) / np.maximum(best, 1e-9)
    cost = np.minimum(-np.log(ratio) / 2, _WORST).astype(np.float32)
    # No photo first where there is one: a face without a first label counts as unseen.
    order = np.argsort(found.view < 0, axis=1, kind="stable")
    view = np.take_along_axis(found.view, order, 1).astype(np.int32)
    cost = np.take_along_axis(cost, order, 1)
    corners = mesh.vertices[mesh.faces]
    length = np.linalg.norm(corners - corners[:, [1, 2, 0]], axis=2)
    typical = max(float(np.median(length)), 1e-30)
    change = (_CHANGE_COST * np.clip(length / typical, 0.2, 3)).astype(np.float32)
    chosen = choose_labels(view, cost, neighbours, change, check)
    return merge_small(chosen, _listed_in(view), neighbours, _SMALL)


def _listed_in(view: Int32[np.ndarray, "f k"]) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    return lambda face, label: (view[face] == label[:, None]).any(1)


def node_colours(
    blend: Blend,
    mesh: Mesh,
    views: Mapping[int, View],
    picture: Callable[[int], UInt8[np.ndarray, "h w 3"]],
    gains: Float32[np.ndarray, "n 3"],
    blur_px: Mapping[int, float],
) -> Float32[np.ndarray, "n 3"]:
    """The colour that each node's photo has around its vertex, gains applied.

    picture: a photo by its number; gains: of each; blur_px: the radius to average over.
    """
    out = np.zeros((blend.nodes.nnz, 3), np.float32)
    for number, view in views.items():
        node, vertex = nodes_of_view(blend, number)
        if len(node) == 0:
            continue
        smooth = _blurred(picture(number), max(0.7, blur_px[number]))
        points_cam = view.cam_from_world @ mesh.vertices[vertex].astype(np.float64)
        uv_px = project(points_cam, view.camera)[0]
        share = np.array(smooth.shape[1::-1]) / [view.camera.width_px, view.camera.height_px]
        out[node] = sample(smooth, uv_px * share) * gains[number]
    return out


def _blurred(rgb: UInt8[np.ndarray, "h w 3"], sigma_px: float) -> Float32[np.ndarray, "h2 w2 3"]:
    """Blurred by a Gaussian, at a size of about a pixel for each sigma.

    Boxes of s pixels, which the smaller size takes means of, have a variance of s^2 / 12.
    """
    import cv2

    height, width = rgb.shape[:2]
    shrink = max(1.0, sigma_px)
    size = (max(8, round(width / shrink)), max(8, round(height / shrink)))
    if shrink > 1 and size < (width, height):
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
        sigma_px = np.sqrt(sigma_px**2 - shrink**2 / 12) / shrink
    return np.asarray(cv2.GaussianBlur(rgb.astype(np.float32), (0, 0), sigma_px))


def vertex_colours(
    blend: Blend, mesh: Mesh, rgb: Float32[np.ndarray, "n 3"]
) -> tuple[Float32[np.ndarray, "v 3"], Bool[np.ndarray, "v"]]:
    """Blended colours of the vertices, and which of them a photo gave.

    The others are filled in from their neighbours as smoothly as possible (a Laplace equation);
    pieces that no photo saw keep the mesh's own colours.
    """
    from scipy.sparse import diags_array

    count = len(mesh.vertices)
    known = np.diff(blend.nodes.indptr) > 0
    out = np.full((count, 3), _GREY)
    if mesh.rgb is not None:
        out[:] = mesh.rgb
    weights = blend.nodes.copy()
    for channel in range(3):
        weights.data = blend.nodes.data * rgb[:, channel]
        out[known, channel] = np.asarray(weights.sum(1)).ravel()[known]
    graph = vertex_graph(mesh.faces, count)
    unknown = _reached(graph, known)
    if not unknown.any():
        return out, known
    inner = graph[unknown][:, unknown]
    outer = graph[unknown][:, known]
    degree = np.asarray(inner.sum(1) + outer.sum(1)).ravel()
    matrix = diags_array(degree) - inner
    for channel in range(3):
        right = outer @ out[known, channel]
        out[unknown, channel] = conjugate_gradients(
            matrix, right, out[unknown, channel], share=1e-3, most_steps=300
        )
    return np.clip(out, 0, 255), known


def _reached(graph: object, known: Bool[np.ndarray, "v"]) -> Bool[np.ndarray, "v"]:
    """Unknown vertices whose piece has a known one."""
    from scipy.sparse.csgraph import connected_components

    count, piece = connected_components(graph, directed=False)
    has = np.zeros(count, bool)
    has[piece[known]] = True
    return np.asarray(has[piece] & ~known)
