"""One picture of a result: photos, the model as their cameras see it, and from around."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from recon3d.bench.sets import BenchSet
from recon3d.core.camera import PinholeCamera
from recon3d.core.transform import Rigid
from recon3d.results import Results
from recon3d.surface.stills import StillRenderer, Viewpoint, contact_sheet, turntable

_COLUMNS = 3
_CELL_PX = (360, 270)


def draw(target: Path, results: Results, bench_set: BenchSet) -> None:
    """Three photos where they may be shown, below each the model as its camera sees it.

    In its colours and as clay, which hides nothing; the last row looks from around.
    """
    if not (results.posed and results.depth and results.frame and results.mesh):
        return
    if len(results.mesh.value.faces) == 0:
        return
    posed, depth, mesh = results.posed.value, results.depth.value, results.mesh.value
    views = [view for view in posed.scene.views if view.photo_id in depth]
    chosen = [views[len(views) * (2 * k + 1) // (2 * _COLUMNS)] for k in range(_COLUMNS)]
    maps = [depth[view.photo_id].depth_z for view in chosen]
    typical = float(np.median(np.concatenate([depth_z[depth_z > 0] for depth_z in maps])))
    around = turntable(
        _near(mesh.vertices, np.array([view.centre_world for view in posed.scene.views]), typical),
        Rigid(results.frame.value.target_from_world.rotation, np.zeros(3)),
        _COLUMNS,
        arc_deg=110,
        elevation_deg=40 if bench_set.room else 20,
        size_px=_CELL_PX,
    )
    taken = [Viewpoint(_cell_camera(view.camera), view.cam_from_world) for view in chosen]
    renderer = StillRenderer(results.textured.value if results.textured else mesh)
    stills = [
        renderer.render(viewpoint, backs=not bench_set.room) for viewpoint in (*taken, *around)
    ]
    photos = [_cell(posed.rgb[view.photo_id]) for view in chosen] if bench_set.credit else []
    colours = [still.colour for still in stills]
    clay = [still.clay for still in stills[:_COLUMNS]]
    cells = [*photos, *colours[:_COLUMNS], *clay, *colours[_COLUMNS:]]
    contact_sheet(target, cells, _COLUMNS)


def _near(vertices: np.ndarray, centres: np.ndarray, typical_z: float) -> np.ndarray:
    """Without what lies far behind: a palace at the horizon would shrink the fountain to a dot."""
    away = np.min([np.linalg.norm(vertices - centre, axis=1) for centre in centres], axis=0)
    near: np.ndarray = vertices[away <= 2 * typical_z]
    return near


def _window(width_px: int, height_px: int) -> tuple[int, int, int, int]:
    """Left, top, width and height of the middle part that has a cell's shape."""
    wide, high = min(width_px, height_px * 4 // 3), min(height_px, width_px * 3 // 4)
    return (width_px - wide) // 2, (height_px - high) // 2, wide, high


def _cell(rgb: np.ndarray) -> np.ndarray:
    left, top, wide, high = _window(rgb.shape[1], rgb.shape[0])
    cut = Image.fromarray(rgb[top : top + high, left : left + wide])
    return np.asarray(cut.resize(_CELL_PX, Image.Resampling.BOX))


def _cell_camera(camera: PinholeCamera) -> PinholeCamera:
    """The camera of what _cell makes of the photo."""
    left, top, wide, high = _window(camera.width_px, camera.height_px)
    cut = PinholeCamera(
        wide, high, camera.fx_px, camera.fy_px, camera.cx_px - left, camera.cy_px - top
    )
    return cut.resized(*_CELL_PX)
