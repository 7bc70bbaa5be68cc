"""What happened, for people and programs: report.html and report.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recon3d.core.depth import SceneDepth
from recon3d.core.errors import ReconError
from recon3d.core.frame import TargetFrame
from recon3d.core.scene import Album, PosedPhotos
from recon3d.core.surface import Mesh, TexturedMesh
from recon3d.run.cost import Cost
from recon3d.run.files import atomic_path, write_json
from recon3d.stages.report.facts import Run, collect_facts
from recon3d.stages.report.page import draw_page


def write_report(
    target: Path,
    *,
    album: Album | None,
    posed: PosedPhotos | None,
    depth: Mapping[str, SceneDepth] | None,
    mesh: Mesh | None,
    costs: Mapping[str, tuple[Cost, bool]],
    warnings: Sequence[str],
    settings: Mapping[str, object],
    written: Sequence[Path],
    failure: ReconError | None,
    copy_to: Path | None,
    textured: TexturedMesh | None = None,
    frame: TargetFrame | None = None,
    cleaning: Mapping[str, Any] | None = None,
) -> None:
    """Write report.html and, beside it, report.json; None marks stages that were not reached.

    The page needs no other file and no network. Its numbers are those of report.json, whose
    "schema" grows by one when a key changes its meaning.

    costs: by stage name, what computing it took and whether it came from the cache.
    copy_to: a second report.html where the user asked for one, its report.json beside it.

    Raises:
        OutputError: a place cannot be written.
    """
    run = Run(
        album,
        posed,
        depth,
        mesh,
        textured,
        frame,
        cleaning,
        costs,
        warnings,
        settings,
        written,
        failure,
    )
    facts = collect_facts(run)
    page = draw_page(run, facts)
    for place in filter(None, (target, copy_to)):
        write_json(place.with_suffix(".json"), facts)
        with atomic_path(place) as part:
            # File names may hold bytes that are no text.
            part.write_bytes(page.encode("utf-8", "replace"))
