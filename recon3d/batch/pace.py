"""How long the rest of a batch takes, by what its objects have taken so far."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from recon3d.batch.jobs import Outcome


@dataclass
class Pace:
    """Seconds per photo of the objects that were computed in full."""

    photos_of_video: int
    """How many frames a video counts for."""
    _seconds_per_photo: list[float] = field(default_factory=list)

    def learn(self, outcome: Outcome) -> None:
        """Take an object into account; one that failed or was partly finished says nothing."""
        if outcome.given and not (outcome.failed or outcome.kept):
            self._seconds_per_photo.append(outcome.seconds / outcome.given)

    def seconds_left(self, photos_each: Iterable[int]) -> tuple[float, float] | None:
        """Least and most that objects of so many photos will take, if none is finished already.

        None: nothing was computed yet that would tell.
        """
        if not self._seconds_per_photo:
            return None
        photos = sum(photos or self.photos_of_video for photos in photos_each)
        return photos * min(self._seconds_per_photo), photos * max(self._seconds_per_photo)


def in_words(left: tuple[float, float] | None) -> str:
    """The time left as a person says it: to the minute, and a range where objects differ."""
    if left is None:
        return "time left unknown until one was computed in full"
    low, high = (max(1, round(seconds / 60)) for seconds in left)
    if high == 1:
        return "about a minute left" if left[1] > 45 else "less than a minute left"
    return (
        f"about {_minutes(low)} to {_minutes(high)} left"
        if high > 1.2 * low
        else (f"about {_minutes(high)} left")
    )


def _minutes(minutes: int) -> str:
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
