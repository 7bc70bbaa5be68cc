"""What manifold3d (Apache-2.0), by whose rules printing programs go, says of a solid."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from recon3d.core.errors import NotSolidError
from recon3d.core.surface import Mesh
from recon3d.surface.colour import interpolated
from recon3d.surface.rays import MeshRays
from recon3d.surface.solid.base import Plane

_IN_PLANE = 1e-4
"""Of the solid's height."""


def check_manifold(mesh: Mesh) -> float:
    """The volume of a solid, in cubed units of its vertices.

    Raises:
        NotSolidError: it is not closed, not manifold, or has no inside.
    """
    return float(_body(mesh).volume())


def cut_flat(mesh: Mesh, base: Plane) -> Mesh:
    """Cut off what lies below a plane, and close the cut; its faces are inferred.

    Raises:
        NotSolidError: nothing lies above the plane, or it is no solid.
    """
    above = _body(mesh).trim_by_plane(tuple(base.normal_world.tolist()), base.height)
    if above.is_empty():
        raise NotSolidError("Nothing of the model is above its base.", hint="Try --base plate.")
    found = above.to_mesh()
    vertices = np.ascontiguousarray(found.vert_properties[:, :3], np.float32)
    cut = Mesh(vertices, np.ascontiguousarray(found.tri_verts, np.int32))
    rays = MeshRays(mesh)
    if mesh.rgb is not None:
        face, weights = rays.nearest(vertices)
        rgb = np.rint(interpolated(mesh.rgb, mesh.faces[face], weights)).astype(np.uint8)
        cut = replace(cut, rgb=rgb)
    height = base.above(vertices.astype(np.float64))
    on_base = (np.abs(height) < _IN_PLANE * max(float(height.max()), 1e-30))[cut.faces].all(axis=1)
    inferred = on_base
    if mesh.inferred is not None:
        nearest, _ = rays.nearest(vertices[cut.faces].mean(axis=1))
        inferred = on_base | mesh.inferred[nearest]
    return replace(cut, inferred=inferred)


def _body(mesh: Mesh) -> Any:
    from manifold3d import Error, Manifold
    from manifold3d import Mesh as Triangles

    # Copies: it takes no arrays that are read-only.
    vertices, faces = np.array(mesh.vertices, np.float32), np.array(mesh.faces, np.uint32)
    body = Manifold(Triangles(vertices, faces))
    if body.status() != Error.NoError or body.is_empty():
        raise NotSolidError(
            f"The surface could not be made a closed solid ({body.status().name}).",
            hint="Leave --watertight out, or choose another number of --faces.",
        )
    return body
