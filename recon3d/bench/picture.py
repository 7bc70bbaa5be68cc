"""One picture of a result: depth maps above, the mesh from three sides below."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from recon3d.bench.sets import BenchSet
from recon3d.core.upright import upright_from_world
from recon3d.io.stills import StillRenderer, contact_sheet, turntable
from recon3d.pipeline import Results
from recon3d.stages.report.pictures import coloured_depth

_COLUMNS = 3
_CELL_PX = (400, 300)


def draw(target: Path, results: Results, bench_set: BenchSet) -> None:
    """Depth maps, the mesh in its colours, and as clay, which hides nothing.

    Photos are shown only where they are ours to show.
    """
    if not (results.posed and results.depth and results.mesh and len(results.mesh.value.faces)):
        return
    posed, depth, mesh = results.posed.value, results.depth.value, results.mesh.value
    ids = [view.photo_id for view in posed.scene.views if view.photo_id in depth]
    chosen = [ids[len(ids) * (2 * k + 1) // (2 * _COLUMNS)] for k in range(_COLUMNS)]
    cells = [_fitted(posed.rgb[photo_id]) for photo_id in chosen] if bench_set.ours else []
    maps = [depth[photo_id].depth_z for photo_id in chosen]
    typical = float(np.median(np.concatenate([depth_z[depth_z > 0] for depth_z in maps])))
    cells += [_fitted(coloured_depth(depth_z)) for depth_z in maps]
    viewpoints = turntable(
        _near(mesh.vertices, np.array([view.centre_world for view in posed.scene.views]), typical),
        upright_from_world(posed.scene.views, mesh.vertices),
        _COLUMNS,
        arc_deg=110,
        elevation_deg=40 if bench_set.room else 20,
        size_px=_CELL_PX,
    )
    renderer = StillRenderer(mesh)
    stills = [renderer.render(viewpoint, backs=not bench_set.room) for viewpoint in viewpoints]
    cells += [still.colour for still in stills] + [still.clay for still in stills]
    contact_sheet(target, cells, _COLUMNS)


def _near(vertices: np.ndarray, centres: np.ndarray, typical_z: float) -> np.ndarray:
    """Without what lies far behind: a palace at the horizon would shrink the fountain to a dot."""
    away = np.min([np.linalg.norm(vertices - centre, axis=1) for centre in centres], axis=0)
    near: np.ndarray = vertices[away <= 2 * typical_z]
    return near


def _fitted(rgb: np.ndarray) -> np.ndarray:
    """Cut to the cell's shape around the middle and shrunk to its size."""
    height, width = rgb.shape[:2]
    wide, high = min(width, height * 4 // 3), min(height, width * 3 // 4)
    left, top = (width - wide) // 2, (height - high) // 2
    cut = Image.fromarray(rgb[top : top + high, left : left + wide])
    return np.asarray(cut.resize(_CELL_PX, Image.Resampling.BOX))
