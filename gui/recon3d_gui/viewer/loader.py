"""A thread that reads models and makes them ready while the process goes on drawing."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from multiprocessing.connection import Pipe
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from recon3d.finished import read_stage
from recon3d.run.task import CancelToken, Event, Task
from recon3d_gui.failure import Failure, failure_of
from recon3d_gui.viewer.content import (
    Content,
    read_content,
    read_mesh_file,
    support,
    surface_of,
)
from recon3d_gui.viewer.drawing import Model, prepare
from recon3d_gui.viewer.growing import Growth
from recon3d_gui.viewer.protocol import Grow, Loading, Show, Side

if TYPE_CHECKING:
    from recon3d.view_planning.advice import Advice

Planned = Literal["coverage", "exactness"]
"""The modes that show what photos tell of the surface; see `recon3d.view_planning`."""


@dataclass(frozen=True, eq=False)
class Confidence:
    """A wish for how sure the surface of one side is."""

    side: Side
    model: Model


@dataclass(frozen=True, eq=False)
class Coverage:
    """A wish for how well photos cover the surface of one side, or how exact it is."""

    side: Side
    model: Model
    mode: Planned


@dataclass(frozen=True, eq=False)
class Covered:
    """A model in the colours of its coverage or its exactness, and what would mend it."""

    wish: Coverage
    model: Model
    sentences: tuple[str, ...]
    usual_sigma: float
    """In the unit of the model's frame."""


@dataclass(frozen=True, eq=False)
class Read:
    """A model that has been made ready."""

    side: Side
    model: Model


_LOOK_S, _REST_FACTOR = 2.0, 4.0
"""Between two looks at the depth maps of a run: this long, and so many times what one took."""

Wish = Confidence | Coverage
Result = Read | Covered | Failure | Loading


class _Superseded(Exception):  # noqa: N818 - not an error: something newer is wanted
    pass


