"""From the raw surface to the model: cleaned, cropped, made solid, textured, and how it stands."""

from __future__ import annotations

from dataclasses import replace

from recon3d.config import Config
from recon3d.core.surface import Mesh
from recon3d.core.target_frame import TargetFrame
from recon3d.georef.frame import FRAME
from recon3d.results import Results, latest_result
from recon3d.run.stage import Stage, StageResult
from recon3d.run.workspace import Workspace
from recon3d.surface.levels import LEVELS
from recon3d.surface.mesh import LIGHT, with_effects
from recon3d.surface.solid.solid import SOLID
from recon3d.texture.maps import BAKE
from recon3d.texture.texture import TEXTURE, TEXTURE_LEVELS


def clean_surface(
    work: Workspace, config: Config, made: Results, stages: tuple[Stage[Mesh], ...]
) -> None:
    """Clean the whole surface, and its part once more where a box is given.

    stages: for the whole, the part, and the finer one that maps are made of.
    """
    (whole, part, detail), uncropped = stages, replace(config.mesh, crop=None)
    if config.bake.is_wanted:
        fine = replace(uncropped, faces=config.bake.detail_faces)
        made.detailed = work.run(detail, fine, *made.to_clean)
        made.mesh = work.run(LIGHT, uncropped, with_effects(made.detailed))
    else:
        made.mesh = work.run(whole, uncropped, *made.to_clean)
    if config.mesh.crop is not None:
        crop_mesh(work, config, made, part)


def crop_mesh(work: Workspace, config: Config, made: Results, part: Stage[Mesh]) -> None:
    """Clean the raw surface again, so that all faces go into the part inside the box."""
    # The box is given in the frame of the whole model, which stays that of the cropped one.
    frame = _frame(work, config, made)
    made.mesh = work.run(part, config.mesh, *made.to_clean, frame)


def finish(work: Workspace, config: Config, made: Results, *, has_texture: bool) -> None:
    """Everything from the mesh on."""
    assert made.posed
    if config.solid.watertight and made.mesh:
        frame = _frame(work, config, made)
        made.mesh = work.run(SOLID, config.solid, with_effects(made.mesh), frame)
    if has_texture and made.mesh:
        made.textured = work.run(TEXTURE, config.texture, made.posed, made.mesh)
        if config.bake.is_wanted:
            made.maps = work.run(BAKE, config.bake, made.textured, made.detailed or made.mesh)
    if config.levels.count > 1 and made.mesh:
        made.levels = work.run(LEVELS, config.levels, made.mesh)
        if made.textured:
            levels = (made.posed, made.levels, made.textured)
            made.textured_levels = work.run(TEXTURE_LEVELS, config.texture, *levels)
    _frame(work, config, made)


def _frame(work: Workspace, config: Config, made: Results) -> StageResult[TargetFrame]:
    """How the latest stage that was reached is to stand."""
    if made.frame:
        return made.frame
    assert made.image_set
    assert made.posed
    latest = latest_result(made)
    ties = (made.survey, made.scale_bars)
    made.frame = work.run(FRAME, config.frame, made.posed, made.image_set, latest, *ties)
    return made.frame
