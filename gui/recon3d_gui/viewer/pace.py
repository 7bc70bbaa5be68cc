"""How coarse pictures must be while something moves, learnt from how long they take."""

from __future__ import annotations

from dataclasses import dataclass

_TOO_LONG_S, _SHORT_S = 0.055, 0.018
_PATIENCE = 12
"""Quick pictures in a row before a finer one is tried."""


@dataclass
class Pace:
    """Coarser at once when pictures take too long, finer only after a while."""

    level: int = 0
    """Of the models' coarser versions."""
    divisor: int = 1
    """Of the picture's width and height: 1, or 2 where nothing else helps."""
    most_levels: int = 2
    _in_a_row: int = 0

    @staticmethod
    def start(*, is_software: bool) -> Pace:
        """Where to begin: without a graphics card, with the coarsest."""
        return Pace(level=2, divisor=1) if is_software else Pace()

    def took(self, seconds: float) -> None:
        """Learn from one picture."""
        if seconds > _TOO_LONG_S:
            self._in_a_row = 0
            if self.level < self.most_levels:
                self.level += 1
            else:
                self.divisor = 2
        elif seconds < _SHORT_S:
            self._in_a_row += 1
            if self._in_a_row >= _PATIENCE:
                self._in_a_row = 0
                if self.divisor > 1:
                    self.divisor = 1
                elif self.level > 0:
                    self.level -= 1
        else:
            self._in_a_row = 0
