"""How large the scene is: several sayings, each with its error bar, become one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

ScaleSource = Literal[
    "control points",
    "distance",
    "factor",
    "scale bar",
    "markers",
    "metric poses",
    "rig",
    "gps",
    "depth network",
]

_TRUST: dict[ScaleSource, int] = {
    "control points": 0, "distance": 1, "factor": 1, "scale bar": 1, "markers": 1,
    "metric poses": 2, "rig": 2, "gps": 3, "depth network": 4,
}  # fmt: skip
"""Lower is believed first: a survey, what the user measured, then instruments, then guesses."""

# Where two cues are further apart than this many of their joint error bars, one of them is wrong.
_CONTRADICTION = 3.0
# Nobody's ruler, marker print or click is better; keeps an exact number from being infinitely sure.
_LEAST_SIGMA = 5e-4


@dataclass(frozen=True)
class ScaleCue:
    """One saying: how many metres a unit of the scene has."""

    source: ScaleSource
    detail: str
    metres_per_unit: float
    sigma: float
    """One standard deviation, as a share of the scale; 0 where the user stated it."""
    warning: str = ""
    """Why it must not count; empty for a good one."""


@dataclass(frozen=True)
class JudgedCue:
    """A cue and whether it counted."""

    cue: ScaleCue
    used: bool
    reason: str = ""
    contradicts: bool = False
    """The cues that counted, although it is sound in itself."""


@dataclass(frozen=True)
class FusedScale:
    """What the cues say together."""

    metres_per_unit: float
    sigma: float
    """One standard deviation, as a share of the scale."""
    cues: tuple[JudgedCue, ...]


def fuse_scales(cues: Sequence[ScaleCue]) -> FusedScale | None:
    """The inverse-variance mean, in logarithms, of the cues that agree; None without a good cue.

    The cues of the most trusted kind are asked first: the one of them that most cues of any kind
    agree with (the surer one where that is a draw) leads, and what contradicts it is rejected.
    Where the cues used differ by more than their error bars, the joint bar is widened by the ratio
    (Birge 1932). Ground control points count alone: the model must keep their coordinates.
    """
    good = [cue for cue in cues if not cue.warning]
    if not good:
        return None
    first = min(_TRUST[cue.source] for cue in good)
    leaders = [cue for cue in good if _TRUST[cue.source] == first]

    def support(leader: ScaleCue) -> tuple[int, float]:
        agreeing = [cue for cue in good if _agree(cue, leader)]
        return len(agreeing), sum(_weight(cue) for cue in agreeing)

    leader = max(leaders, key=support)
    agreeing = [cue for cue in good if _agree(cue, leader)]
    used = [leader] if leader.source == "control points" else agreeing
    total = sum(map(_weight, used))
    mean = sum(_weight(cue) * math.log(cue.metres_per_unit) for cue in used) / total
    chi2 = sum(_weight(cue) * (math.log(cue.metres_per_unit) - mean) ** 2 for cue in used)
    birge = math.sqrt(chi2 / (len(used) - 1)) if len(used) > 1 else 1.0
    scale = math.exp(mean)
    judged = tuple(
        JudgedCue(
            cue,
            cue in used,
            "" if cue in used else _reason(cue, cue in agreeing, scale),
            cue in good and cue not in agreeing,
        )
        for cue in cues
    )
    return FusedScale(scale, max(1.0, birge) / math.sqrt(total), judged)


def contradictions(fused: FusedScale) -> list[JudgedCue]:
    """Cues that were rejected although they are sound in themselves."""
    return [judged for judged in fused.cues if judged.contradicts]


def difference(cue: ScaleCue, metres_per_unit: float) -> float:
    """How much larger the cue says the scene is, as a share."""
    return cue.metres_per_unit / metres_per_unit - 1


def _agree(cue: ScaleCue, other: ScaleCue) -> bool:
    gap = abs(math.log(cue.metres_per_unit / other.metres_per_unit))
    return gap <= _CONTRADICTION * math.hypot(_sigma(cue), _sigma(other))


def _sigma(cue: ScaleCue) -> float:
    return max(cue.sigma, _LEAST_SIGMA)


def _weight(cue: ScaleCue) -> float:
    return _sigma(cue) ** -2


def _reason(cue: ScaleCue, agrees: bool, scale: float) -> str:
    if agrees:
        return "it agrees with the ground control points, which count alone"
    return cue.warning or (
        f"it makes the scene {100 * abs(difference(cue, scale)):.1f} % "
        f"{'larger' if difference(cue, scale) > 0 else 'smaller'} than the others, its error bar "
        f"is {100 * cue.sigma:.1f} %"
    )
