"""Undo and redo: every state of a project that a person has made, with what led to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

from recon3d_gui.project.project import LASTING, Project

MERGE_SECONDS = 1.0
"""Changes of one and the same thing that follow each other faster are one step."""
LIMIT = 200


@dataclass(frozen=True)
class _Step:
    label: str
    project: Project
    """Before the step."""


class History:
    """The current project, and the way back.

    Dragging a slider makes dozens of changes and is one step: a change joins the one before it
    when label and what it touches (fields, settings, photos) are the same and it follows within
    a second.
    """

    def __init__(
        self, project: Project, *, limit: int = LIMIT, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.project = project
        self._limit = limit
        self._clock = clock
        self._past: list[_Step] = []
        self._future: list[_Step] = []
        self._touched: frozenset[object] = frozenset()
        """By the latest step, as long as another change may join it."""
        self._changed_at = 0.0

    @property
    def undo_label(self) -> str | None:
        """What undo would take back; None: nothing."""
        return self._past[-1].label if self._past else None

    @property
    def redo_label(self) -> str | None:
        """What redo would do again; None: nothing."""
        return self._future[-1].label if self._future else None

    def change(self, label: str, **changed: Any) -> bool:
        """Replace fields of the project as one step; False if they are what they were.

        Raises:
            ConfigError: the settings are impossible; nothing has changed.
        """
        after = replace(self.project, **changed)
        if after == self.project:
            return False
        now, touched = self._clock(), frozenset(_difference(self.project, after))
        if not self._joins(label, touched, now):
            self._past.append(_Step(label, self.project))
            del self._past[: -self._limit]
        elif after == _with_lasting(self._past[-1].project, after):
            self._past.pop()
            touched = frozenset()
        self._future.clear()
        self._touched, self._changed_at = touched, now
        self.project = after
        return True

    def amend(self, **changed: Any) -> bool:
        """Replace fields that undo leaves alone (LASTING); False if they are what they were.

        Raises:
            ValueError: another field.
        """
        if not LASTING.issuperset(changed):
            raise ValueError(f"amend: got {sorted(changed)}, expected some of {sorted(LASTING)}")
        before, self.project = self.project, replace(self.project, **changed)
        return self.project != before

    def undo(self) -> str | None:
        """Take the latest step back and return its label; None: there is none."""
        return self._move(self._past, self._future)

    def redo(self) -> str | None:
        """Do again what undo took back and return its label; None: there is nothing."""
        return self._move(self._future, self._past)

    def _move(self, source: list[_Step], target: list[_Step]) -> str | None:
        if not source:
            return None
        step = source.pop()
        target.append(_Step(step.label, self.project))
        self.project = _with_lasting(step.project, self.project)
        self._touched = frozenset()
        return step.label

    def _joins(self, label: str, touched: frozenset[object], now: float) -> bool:
        return (
            label == self.undo_label
            and touched == self._touched
            and now - self._changed_at <= MERGE_SECONDS
        )


def _with_lasting(project: Project, now: Project) -> Project:
    return replace(project, **{name: getattr(now, name) for name in LASTING})


def _difference(before: Project, after: Project) -> set[object]:
    """Fields that differ; of the settings and the excluded photos, which ones."""
    differing = {
        field.name
        for field in fields(Project)
        if getattr(before, field.name) != getattr(after, field.name)
    }
    touched: set[object] = {*(differing - {"changes", "excluded"})}
    touched |= {("excluded", photo) for photo in before.excluded ^ after.excluded}
    return touched | {
        (stage, name)
        for stage in {*before.changes, *after.changes}
        for name in {*before.changes.get(stage, {}), *after.changes.get(stage, {})}
        if before.changes.get(stage, {}).get(name) != after.changes.get(stage, {}).get(name)
    }
