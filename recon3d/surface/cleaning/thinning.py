"""A surface with too many triangles to be worked on as a whole is decimated part by part."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import Bool, Float32, Int32

from recon3d.core.canonical_order import joined_meshes
from recon3d.core.surface import Mesh
from recon3d.run.task import Task
from recon3d.surface.cleaning.decimation import decimate
from recon3d.surface.cleaning.pieces import keep_faces

_MOST_FACES = 5_000_000
"""Cleaning these takes 2.7 GiB. A number, not what is free, as memory must not change a result."""
_WANTED_SHARE = 4
"""Of what is wanted in the end, at least: the last decimation still sees the whole surface."""
_PART_FACES = 1_000_000
_PART_BYTES = 1 << 30
"""What decimating a part takes."""


def most_faces(wanted: int) -> float:
    """How many triangles are cleaned as a whole, where so many are wanted in the end; 0 = all."""
    return float(max(_MOST_FACES, _WANTED_SHARE * wanted)) if wanted else np.inf


def thin_out(mesh: Mesh, wanted: int, task: Task) -> Mesh:
    """Decimate a huge mesh part by part, to what can be cleaned as a whole.

    Vertices that parts share stay, so that the parts fit together again.

    Args:
        mesh: In canonical order.
        wanted: Triangles that will be asked for in the end; 0 = all, which are left then.
        task: To report to.
    """
    most = most_faces(wanted)
    if len(mesh.faces) <= most:
        return mesh
    parts = _parts(mesh)
    shared = _shared(mesh, parts)

    def thinned(rows: Int32[np.ndarray, "n"]) -> Mesh:
        task.check()
        part, fixed = _cut_out(mesh, shared, rows)
        return decimate(part, int(most * len(rows) / len(mesh.faces)), fixed)

    with ThreadPoolExecutor(task.runtime.threads_within(_PART_BYTES)) as pool:
        return joined_meshes(list(pool.map(thinned, parts)))


def _parts(mesh: Mesh) -> list[Int32[np.ndarray, "n"]]:
    """The faces of each: what lies together is halved along its longest side, until it is few."""
    middles = mesh.vertices[mesh.faces].mean(axis=1)

    def halved(rows: Int32[np.ndarray, "n"]) -> Iterator[Int32[np.ndarray, "m"]]:
        if len(rows) <= _PART_FACES:
            yield np.sort(rows)
            return
        here: Float32[np.ndarray, "n 3"] = middles[rows]
        order = np.argsort(here[:, np.ptp(here, axis=0).argmax()], kind="stable")
        yield from halved(rows[order[: len(rows) // 2]])
        yield from halved(rows[order[len(rows) // 2 :]])

    return list(halved(np.arange(len(middles), dtype=np.int32)))


def _shared(mesh: Mesh, parts: list[Int32[np.ndarray, "n"]]) -> Bool[np.ndarray, "v"]:
    """Which vertices have faces of several parts."""
    uses = np.zeros(len(mesh.vertices), np.int32)
    for rows in parts:
        uses[np.unique(mesh.faces[rows])] += 1
    return uses > 1


def _cut_out(
    mesh: Mesh, of_vertex: Bool[np.ndarray, "v"], rows: Int32[np.ndarray, "n"]
) -> tuple[Mesh, Bool[np.ndarray, "u"]]:
    """Some faces, and what is said of each vertex that they use."""
    kept = np.zeros(len(mesh.faces), bool)
    kept[rows] = True
    used = np.unique(mesh.faces[rows])
    return keep_faces(mesh, kept), of_vertex[used]
