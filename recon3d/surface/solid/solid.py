"""One closed, manifold solid of a surface."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np

from recon3d.core.errors import NotSolidError
from recon3d.core.ranges import Range, check_ranges
from recon3d.core.surface import Mesh, face_areas
from recon3d.core.target_frame import TargetFrame
from recon3d.run.stage import Stage
from recon3d.run.task import Task
from recon3d.surface.cleaning.chain import Link, run_chain
from recon3d.surface.cleaning.decimation import decimate
from recon3d.surface.cleaning.floaters import count_spikes, flatten_spikes
from recon3d.surface.cleaning.pieces import count_pieces, keep_faces
from recon3d.surface.colour import interpolated
from recon3d.surface.mesh import read_effects, read_mesh, write_cleaned
from recon3d.surface.rays import MeshRays
from recon3d.surface.solid.base import Plane
from recon3d.surface.solid.bodies import even_out_guesses, keep_bodies, seal
from recon3d.surface.solid.lattice import TooFineError, cross
from recon3d.surface.solid.manifold import check_manifold, cut_flat

if TYPE_CHECKING:
    from recon3d.surface.solid.matter import Matter

_CELL = 0.8
"""In edges of an equal triangle of the surface's mean area: some three triangles come of one, which
decimation then thins out again."""
_THINNEST_WALL = 2.5
"""In cells: thinner ones would have holes."""
_MOST_CELLS = 3e6
"""Of a lattice that a surface passes; coarser cells for larger surfaces bound the memory."""
_OVER_GROUND = 2.0
"""Cells by which a base lies above the ground, whose own faces are rough."""
_MOST_BLOCKS = 400_000
_FEWEST_FACES = 500
"""A plate has more than the triangle that it is made of."""
_MUCH_WALL = 0.1


@dataclass(frozen=True, kw_only=True)
class SolidConfig:
    """Whether the model becomes a closed body."""

    watertight: bool = False
    """Make closed, manifold solids, for 3D printers and for programs that reckon with bodies: holes
    are closed, and what was seen from one side only becomes a wall."""

    base: Literal["none", "ground", "plate"] = "none"
    """A flat base for the solid: ground cuts it off at the ground and stands it on that plane,
    plate puts a plate below its lowest point; none closes its underside as its rim runs."""

    wall: Annotated[float, Range(above=0, most=0.2)] = 0.01
    """How thick what was seen from one side only becomes, and the plate, in shares of the model's
    diagonal. Raise it for prints that break, lower it for finer ones."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        check_ranges(self, "solid")


def make_solid(
    surface: tuple[Mesh, Mapping[str, Any]],
    frame: TargetFrame,
    config: SolidConfig,
    folder: Path,
    task: Task,
) -> None:
    """Write a closed solid of about as many faces into `folder`.

    surface: A mesh, which may be open, cross itself or be a single sheet; and what made it so.

    Raises:
        NotSolidError: nothing of it is thick enough for a body, or above the base.
    """
    # Late, because numba takes a second to import.
    from recon3d.surface.solid.matter import Matter

    mesh, effects = surface
    diagonal = float(np.linalg.norm(np.ptp(mesh.vertices, axis=0)))
    area = float(face_areas(mesh).sum())
    if area <= 0:
        raise NotSolidError(
            "The mesh has no area, so there is nothing to make a solid of.",
            hint="Leave --watertight out, and look at the mesh.",
        )
    edge = float(np.sqrt(4 / np.sqrt(3) * area / len(mesh.faces)))
    cell = max(_CELL * edge, float(np.sqrt(area / _MOST_CELLS)), 1e-5 * diagonal)
    wall = max(config.wall * diagonal, _THINNEST_WALL * cell)
    base = _base(mesh, frame, config, cell, wall)
    if base is not None:
        above = base.above(mesh.vertices.astype(np.float64))[mesh.faces].mean(axis=1) > 0
        if not above.any():
            raise NotSolidError("Nothing of the model is above its base.", hint="Try --base plate.")
        mesh = keep_faces(mesh, above)
    matter = Matter(mesh, wall, base, task.runtime.threads)
    told = {"wall": wall, "wall_share": matter.bare_share}
    wanted = [
        Link("make solid", lambda open_: _filled(open_, matter, cell, task)),
        Link("keep bodies", keep_bodies, "pieces", count_pieces),
        Link("even out guesses", even_out_guesses),
        Link("decimate solid", lambda whole: decimate(whole, max(_FEWEST_FACES, len(mesh.faces)))),
        # Where the lattice cuts off sharp edges.
        Link("flatten spikes", flatten_spikes, "spikes", count_spikes),
        Link("seal", seal),
        Link("cut flat", partial(cut_flat, base=base)) if base else None,
    ]
    solid, links = run_chain(mesh, [link for link in wanted if link], task)
    volume = check_manifold(solid)
    links = [*effects["links"], *links]
    write_cleaned(solid, links, folder, solid={**told, "volume": volume})


def _base(
    mesh: Mesh, frame: TargetFrame, config: SolidConfig, cell: float, wall: float
) -> Plane | None:
    """The plane on which the solid is to stand, in the world."""
    if config.base == "none":
        return None
    world_from_target = frame.target_from_world.inverse()
    up = world_from_target.rotation[:, 2]
    if config.base == "ground":
        height = float(up @ world_from_target.translation)
        # What has no ground around it stands on its lowest points, which are its own.
        rough = frame.report.get("ground") == "plane"
        return Plane(up, height + (_OVER_GROUND * cell if rough else 0.0))
    return Plane(up, float((mesh.vertices.astype(np.float64) @ up).min()) - wall)


def _filled(mesh: Mesh, matter: Matter, cell: float, task: Task) -> Mesh:
    """The boundary of matter, through the surface wherever that is its boundary."""
    seeds = mesh.vertices.astype(np.float64)
    try:
        found = cross(matter.value, seeds, cell, _MOST_BLOCKS, task.check)
    except TooFineError:
        return _filled(mesh, matter, 2 * cell, task)
    if len(found.faces) == 0:
        raise NotSolidError(
            "The surface encloses nothing.", hint="Leave --watertight out, and look at the mesh."
        )
    rays = MeshRays(mesh)
    share, face = rays.first_fronts(
        found.outside.astype(np.float32), found.inside.astype(np.float32)
    )
    on_mesh = np.isfinite(share)
    vertices = found.vertices(np.where(on_mesh, share, found.by_value))
    measured = on_mesh
    if mesh.inferred is not None:
        measured = on_mesh & ~mesh.inferred[face]
    solid = Mesh(vertices, found.faces, inferred=measured[found.faces].sum(axis=1) < 2)
    if mesh.rgb is None:
        return solid
    near, weights = rays.nearest(vertices)
    rgb = np.rint(interpolated(mesh.rgb, mesh.faces[near], weights)).astype(np.uint8)
    return replace(solid, rgb=rgb)


def warnings(folder: Path) -> list[str]:
    """What is worse than it looks in what `make_solid` wrote."""
    told = read_effects(folder)["solid"]
    if told["wall_share"] < _MUCH_WALL:
        return []
    return [
        f"{told['wall_share']:.0%} of the surface encloses nothing, as in a room or a facade that "
        "was seen from one side only: it has become a wall, as thick as --solid.wall says."
    ]


SOLID = Stage(
    name="solid",
    result="mesh",
    version=2,
    run=make_solid,
    read=read_mesh,
    libraries=("open3d", "scipy", "numba", "manifold3d"),
    warnings=warnings,
)
