"""One photo, large, with what a run knows of it; loaded in the background. Free of the window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from recon3d.core.errors import InputError
from recon3d_gui.photos.latest import Latest
from recon3d_gui.photos.overlays import OVERLAYS, Legend, Overlay, RunReader, load_layers
from recon3d_gui.photos.rows import PhotoRow
from recon3d_gui.photos.tiles import Pyramid

FIRST_PX = 1600
"""Longer side to begin with: as fine as most screens, and quick."""
_FULL_PX = 65_500

_STAGES = frozenset(stage for stages in OVERLAYS.values() for stage in stages) | {"frame"}


@dataclass(frozen=True, eq=False)
class Shown:
    """What is on the page; `photo` is None where the file cannot be shown."""

    photo: Pyramid | None
    overlay: Pyramid | None = None
    legend: Legend | None = None
    note: str = ""
    is_full: bool = False
    """In all its pixels."""


_Question = tuple[str, Path, Path | None, Overlay | None, int, tuple[tuple[str, Path], ...]]


class LargePhoto:
    """Loads what is asked for; only one photo is in memory, and one being loaded.

    revision grows whenever `shown` changes.
    """

    def __init__(self) -> None:
        self.revision = 0
        self.shown: Shown | None = None
        """None while a photo is loaded for the first time."""
        self._reader = RunReader()
        self._loading: Latest[Shown] = Latest("load photo", most=1)
        self._question: _Question | None = None
        self._wants_full = False

    @property
    def is_loading(self) -> bool:
        """Whether something better is on its way."""
        return self._loading.is_waiting

    def ask(
        self,
        row: PhotoRow | None,
        overlay: Overlay | None,
        reached: Mapping[str, Path],
        mask: Path | None,
        *,
        listings: int = 0,
        finer_than_px: float = 0.0,
    ) -> None:
        """What the page should show; cheap when that is what it was.

        listings: another number when the mask's file may have changed.
        finer_than_px: how many pixels long the photo is on the screen.
        """
        if row is None:
            if self._question:
                self._question, self.shown = None, None
                self._loading.drop()
                self.revision += 1
            return
        used = tuple(sorted((stage, reached[stage]) for stage in _STAGES if stage in reached))
        version = listings if overlay == "mask" else 0
        used = used if overlay else ()
        question = (row.run_name or row.id, row.picture, mask, overlay, version, used)
        if question != self._question:
            if not (self._question and self._question[:2] == question[:2]):
                self.shown = None
                self.revision += 1
            self._question, self._wants_full = question, False
            self._load(question, FIRST_PX)
        elif finer_than_px > 1.1 * FIRST_PX and not self._wants_full and not self.is_loading:
            self._wants_full = True
            self._load(question, _FULL_PX)

    def tick(self) -> None:
        """Take over what has been loaded."""
        if (shown := self._loading.answer()) is not None:
            self.shown = shown
            self.revision += 1

    def _load(self, question: _Question, longest_px: int) -> None:
        photo_id, file, mask, overlay, _, used = question
        reader = self._reader

        def load() -> Shown:
            try:
                layers = load_layers(
                    reader, dict(used), (photo_id, file), mask, overlay, longest_px
                )
            except InputError as error:
                return Shown(None, note=f"It cannot be shown: {error}.")
            except (OSError, ValueError, KeyError):
                # A run that was cleaned away or is damaged; the photo itself is shown.
                return Shown(None, note="This result of the run is gone. Run again to see it.")
            return Shown(
                Pyramid(layers.photo),
                Pyramid(layers.overlay) if layers.overlay is not None else None,
                layers.legend,
                layers.note,
                max(layers.photo.shape) < longest_px,
            )

        self._loading.ask(load)
