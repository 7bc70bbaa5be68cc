"""What happened, for people and programs: report.html and report.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from recon3d.core.depth import SceneDepth
from recon3d.core.errors import ReconError
from recon3d.core.scene import Album, PosedPhotos
from recon3d.core.surface import Mesh
from recon3d.run.workspace import Cost


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
) -> None:
    """Write report.html and, beside it, report.json; None marks stages that were not reached.

    costs: by stage name, what computing it took and whether it came from the cache.
    copy_to: a second report.html where the user asked for one, its report.json beside it.
    """
    raise NotImplementedError
