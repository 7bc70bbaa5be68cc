"""What stages take on this machine: guessed at first, learnt from every run."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from pathlib import Path

from recon3d.config import Config
from recon3d.core.errors import OutputError
from recon3d.run.documents import parse_json
from recon3d.run.files import write_json
from recon3d_gui.job.messages import Amount
from recon3d_gui.job.steps import COSTS, Unit

logger = logging.getLogger(__name__)

_MOST_NEW = 0.8
"""Weight of the latest run against all before: the next is probably of the same photos ..."""
_STEADY_SECONDS = 5.0
"""... but what took less than about this was mostly starting up."""
_QUICKER, _SLOWER = 1 / 50, 50.0
"""How far from the measured machine any other may be; beyond it something was wrong."""
_MAX_BYTES = 1 << 16
_USUAL = Config()


@dataclass(frozen=True)
class Load:
    """What the time of a stage depends on."""

    amount: Amount
    config: Config
    device: str = "auto"


class Costs:
    """Seconds per stage, kept in a small file; a damaged one is as good as none."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._factors = _read(file) if file else {}

    def seconds(self, stage: str, load: Load) -> float:
        """How long a stage will take."""
        return _usual(stage, load) * self._factors.get(_name(stage, load), 1.0)

    def learn(self, stage: str, load: Load, seconds: float) -> None:
        """Remember how long a stage took that was computed without a break."""
        usual = _usual(stage, load)
        if usual <= 0 or load.amount.photos == 0:
            return
        name = _name(stage, load)
        factor = min(max(seconds / usual, _QUICKER), _SLOWER)
        weight = min(_MOST_NEW, seconds / (seconds + _STEADY_SECONDS))
        self._factors[name] = weight * factor + (1 - weight) * self._factors.get(name, 1.0)

    def save(self) -> None:
        """Write what was learnt; where that fails, the next start guesses again."""
        if self._file:
            try:
                write_json(self._file, self._factors)
            except (OutputError, OSError) as error:
                logger.info("time estimates are not kept: %s", error)


def _name(stage: str, load: Load) -> str:
    """Depth is another thing with each estimator and on each device."""
    return f"{stage} {load.config.depth.model} {load.device}" if stage == "depth" else stage


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


def _read(file: Path) -> dict[str, float]:
    try:
        if file.stat().st_size > _MAX_BYTES:
            return {}
        content = parse_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {
        name: float(factor)
        for name, factor in content.items()
        if isinstance(factor, int | float) and not isinstance(factor, bool)
        and math.isfinite(factor) and _QUICKER <= factor <= _SLOWER
    }  # fmt: skip


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
