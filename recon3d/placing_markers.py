"""Markers in a run: control points and scale bars, from files or as they were set by hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from recon3d.config import Config
from recon3d.core.errors import ReconError
from recon3d.core.scene import GivenCameras, ImageSet, PosedPhotos
from recon3d.georef.control.adjust import ADJUST
from recon3d.georef.control.bars import BARS
from recon3d.georef.control.files import read_markers
from recon3d.georef.control.markers import Markers, usable_markers
from recon3d.georef.control.points import ControlError, GroundControl
from recon3d.georef.control.stage import CONTROL
from recon3d.georef.control.survey import ControlConfig
from recon3d.results import Inputs, Results
from recon3d.run.stage import StageResult
from recon3d.run.workspace import Workspace

MARKER_STAGES = (CONTROL.name, BARS.name)
"""What other markers make anew."""


@dataclass(frozen=True)
class GivenMarkers:
    """What of the markers counts in a run."""

    control: GroundControl | None = None
    bars: Markers | None = None
    notes: tuple[str, ...] = ()
    """What does not, in sentences."""
    by_hand: bool = False


def given_markers(image_set: ImageSet, inputs: Inputs, config: ControlConfig) -> GivenMarkers:
    """Read markers and fail in the first minute where they cannot be enough.

    Raises:
        InputError: a file is unreadable, or its markers do not fit the photos.
        ConfigError: a system of coordinates is unknown or does not count metres.
    """
    points, marks, bars = inputs.gcp, inputs.gcp_marks, inputs.scale_bars
    if not (points or bars):
        for option, value in (("--gcp-marks", marks), ("--check", config.check)):
            if value and not inputs.markers:
                raise ControlError(
                    f"{option} needs the points' coordinates.",
                    hint="Add --gcp, or --scale-bars for lengths between them.",
                )
    markers = inputs.markers
    if points or bars:
        if markers:
            raise ControlError(
                "Markers are given by files and by hand at once.", hint="Give one of the two."
            )
        markers = read_markers(points, marks, bars)
        _require_coordinates(markers, points)
    return check_markers(image_set, markers, config) if markers else GivenMarkers()


def check_markers(image_set: ImageSet, markers: Markers, config: ControlConfig) -> GivenMarkers:
    """What of the markers counts, for these photos.

    Raises:
        ControlError: they come from files and are not enough.
    """
    names = [name for name in config.check_names if not markers.by_hand or markers.named(name)]
    return GivenMarkers(*usable_markers(markers, names, image_set), markers.by_hand)


def place_control(
    work: Workspace, config: Config, made: Results, given: GivenMarkers, cameras: GivenCameras
) -> None:
    """Let control points move the cameras, where that is wanted, before anything follows them."""
    assert made.posed
    assert made.image_set
    for note in given.notes:
        work.task(CONTROL.name).warn(note)
    if given.control and config.control.adjust:
        try:
            made.posed = work.run(
                ADJUST, config.control, made.posed, made.image_set, given.control, cameras
            )
        except ControlError as error:
            _excuse(work, given, error)


def measure_markers(
    work: Workspace,
    config: Config,
    made: Results,
    given: GivenMarkers,
    posed: StageResult[PosedPhotos],
) -> None:
    """How control points fit the cameras, and how long scale bars are in the scene."""
    assert made.image_set
    if given.control:
        try:
            made.control = work.run(CONTROL, config.control, posed, made.image_set, given.control)
        except ControlError as error:
            _excuse(work, given, error)
    if given.bars:
        made.bars = work.run(BARS, config.control, posed, made.image_set, given.bars)


def _excuse(work: Workspace, given: GivenMarkers, error: ReconError) -> None:
    """Of files one expects that they are right; by hand they may be on their way."""
    if not given.by_hand:
        raise error
    work.task(CONTROL.name).warn(f"The markers' coordinates do not count: {error}")


def _require_coordinates(markers: Markers, points: Path | None) -> None:
    if points and not markers.control:
        raise ControlError(
            f"{points} has no coordinates of ground control points.",
            hint="Name the columns in the first line: name,E,N,H,accuracy.",
        )
