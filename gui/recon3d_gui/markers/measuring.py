"""What the shown run knows of the markers, found in the background. Free of the window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from recon3d.config import Config
from recon3d.core.errors import ReconError
from recon3d.core.scene import Point
from recon3d.georef.control.markers import Markers, ScaleBar
from recon3d.georef.control.measured import (
    MeasuredBar,
    MeasuredMarker,
    measure_marker,
    measured_bar,
)
from recon3d.georef.control.survey import measure_control
from recon3d.run.task import CancelToken, Task, silent
from recon3d_gui.photos.latest import Latest
from recon3d_gui.photos.overlays import RunReader

_STAGES = ("ingest", "pose", "frame")


@dataclass(frozen=True, eq=False)
class Measured:
    """Of every marker and length; empty before there are placed photos."""

    markers: Mapping[str, MeasuredMarker] = field(default_factory=dict)
    """By name; photos by the names that the project has for them."""
    model: Mapping[str, Point] = field(default_factory=dict)
    """By name: coordinates in the model as it is exported."""
    unit: str = ""
    """Of these: m, or units."""
    gaps_m: Mapping[str, Point] = field(default_factory=dict)
    """By name: east, north and height of the model minus the survey."""
    bars: Mapping[ScaleBar, MeasuredBar] = field(default_factory=dict)
    metres_per_unit: float | None = None
    """Of the scene, as it is shown; None where nobody knows."""
    problem: str = ""
    """Why the coordinates do not count."""

    def residual_m(self, bar: ScaleBar) -> float | None:
        """Model minus tape; None where it is not known."""
        found = self.bars.get(bar)
        if not (found and found.length and self.metres_per_unit):
            return None
        return found.length * self.metres_per_unit - bar.length_m


class Measuring:
    """Ask for what is wanted as often as you like; the answer comes later.

    revision grows whenever `found` changes.
    """

    def __init__(self) -> None:
        self.found = Measured()
        self.revision = 0
        self._reader = RunReader()
        self._working: Latest[Measured] = Latest("measure markers", most=1)
        self._asked: tuple[object, ...] = ()

    @property
    def is_busy(self) -> bool:
        """Whether an answer is on its way."""
        return self._working.is_waiting

    def ask(
        self,
        markers: Markers,
        reached: Mapping[str, Path],
        names: Mapping[str, str],
        photo: str | None,
        config: Config,
    ) -> None:
        """Measure again where anything has changed.

        names: by photo of the project: its id in the run that is shown.
        photo: the one for which places of markers are foretold.
        """
        used = {stage: reached[stage] for stage in _STAGES if stage in reached}
        asked = (markers, tuple(used.values()), names.get(photo or ""), config.control)
        if asked == self._asked:
            return
        self._asked = asked
        if not markers or "pose" not in used or "ingest" not in used:
            self._working.drop()
            self.found = Measured()
            self.revision += 1
            return
        chosen = dict(names)
        self._working.ask(lambda: _measured(self._reader, markers, used, chosen, photo, config))

    def tick(self) -> None:
        """Take over what was found."""
        try:
            found = self._working.answer()
        except (ReconError, OSError) as error:
            found = Measured(problem=str(error))
        if found is not None:
            self.found = found
            self.revision += 1


def _measured(
    reader: RunReader,
    markers: Markers,
    reached: Mapping[str, Path],
    names: Mapping[str, str],
    photo: str | None,
    config: Config,
) -> Measured:
    scene, image_set = reader.read("pose", reached).scene, reader.read("ingest", reached)
    frame: Any = reader.read("frame", reached)
    here = _renamed(markers, names)
    back = {run_name: own for own, run_name in names.items()}
    wanted = [names.get(photo, photo)] if photo else []
    mark_px = config.control.mark_px
    found = {
        one.name: measure_marker(one, scene, image_set, mark_px, wanted) for one in here.points
    }
    places = {name: each.located.place.xyz_world for name, each in found.items() if each.located}
    model: dict[str, Point] = {}
    for name, xyz_world in places.items() if frame else ():
        x, y, z = (frame.target_from_world @ np.asarray(xyz_world)).tolist()
        model[name] = (x, y, z)
    gaps_m, problem = _gaps(here, scene, image_set, config)
    in_metres = frame is not None and frame.unit == "metre"
    return Measured(
        {name: _with_own_names(each, back) for name, each in found.items()},
        model,
        "m" if in_metres else "units",
        gaps_m,
        {bar: measured_bar(bar, found) for bar in markers.bars},
        float(frame.target_from_world.scale) if in_metres else None,
        problem,
    )


def _gaps(
    markers: Markers, scene: Any, image_set: Any, config: Config
) -> tuple[dict[str, Point], str]:
    control = markers.control
    if control is None:
        return {}, ""
    task = Task("control", silent, CancelToken())
    # Names of check points that the settings name may be those of other files.
    settings = replace(config.control, check="")
    try:
        survey = measure_control(scene, image_set, control, settings, task)
    except ReconError as error:
        return {}, str(error)
    gaps = {
        name: (float(gap[0]), float(gap[1]), float(gap[2]))
        for name, gap in survey.gaps_m(config.control.accuracy).items()
    }
    return gaps, ""


def _renamed(markers: Markers, names: Mapping[str, str]) -> Markers:
    points = tuple(
        replace(
            one,
            marks=tuple(replace(m, photo=names.get(m.photo, m.photo)) for m in one.marks),
        )
        for one in markers.points
    )
    return replace(markers, points=points)


def _with_own_names(found: MeasuredMarker, back: Mapping[str, str]) -> MeasuredMarker:
    located = found.located and replace(
        found.located,
        errors_px={back.get(p, p): e for p, e in found.located.errors_px.items()},
        wrong_px={back.get(p, p): e for p, e in found.located.wrong_px.items()},
    )
    return replace(
        found,
        located=located,
        predicted={back.get(p, p): at for p, at in found.predicted.items()},
        lines={back.get(p, p): line for p, line in found.lines.items()},
    )
