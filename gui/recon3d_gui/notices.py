"""Short messages that go by themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

ToastKind = Literal["info", "good", "warning", "bad"]

_KEPT = 4
_LASTING_SECONDS: Mapping[ToastKind, float] = {"info": 5, "good": 6, "warning": 10, "bad": 20}


@dataclass(frozen=True)
class Toast:
    """A short message that goes by itself."""

    text: str
    kind: ToastKind
    details: str
    ends_at: float


class Notices:
    """Those that are shown now; `tick` it each frame."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.shown: list[Toast] = []
        """The newest last."""
        self._now = now

    def tell(self, text: str, kind: ToastKind = "info", details: str = "") -> None:
        """Show one; the same text again takes the place of the one before."""
        others = [toast for toast in self.shown if toast.text != text]
        ends_at = self._now() + _LASTING_SECONDS[kind]
        self.shown = [*others, Toast(text, kind, details, ends_at)][-_KEPT:]

    def dismiss(self, toast: Toast) -> None:
        """Take one away."""
        self.shown = [each for each in self.shown if each is not toast]

    def tick(self) -> None:
        """Let go those whose time is over."""
        now = self._now()
        if any(toast.ends_at < now for toast in self.shown):
            self.shown = [toast for toast in self.shown if toast.ends_at >= now]
