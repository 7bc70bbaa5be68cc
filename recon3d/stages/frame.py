"""Which way is up, where the ground is and how large the model is."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32

from recon3d.core.frame import TargetFrame
from recon3d.core.scene import PosedPhotos
from recon3d.core.transform import Rigid, Similarity
from recon3d.core.upright import upright_from_world
from recon3d.run.files import write_json
from recon3d.run.task import Task

VERSION = 1

_FRAME = "frame.json"


@dataclass(frozen=True, kw_only=True)
class FrameConfig:
    """How the model stands and how large it is."""

    up: Literal["auto", "none"] = "auto"
    """auto turns the model upright (from how the cameras were held) and puts the origin on the
    ground below it; none keeps the frame of the cameras."""


def find_frame(
    posed: PosedPhotos,
    vertices_world: Float32[np.ndarray, "v 3"],
    config: FrameConfig,
    folder: Path,
    task: Task,
) -> None:
    """Write the frame to export in into `folder`.

    vertices_world: of the surface, or the sparse points before there is one.
    """
    task.check()
    upright = Rigid.identity()
    if config.up == "auto":
        upright = upright_from_world(posed.scene.views, vertices_world)
    frame = TargetFrame(Similarity.from_rigid(upright), posed.scene.unit)
    write_json(folder / _FRAME, _plain(frame))


def read_frame(folder: Path) -> TargetFrame:
    """Read what `find_frame` wrote."""
    stored: dict[str, Any] = json.loads((folder / _FRAME).read_text(encoding="utf-8"))
    moved = stored["target_from_world"]
    return TargetFrame(
        Similarity(moved["scale"], np.array(moved["rotation"]), np.array(moved["translation"])),
        stored["unit"],
        stored["report"],
    )


def _plain(frame: TargetFrame) -> dict[str, object]:
    moved = {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in asdict(frame.target_from_world).items()
    }
    return {"target_from_world": moved, "unit": frame.unit, "report": dict(frame.report)}
