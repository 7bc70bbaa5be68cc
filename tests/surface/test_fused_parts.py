"""A scene that is fused part by part has the surface of the whole, to the byte."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sphere_scene import sphere_photos

from recon3d.core.scene import PosedPhotos
from recon3d.run.device import Runtime
from recon3d.run.task import CancelToken, Event, Task
from recon3d.surface import fused_parts
from recon3d.surface.fuse import FuseConfig, fuse_depth
from recon3d.surface.volume import BLOCK_BYTES, EXTRACTION_BYTES, parts_of


def colourful(posed: PosedPhotos) -> PosedPhotos:
    rng = np.random.default_rng(0)
    rgb = {name: rng.integers(0, 255, (120, 120, 3), np.uint8) for name in posed.rgb}
    return replace(posed, rgb=rgb)


def fuse(folder: Path, memory_gib: float = 8) -> tuple[list[bytes], Event]:
    posed, maps = sphere_photos()
    heard: list[Event] = []
    folder.mkdir()
    config = FuseConfig(voxel_size=0.02, min_weight=1)
    task = Task("fuse", heard.append, CancelToken(), Runtime(device="cpu", memory_gib=memory_gib))
    fuse_depth(colourful(posed), maps, config, folder, task)
    return [path.read_bytes() for path in sorted(folder.iterdir())], heard[-1]


def test_parts_give_the_bytes_of_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, told = fuse(tmp_path / "whole")
    assert (told.done, told.total) == (6, 6)
    for limit in ("_PART_BYTES", "_LEAST_PART_BYTES"):
        monkeypatch.setattr(fused_parts, limit, 40 * (BLOCK_BYTES + EXTRACTION_BYTES))
    parted, told = fuse(tmp_path / "parts")
    # Maps that reach into several parts are read for each of them.
    assert told.done == told.total > 2 * 6
    assert parted == whole


def test_no_memory_at_all_still_fuses_in_few_parts(tmp_path: Path) -> None:
    whole, _ = fuse(tmp_path / "whole")
    short, told = fuse(tmp_path / "short", memory_gib=1e-9)
    assert told.total == 6
    assert short == whole


@pytest.mark.parametrize("seed", range(3))
def test_parts_fill_all_space_and_hold_no_more_than_they_may(seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Some on top of each other, and all in a plane, in a line.
    blocks = rng.integers(-50, 50, (3000, 3)) * ([1, 1, 1], [1, 1, 0], [1, 0, 0])[seed]
    blocks = np.unique(blocks, axis=0)
    parts = parts_of(blocks, 30)
    anywhere = rng.integers(-1000, 1000, (1000, 3))
    for points in (blocks, anywhere):
        held = np.array([part.holds(points) for part in parts])
        assert (held.sum(axis=0) == 1).all()
    assert max(part.holds(blocks).sum() for part in parts) <= 30
    assert len(parts) <= 4 * -(-len(blocks) // 30)


def test_a_block_that_is_too_large_by_itself_is_a_part() -> None:
    (part,) = parts_of(np.array([[3, 4, 5]]), 0)
    assert part.holds(np.array([[3, 4, 5]])).all()
    (part,) = parts_of(np.zeros((0, 3), int), 10)
    assert part.holds(np.array([[0, 0, 0]])).all()
