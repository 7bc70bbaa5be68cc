"""`recon3d calibrate`: photos of a printed board, or of anything -> the camera's intrinsics."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
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
    from recon3d_calib.detection import Look
    from recon3d_calib.from_photos import SelfCalibration, SelfCalibrations
    from recon3d_calib.stereo import Stereo

BoardChoice = Literal["find", "chessboard", "circles", "asymmetric-circles", "charuco", "apriltags"]
LensChoice = Literal[
    "choose", "pinhole", "radial1", "radial2", "brown", "rational", "fisheye", "thin-prism",
    "division",
]  # fmt: skip
_MOST_FRAMES = 60


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
    second: Annotated[tuple[Path, ...], arg(metavar="PHOTOS"), NO_DEFAULT] = ()
    """Photos of a second camera, taken at the same moments, in the same order: also finds where
    it stands from the first."""
    square_mm: Annotated[float | None, NO_DEFAULT] = None
    """Edge of the board's squares in millimetres, for the distance of two cameras."""
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
        from recon3d_calib.files import save_calibration, save_stereo
        from recon3d_calib.report import write_report
        from recon3d_calib.search import settle_board
        from recon3d_calib.stereo import calibrate_stereo

        from recon3d.core.errors import InputError

        task = Task("calibrate", display, cancel)
        with ExitStack() as stack:
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            paths = _photos(self.photos, scratch / "first", task)
            board = replace(
                settle_board(
                    paths,
                    None if self.type == "find" else self.type,
                    "" if self.board == "find" else self.board,
                    task,
                ),
                square_mm=self.square_mm,
            )
            looks, found = self._calibrate(paths, board, task)
            report = self.report or self.output.with_suffix(".html")
            content, text = _outcome(found, self.output, report)
            if self.second:
                others = _photos(self.second, scratch / "second", task)
                if len(others) != len(paths):
                    raise InputError(
                        f"The cameras have {len(paths)} and {len(others)} photos.",
                        hint="Each photo needs its partner of the same moment, in the order of "
                        "the names.",
                    )
                other_looks, other = self._calibrate(others, board, task)
                pairs = list(zip(looks, other_looks, strict=True))
                stereo = calibrate_stereo(found, other, pairs, board, task)
                place = self.output.with_suffix(".stereo.json")
                save_stereo(place, stereo)
                content |= {"baseline": stereo.baseline, "stereo": str(place)}
                text += f"\n{_stereo_lines(stereo)}\nStereo:   {place}"
            save_calibration(self.output, found)
            write_report(report, found, paths)
        display.result(content, text)

    def _check(self) -> None:
        from recon3d.core.errors import ConfigError

        if self.from_photos and (
            self.second or self.zoom or self.flat_board or self.square_mm is not None
        ):
            raise ConfigError(
                "--second, --zoom, --flat-board and --square-mm need a board.",
                hint="Leave them out: without a board, photos of another zoom are told apart by "
                "what they say of themselves.",
            )
        if self.second and self.zoom:
            raise ConfigError(
                "--second needs lenses that are not zoomed.", hint="Leave --zoom out."
            )

    def _run_from_photos(self, display: Display, cancel: CancelToken) -> None:
        from recon3d_calib.files import save_self_calibrations
        from recon3d_calib.from_photos import calibrate_from_photos
        from recon3d_calib.report import write_photos_report

        found = calibrate_from_photos(
            self.photos,
            Task("calibrate", display, cancel),
            Runtime(workers=self.workers),
            lens=None if self.lens == "choose" else self.lens,
        )
        report = self.report or self.output.with_suffix(".html")
        save_self_calibrations(self.output, found)
        write_photos_report(report, found)
        display.result(*_outcome_of_photos(found, self.output, report))

    def _calibrate(
        self, paths: dict[str, Path], board: Board, task: Task
    ) -> tuple[list[Look], Calibration]:
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
        return looks, calibrate(looks, board, task, lens=lens, sharing=sharing)


def _photos(given: tuple[Path, ...], scratch: Path, task: Task) -> dict[str, Path]:
    """The photos by id; the frames of a video are written to `scratch` first."""
    from recon3d_calib.frames import write_frames

    from recon3d.io.naming import PHOTO_SUFFIXES, VIDEO_SUFFIXES
    from recon3d.io.photos import list_photos

    found = list_photos(given)
    videos = [path for path in found.values() if path.suffix.lower() in VIDEO_SUFFIXES]
    if len(videos) == 1 and len(found) == 1:
        scratch.mkdir()
        return write_frames(videos[0], scratch, _MOST_FRAMES, task)
    return {i: path for i, path in found.items() if path.suffix.lower() in PHOTO_SUFFIXES}


def _stereo_lines(stereo: Stereo) -> str:
    scale, unit = (1000, "mm") if stereo.metric else (1, "squares (--square-mm gives mm)")
    return (
        f"Baseline: {scale * stereo.baseline:.2f} ± {scale * stereo.baseline_std:.2g} {unit}, "
        f"turned by {stereo.rotation_deg:.2f}°, from {stereo.pairs_used} of "
        f"{stereo.pairs_given} pairs"
    )


def _outcome(found: Calibration, output: Path, report: Path) -> tuple[dict[str, object], str]:
    from recon3d_calib.files import describe
    from recon3d_calib.quality import advice, board_words, grade, summary

    from recon3d.io.intrinsics_files import our_fields

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


def _outcome_of_photos(
    found: SelfCalibrations, output: Path, report: Path
) -> tuple[dict[str, object], str]:
    from recon3d_calib.files import describe_self

    from recon3d.io.intrinsics_files import our_fields

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
    from recon3d_calib.photo_doubts import doubts, verdict

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
        *[f"Doubt:    {sentence}" for sentence in doubts(found)],
    ]
