"""The cloud that grows while depth is computed: what finished photos confirm of each other."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, UInt8

from recon3d.core.camera import PinholeCamera, pixel_rays
from recon3d.core.depth import PredictedDepth, SceneDepth
from recon3d.core.errors import InputError
from recon3d.core.scene import PosedPhotos, View
from recon3d.core.surface import PointCloud
from recon3d.depth.consistency import RefineConfig, confirm
from recon3d.depth.covisibility import rank_neighbours
from recon3d.depth.files import depth_file_paths, read_prediction, read_scene_depth
from recon3d.run.task import CancelToken, Event, Task
from recon3d_gui.viewer.protocol import DepthFolders

MOST_POINTS = 1_000_000
"""Of all photos together; also the most depths that are kept in memory."""
_MOST_SIDE_PX = 480
"""Of a thinned depth map, however few photos there are."""
_JUDGES = 4
"""Photos that each is checked against: half as many as in the end, in half the time."""
_CONFIRMED = "refine"
"""The stage whose depth is confirmed already."""
_MOST_SECONDS = 0.5
"""Of work at a time."""
_UNREADABLE = (OSError, ValueError, KeyError, EOFError, InputError, zipfile.BadZipFile)


@dataclass(frozen=True, eq=False)
class _Points:
    xyz_world: Float32[np.ndarray, "n 3"]
    rgb: UInt8[np.ndarray, "n 3"]


class Growth:
    """Of one set of placed photos; `advance` it every few seconds.

    Depth maps are thinned to a bounded number of pixels in all, and checked against each other
    as a run does in the end (`recon3d.depth.consistency`), each again when a photo that it is
    checked against has a map, or a newer one. What follows from the files alone is kept, so that
    it does not matter whether a run was stopped and went on in between.
    """

    def __init__(self, posed: PosedPhotos) -> None:
        self.posed = posed
        self._views = {view.photo_id: view for view in posed.scene.views}
        self._judges: dict[str, list[View]] | None = None
        self._paths: dict[str, Path] = {}
        """Of the map that each photo has; also of those that could not be read."""
        self._predictions: dict[str, PredictedDepth] = {}
        self._pictures: dict[str, UInt8[np.ndarray, "h w 3"]] = {}
        self._points: dict[str, _Points] = {}
        self._waiting: dict[str, None] = {}
        """Photos to be checked, in order."""

    def advance(
        self, folders: DepthFolders, wait: Callable[[], None]
    ) -> tuple[PointCloud | None, bool]:
        """Take in what has come, for half a second at most.

        folders: of the stages with depth maps; of each photo the map of the last of them counts.
        wait: called before each photo; may raise to stop.

        Returns:
            All points, None where they are the same as before; and whether more is waiting.
        """
        end, changed = time.monotonic() + _MOST_SECONDS, False
        found = _newest(folders)
        for photo_id in [each for each in self._paths if each not in found]:
            self._forget(photo_id)
            changed = True
        new = [each for each in found if self._paths.get(each) != found[each][1]]
        for photo_id in new:
            if photo_id in self._views:
                wait()
                if time.monotonic() > end:
                    break
                changed |= self._take(photo_id, *found[photo_id])
        while self._waiting and time.monotonic() <= end:
            wait()
            self._check(next(iter(self._waiting)))
            changed = True
        is_behind = bool(self._waiting) or any(
            each in self._views and self._paths.get(each) != found[each][1] for each in new
        )
        return (self._all() if changed else None), is_behind

    def _take(self, photo_id: str, stage: str, path: Path) -> bool:
        """Read a photo's map; whether there are other points at once."""
        self._paths[photo_id] = path
        try:
            if stage == _CONFIRMED:
                depth = read_scene_depth(path)
                self._predictions.pop(photo_id, None)
                self._keep(photo_id, self._thinned(depth))
                return True
            prediction = read_prediction(path)
        except _UNREADABLE:  # a run tells of damage; here it only shows nothing
            return False
        if prediction.kind != "scene":
            return False
        self._predictions[photo_id] = self._thinned_prediction(prediction)
        self._waiting[photo_id] = None
        for other, judges in self._all_judges().items():
            if other in self._predictions and any(each.photo_id == photo_id for each in judges):
                self._waiting[other] = None
        return False

    def _check(self, photo_id: str) -> None:
        del self._waiting[photo_id]
        prediction = self._predictions.get(photo_id)
        if prediction is None:
            return
        judges = [
            view for view in self._all_judges()[photo_id] if view.photo_id in self._predictions
        ]
        # A pixel of the thinned map is several of the run's.
        config = replace(RefineConfig(), max_error_px=1.0)
        task = Task("growing", _unheard, CancelToken())
        view = self._views[photo_id]
        with suppress(*_UNREADABLE):
            self._keep(photo_id, confirm(view, prediction, judges, self._predictions, config, task))

    def _keep(self, photo_id: str, depth: SceneDepth) -> None:
        known = depth.depth_z > 0
        rays = pixel_rays(depth.camera)[known]
        cam_points = rays * depth.depth_z[known][:, None].astype(np.float64)
        world = self._views[photo_id].cam_from_world.inverse() @ cam_points
        rgb = self._picture(photo_id, depth.camera)[known]
        self._points[photo_id] = _Points(world.astype(np.float32), rgb)

    def _forget(self, photo_id: str) -> None:
        for kept in (self._paths, self._predictions, self._points, self._waiting):
            kept.pop(photo_id, None)

    def _all(self) -> PointCloud:
        """In the order of the photos, so that nothing depends on which was done first.

        With the sparse points, so that what was seen before does not go; empty before there is
        more than these.
        """
        parts = [self._points[each] for each in self._views if each in self._points]
        if any(len(part.xyz_world) for part in parts):
            sparse = self.posed.scene.points
            parts.append(_Points(sparse.xyz_world.astype(np.float32), sparse.rgb))
        none = _Points(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.uint8))
        xyz_world = np.concatenate([part.xyz_world for part in [none, *parts]])
        rgb = np.concatenate([part.rgb for part in [none, *parts]])
        return PointCloud(xyz_world, rgb, np.zeros_like(xyz_world))

    def _all_judges(self) -> dict[str, list[View]]:
        if self._judges is None:
            views = self.posed.scene.views
            self._judges = {
                views[index].photo_id: [views[other] for other in others]
                for index, others in enumerate(rank_neighbours(self.posed.scene, _JUDGES))
            }
        return self._judges

    def _picture(self, photo_id: str, camera: PinholeCamera) -> UInt8[np.ndarray, "h w 3"]:
        import cv2

        size = (camera.width_px, camera.height_px)
        known = self._pictures.get(photo_id)
        if known is None or known.shape[1::-1] != size:
            rgb = self.posed.rgb[photo_id]
            known = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA))
            self._pictures[photo_id] = known
        return known

    def _thinned_prediction(self, prediction: PredictedDepth) -> PredictedDepth:
        camera = self._thin_camera(prediction.camera)
        return PredictedDepth(
            _nearest(prediction.values, camera),
            prediction.kind,
            _nearest(prediction.confidence, camera),
            camera,
        )

    def _thinned(self, depth: SceneDepth) -> SceneDepth:
        camera = self._thin_camera(depth.camera)
        return SceneDepth(
            _nearest(depth.depth_z, camera),
            _nearest(depth.agreeing_views, camera),
            camera,
            depth.view_id,
        )

    def _thin_camera(self, camera: PinholeCamera) -> PinholeCamera:
        """Of a map that has no more than a photo's share of the points."""
        share = MOST_POINTS / max(1, len(self._views))
        factor = min(
            1.0,
            (share / (camera.width_px * camera.height_px)) ** 0.5,
            _MOST_SIDE_PX / max(camera.width_px, camera.height_px),
        )
        return camera.resized(
            max(1, int(camera.width_px * factor)), max(1, int(camera.height_px * factor))
        )


def _newest(folders: DepthFolders) -> dict[str, tuple[str, Path]]:
    """By photo id: stage and file of its map in the last of the folders that has one."""
    found: dict[str, tuple[str, Path]] = {}
    for stage, folder in folders:
        found |= {each: (stage, path) for each, path in depth_file_paths(folder).items()}
    return found


def _nearest(values: Float[np.ndarray, "h w"], camera: PinholeCamera) -> Float[np.ndarray, "h2 w2"]:
    """Nearest: a mean of near and far would hang in the air between them."""
    import cv2

    size = (camera.width_px, camera.height_px)
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_NEAREST_EXACT))


def _unheard(_: Event) -> None:
    """What a check says of its progress."""
