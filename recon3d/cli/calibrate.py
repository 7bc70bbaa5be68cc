"""`recon3d calibrate`: photos of a printed board, or of anything -> the camera's intrinsics."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from tyro.conf import Positional, arg

from recon3d.cli.display import Display
from recon3d.cli.options import NO_DEFAULT, Command, OptionalPath
from recon3d.run.device import Runtime
from recon3d.run.task import CancelToken, Task

if TYPE_CHECKING:
    from recon3d_calib.board import Board
    from recon3d_calib.calibrate import Calibration
    from recon3d_calib.from_photos import SelfCalibration, SelfCalibrations
    from recon3d_calib.rig import Rig

BoardChoice = Literal["find", "chessboard", "circles", "asymmetric-circles", "charuco", "apriltags"]
LensChoice = Literal[
    "choose", "pinhole", "radial1", "radial2", "brown", "rational", "fisheye", "thin-prism",
    "division",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Calibrate(Command):
    """Find the camera's intrinsics from photos or a video of a printed board.

    recon3d calibrate boards/ -o K.json; then recon3d mesh imgs/ --intrinsics K.json
    Without a board: recon3d calibrate --from-photos imgs/ -o K.json
    """

    supervised: ClassVar[bool] = True

    photos: Annotated[Positional[tuple[Path, ...]], arg(metavar="PHOTOS", help_behavior_hint="")]
    """A folder, a video, or photos of the board, all taken with one camera and one zoom."""
    from_photos: bool = False
    """The photos show no board, but something that stands still, from all sides."""
    output: Annotated[Path, arg(aliases=["-o"])] = Path("K.json")
    """Camera file to write: .json, .yaml (OpenCV) or .txt (COLMAP)."""
    board: Annotated[str, arg(metavar="COLUMNSxROWS")] = "find"
    """Size of the board: inner corners of a chessboard, circles, or squares of a ChArUco board."""
    type: BoardChoice = "find"
    """Kind of board."""
    lens: LensChoice = "choose"
    """Lens model; choose takes the simplest one that predicts photos it was not fitted to, among
    all but thin-prism and division, which few programs read."""
    square_pixels: bool = False
    """One focal length for both directions."""
    flat_board: bool = False
    """Take the board for flat, as other programs do, even where the photos say that it bends."""
    zoom: bool = False
    """The lens was zoomed: every photo of the board has a focal length of its own."""
    rig: Annotated[tuple[Path, ...], arg(metavar="FOLDERS"), NO_DEFAULT] = ()
    """Further cameras that are fixed to the first one, a folder, a video or a quoted pattern of
    photos for each, taken at the same moments: also finds where they stand from the first."""
    square_mm: Annotated[float | None, NO_DEFAULT] = None
    """Edge of the board's squares in millimetres, for the distances of the cameras of a rig."""
    report: OptionalPath = None
    """Where to write the report (.html). Default: beside the output."""
    workers: Annotated[int, NO_DEFAULT] = 0
    """Threads; 0 means one per core."""

    def run(self, display: Display, cancel: CancelToken) -> None:
        """Look for the board, calibrate, and say how far to trust it.

        Raises:
            InputError: no board, another board, or too few photos.
            OutputError: a file cannot be written.
        """
        self._check()
        if self.from_photos:
            self._run_from_photos(display, cancel)
            return
        from recon3d.cli.board_photos import photos_of, rig_photos

        task = Task("calibrate", display, cancel)
        report = self.report or self.output.with_suffix(".html")
        with tempfile.TemporaryDirectory() as scratch:
            if self.rig:
                cameras = rig_photos(self.photos, self.rig, Path(scratch), task)
                display.result(*self._run_rig(cameras, report, task))
            else:
                paths = photos_of(self.photos, Path(scratch), task)
                display.result(*self._run_board(paths, report, task))

    def _run_board(
        self, paths: Mapping[str, Path], report: Path, task: Task
    ) -> tuple[dict[str, object], str]:
        from recon3d_calib.files import save_calibration
        from recon3d_calib.report import write_report

        found = self._calibrate(paths, self._board(paths, task), task)
        save_calibration(self.output, found)
        write_report(report, found, paths)
        return _outcome(found, self.output, report)

    def _run_rig(
        self, cameras: Mapping[str, Mapping[str, Path]], report: Path, task: Task
    ) -> tuple[dict[str, object], str]:
        from recon3d_calib.files import save_calibration, save_rig
        from recon3d_calib.report import write_rig_report
        from recon3d_calib.rig import calibrate_rig

        from recon3d.core.errors import InputError
        from recon3d.photos.moments import group_moments

        moments = group_moments({name: [*paths] for name, paths in cameras.items()})
        board = self._board(next(iter(cameras.values())), task)
        found = {}
        for name, paths in cameras.items():
            try:
                found[name] = self._calibrate(paths, board, task)
            except InputError as error:
                raise type(error)(f"{name}: {error}", hint=error.hint) from error
        rig = calibrate_rig(found, moments, task)
        place = self.output.with_suffix(".rig.json")
        save_calibration(self.output, rig.cameras[0].calibration)
        save_rig(place, rig)
        write_rig_report(report, rig, cameras)
        return _outcome_of_rig(rig, (self.output, place), report)

    def _check(self) -> None:
        from recon3d.core.errors import ConfigError

        if self.from_photos and (
            self.rig or self.zoom or self.flat_board or self.square_mm is not None
        ):
            raise ConfigError(
                "--rig, --zoom, --flat-board and --square-mm need a board.",
                hint="Leave them out: without a board, photos of another zoom are told apart by "
                "what they say of themselves.",
            )
        if self.rig and self.zoom:
            raise ConfigError("--rig needs lenses that are not zoomed.", hint="Leave --zoom out.")

    def _run_from_photos(self, display: Display, cancel: CancelToken) -> None:
        from recon3d_calib.files import save_self_calibrations
        from recon3d_calib.from_photos import calibrate_from_photos
        from recon3d_calib.report import write_photos_report

        found = calibrate_from_photos(
            self.photos,
            Task("calibrate", display, cancel, Runtime(workers=self.workers)),
            lens=None if self.lens == "choose" else self.lens,
        )
        report = self.report or self.output.with_suffix(".html")
        save_self_calibrations(self.output, found)
        write_photos_report(report, found)
        display.result(*_outcome_of_photos(found, self.output, report))

    def _board(self, paths: Mapping[str, Path], task: Task) -> Board:
        from recon3d_calib.search import settle_board

        board = settle_board(
            paths,
            None if self.type == "find" else self.type,
            "" if self.board == "find" else self.board,
            task,
        )
        return replace(board, square_mm=self.square_mm)

    def _calibrate(self, paths: Mapping[str, Path], board: Board, task: Task) -> Calibration:
        from recon3d_calib.calibrate import calibrate
        from recon3d_calib.detection import detect_boards
        from recon3d_calib.start import Sharing

        sharing = Sharing(
            square_pixels=self.square_pixels,
            zoom=self.zoom,
            bent_board=False if self.flat_board else None,
        )
        looks = detect_boards(paths, board, task, Runtime(workers=self.workers).threads)
        lens = None if self.lens == "choose" else self.lens
        return calibrate(looks, board, task, lens=lens, sharing=sharing)


