"""A mouse button that is held: a click, or a drag that loses nothing however slow frames are."""

from __future__ import annotations

from dataclasses import dataclass

Place = tuple[float, float]


@dataclass
class Gesture:
    """From the press on; ask it once a frame, and once more when the button is let go."""

    started: Place
    last: Place
    is_drag: bool = False
    """It has left the place where it began by more than a click may."""

    @classmethod
    def at(cls, place: Place) -> Gesture:
        """A button goes down."""
        return cls(place, place)

    def step_to(self, place: Place, click_px: float) -> Place | None:
        """How far things go now; None: nowhere yet.

        The few pixels up to there are not lost: the drag goes on from where it began.
        """
        way = (place[0] - self.started[0], place[1] - self.started[1])
        if not self.is_drag and max(map(abs, way)) <= click_px:
            return None
        since = self.last if self.is_drag else self.started
        self.is_drag, self.last = True, place
        step = (place[0] - since[0], place[1] - since[1])
        return step if any(step) else None
