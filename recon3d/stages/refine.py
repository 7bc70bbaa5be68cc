"""Depth maps are checked against each other; what no other view confirms is cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from recon3d.core.depth import PredictedDepth, SceneDepth
from recon3d.core.scene import PosedPhotos
from recon3d.run.device import Runtime
from recon3d.run.task import Task

VERSION = 1


@dataclass(frozen=True, kw_only=True)
class RefineConfig:
    """When a depth is believed."""

    min_views: int = 2
    """Other views that must confirm a pixel. 1 keeps more surface and more noise."""

    max_error_px: float = 1.5
    """A confirming view brings the pixel back to within this distance."""

    max_depth_error: float = 0.015
    """A confirming view agrees on the depth within this share of it."""


def refine_depth(
    posed: PosedPhotos,
    predictions: Mapping[str, PredictedDepth],
    config: RefineConfig,
    folder: Path,
    task: Task,
    runtime: Runtime,
) -> None:
    """Write a SceneDepth for every view into `folder`."""
    raise NotImplementedError


def read_scene_depth(folder: Path) -> Mapping[str, SceneDepth]:
    """Read what `refine_depth` wrote, one file when asked."""
    raise NotImplementedError
