"""Where a photo lies on the screen: fitted, zoomed in, moved about, but never lost."""

from __future__ import annotations

from dataclasses import dataclass, replace

from recon3d_gui.photos.tiles import Box

_MOST_SCREEN_PX = 16.0
"""Per pixel of the photo."""


@dataclass(frozen=True)
class Zoom:
    """How much larger than fitted, and which place of the photo (0 to 1) is in the middle."""

    factor: float = 1.0
    x: float = 0.5
    y: float = 0.5

    def picture(self, room: tuple[float, float], photo_px: tuple[float, float]) -> Box:
        """Where the whole photo lies in a room of this size."""
        scale = self.factor * _fitting(room, photo_px)
        width, height = photo_px[0] * scale, photo_px[1] * scale
        left = _start(room[0], width, self.x)
        top = _start(room[1], height, self.y)
        return left, top, left + width, top + height

    def scale(self, room: tuple[float, float], photo_px: tuple[float, float]) -> float:
        """Screen pixels per pixel of the photo."""
        return self.factor * _fitting(room, photo_px)

    def zoomed(
        self,
        by: float,
        at: tuple[float, float],
        room: tuple[float, float],
        photo_px: tuple[float, float],
    ) -> Zoom:
        """Larger or smaller, while the place under the pointer stays where it is."""
        before = self.picture(room, photo_px)
        most = max(1.0, _MOST_SCREEN_PX / _fitting(room, photo_px))
        factor = min(max(1.0, self.factor * by), most)
        width, height = before[2] - before[0], before[3] - before[1]
        under = ((at[0] - before[0]) / width, (at[1] - before[1]) / height)
        growth = factor / self.factor
        return replace(
            self,
            factor=factor,
            x=_clamped(
                under[0] + (room[0] / 2 - at[0]) / (width * growth), room[0], width * growth
            ),
            y=_clamped(
                under[1] + (room[1] / 2 - at[1]) / (height * growth), room[1], height * growth
            ),
        )

    def moved(
        self,
        by_px: tuple[float, float],
        room: tuple[float, float],
        photo_px: tuple[float, float],
    ) -> Zoom:
        """Dragged by screen pixels."""
        left, top, right, bottom = self.picture(room, photo_px)
        width, height = right - left, bottom - top
        return replace(
            self,
            x=_clamped(self.x - by_px[0] / width, room[0], width),
            y=_clamped(self.y - by_px[1] / height, room[1], height),
        )

    def at_full_size(self, room: tuple[float, float], photo_px: tuple[float, float]) -> Zoom:
        """One screen pixel per pixel of the photo, around the same place."""
        factor = max(1.0, 1 / _fitting(room, photo_px))
        return self.zoomed(factor / self.factor, (room[0] / 2, room[1] / 2), room, photo_px)


def _fitting(room: tuple[float, float], photo_px: tuple[float, float]) -> float:
    return max(1e-6, min(room[0] / photo_px[0], room[1] / photo_px[1]))


def _start(room: float, size: float, centre: float) -> float:
    return (room - size) / 2 if size <= room else room / 2 - centre * size


def _clamped(centre: float, room: float, size: float) -> float:
    """The photo's edge goes no further than the room's."""
    half = room / 2 / size
    return 0.5 if half >= 0.5 else min(max(centre, half), 1 - half)
