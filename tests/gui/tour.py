"""The first ten minutes with the window, as the pictures of docs/FIRST_TEN_MINUTES.md and GUI.md.

    python tests/gui/tour.py [FOLDER]

does what the page tells, with real mouse and keys on a virtual screen, and writes a picture after
each step into FOLDER (docs/pictures unless given). Needs Xvfb.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from driving import Program, Screen

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
_LONG = 1800
"""Seconds that a step of the run may take on a busy machine."""
_DEPTH_PX = 165
"""From the left of a large photo's layers to that of its depth."""
_EXACT = 60
"""Seconds until every photo was asked, on a busy machine."""
_STILL = 2.0
"""Until everything that moves has come to rest."""


class Tour:
    """Goes through the window step by step."""

    def __init__(self, program: Program, target: Path) -> None:
        self._program, self._target = program, target
        self._began = time.monotonic()

    def take(self, name: str) -> None:
        """A picture of the window as it is."""
        time.sleep(_STILL)
        picture = self._program.screen.picture()
        picture.save(self._target / f"{name}.jpg", quality=88, optimize=True)
        seconds = time.monotonic() - self._began
        print(f"{seconds:6.0f} s  {name}", flush=True)

    def go(self) -> None:
        """All of it."""
        program = self._program
        program.wait_for("model.begin_example")
        self.take("window_start")
        program.click("model.begin_example")
        program.wait(lambda known: len(known["photos"]) == 24)
        program.wait(lambda known: known["outlook"], 60)
        time.sleep(4)  # thumbnails
        self.take("window_photos")
        program.click("run.start")
        program.wait(lambda known: "pose" in known["reached"], _LONG)
        program.wait(lambda known: known["loaded"], 60)
        self.take("window_cameras")
        program.wait(lambda known: "mesh" in known["reached"], _LONG)
        time.sleep(4)
        self.take("window_mesh")
        program.wait(lambda known: known["state"] == "done", _LONG)
        program.wait(lambda known: not known["toasts"], 30)
        self.take("window")
        self.turn_and_measure()
        self.see_how_exact_it_is()
        self.look_at_a_photo()
        self.draw_a_mask()
        program.click("left.settings")
        self.take("window_settings")
        program.click("left.export")
        self.take("window_export")

    def turn_and_measure(self) -> None:
        """Drag the model, then click two of its points."""
        program = self._program
        x, y = program.middle("model.canvas")
        program.drag((x, y), (x + 160, y - 40))
        program.click("model.tool.measure")
        for across in (-60, 70):
            program.click_at(x + across, y + 10)
            time.sleep(1)
        self.take("window_measure")
        program.click("model.tool.measure")

    def see_how_exact_it_is(self) -> None:
        """The colours of the error that can be expected."""
        program = self._program
        program.click("model.mode.exactness")
        program.move(*program.middle("run.report"))
        time.sleep(_EXACT)
        self.take("window_exactness")
        program.click("model.mode.colour")

    def look_at_a_photo(self) -> None:
        """Open one large, with its depth, and come back."""
        program = self._program
        x, y = program.middle("photos.row.2")
        while program.studio()["page"] != "photo":  # a busy machine takes two clicks for two
            program.click_at(x, y)
            program.click_at(x, y)
            time.sleep(1)
        left, top = program.wait_for("photo.overlay")["min"]
        program.click_at(left + _DEPTH_PX, top + 8)
        # Away from the list, or its tip lies over the photo.
        program.move(*program.middle("run.report"))
        self.take("window_photo")

    def draw_a_mask(self) -> None:
        """Hide a part of the photo with a broad brush."""
        program = self._program
        program.click("photo.mask")
        (left, top), (width, _) = (program.wait_for("photo.mask_size")[k] for k in ("min", "size"))
        program.click_at(left + 0.4 * width, top + 10)
        widget = program.wait_for("photo.canvas")
        (left, top), (width, height) = widget["min"], widget["size"]
        program.drag(
            (left + 0.3 * width, top + 0.1 * height), (left + 0.62 * width, top + 0.1 * height)
        )
        program.move(left + 0.62 * width, top + 0.3 * height)
        self.take("window_mask")
        program.click("photo.mask")
        program.click("photo.back")


def main(target: Path) -> None:
    """Start the program and go."""
    screen = Screen()
    with tempfile.TemporaryDirectory() as home:
        program = Program(screen, Path(home))
        try:
            Tour(program, target).go()
        finally:
            program.kill()
            screen.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURES)
