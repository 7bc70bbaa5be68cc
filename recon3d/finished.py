"""Finished runs, opened again without their photos."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from recon3d.depth import align
from recon3d.depth import consistency as refine
from recon3d.depth import estimate as depth
from recon3d.georef import frame
from recon3d.photos import ingest
from recon3d.pipeline import in_unit_of_depth
from recon3d.results import Results
from recon3d.run.workspace import Made, finished_stage, last_run
from recon3d.sfm import register as pose
from recon3d.surface import fuse, levels, mesh, relief
from recon3d.texture import texture

_STAGES: Mapping[str, tuple[str, Callable[[Path], Any]]] = {
    "ingest": ("album", ingest.read_album),
    "pose": ("posed", pose.read_posed_photos),
    "depth": ("predictions", depth.read_predictions),
    "align": ("aligned", align.read_aligned),
    "refine": ("depth", refine.read_scene_depth),
    "scale": ("depth", relief.read_depth),
    "fuse": ("surface", fuse.read_surface),
    "relief": ("surface", relief.read_relief),
    "mesh": ("mesh", mesh.read_mesh),
    "crop": ("mesh", mesh.read_mesh),
    "levels": ("levels", levels.read_levels),
    "texture": ("textured", texture.read_texture),
    "level textures": ("textured_levels", texture.read_textured_levels),
    "frame": ("frame", frame.read_frame),
}
"""By stage: its field of Results, and how its folder is read; later ones replace earlier ones."""
_READERS = {stage: read for stage, (_, read) in _STAGES.items()}


def reopen(workspace: Path) -> Results:
    """What the latest finished run of a workspace has made, each part read when asked for.

    Raises:
        InputError: it is not a workspace, no run has finished in it, or it is not whole.
    """
    return _whole(workspace, last_run(workspace, _READERS))


def gather(workspace: Path, reached: Mapping[str, Path]) -> Results:
    """What any run has made, finished or not, each part read when asked for.

    reached: by stage: the folder of its result, as the run's events named it.

    Raises:
        InputError: a folder is gone or not whole.
    """
    made = {
        field: finished_stage(stage, reached[stage], read)
        for stage, (field, read) in _STAGES.items()
        if stage in reached
    }
    if "refine" in reached and "predictions" in made:
        # Depth that is in scene units as it is has no stage that aligns it.
        made.setdefault("aligned", made["predictions"])
    return _whole(workspace, made)


def _whole(workspace: Path, reached: Mapping[str, Made[Any]]) -> Results:
    results = Results(workspace)
    for field, made in reached.items():
        setattr(results, field, made)
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
