"""The raw surface becomes a clean mesh."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np

from recon3d.core.depth import SceneDepth
from recon3d.core.errors import require
from recon3d.core.ranges import Range, check_ranges
from recon3d.core.scene import PosedPhotos, PosedScene
from recon3d.core.surface import Mesh, PointCloud, median_edge, vertex_normals
from recon3d.core.target_frame import TargetFrame
from recon3d.core.transform import Rigid
from recon3d.run.files import write_json
from recon3d.run.stage import Stage, StageResult
from recon3d.run.task import Task
from recon3d.surface.cleaning.chain import Link, run_chain
from recon3d.surface.cleaning.crossings import count_crossing_faces
from recon3d.surface.cleaning.decimation import decimate
from recon3d.surface.cleaning.floaters import count_spikes, drop_unseen, flatten_spikes
from recon3d.surface.cleaning.holes import count_holes, fill_holes
from recon3d.surface.cleaning.pieces import count_pieces, drop_small_pieces, keep_inside
from recon3d.surface.cleaning.repair import count_faulty_edges, make_manifold
from recon3d.surface.cleaning.smoothing import normal_noise_deg, smooth_keeping_edges
from recon3d.surface.cleaning.thinning import most_faces, thin_out
from recon3d.surface.files import load_mesh, save_mesh
from recon3d.surface.fuse import SurfaceKind
from recon3d.surface.region import Box, region_of_interest
from recon3d.surface.relief_mesh import as_seen, from_seen
from recon3d.surface.subdivision import cut_large_faces

_MESH, _EFFECTS = "mesh.npz", "cleaning.json"
_NOISE_DEG_PER_PASS = 10.0
_CLOSE = "close what no camera looked through"
_THIN_OUT = "thin out"
_COARSE, _USUAL = 40, 15
"""How many triangles become one: so many that it shows, and as many as in most scenes."""
_LARGE_EDGES = 4.0
"""In median edges of the mesh."""
_SHARES_OF_CLOSING, _SHARES_OF_REFINING = 6, 12
"""Of the time, in that of other links."""
_MOST_FACES_TO_CLOSE = 10_000_000
"""Rays against a mesh of so many take some 3 GiB; the limit is a number, not what is free, because
memory must not change a result."""
_SEAM_EDGES = 2.0
"""Radius, in median edges, of what stays open between the mesh and what closes it."""

Crop = tuple[float, float, float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class MeshConfig:
    """How the surface is cleaned."""

    faces: Annotated[int, Range(least=0)] = 300_000
    """Decimate to at most this many triangles; 0 keeps all."""

    region: Literal["auto", "all"] = "auto"
    """auto drops what lies far beyond the thing that the cameras circle, if they circle one; all
    keeps everything."""

    crop: Crop | None = None
    """Keep only a box: its smallest x, y and z, then its largest, as read off the exported model
    without crop (the z-up formats). The model stays where it is."""

    unseen: Literal["auto", "drop", "keep"] = "auto"
    """What to do with faces that no camera could have seen; auto drops them, but keeps them where
    fuse.surface is poisson, which closes the model on purpose."""

    min_component: Annotated[float, Range(least=0, most=1)] = 0.02
    """Drop pieces smaller than this share of the largest one's area."""

    smoothing: Annotated[int, Range(least=-1)] = -1
    """Passes of feature-preserving smoothing; -1 chooses by the measured noise."""

    reach: Annotated[float, Range(least=0, most=10)] = 0.1
    """How far a face may reach that closes a hole where fuse.surface is auto: its longest edge, in
    shares of the median depth of the photos; twice as far where surface is around it. Raise it to
    close wider gaps, lower it to keep to what was measured; 0 closes none but the small holes
    below."""

    photometric: bool = True
    """Move the finished surface along its normals until the photos agree: ripple goes off walls,
    relief comes out, and the texture lies right. A depth camera's surface stays as it is."""

    hole_size: Annotated[float, Range(least=0, below=1)] = 0.01
    """Close holes whose radius is below this share of the model's diagonal; 0 closes none."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        check_ranges(self, "mesh")
        if self.crop:
            low, high = np.array(self.crop[:3]), np.array(self.crop[3:])
            expected = "xmin ymin zmin xmax ymax zmax, each minimum below its maximum"
            # Also false for NaN.
            require(bool((low < high).all()), "mesh.crop", self.crop, expected)


def cleaning_of(surface: SurfaceKind, config: MeshConfig) -> MeshConfig:
    """The same settings, as far as they suit a surface of a kind."""
    if surface == "auto":
        return config
    config = replace(config, reach=0.0)
    if surface == "seen":
        return replace(config, hole_size=0.0)
    if surface == "poisson" and config.unseen == "auto":
        return replace(config, unseen="keep")
    return config


def clean_mesh(
    scene: PosedScene,
    raw: Mesh,
    crop: Box | None,
    config: MeshConfig,
    folder: Path,
    task: Task,
    close: Link | None = None,
    refine: Link | None = None,
) -> None:
    """Write the cleaned mesh into `folder`; config.crop counts only as `crop`, in its own frame.

    close: closes what no camera looked through.
    refine: moves vertices to where photos agree.

    Raises:
        TooLittleDepthError: nothing is left.
    """
    region = region_of_interest(scene) if config.region == "auto" else None
    wanted = [
        Link("keep the region", partial(keep_inside, region=region)) if region else None,
        Link("crop", partial(keep_inside, region=crop)) if crop else None,
        Link(_THIN_OUT, lambda mesh: thin_out(mesh, config.faces, task))
        if len(raw.faces) > most_faces(config.faces)
        else None,
        # Before links that go by edges, and by sheets that hang together.
        _REPAIR,
        Link("drop what no camera saw", lambda mesh: drop_unseen(mesh, scene.views, task))
        if config.unseen != "keep"
        else None,
        Link(
            "drop small pieces",
            lambda mesh: drop_small_pieces(mesh, config.min_component),
            "pieces",
            count_pieces,
        ),
        Link("close holes", lambda mesh: fill_holes(mesh, config.hole_size), "holes", count_holes),
        Link("decimate", lambda mesh: decimate(mesh, config.faces)),
        close,
        _REPAIR if close else None,
        Link("close seams", close_seams, "holes", count_holes) if close else None,
        Link("decimate again", lambda mesh: decimate(mesh, config.faces)) if close else None,
        # Decimation makes spikes of what was only rough.
        Link("flatten spikes", flatten_spikes, "spikes", count_spikes),
        _smoothing(config.smoothing),
        # What closes a gap is flat until its inside can move.
        Link("cut large faces", lambda mesh: cut_large_faces(mesh, _LARGE_EDGES))
        if refine
        else None,
        refine,
        Link("decimate what is flat", lambda mesh: decimate(mesh, config.faces))
        if refine
        else None,
        # Last, as unwrapping relies on it, and merging vertices may join sheets.
        _REPAIR,
    ]
    _write_cleaned(raw, [link for link in wanted if link], folder, task)


def clean_relief(
    raw: Mesh,
    cam_from_world: Rigid,
    crop: Box | None,
    config: MeshConfig,
    folder: Path,
    task: Task,
) -> None:
    """Write the relief of a single photo, cleaned, into `folder`.

    Its gaps are real and stay open, and its edges stay sharp: it is smoothed only if config says
    so. It is decimated as the camera sees it, because what depth is worth falls with distance; by
    lengths in space, bumps far away would outweigh every detail in front.

    Raises:
        TooLittleDepthError: nothing is left.
    """
    world_from_cam = cam_from_world.inverse()

    def decimate_seen(mesh: Mesh) -> Mesh:
        points_cam = cam_from_world @ mesh.vertices
        middle_z = float(np.median(points_cam[:, 2]))
        seen = replace(mesh, vertices=as_seen(points_cam, middle_z))
        fewer = decimate(seen, config.faces)
        if fewer is seen:
            return mesh
        points_cam = from_seen(fewer.vertices, middle_z)
        return replace(fewer, vertices=(world_from_cam @ points_cam).astype(np.float32))

    wanted = [
        Link("crop", partial(keep_inside, region=crop)) if crop else None,
        Link("decimate", decimate_seen),
        _smoothing(max(0, config.smoothing)),
        _REPAIR,
    ]
    _write_cleaned(raw, [link for link in wanted if link], folder, task)


def lighten(
    cleaned: tuple[Mesh, Mapping[str, Any]], config: MeshConfig, folder: Path, task: Task
) -> None:
    """Write a cleaned mesh with fewer faces into `folder`.

    cleaned: The mesh, and what its cleaning did, as `read_effects` gives it.
    """
    mesh, before = cleaned
    chain = [Link("decimate for the maps", lambda mesh: decimate(mesh, config.faces)), _REPAIR]
    lighter, effects = run_chain(mesh, chain, task)
    write_cleaned(lighter, [*before["links"], *effects], folder)


def read_mesh(folder: Path) -> Mesh:
    """Read what `clean_mesh` wrote."""
    return load_mesh(folder / _MESH)


def with_effects(cleaned: StageResult[Mesh]) -> StageResult[tuple[Mesh, Mapping[str, Any]]]:
    """A cleaned mesh, and what each link of its chain did."""
    return cleaned.map(lambda mesh: (mesh, read_effects(cleaned.folder)))


def read_effects(folder: Path) -> Mapping[str, Any]:
    """What each link of the chain did, for people; see `chain.Effect`."""
    effects: dict[str, Any] = json.loads((folder / _EFFECTS).read_text(encoding="utf-8"))
    return effects


def close_seams(mesh: Mesh) -> Mesh:
    """Close what is as small as a triangle or two."""
    diagonal = float(np.linalg.norm(np.ptp(mesh.vertices, axis=0)))
    return fill_holes(mesh, _SEAM_EDGES * median_edge(mesh) / diagonal)


def warnings(folder: Path) -> list[str]:
    """What is worse than it looks in what `clean_mesh` wrote."""
    links = read_effects(folder)["links"]
    told = []
    for before, link in pairwise(links):
        if link["name"] == _CLOSE and before["faces_after"] > _MOST_FACES_TO_CLOSE:
            told.append(
                f"Holes stay open: closing them takes at most {_MOST_FACES_TO_CLOSE:,} triangles, "
                f"the mesh has {before['faces_after']:,}. --faces makes fewer."
            )
    huge = next((link["faces_before"] for link in links if link["name"] == _THIN_OUT), 0)
    left = links[-1]["faces_after"]
    if huge > _COARSE * left:
        more = float(f"{huge / _USUAL:.1e}")
        told.append(
            f"Of {huge:,} triangles that were measured {left:,} are left, so small things are "
            f"gone; --faces {more:.0f} keeps more of them."
        )
    return told


def smooth(mesh: Mesh, passes: int) -> Mesh:
    """Smooth without rounding edges; -1 takes a pass for every 10 degrees of noise, two at most."""
    if passes < 0:
        passes = min(2, int(normal_noise_deg(mesh) / _NOISE_DEG_PER_PASS))
    return smooth_keeping_edges(mesh, passes)


_REPAIR = Link("make manifold", make_manifold, "faulty edges", count_faulty_edges)


def _smoothing(passes: int) -> Link:
    return Link("smooth", lambda mesh: smooth(mesh, passes), "noise in degrees", normal_noise_deg)


def _write_cleaned(raw: Mesh, chain: Sequence[Link], folder: Path, task: Task) -> None:
    write_cleaned(*run_chain(raw, chain, task), folder)


def write_cleaned(
    mesh: Mesh, effects: Sequence[Mapping[str, Any]], folder: Path, **numbers: Any
) -> None:
    """Write a mesh and what each link of a chain did, with other numbers about it."""
    crossing = count_crossing_faces(mesh)
    inferred = 0 if mesh.inferred is None else int(mesh.inferred.sum())
    told = {"links": effects, "crossing_faces": crossing, "inferred_faces": inferred}
    write_json(folder / _EFFECTS, {**told, **numbers})
    save_mesh(folder / _MESH, replace(mesh, normals=vertex_normals(mesh)))


def _clean(
    posed: PosedPhotos,
    depth: Mapping[str, SceneDepth],
    surface: tuple[Mesh, PointCloud],
    config: MeshConfig,
    folder: Path,
    task: Task,
) -> None:
    close = _closing(posed, depth, config, folder, loose=True)
    refine = _refining(posed, config, task)
    clean_mesh(posed.scene, surface[0], None, config, folder, task, close, refine)


def _closing(
    posed: PosedPhotos,
    depth: Mapping[str, SceneDepth],
    config: MeshConfig,
    folder: Path,
    *,
    loose: bool,
) -> Link | None:
    if config.reach == 0 or len(depth) < 2:
        return None
    # Late, because numba takes a second to import.
    from recon3d.surface.closing.closing import close_surface

    def close(mesh: Mesh, task: Task) -> Mesh:
        if len(mesh.faces) > _MOST_FACES_TO_CLOSE:
            return mesh
        return close_surface(posed, depth, mesh, config.reach, folder, task, loose=loose)

    return Link(_CLOSE, close, "holes", count_holes, _SHARES_OF_CLOSING)


def _refining(posed: PosedPhotos, config: MeshConfig, task: Task) -> Link | None:
    if not config.photometric or posed.sensor_depth:
        return None
    # Late, because numba takes a second to import.
    from recon3d.surface.photometric.refining import disagreement, refine_by_photos

    return Link(
        "move to where photos agree",
        partial(refine_by_photos, posed),
        "disagreement of photos",
        lambda mesh: disagreement(posed, mesh, task),
        _SHARES_OF_REFINING,
    )


def _clean_part(
    posed: PosedPhotos,
    depth: Mapping[str, SceneDepth],
    surface: tuple[Mesh, PointCloud],
    frame: TargetFrame,
    config: MeshConfig,
    folder: Path,
    task: Task,
) -> None:
    # Between the points of the part, which lie in the box: nothing then reaches out of it.
    close = _closing(posed, depth, config, folder, loose=False)
    refine = _refining(posed, config, task)
    box = _box(config, frame)
    clean_mesh(posed.scene, surface[0], box, config, folder, task, close, refine)


def _clean_relief(
    posed: PosedPhotos,
    depth: Mapping[str, SceneDepth],
    surface: tuple[Mesh, PointCloud],
    config: MeshConfig,
    folder: Path,
    task: Task,
) -> None:
    (view,) = posed.scene.views
    clean_relief(surface[0], view.cam_from_world, None, config, folder, task)


def _clean_part_of_relief(
    posed: PosedPhotos,
    depth: Mapping[str, SceneDepth],
    surface: tuple[Mesh, PointCloud],
    frame: TargetFrame,
    config: MeshConfig,
    folder: Path,
    task: Task,
) -> None:
    (view,) = posed.scene.views
    box = _box(config, frame)
    clean_relief(surface[0], view.cam_from_world, box, config, folder, task)


def _box(config: MeshConfig, frame: TargetFrame) -> Box:
    low, high = np.split(np.array(config.crop, np.float64), 2)
    return Box(frame.target_from_world, low, high)


CLEAN = Stage(
    name="mesh",
    result="mesh",
    version=17,
    run=_clean,
    read=read_mesh,
    libraries=("open3d", "scipy", "numba", "ortools", "opencv"),
    warnings=warnings,
)
CROP = replace(CLEAN, name="crop", run=_clean_part)
DETAIL = replace(CLEAN, name="detail", result="detailed", run=_clean)
CLEAN_RELIEF = replace(CLEAN, run=_clean_relief)
CROP_RELIEF = replace(CROP, run=_clean_part_of_relief)
DETAIL_RELIEF = replace(DETAIL, run=_clean_relief)
LIGHT = Stage(
    name="light",
    result="mesh",
    version=1,
    run=lighten,
    read=read_mesh,
    libraries=("open3d", "scipy", "numba"),
)
CLEANING = (CLEAN, CROP, DETAIL)
CLEANING_RELIEF = (CLEAN_RELIEF, CROP_RELIEF, DETAIL_RELIEF)
"""For the whole mesh, a part of it, and the finer one that maps are made of."""
