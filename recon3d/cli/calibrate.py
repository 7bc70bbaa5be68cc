"""`recon3d calibrate`: photos of a printed board -> the camera's intrinsics."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from tyro.conf import Positional, arg

from recon3d.cli.display import Display
from recon3d.cli.options import NO_DEFAULT, Command, OptionalPath
from recon3d.run.device import Runtime
from recon3d.run.task import CancelToken, Task

if TYPE_CHECKING:
    from recon3d_calib.calibrate import Calibration

BoardChoice = Literal["find", "chessboard", "circles", "asymmetric-circles", "charuco", "apriltags"]
LensChoice = Literal["choose", "pinhole", "radial1", "radial2", "brown", "rational", "fisheye"]
_MOST_FRAMES = 60


@dataclass(frozen=True, kw_only=True)
class Calibrate(Command):
    """Find the camera's intrinsics from photos or a video of a printed board.

    recon3d calibrate boards/ -o K.json; then recon3d mesh imgs/ --intrinsics K.json
    """

    supervised: ClassVar[bool] = True

    photos: Annotated[Positional[tuple[Path, ...]], arg(metavar="PHOTOS", help_behavior_hint="")]
    """A folder, a video, or photos of the board, all taken with one camera and one zoom."""
    output: Annotated[Path, arg(aliases=["-o"])] = Path("K.json")
    """Camera file to write: .json, .yaml (OpenCV) or .txt (COLMAP)."""
    board: Annotated[str, arg(metavar="COLUMNSxROWS")] = "find"
    """Size of the board: inner corners of a chessboard, circles, or squares of a ChArUco board."""
    type: BoardChoice = "find"
    """Kind of board."""
    lens: LensChoice = "choose"
    """Lens model; choose takes the simplest one that predicts photos it was not fitted to."""
    square_pixels: bool = False
    """One focal length for both directions."""
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
        from recon3d_calib.calibrate import calibrate
        from recon3d_calib.detection import detect_boards
        from recon3d_calib.files import save_calibration
        from recon3d_calib.report import write_report
        from recon3d_calib.search import settle_board

        task = Task("calibrate", display, cancel)
        with ExitStack() as stack:
            paths = self._paths(Path(stack.enter_context(tempfile.TemporaryDirectory())), task)
            board = settle_board(
                paths,
                None if self.type == "find" else self.type,
                "" if self.board == "find" else self.board,
                task,
            )
            looks = detect_boards(paths, board, task, Runtime(workers=self.workers).threads)
            found = calibrate(
                looks,
                board,
                task,
                lens=None if self.lens == "choose" else self.lens,
                square_pixels=self.square_pixels,
            )
            save_calibration(self.output, found)
            report = self.report or self.output.with_suffix(".html")
            write_report(report, found, paths)
        display.result(*_outcome(found, self.output, report))

    def _paths(self, scratch: Path, task: Task) -> dict[str, Path]:
        """The photos by id; the frames of a video are written to `scratch` first."""
        from recon3d_calib.frames import write_frames

        from recon3d.io.naming import PHOTO_SUFFIXES, VIDEO_SUFFIXES
        from recon3d.io.photos import list_photos

        found = list_photos(self.photos)
        videos = [path for path in found.values() if path.suffix.lower() in VIDEO_SUFFIXES]
        if len(videos) == 1 and len(found) == 1:
            return write_frames(videos[0], scratch, _MOST_FRAMES, task)
        return {i: path for i, path in found.items() if path.suffix.lower() in PHOTO_SUFFIXES}


def _outcome(found: Calibration, output: Path, report: Path) -> tuple[dict[str, object], str]:
    from recon3d_calib.files import describe
    from recon3d_calib.quality import advice, grade, summary

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
        f"Board:    {found.board.words}",
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
