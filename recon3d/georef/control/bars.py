"""The stage that measures scale bars: known lengths between markers, in units of the scene."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from recon3d.core.scene import ImageSet, PosedPhotos
from recon3d.georef.control.markers import Markers, ScaleBar
from recon3d.georef.control.measured import MeasuredBar, measure_bars
from recon3d.georef.control.survey import ControlConfig
from recon3d.georef.scale_cues import ScaleCue
from recon3d.run.files import write_json
from recon3d.run.stage import Stage
from recon3d.run.task import Task

_BARS = "bars.json"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SceneBars:
    """Scale bars as the placed photos show them."""

    bars: tuple[MeasuredBar, ...] = ()
    warnings: tuple[str, ...] = ()
    digest: str = ""
    """Of no bars, where the stage did not run."""


def find_bars(
    posed: PosedPhotos,
    image_set: ImageSet,
    markers: Markers,
    config: ControlConfig,
    folder: Path,
    task: Task,
) -> None:
    """Write how long each scale bar is in the scene, and what is wrong with it, into `folder`."""
    task.check()
    here = markers.in_photos([photo.id for photo in image_set.photos])
    bars, ends = measure_bars(here, posed.scene, image_set, config.mark_px)
    warnings = [one.problem for one in ends.values() if one.located and one.problem]
    write_json(folder / _BARS, {"bars": [asdict(each) for each in bars], "warnings": warnings})
    logger.info("scale bars: %d of %d are measured", sum(b.length > 0 for b in bars), len(bars))


def read_bars(folder: Path) -> SceneBars:
    """Read what `find_bars` wrote."""
    stored: dict[str, Any] = json.loads((folder / _BARS).read_text(encoding="utf-8"))
    return SceneBars(
        tuple(MeasuredBar(**{**each, "bar": ScaleBar(**each["bar"])}) for each in stored["bars"]),
        tuple(stored["warnings"]),
    )


def bar_cues(bars: Sequence[MeasuredBar]) -> list[ScaleCue]:
    """What they say of the scale; check bars say nothing."""
    return [
        ScaleCue("scale bar", one.bar.text, 0.0, 0.0, one.problem.rstrip("."))
        if one.problem
        else ScaleCue("scale bar", one.bar.text, one.bar.length_m / one.length, one.sigma)
        for one in bars
        if not one.bar.is_check
    ]


def describe_bars(
    bars: Sequence[MeasuredBar], metres_per_unit: float | None
) -> list[dict[str, object]]:
    """Each bar with its residual (model minus tape) after the fit, in metres."""
    rows = []
    for one in bars:
        bar = one.bar
        row: dict[str, object] = {
            "from": bar.start, "to": bar.end, "length_m": bar.length_m,
            "accuracy_m": bar.sigma_m, "role": "check" if bar.is_check else "control",
        }  # fmt: skip
        if one.problem or metres_per_unit is None:
            row["why_not"] = one.problem
        else:
            measured_m = one.length * metres_per_unit
            row |= {
                "measured_m": measured_m,
                "residual_m": measured_m - bar.length_m,
                "error_m": one.sigma * measured_m,
            }
        rows.append(row)
    return rows


BARS = Stage(
    name="bars",
    result="bars",
    version=1,
    run=find_bars,
    read=read_bars,
    warnings=lambda folder: read_bars(folder).warnings,
)
