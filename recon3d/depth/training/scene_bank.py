"""Rendered scenes, kept on disk because a training run looks at each many times."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from recon3d.depth.synthetic import RenderedScene, load_textures, render_scene
from recon3d.run.files import atomic_path
from recon3d.run.task import Task

_ARRAYS = ("rgb", "depth_z", "matrices", "cam_from_world")


@dataclass(frozen=True)
class SceneBank:
    """Scenes by number; scene n is the same wherever and whenever it is rendered."""

    folder: Path
    size_px: tuple[int, int] = (384, 288)
    """Width and height of the photos; every third scene has them the other way round."""
    views: int = 6
    textures: Path | None = None
    """Folder of the freely licensed photos whose surfaces are stuck onto things; None = only
    procedural ones."""

    def scene(self, number: int, device: torch.device) -> RenderedScene:
        """Read scene `number`, rendering it first if it is not there yet."""
        path = self._path(number)
        if not path.exists():
            self._render(number, device)
        with np.load(path, allow_pickle=False) as content:
            arrays = {name: torch.from_numpy(content[name]).to(device) for name in _ARRAYS}
            return RenderedScene(**arrays, kind=str(content["kind"]))

    def fill(self, numbers: Sequence[int], device: torch.device, workers: int, task: Task) -> None:
        """Render what is missing; on the CPU several at once.

        Raises:
            Cancelled: the user asked to stop; finished scenes stay.
        """
        missing = [number for number in numbers if not self._path(number).exists()]
        if not missing:
            return
        workers = min(workers, len(missing)) if device.type == "cpu" else 1
        if workers == 1:
            for number in task.each(missing, len(missing)):
                self._render(number, device)
            return
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, spawn, initializer=torch.set_num_threads,
                                 initargs=(1,)) as pool:  # fmt: skip
            try:
                done = pool.map(self._render, missing, [device] * len(missing))
                for _ in task.each(done, len(missing), lambda _: ""):
                    pass
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:07d}.npz"

    def _render(self, number: int, device: torch.device) -> None:
        width_px, height_px = self.size_px if number % 3 else self.size_px[::-1]
        scene = render_scene(
            number,
            width_px=width_px,
            height_px=height_px,
            views=self.views,
            textures=_textures(self.textures),
            device=device,
        )
        arrays = {name: getattr(scene, name).cpu().numpy() for name in _ARRAYS}
        with atomic_path(self._path(number)) as part:
            np.savez(part, kind=np.array(scene.kind), **arrays)


@lru_cache(maxsize=1)
def _textures(folder: Path | None) -> list[Tensor]:
    return load_textures(folder) if folder else []
