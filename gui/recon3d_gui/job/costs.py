"""What stages take on this machine: guessed at first, learnt from the runs."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from recon3d.config import Config
from recon3d.core.errors import OutputError
from recon3d.run.documents import parse_json
from recon3d.run.files import write_json
from recon3d_gui.job.messages import Amount
from recon3d_gui.job.steps import COSTS, Unit

logger = logging.getLogger(__name__)

_MACHINE = "machine"
_KEPT_RUNS = 7
"""The middle one of so many counts: one run beside a busy program must not spoil the guesses."""
_LEAST_SECONDS = 5.0
"""What was to take less than this was mostly starting up, and says nothing of the machine."""
_MOST_FACTOR = 6.0
"""Machines differ by no more; beyond it something was wrong."""
_MOST_DEPTH_FACTOR = 50.0
"""Networks and graphics cards do."""
_MAX_BYTES = 1 << 16
_USUAL = Config()


@dataclass(frozen=True)
class Load:
    """What the time of a stage depends on."""

    amount: Amount
    config: Config
    device: str = "auto"


class Costs:
    """How this machine compares with the one where the costs of stages were measured.

    One factor for all stages, and one for each way to find depth, are kept in a small file; a
    damaged one is as good as none.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._ratios = _read(file) if file else {}
        self._run: dict[str, tuple[float, float]] = {}
        """By what is compared: seconds that the run has taken, and was to take."""

    def seconds(self, stage: str, load: Load) -> float:
        """How long a stage will take."""
        return _usual(stage, load) * self._factor(_name(stage, load))

    def learn(self, stage: str, load: Load, seconds: float) -> None:
        """Note how long a stage took that was computed without a break."""
        usual = _usual(stage, load)
        if load.amount.photos > 0:
            spent, planned = self._run.get(_name(stage, load), (0.0, 0.0))
            self._run[_name(stage, load)] = (spent + seconds, planned + usual)

    def save(self) -> None:
        """A run is over: count it, and write what was learnt.

        Where that fails, the next start guesses again.
        """
        run, self._run = self._run, {}
        for name, (spent, planned) in run.items():
            if max(spent, planned) >= _LEAST_SECONDS and planned > 0:
                ratio = _bounded(name, spent / planned)
                self._ratios[name] = [*self._ratios.get(name, []), ratio][-_KEPT_RUNS:]
        if self._file and run:
            try:
                write_json(self._file, self._ratios)
            except (OutputError, OSError) as error:
                logger.info("time estimates are not kept: %s", error)

    def _factor(self, name: str) -> float:
        # What one would guess without any run counts as one of them.
        guess = 1.0 if name == _MACHINE else self._factor(_MACHINE)
        ratios = [math.log(each) for each in (guess, *self._ratios.get(name, []))]
        return math.exp(median(ratios))


def _name(stage: str, load: Load) -> str:
    """Depth is another thing with each estimator and on each device."""
    return f"depth {load.config.depth.model} {load.device}" if stage == "depth" else _MACHINE


def _bounded(name: str, ratio: float) -> float:
    most = _MOST_FACTOR if name == _MACHINE else _MOST_DEPTH_FACTOR
    return min(max(ratio, 1 / most), most)


def _usual(stage: str, load: Load) -> float:
    """On the machine where it was measured."""
    cost = COSTS[stage]
    return cost.seconds * _work(cost.unit, load)


def _work(unit: Unit, load: Load) -> float:
    """How much there is to do: mostly megapixels, at the settings' resolution."""
    config, photos = load.config, load.amount.photos
    megapixels = load.amount.megapixels or 2.0
    depth_megapixels = photos * min(megapixels, 0.75e-6 * config.depth.resolution_px**2)
    match unit:
        case "megapixel":
            return photos * megapixels
        case "pair of photos":
            # All pairs of a small set are compared, a few per photo of a large one.
            pairs = photos * (3 + min(photos, 30))
            return pairs * config.pose.features / _USUAL.pose.features
        case "look at a megapixel of depth":
            looks = config.depth.source_views * config.depth.planes
            usual = _USUAL.depth.source_views * _USUAL.depth.planes
            return depth_megapixels * looks / usual
        case "megapixel of depth":
            return depth_megapixels


def _read(file: Path) -> dict[str, list[float]]:
    try:
        if file.stat().st_size > _MAX_BYTES:
            return {}
        content = parse_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {
        name: [_bounded(name, float(ratio)) for ratio in ratios if _is_ratio(ratio)][-_KEPT_RUNS:]
        for name, ratios in content.items()
        if isinstance(ratios, list)
    }


def _is_ratio(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and value > 0


def in_words(seconds: float) -> str:
    """A guess of a time, no finer than it can be: "a few seconds", "about 40 s", "about 4 min"."""
    if seconds < 8:
        return "a few seconds"
    if seconds < 55:
        return f"about {max(10, 10 * round(seconds / 10))} s"
    minutes = seconds / 60
    if minutes < 9.5:
        return f"about {max(1, round(minutes))} min"
    if minutes < 55:
        return f"about {5 * round(minutes / 5)} min"
    hours = round(minutes / 30) / 2
    if hours <= 1:
        return "about an hour"
    return f"about {hours:g} hours" if hours < 10 else f"about {round(hours)} hours"


def clock(seconds: float) -> str:
    """A time that was measured: "0:07", "12:30", "1:02:30"."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
