"""Objects one after the other; what has become of them is on the disk after each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from recon3d.batch.jobs import Job, Outcome
from recon3d.batch.objects import PAGE, TABLE, BatchObject
from recon3d.batch.pace import Pace
from recon3d.batch.table import write_csv, write_page
from recon3d.config import Config
from recon3d.core.natural_order import natural_key
from recon3d.results import Until
from recon3d.run.device import Runtime
from recon3d.run.task import CancelToken, Task, silent


@dataclass(frozen=True, kw_only=True)
class Started:
    """An object's turn has come."""

    object: str
    number: int
    """Counted from 1."""
    total: int
    photos: int
    """Files that may be photos; of a video 0."""


@dataclass(frozen=True, kw_only=True)
class Finished:
    """An object is done, or has failed."""

    outcome: Outcome
    number: int
    total: int
    seconds_left: tuple[float, float] | None
    """Least and most that the rest takes; None where nothing tells."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What is done with every object."""

    results: Path
    """Folder with one for each object, the page and the table."""
    formats: tuple[str, ...]
    config: Config
    runtime: Runtime
    until: Until | None = None

    def job(self, each: BatchObject) -> Job:
        """The run of one object."""
        return Job(
            name=each.name,
            inputs=each.inputs,
            folder=self.results / each.name,
            formats=self.formats,
            config=self.config,
            runtime=self.runtime,
            until=self.until,
        )


class BatchRun:
    """What has become of objects so far, and how the next ones are run."""

    def __init__(
        self,
        recipe: Recipe,
        attempt: Callable[[Job], Outcome],
        tell: Callable[[Started | Finished], None],
    ) -> None:
        """attempt: runs one object; what it raises ends the batch."""
        self._recipe, self._attempt, self._tell = recipe, attempt, tell
        self._pace = Pace(recipe.config.ingest.video_frames)
        self._outcomes: dict[str, Outcome] = {}

    @property
    def outcomes(self) -> list[Outcome]:
        """Of every object that had its turn, by name, 2 before 10."""
        return sorted(self._outcomes.values(), key=lambda outcome: natural_key(outcome.object))

    @property
    def page(self) -> Path:
        """The table with pictures."""
        return self._recipe.results / PAGE

    @property
    def table(self) -> Path:
        """The table for spreadsheets."""
        return self._recipe.results / TABLE

    def run(
        self,
        objects: Sequence[BatchObject],
        cancel: CancelToken,
        is_ready: Callable[[BatchObject], bool] = lambda each: True,
    ) -> None:
        """Run objects that are new, or have changed; the rest of the outcomes stays.

        is_ready: asked when an object's turn has come; it is passed over where not.

        Raises:
            Cancelled: `cancel` was set; everything finished so far is kept.
            OutputError: page or table cannot be written.
        """
        task, total = Task("batch", silent, cancel), len(objects)
        for number, each in enumerate(objects, start=1):
            task.check()
            if not is_ready(each):
                continue
            self._tell(Started(object=each.name, number=number, total=total, photos=each.photos))
            outcome = self._run_one(each)
            self._outcomes[each.name] = outcome
            self._pace.learn(outcome)
            self.write(waiting=[later.name for later in objects[number:]])
            rest = [later.photos for later in objects[number:] if not later.problem]
            left = self._pace.seconds_left(rest)
            self._tell(Finished(outcome=outcome, number=number, total=total, seconds_left=left))

    def write(self, waiting: Sequence[str] = ()) -> None:
        """Write page and table as things stand.

        waiting: Objects whose turn has not come.

        Raises:
            OutputError: they cannot be written.
        """
        write_page(self.page, self.outcomes, waiting)
        write_csv(self.table, self.outcomes)

    def _run_one(self, each: BatchObject) -> Outcome:
        if each.problem:
            return Outcome(object=each.name, error=str(each.problem), hint=each.problem.hint)
        return self._attempt(self._recipe.job(each))
