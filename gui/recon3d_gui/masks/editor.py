"""Drawing the mask of the photo that is shown: tools, the way back, and saving by itself."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from recon3d.core.errors import InputError, OutputError
from recon3d.core.orientation import DescribedPixels
from recon3d.photos.companions import drawn_mask_path
from recon3d_gui.masks.drawing import Area, MaskDrawing, Place
from recon3d_gui.masks.files import new_masks_folder, read_sheet, remove_mask, write_mask
from recon3d_gui.masks.painted import PaintedPhoto
from recon3d_gui.photos.photo_list import MaskSource
from recon3d_gui.photos.rows import PhotoRow

if TYPE_CHECKING:
    from recon3d_gui.studio import Studio

Tool = Literal["brush", "lasso"]
Begin = Literal["nothing", "given", "found"]
"""What a mask can be started over from: nothing hidden, the given one, the one that a run found."""

SIZES = (0.2, 25.0)
"""Of the brush, per cent of the photo's longer side."""


_NOTHING: tuple[Path | None, DescribedPixels] = (None, "upright")


@dataclass(frozen=True, eq=False)
class _Opened:
    drawing: MaskDrawing
    painted: PaintedPhoto
    problem: str


class MaskEditor:
    """One photo at a time; `ask` and `tick` it each frame while drawing is on.

    A step is written as soon as it ends, in a thread, and the project is told of the first.
    """

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self.is_on = False
        self.tool: Tool = "brush"
        self.hides = True
        """Whether drawing hides; else it keeps."""
        self.size_percent = 4.0
        """Width of the brush."""
        self.row: PhotoRow | None = None
        """The photo that is drawn on, or is being opened."""
        self.drawing: MaskDrawing | None = None
        self.painted: PaintedPhoto | None = None
        self.kept = 1.0
        """Share of the photo that the mask keeps, as of the latest step."""
        self.lasso: list[Place] = []
        """The outline so far."""
        self._last: Place | None = None
        self._is_opposite = False
        # One thread for both: a mask is never read before it is written.
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="masks")
        self._opening: Future[_Opened] | None = None
        self._is_step = False
        """What is being opened takes the place of what is drawn, as a step."""
        self._writing: list[Future[None]] = []
        self._written: dict[Path, bool] = {}
        """By file of a mask: whether it is there, which the list of files learns of later."""
        self._workspace: Path | None = None

    @property
    def is_opening(self) -> bool:
        """Whether a photo is on its way."""
        return self._opening is not None

    @property
    def is_busy(self) -> bool:
        """Whether something is about to change by itself."""
        return self.is_opening or bool(self._writing)

    @property
    def radius_px(self) -> float:
        """Of the brush, in pixels of the mask."""
        longest = max(self.drawing.grey.shape) if self.drawing else 0
        return max(0.5, self.size_percent / 200 * longest)

    @property
    def has_own(self) -> bool:
        """Whether this photo has a mask that was drawn."""
        folder = self._studio.project.drawn_masks
        if self.row is None or folder is None:
            return False
        target = drawn_mask_path(folder, self.row.id)
        return self._written.get(target, "drawn" in self._masks())

    @property
    def beginnings(self) -> list[Begin]:
        """What there is to start over from."""
        others: tuple[Begin, ...] = ("given", "found")
        return ["nothing", *(each for each in others if each in self._masks())]

    def switch(self, on: bool) -> None:
        """Begin to draw masks, or stop."""
        self.is_on = on
        if not on:
            self._leave()

    def ask(self, row: PhotoRow | None) -> None:
        """Draw on this photo, which may be the one before; None: on none."""
        workspace = self._studio.project.workspace
        is_same = row and self.row and row.picture == self.row.picture
        if not self.is_on or (is_same and workspace == self._workspace):
            return
        self._leave()
        self.row, self._workspace = row, workspace
        if row is not None:
            self._open(self._candidates("drawn", "given", "found"))

    def tick(self) -> None:
        """Take over what has been read and written."""
        if self._opening is not None and self._opening.done():
            opened, self._opening = self._opening, None
            try:
                self._take(opened.result())
            except InputError as error:
                self._studio.toast(f"It cannot be drawn on: {error}", "warning", error.hint)
        done = [write for write in self._writing if write.done()]
        for write in done:
            self._writing.remove(write)
            try:
                write.result()
            except OutputError as error:
                self._studio.toast(f"The mask is not saved: {error}", "bad", error.hint)
        if done and not self._writing:
            self._studio.look_again()

    # --- drawing -----------------------------------------------------------------------------

    def press(self, place: Place, *, opposite: bool = False) -> None:
        """Begin a stroke or an outline; opposite: keep in place of hide, and the reverse."""
        self._last, self._is_opposite, self.lasso = place, opposite, [place]
        self.move(place)

    def move(self, place: Place) -> None:
        """Go on with it."""
        if self._last is None or self.drawing is None:
            return
        if self.tool == "brush":
            self._show(self.drawing.paint(self._last, place, self.radius_px, keep=self._keeps))
        elif place != self.lasso[-1]:
            self.lasso.append(place)
        self._last = place

    def release(self) -> None:
        """End it."""
        if self._last is None or self.drawing is None:
            return
        if self.tool == "lasso":
            self._show(self.drawing.fill(self.lasso, keep=self._keeps))
        self._last, self.lasso = None, []
        self._finish()

    def start_over(self, begin: Begin) -> None:
        """Begin from another mask; a step that undo takes back."""
        if begin == "nothing" and self.drawing is not None:
            self._show(self.drawing.replace(self.drawing.keep | True))
            self._finish()
        elif begin != "nothing" and self.drawing is not None:
            self._open(self._candidates(begin), is_step=True)

    def forget_own(self) -> None:
        """Use the photo without the mask that was drawn on it; drawing anew brings one back."""
        folder = self._studio.project.drawn_masks
        if folder is None or self.row is None:
            return
        self._finish()
        target = drawn_mask_path(folder, self.row.id)
        self._writing.append(self._pool.submit(remove_mask, target))
        self._written[target] = False
        self.drawing = self.painted = None
        self._open(self._candidates("given", "found"))

    def undo(self) -> bool:
        """Take the latest step on this photo back; False: there is none."""
        return self._step(back=True)

    def redo(self) -> bool:
        """Do again what undo took back; False: there is nothing."""
        return self._step(back=False)

    def resize(self, factor: float) -> None:
        """Make the brush larger or smaller."""
        self.size_percent = min(max(self.size_percent * factor, SIZES[0]), SIZES[1])

    def close(self) -> None:
        """Wait until everything is written."""
        self._leave()
        self._pool.shutdown()
        self.tick()

    @property
    def _keeps(self) -> bool:
        return self.hides == self._is_opposite

    def _step(self, *, back: bool) -> bool:
        if self.drawing is None:
            return False
        area = self.drawing.undo() if back else self.drawing.redo()
        if area is None:
            return False
        self._show(area)
        self._save()
        return True

    def _masks(self) -> Mapping[MaskSource, Path]:
        return self._studio.photos.masks(self.row.id) if self.row else {}

    def _candidates(self, *sources: MaskSource) -> list[tuple[Path, DescribedPixels]]:
        """Masks of this photo, with the pixels that each is for: ours are for it as it is shown."""
        studio, found = self._studio, dict(self._masks())
        if self.row and studio.project.drawn_masks:
            # Also one that the list of files does not know yet.
            found["drawn"] = drawn_mask_path(studio.project.drawn_masks, self.row.id)
        given = studio.project.config.ingest.orientation
        return [
            (found[source], given if source == "given" else "upright")
            for source in sources
            if source in found
        ]

    def _open(self, masks: list[tuple[Path, DescribedPixels]], *, is_step: bool = False) -> None:
        assert self.row
        self._is_step = is_step
        self._opening = self._pool.submit(_read, self.row.picture, masks)

    def _take(self, opened: _Opened) -> None:
        if opened.problem:
            self._studio.toast(f"Its mask cannot be used: {opened.problem}", "warning")
        if not self._is_step or self.drawing is None:
            self.drawing, self.painted = opened.drawing, opened.painted
            self._sum_up()
        elif not opened.problem:
            self._show(self.drawing.replace(opened.drawing.keep))
            self._finish()

    def _sum_up(self) -> None:
        if self.drawing:
            self.kept = float(self.drawing.grey.mean()) / 255

    def _leave(self) -> None:
        if self._last is not None:
            self.release()
        self._opening = None
        self.row = self.drawing = self.painted = None

    def _show(self, area: Area) -> None:
        if self.drawing and self.painted:
            self.painted.update(self.drawing.grey, area)

    def _finish(self) -> None:
        if self.drawing and self.drawing.finish():
            self._save()

    def _save(self) -> None:
        if self.row is None or self.drawing is None:
            return
        self._sum_up()
        studio = self._studio
        folder = studio.project.drawn_masks or new_masks_folder(studio.project.workspace)
        if studio.project.drawn_masks is None:
            studio.change("Draw masks", drawn_masks=folder)
        target = drawn_mask_path(folder, self.row.id)
        self._written[target] = True
        self._writing.append(self._pool.submit(write_mask, target, self.drawing.grey.copy()))


def _read(photo: Path, masks: list[tuple[Path, DescribedPixels]]) -> _Opened:
    """With the first of the masks that is there; all that takes a moment is done here."""
    mask, described = next(((m, d) for m, d in masks if m.exists()), _NOTHING)
    sheet = read_sheet(photo, mask, described)
    drawing = MaskDrawing(sheet.keep)
    return _Opened(drawing, PaintedPhoto(sheet.rgb, drawing.grey), sheet.problem)
