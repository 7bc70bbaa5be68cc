"""What a mesh is worth: whether it is closed, how large it is, how fine its picture."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from recon3d.core.surface import Mesh, face_areas, inferred_share
from recon3d.surface.cleaning.crossings import count_crossing_faces
from recon3d.surface.cleaning.pieces import count_pieces
from recon3d.surface.cleaning.repair import fans_too_many
from recon3d.surface.foreign_meshes import ForeignMesh, same_places
from recon3d.surface.topology import border_loops, edge_uses, half_edges, same_way_round


@dataclass(frozen=True)
class Survey:
    """Numbers on one mesh; lengths in the file's unit."""

    vertices: int
    """Points at one place count once: most formats repeat them along seams."""
    faces: int
    degenerate_faces: int
    """Without area, or with a point that is not finite; all other numbers leave them out."""
    pieces: int
    watertight: bool
    """No border, and every edge has two faces."""
    edge_manifold: bool
    """No edge has more than two faces."""
    vertex_manifold: bool
    """Around every vertex lies one sheet."""
    consistently_oriented: bool
    """Neighbours agree which side is out."""
    borders: int
    """Closed rims, of holes and of sheets."""
    longest_border: float
    self_intersecting_faces: int
    size: tuple[float, float, float]
    area: float
    volume: float | None
    """Only of what is watertight and oriented."""
    median_edge: float
    texture_pages_px: tuple[tuple[int, int], ...]
    texels_per_unit: float | None
    """Median over the faces with a picture; None without one."""
    inferred: float | None
    """Share of the area that was guessed; None where the file does not say."""


def survey(found: ForeignMesh) -> Survey:
    """Measure a mesh without changing it."""
    mesh, kept = _welded(found)
    if len(mesh.faces) == 0:
        return Survey(
            len(found.vertices), len(found.faces), len(found.faces), 0, False, False, False, False,
            0, 0.0, 0, (0.0, 0.0, 0.0), 0.0, None, 0.0, tuple(found.page_sizes_px), None, None,
        )  # fmt: skip
    uses = edge_uses(mesh.faces)
    ends = mesh.vertices.astype(np.float64)[half_edges(mesh.faces)[uses.order[uses.starts]]]
    oriented = bool(same_way_round(mesh.faces, uses.pairs).all())
    closed = bool((uses.counts == 2).all())
    used = mesh.vertices[np.unique(mesh.faces)]
    low, high = used.min(0).astype(np.float64), used.max(0).astype(np.float64)
    borders, longest = _borders(mesh)
    return Survey(
        vertices=len(used),
        faces=len(found.faces),
        degenerate_faces=len(found.faces) - len(mesh.faces),
        pieces=count_pieces(mesh),
        watertight=closed,
        edge_manifold=bool((uses.counts <= 2).all()),
        vertex_manifold=fans_too_many(mesh.faces) == 0,
        consistently_oriented=oriented,
        borders=borders,
        longest_border=longest,
        self_intersecting_faces=count_crossing_faces(mesh),
        size=tuple((high - low).tolist()),
        area=float(face_areas(mesh).sum()),
        volume=_volume(mesh) if closed and oriented else None,
        median_edge=float(np.median(np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1))),
        texture_pages_px=tuple(found.page_sizes_px),
        texels_per_unit=_texels_per_unit(found, mesh, kept),
        inferred=inferred_share(mesh),
    )


def _welded(found: ForeignMesh) -> tuple[Mesh, Int[np.ndarray, "k"]]:
    """The faces that have an area, their vertices in one place made one; and which they are."""
    finite = np.isfinite(found.vertices).all(1)
    middle = found.vertices[finite].mean(0) if finite.any() else np.zeros(3)
    # Around its middle a survey in metres from the equator keeps its millimetres in float32.
    vertices = np.where(finite[:, None], found.vertices - middle, 0).astype(np.float32)
    first, index = same_places(vertices)
    mesh = Mesh(vertices[first], index[found.faces])
    good = finite[found.faces].all(1) & (face_areas(mesh) > 0)
    inferred = None if found.inferred is None else found.inferred[good]
    return replace(mesh, faces=mesh.faces[good], inferred=inferred), np.flatnonzero(good)


def _borders(mesh: Mesh) -> tuple[int, float]:
    loops = border_loops(mesh.faces)
    if len(loops.starts) == 0:
        return 0, 0.0
    after = np.arange(len(loops.vertices)) + 1
    after[loops.starts + loops.sizes - 1] = loops.starts
    at = mesh.vertices[loops.vertices].astype(np.float64)
    steps = np.linalg.norm(at[after] - at, axis=1)
    return len(loops.starts), float(np.add.reduceat(steps, loops.starts).max())


def _volume(mesh: Mesh) -> float:
    """By the divergence theorem; negative where the inside is out."""
    a, b, c = np.moveaxis(mesh.vertices.astype(np.float64)[mesh.faces], 1, 0)
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def _texels_per_unit(found: ForeignMesh, mesh: Mesh, kept: Int[np.ndarray, "k"]) -> float | None:
    page = found.page_of_face[kept]
    painted = page >= 0
    if not painted.any():
        return None
    corners = found.uv[found.faces[kept[painted]]]
    sizes = np.array(found.page_sizes_px, np.float64)[page[painted]]
    along: Float[np.ndarray, "k 2 2"] = (corners[:, 1:] - corners[:, :1]) * sizes[:, None]
    texels = np.abs(along[:, 0, 0] * along[:, 1, 1] - along[:, 0, 1] * along[:, 1, 0]) / 2
    density = np.sqrt(texels / face_areas(replace(mesh, faces=mesh.faces[painted])))
    density = density[np.isfinite(density)]
    return float(np.median(density)) if len(density) else None