class Loader:
    """Works on the newest wish of each side; results come through `take`."""

    def __init__(self) -> None:
        self._wishes: dict[tuple[type, Side], Show | Wish] = {}
        self._changed = threading.Condition()
        self._results: queue.SimpleQueue[Result] = queue.SimpleQueue()
        self._models: dict[Side, tuple[Model, Mapping[str, Path]]] = {}
        self._advices: dict[Side, tuple[Model, Advice]] = {}
        self._grow = Grow()
        self._growth: Growth | None = None
        self._look_at_s = math.inf
        """When to look for depth maps again."""
        self.bell, self._ring = Pipe(duplex=False)
        """`bell` is readable when there is something to take."""
        threading.Thread(target=self._work, name="viewer loader", daemon=True).start()

    def ask(self, wish: Show | Wish) -> None:
        """Want something; an older wish of the kind for the same side is dropped."""
        with self._changed:
            self._wishes[type(wish), wish.side] = wish
            self._changed.notify()

    def grow(self, grow: Grow) -> None:
        """Look for depth maps from now on, as long as there is nothing better to show."""
        with self._changed:
            self._grow, self._look_at_s = grow, 0.0
            self._changed.notify()

    def take(self) -> list[Result]:
        """All results so far."""
        while self.bell.poll():
            self.bell.recv_bytes()
        found = []
        while not self._results.empty():
            found.append(self._results.get())
        return found

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._wishes and time.monotonic() < self._look_at_s:
                    left_s = self._look_at_s - time.monotonic()
                    self._changed.wait(None if math.isinf(left_s) else max(0.0, left_s))
                wish = self._wishes.pop(next(iter(self._wishes))) if self._wishes else None
            try:
                if wish is None:
                    self._advance()
                    continue
                self._fulfil(wish)
            except _Superseded:
                continue
            except Exception as error:  # the thread must live on, whatever a file holds
                self._tell(failure_of(error, "The model cannot be shown"))
            self._tell(Loading(""))

    def _advance(self) -> None:
        """Show what has come of the depth of side a's photos, and say when to look again."""
        with self._changed:
            grow, self._look_at_s = self._grow, math.inf
        model, reached = self._models.get("a", (None, {}))
        if model is None or not model.content.can_grow or model.content.posed is None:
            self._growth = None
            return
        if not grow.folders and model.content.growing is None:
            return
        if self._growth is None or self._growth.posed is not model.content.posed:
            self._growth = Growth(model.content.posed)

        def wait() -> None:
            if self._wishes:
                raise _Superseded

        began, is_behind = time.monotonic(), True
        try:
            cloud, is_behind = self._growth.advance(grow.folders, wait)
            if cloud is not None:
                content = replace(model.content, growing=cloud if len(cloud.points) else None)
                model = prepare(content, model, wait)
                self._models["a"] = (model, reached)
                self._tell(Read("a", model))
        finally:
            if is_behind or grow.is_at_work:
                now = time.monotonic()
                again = now + max(_LOOK_S, _REST_FACTOR * (now - began))
                with self._changed:
                    self._look_at_s = min(self._look_at_s, again)

    def _fulfil(self, wish: Show | Wish) -> None:
        def wait() -> None:
            if (type(wish), wish.side) in self._wishes:
                raise _Superseded

        before, old = self._models.get(wish.side, (None, {}))
        if isinstance(wish, Confidence):
            if before is not wish.model:
                return
            self._tell(Loading("comparing the surface with the depth of every photo"))
            model = prepare(_with_support(wish.model.content, wait), wish.model, wait)
            self._models[wish.side] = (model, old)
            self._tell(Read(wish.side, model))
        elif isinstance(wish, Coverage):
            self._tell(Loading("asking every photo what it sees"))
            self._tell(_covered(wish, self._advice_for(wish, wait), wait))
        elif not wish.reached and wish.mesh_file is None:
            self._models.pop(wish.side, None)
            self._advices.pop(wish.side, None)
        else:
            self._tell(Loading("reading the model"))
            if wish.mesh_file is not None:
                model = prepare(read_mesh_file(wish.mesh_file), None, wait)
                self._models[wish.side] = (model, {})
            else:
                previous = before.content if before and old else None
                content = read_content(wish.reached, previous, old)
                model = prepare(content, before, wait)
                self._models[wish.side] = (model, dict(wish.reached))
            self._tell(Read(wish.side, model))

    def _advice_for(self, wish: Coverage, wait: Callable[[], None]) -> Advice:
        """The same for both ways to show it, which takes seconds to find out."""
        known = self._advices.get(wish.side)
        if known is None or known[0] is not wish.model:
            known = self._advices[wish.side] = (wish.model, _advice(wish.model.content, wait))
        return known[1]

    def _tell(self, result: Result) -> None:
        self._results.put(result)
        self._ring.send_bytes(b".")


def _with_support(content: Content, wait: Callable[[], None]) -> Content:
    """With the number of photos that agree at each vertex."""
    if content.surface is None or content.depth_folder is None:
        return content
    depth = read_stage(*content.depth_folder)
    counted = support(content.surface.vertices, content.views, depth, wait)
    # 1 at least, to tell it from a surface that has not been looked at.
    rgba = np.column_stack([content.surface.rgba[:, :3], np.maximum(counted, 1)])
    return replace(content, surface=replace(content.surface, rgba=rgba))


def _advice(content: Content, wait: Callable[[], None]) -> Advice:
    from recon3d.view_planning import USUAL_VIEWS
    from recon3d.view_planning.advice import advise
    from recon3d.view_planning.measure import matched_px

    def listen(_: Event) -> None:
        wait()

    assert content.posed
    assert content.mesh_folder
    task = Task("coverage", listen, CancelToken())
    mesh = read_stage(*content.mesh_folder)
    pixels = matched_px(read_stage(*content.depth_folder)) if content.depth_folder else None
    return advise(mesh, content.posed, content.frame, USUAL_VIEWS, task, pixels)


def _covered(wish: Coverage, advice: Advice, wait: Callable[[], None]) -> Covered:
    content = wish.model.content
    suggested = tuple(suggestion.view for suggestion in advice.suggestions)
    is_coverage = wish.mode == "coverage"
    shown = replace(
        content,
        surface=surface_of(advice.coloured if is_coverage else advice.exact),
        textured=None,
        suggested=suggested if is_coverage else (),
    )
    sigma = advice.coverage.usual_sigma * content.model_from_world.scale
    return Covered(wish, prepare(shown, None, wait), advice.sentences, sigma)