def _outcome(found: Calibration, output: Path, report: Path) -> tuple[dict[str, object], str]:
    from recon3d_calib.files import describe
    from recon3d_calib.quality import advice, board_words, grade, summary

    from recon3d.photos.intrinsics_files import our_fields

    camera = found.intrinsics.pinhole
    left_out = [photo for photo in found.photos if not photo.used]
    lines = [
        summary(found),
        f"Camera:   fx {camera.fx_px:.2f} ± {found.std['fx']:.2g}, "
        f"fy {camera.fy_px:.2f} ± {found.std['fy']:.2g}, "
        f"centre {camera.cx_px:.2f} ± {found.std['cx']:.2g}, "
        f"{camera.cy_px:.2f} ± {found.std['cy']:.2g} px",
        f"Lens:     {found.lens}, corners miss by {found.rms_px:.2f} px",
        f"Board:    {board_words(found)}",
        f"Photos:   {len(found.used)} of {len(found.photos)} used",
        *[f"  {photo.photo_id}: {photo.reason}" for photo in left_out],
        *[f"Advice:   {sentence}" for sentence in advice(found)],
        f"Written:  {output}",
        f"Report:   {report}",
    ]
    content: dict[str, object] = {
        **our_fields(found.intrinsics),
        **describe(found),
        "grade": grade(found),
        "summary": summary(found),
        "advice": list(advice(found)),
        "left_out": {photo.photo_id: photo.reason for photo in left_out},
        "written": [str(output)],
        "report": str(report),
    }
    return content, "\n".join(lines)


def _outcome_of_rig(
    rig: Rig, written: tuple[Path, ...], report: Path
) -> tuple[dict[str, object], str]:
    from recon3d_calib.files import describe_rig
    from recon3d_calib.rig_words import advice, remarks, rig_grade, summary, table

    content = {
        **describe_rig(rig),
        "grade": rig_grade(rig),
        "summary": summary(rig),
        "advice": list(advice(rig)),
        "written": [str(path) for path in written],
        "report": str(report),
    }
    lines = [
        summary(rig),
        *table(rig),
        *[f"Left out: {name}: {reason}" for name, reason in remarks(rig)],
        *[f"Advice:   {sentence}" for sentence in advice(rig)],
        *[f"Written:  {path}" for path in written],
        f"Report:   {report}",
    ]
    return content, "\n".join(lines)


def _outcome_of_photos(
    found: SelfCalibrations, output: Path, report: Path
) -> tuple[dict[str, object], str]:
    from recon3d_calib.files import describe_self

    from recon3d.photos.intrinsics_files import our_fields

    content: dict[str, object] = {
        "cameras": [
            {**our_fields(each.intrinsics), **describe_self(each)} for each in found.cameras
        ],
        "left_out": dict(found.left_out),
        "written": [str(output)],
        "report": str(report),
    }
    lines = [line for each in found.cameras for line in _lines_of_photos(each)]
    lines += [f"Left out: {photo_id}: {reason}" for photo_id, reason in found.left_out.items()]
    return content, "\n".join([*lines, f"Written:  {output}", f"Report:   {report}"])


def _lines_of_photos(found: SelfCalibration) -> list[str]:
    from recon3d_calib.photo_warnings import verdict, warnings

    camera, std = found.intrinsics.pinhole, found.std
    terms = zip([*std][4:], found.intrinsics.distortion.coefficients, strict=True)
    bends = "".join(f", {name} {value:.4f} ± {std[name]:.2g}" for name, value in terms)
    return [
        verdict(found),
        f"Camera:   focal length {camera.fx_px:.2f} ± {std['fx']:.2g}, centre "
        f"{camera.cx_px:.2f} ± {std['cx']:.2g}, {camera.cy_px:.2f} ± {std['cy']:.2g} px, of "
        f"{camera.width_px}x{camera.height_px}",
        f"Lens:     {found.lens}{bends}, points miss by {found.rms_px:.2f} px",
        f"Photos:   {len(found.photos)}, turned by up to {found.turned_deg:.0f}°, with "
        f"{found.points} points",
        *[f"Doubt:    {sentence}" for sentence in warnings(found)],
    ]
