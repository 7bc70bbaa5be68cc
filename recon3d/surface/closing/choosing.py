"""Which faces of a cut close a mesh's holes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Bool, Float, Float64, Int32, Int64

from recon3d.core.camera import PinholeCamera, in_picture, project
from recon3d.core.scene import View
from recon3d.core.surface import Mesh, median_edge
from recon3d.run.task import Task
from recon3d.surface.closing.bridging import bridged
from recon3d.surface.rays import MeshRays
from recon3d.surface.topology import edge_uses, half_edges

Shows = Callable[[View], Bool[np.ndarray, "h w"] | None]
"""Where a photo shows things, at any size; None = everywhere."""

# In median edges of the mesh.
_SAME_SURFACE = 0.3
"""What lies nearer to the mesh is the mesh, triangulated otherwise."""
_SAME_PLACE = 0.1
"""A face does not hide itself."""

_SPOTS = np.array(
    [(a + 1 / 3, b + 1 / 3, 4 - a - b + 1 / 3) for a in range(5) for b in range(5 - a)], np.float32
) / np.float32(5)
"""Weights of a face's corners at places spread evenly over it: gaps of a fifth do not escape."""

ENCLOSED = 2.0
"""How far a face may reach that has the surface around it, in longest edges of others."""


def closing_faces(
    vertices: Float64[np.ndarray, "p 3"],
    own: Int32[np.ndarray, "f 3"],
    cut: Int32[np.ndarray, "g 3"],
    views: Sequence[View],
    shows: Shows,
    longest_edge: float,
    bridge: float,
    noise: float,
    task: Task,
) -> Int32[np.ndarray, "h 3"]:
    """Faces of a cut off the mesh or across its border that cameras see, and bridges between them.

    Args:
        vertices: Of both.
        own: Faces of the mesh.
        cut: Faces of the surface between free and solid.
        views: Where photos were taken.
        shows: Where each shows things; elsewhere it counts against a face.
        longest_edge: Of a closing face, in scene units; one that makes the border shorter may reach
            `ENCLOSED` times as far.
        bridge: What a border's length weighs against unseen area, in scene units; see `bridged`.
        noise: Of the mesh, in scene units. A face that lies on it all over within that comes only
            where it makes the border shorter: it shows the same surface once more.
        task: Asked whether to stop.
    """
    mesh = Mesh(vertices.astype(np.float32), own)
    edge = median_edge(mesh)
    cut = cut[_longest_edges(vertices, cut) < ENCLOSED * longest_edge]
    points = _points_of(vertices[cut].astype(np.float32))
    rays = MeshRays(mesh)
    distance = rays.distance(points.reshape(-1, 3)).reshape(points.shape[:2])
    off = distance.max(axis=0) > _SAME_SURFACE * edge
    cut = cut[off | _goes_on(own, cut)]
    again = _on_the_mesh(vertices, cut, rays, noise)
    task.check()
    whole = Mesh(mesh.vertices, np.concatenate([own, cut]))
    numbers = np.arange(len(own), len(whole.faces))
    balance = _sights(whole, numbers, views, shows, _SAME_PLACE * edge, task)
    far = _longest_edges(vertices, cut) >= longest_edge
    seen, barred = balance > 0, (balance < 0) | (far & (balance == 0))
    asked = far | again
    return cut[bridged(vertices, own, cut, seen & ~asked, barred, seen & asked, bridge)]


def _longest_edges(
    vertices: Float64[np.ndarray, "p 3"], faces: Int32[np.ndarray, "f 3"]
) -> Float64[np.ndarray, "f"]:
    corners = vertices[faces]
    longest: np.ndarray = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    return longest


def _on_the_mesh(
    vertices: Float64[np.ndarray, "p 3"],
    faces: Int32[np.ndarray, "f 3"],
    mesh: MeshRays,
    noise: float,
) -> Bool[np.ndarray, "f"]:
    """Which faces have a front of the mesh within noise of them, before or behind, all over."""
    corners = vertices[faces].astype(np.float32)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), np.float32(1e-30))
    way = normals * np.float32(noise)
    everywhere = np.ones(len(faces), bool)
    for weights in _SPOTS:
        rows = np.flatnonzero(everywhere)
        places = np.einsum("k,fkx->fx", weights, corners[rows])
        share, _ = mesh.first_fronts(places + way[rows], places - way[rows])
        everywhere[rows] = np.isfinite(share)
    return everywhere


def _goes_on(
    own: Int32[np.ndarray, "f 3"], faces: Int32[np.ndarray, "g 3"]
) -> Bool[np.ndarray, "g"]:
    """Which faces lie across a border of the mesh, however near to it."""
    borders = half_edges(own)[edge_uses(own).borders].astype(np.int64)
    across = half_edges(faces)[:, ::-1].astype(np.int64)
    width = max(int(own.max()), int(faces.max(initial=0))) + 1
    on_border = np.isin(across @ [width, 1], borders @ [width, 1])
    return np.asarray(on_border.reshape(-1, 3).any(axis=1))


def _points_of(corners: Float[np.ndarray, "f 3 3"]) -> Float[np.ndarray, "4 f 3"]:
    """The middle of each face, and the points halfway from there to its corners."""
    middle = corners.mean(axis=1)
    return np.stack([middle, *np.moveaxis((corners + middle[:, None]) / 2, 1, 0)])


def _sights(
    surface: Mesh,
    wanted: Int64[np.ndarray, "n"],
    views: Sequence[View],
    shows: Shows,
    tolerance: float,
    task: Task,
) -> Int64[np.ndarray, "n"]:
    """How often cameras see some faces from the front, nothing before them.

    By four points of each: rays through pixels would slip between small faces. Where a photo shows
    no thing, a sight of it counts against the face.
    """
    rays = MeshRays(surface)
    corners = surface.vertices[surface.faces[wanted]]
    points = _points_of(corners)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    balance = np.zeros(len(wanted), np.int64)
    for view in views:
        task.check()
        centre, things = view.centre_world, shows(view)
        facing = np.flatnonzero(np.einsum("ij,ij->i", normals, points[0] - centre) < 0)
        for places in points:
            uv_px, z = project(view.cam_from_world @ places[facing].astype(np.float64), view.camera)
            within = in_picture(uv_px, view.camera) & (z > 0)
            rows, seen_px = facing[within], uv_px[within]
            visible = ~rays.hidden(centre, places[rows], tolerance)
            is_thing = True if things is None else _at(things, seen_px, view.camera)
            balance[rows] += visible * np.where(is_thing, 1, -1)
    return balance


def _at(
    things: Bool[np.ndarray, "h w"], uv_px: Float[np.ndarray, "n 2"], camera: PinholeCamera
) -> Bool[np.ndarray, "n"]:
    """The mask, of any size, at places in the picture."""
    height, width = things.shape
    share = np.array([width / camera.width_px, height / camera.height_px])
    column, row = np.floor(uv_px * share).astype(np.int64).T
    return things[np.minimum(row, height - 1), np.minimum(column, width - 1)]
