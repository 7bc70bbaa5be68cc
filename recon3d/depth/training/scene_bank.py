"""Rendered scenes, kept on disk because a training run looks at each many times."""

from __future__ import annotations

import math
import multiprocessing
import time
from collections.abc import Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
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
    size_px: tuple[int, int] = (640, 480)
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

    def fill(
        self,
        numbers: Sequence[int],
        workers: int,
        task: Task,
        *,
        seconds: float = math.inf,
        least: int = 1,
    ) -> int:
        """Render what is missing, several at once, in order, until the seconds are over.

        Always on the CPU, of which a machine with a GPU has many cores. Returns how many of the
        numbers, counted from the first, are there now; `least` or more.

        Raises:
            Cancelled: the user asked to stop; finished scenes stay.
        """
        started = time.monotonic()
        missing = [place for place, number in enumerate(numbers) if not self._path(number).exists()]
        if not missing:
            return len(numbers)
        with closing(self._rendered([numbers[place] for place in missing], workers)) as done:
            for place, _ in zip(missing, task.each(done, len(missing), str), strict=True):
                if place + 1 >= least and time.monotonic() - started > seconds:
                    break
        return next((place for place in missing if not self._path(numbers[place]).exists()),
                    len(numbers))  # fmt: skip

    def _rendered(self, numbers: Sequence[int], workers: int) -> Generator[int]:
        """The numbers again, each when its scene is on disk."""
        cpu = torch.device("cpu")
        if workers == 1 or len(numbers) == 1:
            for number in numbers:
                self._render(number, cpu)
                yield number
            return
        spawn = multiprocessing.get_context("spawn")
        workers = min(workers, len(numbers))
        with ProcessPoolExecutor(workers, spawn, initializer=torch.set_num_threads,
                                 initargs=(1,)) as pool:  # fmt: skip
            try:
                done = pool.map(self._render, numbers, [cpu] * len(numbers))
                for number, _ in zip(numbers, done, strict=True):
                    yield number
            finally:
                # Whoever stops listening wants no more of them.
                pool.shutdown(wait=True, cancel_futures=True)

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
