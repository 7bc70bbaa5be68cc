"""`recon3d board`: a calibration board to print."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import arg

from recon3d.cli.display import Display
from recon3d.cli.options import NO_DEFAULT, Command
from recon3d.run.task import CancelToken

_SIZES = {
    "chessboard": "9x6",
    "charuco": "11x8",
    "apriltags": "6x4",
    "circles": "9x7",
    "asymmetric-circles": "4x11",
}


@dataclass(frozen=True, kw_only=True)
class PrintBoard(Command):
    """Draw a calibration board to print at true scale, with a ruler.

    recon3d board --type charuco --paper A4 -o board.pdf
    """

    output: Annotated[Path, arg(aliases=["-o"])] = Path("board.pdf")
    """Page to write: .pdf, .svg or .png (300 dpi)."""
    type: Literal["charuco", "chessboard", "apriltags", "circles", "asymmetric-circles"] = "charuco"
    """charuco and apriltags may be cut off in the photos, so they reach the picture's corners."""
    size: Annotated[str | None, arg(metavar="COLUMNSxROWS"), NO_DEFAULT] = None
    """Inner corners of a chessboard, squares of a ChArUco board, tags or circles."""
    paper: Literal["A4", "A3", "A2", "letter", "tabloid"] = "A4"
    """Turned to landscape where the board is wide."""
    square_mm: Annotated[float | None, NO_DEFAULT] = None
    """Edge of a square or tag in millimetres. Default: as large as the paper allows."""
    family: Annotated[str | None, NO_DEFAULT] = None
    """Of the markers: aruco_5x5_100, apriltag_36h11, ..."""

    def run(self, display: Display, cancel: CancelToken) -> None:
        """Draw it.

        Raises:
            ConfigError: the board does not fit on the paper, or there is no such family.
            OutputError: the file cannot be written.
        """
        from recon3d_calib.board import Board, parse_size
        from recon3d_calib.printing import largest_square_mm, print_board

        from recon3d.photos.markers import check_family

        family = self.family or ("apriltag_36h11" if self.type == "apriltags" else "aruco_5x5_100")
        check_family(family, "--family")
        columns, rows = parse_size(self.size or _SIZES[self.type])
        board = Board(
            kind=self.type,
            columns=columns,
            rows=rows,
            square_mm=self.square_mm,
            family=family,
            marker_share=0.3 if self.type == "apriltags" else 0.75,
        )
        square_mm = self.square_mm or largest_square_mm(board, self.paper)
        print_board(self.output, replace(board, square_mm=square_mm), self.paper)
        display.result(
            {"written": [str(self.output)], "square_mm": square_mm, "size": board.size},
            f"Written:  {self.output}, {board.words}, {square_mm:g} mm each, on {self.paper}\n"
            "Print it at 100 %, check the ruler, and glue it to something flat and stiff.",
        )
