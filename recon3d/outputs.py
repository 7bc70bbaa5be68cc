"""From what a run has made to its files and its report."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from recon3d import report
from recon3d.config import Config
from recon3d.core.errors import ReconError
from recon3d.export import export
from recon3d.export.export import Outputs
from recon3d.export.textures import ExportConfig
from recon3d.results import Results, latest_surface
from recon3d.run.task import Task
from recon3d.surface import mesh
from recon3d.texture import texture
from recon3d.view_planning import USUAL_VIEWS
from recon3d.view_planning.advice import Advice, advise
from recon3d.view_planning.legend import exactness_rgb
from recon3d.view_planning.measure import matched_px, measure_coverage


def write_outputs(
    made: Results, outputs: Outputs, config: ExportConfig, task: Task
) -> tuple[Path, ...]:
    """Write the outputs from the latest stage that was reached; returns their paths.

    Raises:
        TooLittleDepthError: a mesh is wanted, and there is none.
        OutputError: a place cannot be written.
    """
    if not (made.posed and made.frame):
        return ()
    depth_maps = made.depth.value if made.depth else {}
    surface, cloud = latest_surface(made)
    exact = None
    if config.quality and len(surface.faces) and _says_quality(outputs):
        posed, pixels = made.posed.value, matched_px(depth_maps)
        coverage = measure_coverage(surface, posed.scene.views, posed.masks, task, pixels)
        sigma = np.where(coverage.inferred, np.float32(np.inf), coverage.sigma)
        surface = replace(surface, sigma=sigma)
        exact = replace(surface, rgb=exactness_rgb(coverage))
    textured = made.textured.value if made.textured else None
    if textured and made.maps:
        maps = made.maps.value
        textured = replace(textured, normal_pages=maps.normals, occlusion_pages=maps.occlusion)
    exportable = export.Exportable(
        made.posed.value,
        surface,
        cloud,
        depth_maps,
        made.frame.value,
        textured,
        made.levels.value if made.levels else (),
        made.textured_levels.value if made.textured_levels else (),
        exact,
    )
    return export.export(exportable, outputs, config, task)


def _says_quality(outputs: Outputs) -> bool:
    return any(mesh.suffix.lower() in export.QUALITY_SUFFIXES for mesh in outputs.meshes)


def report_run(
    made: Results,
    config: Config,
    outputs: Outputs,
    task: Task,
    failure: ReconError | None = None,
) -> None:
    """Write report.html and report.json, of a failed run too."""
    run = report.Run(
        image_set=made.image_set.value if made.image_set else None,
        panoramas=made.panorama_of,
        masks=made.photo_masks,
        found_masks=made.found_masks_folder,
        posed=made.posed.value if made.posed else None,
        depth=made.depth.value if made.depth else None,
        mesh=made.mesh.value if made.mesh else None,
        textured=made.textured.value if made.textured else None,
        texturing=texture.read_numbers(made.textured.folder) if made.textured else None,
        frame=made.frame.value if made.frame else None,
        control=made.control.value.report if made.control else None,
        cleaning=mesh.read_effects(made.mesh.folder) if made.mesh else None,
        advice=None if failure else _advice(made, task),
        costs={stage.stage: (stage.cost, stage.cached) for stage in made.stages},
        warnings=made.warnings,
        settings=asdict(config),
        written=made.written,
        failure=failure,
    )
    report.write_report(made.workspace / "report.html", run, outputs.report)


def _advice(made: Results, task: Task) -> Advice | None:
    """None where no second photo could see what the first has missed, or there is no mesh yet."""
    if not (made.mesh and made.posed) or len(made.posed.value.scene.views) < 2:
        return None
    mesh, frame = made.mesh.value, made.frame.value if made.frame else None
    if not len(mesh.faces):
        return None
    pixels = matched_px(made.depth.value) if made.depth else None
    return advise(mesh, made.posed.value, frame, USUAL_VIEWS, task, pixels)
