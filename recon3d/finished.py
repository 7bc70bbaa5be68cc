"""Finished runs, opened again without their photos."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from recon3d.pipeline import Results, in_unit_of_depth
from recon3d.run.workspace import last_run
from recon3d.stages import (
    align,
    depth,
    frame,
    fuse,
    ingest,
    levels,
    mesh,
    pose,
    refine,
    relief,
    texture,
)  # fmt: skip

_READERS: Mapping[str, Callable[[Path], Any]] = {
    "ingest": ingest.read_album,
    "pose": pose.read_posed_photos,
    "depth": depth.read_predictions,
    "align": align.read_aligned,
    "refine": refine.read_scene_depth,
    "scale": relief.read_depth,
    "fuse": fuse.read_surface,
    "relief": relief.read_relief,
    "mesh": mesh.read_mesh,
    "crop": mesh.read_mesh,
    "levels": levels.read_levels,
    "texture": texture.read_texture,
    "level textures": texture.read_textured_levels,
    "frame": frame.read_frame,
}


def reopen(workspace: Path) -> Results:
    """What the latest finished run of a workspace has made, each part read when asked for.

    Raises:
        InputError: it is not a workspace, no run has finished in it, or it is not whole.
    """
    results = Results(workspace)
    for name, made in last_run(workspace, _READERS).items():
        setattr(results, name, made)
    if results.posed and results.predictions and results.depth and results.depth.stage == "scale":
        results.posed = in_unit_of_depth(results.posed, results.predictions)
    return results


def read_stage(stage: str, folder: Path) -> Any:
    """What one finished stage has made, from the folder that a run named (Event.folder).

    Raises:
        KeyError: no stage has that name.
        OSError: the folder is gone, or its files cannot be read.
    """
    return _READERS[stage](folder)
