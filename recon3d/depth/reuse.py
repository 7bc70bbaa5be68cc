"""Depth maps of an earlier run, kept where nothing that they were made from has changed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recon3d.core.scene import PosedPhotos, View
from recon3d.run.digests import file_digest, json_digest
from recon3d.run.files import FileMapping
from recon3d.run.reuse import take_over
from recon3d.run.stage import Stage
from recon3d.run.task import Task

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


_log = logging.getLogger(__name__)


def keep_depth(
    stage: Stage[Any],
    config: DataclassInstance,
    posed: PosedPhotos,
    predictions: Mapping[str, Any],
    paths: Mapping[str, Path],
    made_from: Mapping[str, tuple[Iterable[View], object]],
    task: Task,
) -> dict[str, Path]:
    """Take over the depth maps that earlier runs of the stage have made from the same.

    Args:
        stage: At work.
        config: Of it.
        posed: The photos; those that are not in files are not told apart, and nothing is kept.
        predictions: What the stage changes, by photo id; empty where it predicts.
        paths: Where depth maps go, by photo id.
        made_from: By photo id: the other views that a depth map depends on, in their order, and
            whatever else it depends on, as JSON knows it.
        task: Asked whether to stop.

    Returns the folders that maps were taken from, by photo id.
    """
    files = [posed.rgb, posed.masks, posed.sensor_depth, predictions]
    if not paths or not all(isinstance(each, FileMapping) or not each for each in files):
        return {}

    @cache
    def view_digest(view: View) -> str:
        task.check()
        paths = [each.paths.get(view.photo_id) for each in files if isinstance(each, FileMapping)]
        pose = view.cam_from_world.matrix().tolist()
        digests = [path and file_digest(path) for path in paths]
        return json_digest([view.photo_id, asdict(view.camera), pose, digests])

    views = {view.photo_id: view for view in posed.scene.views}
    method = [stage.name, stage.version, stage.library_versions, asdict(config)]
    digests = {}
    for photo_id, (others, rest) in made_from.items():
        seen = [view_digest(views[photo_id]), [view_digest(other) for other in others]]
        digests[paths[photo_id].name] = json_digest([method, seen, rest])
    folder = next(iter(paths.values())).parent
    taken = take_over(folder, digests, task)
    if taken:
        _log.info(
            "%s: %d of %d maps are those of an earlier run", stage.name, len(taken), len(paths)
        )
    return {photo_id: taken[path.name] for photo_id, path in paths.items() if path.name in taken}
