"""The rows of the photo list: what became of each photo, which are shown, and in what order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from recon3d.core.natural_order import natural_key
from recon3d.core.scene import Verdict
from recon3d_gui.photos.facts import PhotoFacts

State = Literal["new", "used", "left out", "excluded"]
Filter = Literal["all", "used", "left out", "excluded"]
Order = Literal["name", "sharpness", "time", "verdict", "points", "error"]

FILTERS: tuple[Filter, ...] = ("all", "used", "left out", "excluded")
ORDERS: tuple[Order, ...] = ("name", "sharpness", "time", "verdict", "points", "error")

_WORST_FIRST: Mapping[State, int] = {"left out": 0, "excluded": 1, "new": 2, "used": 3}

_EXCLUDED = "You left it out."


@dataclass(frozen=True)
class Placing:
    """How firmly a photo was placed."""

    points: int
    """Sparse points that it shares with others: the matches that held."""
    error_px: float
    """Median distance of these from where it sees them; 0 without any."""


@dataclass(frozen=True)
class PhotoRow:
    """One photo, or a video of which no frames are picked yet."""

    id: str
    path: Path
    """The user's own file."""
    picture: Path
    """A file that shows it: its own, or a frame in the workspace."""
    state: State = "new"
    """What became of it in the run that is shown; excluded by the user outranks that."""
    reason: str = ""
    advice: str = ""
    run_name: str = ""
    """Its id in the run that is shown, which may have had other names for the same photos."""

    placing: Placing | None = None
    """None where it was not placed."""

    @property
    def sentence(self) -> str:
        """What became of it and what to do, in full sentences."""
        if self.state == "excluded":
            return f"{_EXCLUDED} Include it to use it in the next run."
        if self.state == "left out":
            return f"It is left out: {self.reason}. {self.advice}".strip()
        if self.state == "used" and self.placing and self.placing.points:
            return (
                f"It was placed in space by {self.placing.points:,} points, "
                f"{self.placing.error_px:.2f} px off in the middle, and used."
            )
        if self.state == "used":
            return "It was placed in space and used."
        return "It will be used in the next run."


@dataclass(frozen=True)
class Found:
    """What the latest run says of the photos."""

    verdicts: Mapping[str, Verdict]
    """By photo id."""
    frames: Mapping[str, Path]
    """Pictures by photo id of the frames picked from a video; empty for photos."""
    masks: Mapping[str, Path] = field(default_factory=dict)
    """By photo id, as the run read them; cut-out photos have some without a file of the user."""
    names: Mapping[str, str] = field(default_factory=dict)
    """By photo id: the photo's id in the run, where the run had it."""
    placings: Mapping[str, Placing] = field(default_factory=dict)
    """By the photo's id in the run."""


def make_rows(
    files: Mapping[str, Path],
    excluded: AbstractSet[str],
    found: Found,
    facts: Callable[[Path], PhotoFacts | None],
) -> list[PhotoRow]:
    """A row for each photo, by name as people count: 2 before 10.

    files: by photo id; the single video gives way to its frames once there are some.
    """
    pictures = dict(files)
    paths = dict(files)
    if len(files) == 1 and found.frames:
        (video,) = files.values()
        pictures, paths = dict(found.frames), dict.fromkeys(found.frames, video)
    rows = []
    for photo_id in sorted(pictures, key=natural_key):
        picture = pictures[photo_id]
        state, reason, advice = _judge(
            photo_id in excluded, found.verdicts.get(photo_id), facts(picture)
        )
        name = found.names.get(photo_id, photo_id)
        rows.append(
            PhotoRow(
                photo_id, paths[photo_id], picture, state, reason, advice, name,
                found.placings.get(name),
            )
        )  # fmt: skip
    return rows


def arrange(
    rows: Iterable[PhotoRow],
    shown: Filter,
    order: Order,
    facts: Callable[[Path], PhotoFacts | None],
    *,
    is_reversed: bool = False,
) -> list[PhotoRow]:
    """The rows to show: the worst first, or the earliest; those of which nothing is known last.

    is_reversed: the best or latest first; what nothing is known of stays last.
    """
    chosen = [row for row in rows if shown in ("all", row.state)]
    if order == "name":
        return chosen[::-1] if is_reversed else chosen

    def key(row: PhotoRow) -> tuple[float, str] | None:
        if order == "verdict":
            return _WORST_FIRST[row.state], row.reason
        if order in ("points", "error"):
            held = row.placing
            return ((held.points if order == "points" else -held.error_px), "") if held else None
        known = facts(row.picture)
        if order == "sharpness":
            return (known.sharpness, "") if known else None
        return (0.0, known.taken_at) if known and known.taken_at else None

    keys = {row.id: found for row in chosen if (found := key(row))}
    judged = [row for row in chosen if row.id in keys]
    unknown = [row for row in chosen if row.id not in keys]
    judged.sort(key=lambda row: keys[row.id], reverse=is_reversed)
    return judged + unknown


def count_line(rows: Sequence[PhotoRow]) -> str:
    """How many photos there are and what became of them, in one line."""
    if not rows:
        return ""
    states = Counter(row.state for row in rows)
    others = [f"{states[state]} {state}" for state in ("left out", "excluded") if states[state]]
    if states["used"]:
        return ", ".join([f"{states['used']} of {len(rows)} used", *others])
    photos = "1 photo" if len(rows) == 1 else f"{len(rows)} photos"
    return ", ".join([photos, *others])


def _judge(
    is_excluded: bool, verdict: Verdict | None, facts: PhotoFacts | None
) -> tuple[State, str, str]:
    if is_excluded:
        return "excluded", "", ""
    if verdict:
        return "used" if verdict.used else "left out", verdict.reason, verdict.advice
    if facts and facts.reason:
        return "left out", facts.reason, facts.advice
    return "new", "", ""
