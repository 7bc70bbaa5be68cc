"""What one does with the model: tools, picks, crop box, comparing. Free of any window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from recon3d.core.errors import ReconError
from recon3d_gui.failure import Failure
from recon3d_gui.job.adjusting import pending_crop
from recon3d_gui.project.measurements import MOST, Measurement, new_name, usable_name
from recon3d_gui.project.runs import folders
from recon3d_gui.viewer.cameras import Eye, Point
from recon3d_gui.viewer.measuring import Placed, measured, placed, table
from recon3d_gui.viewer.protocol import Advised, Grow, Loaded, Mode, Picked, Reply, Saved, Saving
from recon3d_gui.viewer.tools import (
    CropBox,
    Handle,
    distance,
    floor_normal,
    length_text,
    metres_of,
    scale_setting,
    up_setting,
)

if TYPE_CHECKING:
    from recon3d_gui.project.project import RunRecord, Value
    from recon3d_gui.studio import Studio

Tool = Literal["look", "crop", "measure", "upright"]
Purpose = Literal["focus", "tool", "hover", "camera"]
_Question = tuple[Purpose, str]
"""What a pick is for, and the photo whose camera is meant."""
_PICKS = {"look": 1, "crop": 0, "measure": 2, "upright": 3}
_AXES: Mapping[str, tuple[float, float, float]] = {
    "x": (1, 0, 0), "-x": (-1, 0, 0), "y": (0, 1, 0), "-y": (0, -1, 0), "-z": (0, 0, -1),
}  # fmt: skip
_SAVE_VIEW_S = 1.0
_DEPTH_STAGES = ("depth", "align", "planes", "patchmatch", "geometric", "refine")
"""Those that make a depth map of each photo, in the order of the method."""


def growth_of(
    reached: Mapping[str, Path], begun: tuple[str, Path] | None, *, is_at_work: bool
) -> Grow:
    """The depth maps there are of a run that has not come to its surface yet."""
    if "pose" not in reached or not reached.keys().isdisjoint(("fuse", "relief")):
        return Grow()
    known = {**reached, **dict([begun] if begun else [])}
    folders = tuple((stage, known[stage]) for stage in _DEPTH_STAGES if stage in known)
    return Grow(folders, is_at_work and bool(folders))


class Workbench:
    """Between the studio and the viewer; the panel draws what it says."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self.viewer = studio.viewer
        self.navigator = studio.viewer.navigator
        self.tool: Tool = "look"
        self.picks: list[Picked] = []
        """Of the tool in hand, all on the model."""
        self.box: CropBox | None = None
        """What the crop tool shows."""
        self.grip: Handle | None = None
        """Of the crop box, while it is dragged."""
        self.compared: RunRecord | None = None
        self.film_share: float | None = None
        """How far the film is; None: none is made."""
        self._drag: tuple[CropBox, tuple[float, float]] | None = None
        self._asked: dict[int, _Question] = {}
        self._candidate: tuple[str, Eye] | None = None
        self._shown_revision = -1
        self._selected: str | None = None
        self._placed: tuple[tuple[Measurement, ...], Loaded, tuple[Placed, ...]] | None = None
        self._view_kept_at_s = 0.0
        self.viewer.listen(self._hear)

    @property
    def loaded(self) -> Loaded | None:
        """What is shown, if anything."""
        return self.viewer.loaded.get("a")

    @property
    def advice(self) -> Advised | None:
        """Where the next photos would help, once the coverage has been looked at."""
        return self.viewer.advice.get("a")

    @property
    def can_edit(self) -> bool:
        """The model is one of ours, and stands as it will be exported."""
        return self.loaded is not None and self.loaded.has_frame and bool(self.loaded.views)

    @property
    def length(self) -> str:
        """Between the two picked points; empty before."""
        if self.tool != "measure" or len(self.picks) < 2 or self.loaded is None:
            return ""
        return length_text(distance(self.picks), self.loaded.unit)

    def tick(self, now_s: float) -> None:
        """Follow the studio, and send what has changed; each frame."""
        studio = self._studio
        if not self.viewer.is_running and not self.viewer.is_gone:
            self.viewer.start()
        self.viewer.poll()
        # A run that has placed no photo yet has nothing to show; what was there before stays.
        is_early = studio.jobs.busy and "pose" not in studio.reached
        if studio.reached_revision != self._shown_revision and not is_early:
            self._shown_revision = studio.reached_revision
            self.viewer.show(studio.reached)
            if not studio.reached:
                self.put_away()
                self.compare(None)
        if not is_early:
            is_at_work = studio.jobs.run.busy
            self.viewer.grow(growth_of(studio.reached, studio.begun, is_at_work=is_at_work))
        if studio.selected_view != self._selected:
            self._selected = studio.selected_view
            self.viewer.restyle(selected=self._selected)
        self._clip()
        self.viewer.tick(now_s)
        self._keep_view(now_s)

    def set_mode(self, mode: Mode) -> None:
        """Colour the model in another way."""
        self.viewer.restyle(mode=mode)

    def toggle(self, name: Literal["wireframe", "grid", "cameras"]) -> None:
        """Show or hide something."""
        self.viewer.restyle(**{name: not getattr(self.viewer.style, name)})

    def take(self, tool: Tool) -> None:
        """Take a tool in hand, or put it away if it is."""
        wanted: Tool = "look" if tool == self.tool else tool
        self.put_away()
        if wanted in ("crop", "upright") and not self.can_edit:
            self._studio.toast("There is no finished model yet.", "warning")
            return
        self.tool = wanted
        if wanted == "crop":
            assert self.loaded
            crop = self._studio.project.config.mesh.crop
            self._set_box(CropBox.of_setting(crop) if crop else CropBox.around(self.loaded.bounds))

    def put_away(self) -> None:
        """Back to looking around."""
        self.tool, self.picks, self._drag, self.grip = "look", [], None, None
        self._set_box(None)

    # --- the mouse ---------------------------------------------------------------------------

    def press(self, uv_px: tuple[float, float]) -> bool:
        """Take hold of what is there; False: nothing, so that dragging turns the model."""
        if self.box is None:
            return False
        self.grip = self.box.grip_at(uv_px, self.navigator)
        self._drag = (self.box, uv_px) if self.grip else None
        return self.grip is not None

    def drag(self, uv_px: tuple[float, float]) -> None:
        """Drag what `press` took hold of."""
        if self._drag is not None and self.grip is not None:
            box, start_px = self._drag
            self._set_box(box.dragged(self.grip, start_px, uv_px, self.navigator))

    def release(self) -> None:
        """Let go."""
        self._drag = self.grip = None

    def click(self, uv_px: tuple[float, float]) -> None:
        """Pick a point with the tool in hand, or a camera to look through."""
        if self.tool in ("measure", "upright"):
            if len(self.picks) == _PICKS[self.tool]:
                self.picks = []
            number = self.viewer.pick(uv_px, in_photos=self.tool == "measure")
            self._asked[number] = ("tool", "")
        elif self.tool == "look" and self.viewer.style.cameras:
            self._ask_for_camera("camera", self.navigator.camera_at(uv_px), uv_px)

    def double_click(self, uv_px: tuple[float, float]) -> None:
        """Turn around what is there from now on."""
        if self.tool in ("look", "crop"):
            self._asked[self.viewer.pick(uv_px)] = ("focus", "")

    def hover(self, uv_px: tuple[float, float] | None) -> None:
        """The mouse is there; None: elsewhere."""
        is_free = self.tool == "look" and self.viewer.style.cameras
        found = self.navigator.camera_at(uv_px) if is_free and uv_px else None
        candidate = (found, self.navigator.eye) if found else None
        if candidate == self._candidate:
            return
        self._candidate = candidate
        if found is None or uv_px is None:
            self.viewer.restyle(hovered=None)
        else:
            self._ask_for_camera("hover", found, uv_px)

    def _ask_for_camera(
        self, purpose: Purpose, photo_id: str | None, uv_px: tuple[float, float]
    ) -> None:
        """A camera behind the model is not drawn, and must not be hit."""
        if photo_id is not None:
            self._asked[self.viewer.pick(uv_px)] = (purpose, photo_id)

    # --- lengths -----------------------------------------------------------------------------

    @property
    def lengths(self) -> tuple[Placed, ...]:
        """All that were measured, as they are in the model that is shown; none before there is."""
        loaded, kept = self.loaded, self._studio.project.measurements
        if loaded is None:
            return ()
        if self._placed is None or self._placed[:2] != (kept, loaded):
            self._placed = (kept, loaded, tuple(placed(each, loaded) for each in kept))
        return self._placed[2]

    def rename_length(self, index: int, name: str) -> None:
        """Call a measurement something else; an empty name changes nothing."""
        kept = [*self._studio.project.measurements]
        if index < len(kept) and (usable := usable_name(name)):
            kept[index] = replace(kept[index], name=usable)
            self._studio.change("Rename length", measurements=tuple(kept))

    def delete_length(self, index: int) -> None:
        """Forget a measurement."""
        kept = [*self._studio.project.measurements]
        if index < len(kept):
            del kept[index]
            self.picks = []
            self._studio.change("Delete length", measurements=tuple(kept))

    def show_length(self, index: int) -> None:
        """Look at a measurement."""
        ends = self.lengths[index].ends if index < len(self.lengths) else None
        if ends is not None:
            x, y, z = (sum(each) / 2 for each in zip(*ends, strict=True))
            self.navigator.focus((x, y, z))

    def length_table(self) -> str:
        """All lengths as CSV."""
        unit = "m" if self.loaded and self.loaded.unit == "metre" else "units"
        return table(self.lengths, unit)

    def _keep_length(self) -> None:
        kept = self._studio.project.measurements
        if self.loaded is None or not distance(self.picks) > 0:
            return
        if len(kept) >= MOST:
            text = f"A project keeps {MOST} lengths: delete one to measure another."
            self._studio.toast(text, "warning")
            return
        found = measured(new_name([each.name for each in kept]), self.picks, self.loaded)
        self._studio.change("Measure", measurements=(*kept, found))

    # --- photos and runs ---------------------------------------------------------------------

    def leave_photo(self) -> None:
        """The photo goes; one stays where one is."""
        self.viewer.restyle(backdrop=0.0)

    def compare(self, run: RunRecord | None) -> None:
        """Show another run on the right of a line that can be dragged; None: only this one."""
        self.compared = run
        if run is None:
            self.viewer.show({}, side="b")
            self.viewer.restyle(split=None)
            return
        found = folders(run, self._studio.project.workspace)
        if not found:
            self.compared = None
            which = run.name
            self._studio.toast(f"{which} is no longer in the workspace.", "warning")
            return
        self.viewer.show(found, side="b")
        self.viewer.restyle(split=0.5)

    def split(self, share: float) -> None:
        """Where the line between both runs stands."""
        self.viewer.restyle(split=float(np.clip(share, 0.02, 0.98)))

    # --- settings ----------------------------------------------------------------------------

    def apply_crop(self) -> None:
        """The box becomes a setting."""
        if self.box is not None:
            self._change("Crop", mesh={"crop": self.box.setting})
            self.put_away()

    def reset_crop(self) -> None:
        """All of the model is wanted."""
        self._change("Keep all", mesh={"crop": None})
        if self.loaded is not None and self.tool == "crop":
            self._set_box(CropBox.around(self.loaded.bounds))

    def set_scale(self, length: str) -> None:
        """Make the picked points so far apart.

        Raises:
            ReconError: the length cannot be read, or the points say nothing.
        """
        if self.loaded is None:
            return
        text = scale_setting(self.picks, length, self.loaded.model_from_world)
        changes: dict[str, dict[str, Value]] = {"frame": {"scale": text}}
        crop = self._studio.project.config.mesh.crop
        if crop:
            # The box is given in units of the model, which change with it.
            factor = metres_of(length) / distance(self.picks)
            changes["mesh"] = {"crop": tuple(factor * each for each in crop)}
        self._change("Set scale", **changes)
        self.put_away()

    def set_up(self, axis: str) -> None:
        """Make an axis of the model, such as -z, point up."""
        self._turn_up(np.array(_AXES[axis], np.float64))

    def reset_up(self) -> None:
        """Find out what is up, as at first."""
        self._change("Find up", frame={"up": "auto"}, mesh={"crop": None})

    def _turn_up(self, direction: np.ndarray) -> None:
        if self.loaded is None:
            return
        up = up_setting(direction, self.loaded.model_from_world)
        # A box in the frame as it was would hold something else.
        self._change("Set up", frame={"up": up}, mesh={"crop": None})
        self.put_away()

    def _change(self, label: str, **stages: dict[str, Value]) -> None:
        project = self._studio.project
        for stage, settings in stages.items():
            project = replace(project, changes=project.changes_with(stage, **settings))
        self._studio.change(label, changes=project.changes)
        waits = "applied as soon as the run is done" if self._studio.jobs.busy else "applied now"
        self._studio.toast(f"{label}: {waits}.")

    # --- the viewer's answers ------------------------------------------------------------------

    def _hear(self, reply: Reply) -> None:
        match reply:
            case Picked():
                self._use_pick(reply)
            case Saving():
                self.film_share = reply.done / reply.total
            case Saved():
                self.film_share = None
                if reply.target is not None:
                    self._studio.toast(f"Saved {reply.target.name}.", "good", str(reply.target))
            case Failure():
                self.film_share = None
                self._studio.toast(f"{reply.message} {reply.hint}".strip(), "bad", reply.details)
            case Loaded():
                if reply.side == "a" and self.tool == "measure":
                    self.picks = []

    def _use_pick(self, picked: Picked) -> None:
        purpose, photo_id = self._asked.pop(picked.number, ("", ""))
        if purpose in ("hover", "camera"):
            if self._is_hidden(photo_id, picked.point):
                return
            if purpose == "camera":
                self._studio.show_photo_in_model(photo_id)
            elif self._candidate and self._candidate[0] == photo_id:
                self.viewer.restyle(hovered=photo_id)
        elif picked.point is None or not purpose:
            return
        elif purpose == "focus":
            self.navigator.focus(picked.point)
        elif len(self.picks) < _PICKS[self.tool]:
            self.picks = [*self.picks, picked]
            if self.tool == "measure" and len(self.picks) == _PICKS["measure"]:
                self._keep_length()
            if self.tool == "upright" and len(self.picks) == _PICKS["upright"]:
                self._use_floor()

    def _is_hidden(self, photo_id: str, point: Point | None) -> bool:
        view = next((v for v in self.navigator.views if v.photo_id == photo_id), None)
        if view is None or point is None:
            return view is None
        _, depths = self.navigator.project(np.array([point, view.centre_world]))
        return bool(depths[0] < depths[1])

    def _use_floor(self) -> None:
        points: list[Point] = [each.point for each in self.picks if each.point]
        try:
            self._turn_up(floor_normal(points, self.navigator.eye.centre))
        except ReconError as error:
            self.picks = []
            self._studio.toast(f"{error} {error.hint}".strip(), "warning")

    def _clip(self) -> None:
        """A crop is seen as soon as it is wanted; the box that is dragged shows all of it."""
        crop = pending_crop(self._studio.project, self._studio.reached)
        box = CropBox.of_setting(crop) if crop and self.tool != "crop" else None
        self.viewer.restyle(clip=None if box is None else (box.low, box.high))

    def _set_box(self, box: CropBox | None) -> None:
        self.box = box
        self.viewer.restyle(crop=None if box is None else (box.low, box.high))

    def _keep_view(self, now_s: float) -> None:
        """In the project, when one has come to rest."""
        if self.navigator.is_moving or now_s - self._view_kept_at_s < _SAVE_VIEW_S:
            return
        self._view_kept_at_s = now_s
        if self.loaded is not None:
            view = self.navigator.eye.described()
            if view != self._studio.project.view:
                self._studio.amend(view=view)
