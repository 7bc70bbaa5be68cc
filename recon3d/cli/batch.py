"""`recon3d batch`: a model of every folder of photos below a folder."""

from __future__ import annotations

import io
import logging
import multiprocessing
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from typing_extensions import override
from tyro.conf import Positional, UseAppendAction, arg

from recon3d.cli.display import Display, duration
from recon3d.cli.exit_codes import CANCELLED, DONE
from recon3d.cli.options import MeshSettings, OptionalPath
from recon3d.cli.perform import logging_to, told
from recon3d.cli.supervisor import cancelling, run_apart, why_it_died
from recon3d.core.errors import Cancelled, ConfigError, ReconError
from recon3d.core.printable import printable
from recon3d.language import translate, word
from recon3d.run.task import CancelToken, Event

if TYPE_CHECKING:
    from recon3d.batch.jobs import Job, Outcome
    from recon3d.batch.runner import BatchRun, Finished, Started

Format = Literal["glb", "ply", "obj", "stl", "3mf", "usdz"]
_POLL_SECONDS = 1.0

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Batch(MeshSettings):
    """Make a model of each object below a folder: of each folder of photos, and of each video.

    recon3d batch objects/ -o models/. One that fails does not stop the others; the same command
    again does only what is missing or changed. An object's folder may hold its own K.json (or
    K.txt, intrinsics.json), masks/, poses/ (or transforms.json, sparse/0) and depth/. Ends with 0
    when all worked, 1 when any failed, 2 for wrong usage, 130 when stopped.
    """

    # Each object has a supervised process of its own; this one only waits for it.
    supervised: ClassVar[bool] = False

    parent: Positional[Path]
    """Folder with a folder of photos, or a video, for each object."""
    output: Annotated[OptionalPath, arg(aliases=["-o"])] = None
    """Folder to write to: one for each object with model, workspace and report, and batch.html
    and batch.csv. Default: the parent's name and .models."""
    format: UseAppendAction[tuple[Format, ...]] = ()
    """Format of the models; may be given several times. Default: glb."""
    intrinsics: OptionalPath = None
    """Camera calibration of all objects that bring none of their own."""
    watch: bool = False
    """Stay, and run what is new or changed as soon as its files have stopped changing, until
    Ctrl-C; between objects that is the ordinary end."""
    settle: float = 10.0
    """Seconds that files must stay as they are before --watch takes them for whole."""

    @property
    def results(self) -> Path:
        """Folder to write to."""
        return self.output or Path(f"{self.parent.absolute().name or 'batch'}.models")

    @property
    def log_folder(self) -> Path:
        """The folder to write to."""
        return self.results

    def run(self, display: Display, cancel: CancelToken) -> None:
        """Run one object after the other, and sum up.

        Raises:
            InputError: there are no objects.
            ReconError: some failed.
        """
        from recon3d.batch.objects import find_objects
        from recon3d.batch.runner import BatchRun, Recipe

        recipe = Recipe(
            results=self.results,
            formats=self.format or ("glb",),
            config=self.effective,
            runtime=self.runtime,
            until=self.until,
        )
        started = time.monotonic()
        batch = BatchRun(recipe, partial(_attempt, display), partial(_tell, display))
        with cancelling(cancel):
            try:
                if self.watch:
                    self._watch(batch, display, cancel)
                else:
                    found = find_objects(
                        self.parent, self.results, self.intrinsics, _logger.warning
                    )
                    batch.run(found, cancel)
            except Cancelled:
                _sum_up(batch, display, time.monotonic() - started)
                raise
        _sum_up(batch, display, time.monotonic() - started)
        if failed := [each.object for each in batch.outcomes if each.failed]:
            raise ReconError(
                f"{len(failed)} of {len(batch.outcomes)} objects failed: {', '.join(failed)}.",
                hint=f"{batch.page} says why; the same command again tries those, and keeps the "
                "rest.",
            )

    def _watch(self, batch: BatchRun, display: Display, cancel: CancelToken) -> None:
        """Run objects as they come, until the user stops it.

        Raises:
            InputError: parent is no folder, or cannot be read.
            Cancelled: the user stopped it while an object was at work.
        """
        from recon3d.batch.objects import list_sources, look_at
        from recon3d.batch.watch import Watcher

        if self.settle <= 0:
            raise ConfigError(f"--settle is {self.settle}, but must be above 0.")
        watcher, waited_for, idle = Watcher(self.settle), set[str](), False
        while not cancel.cancelled:
            sources = list_sources(self.parent, self.results, lambda note: None)
            due, changing = watcher.look(sources)
            for name in set(changing) - waited_for:
                text = f"{name}: waiting until its files have stopped changing"
                display.announce("object_waiting", {"object": name}, text)
            waited_for = set(changing)
            batch.run(
                [look_at(name, sources[name], self.intrinsics, _logger.warning) for name in due],
                cancel,
                is_ready=lambda each: watcher.claim(each.name),
            )
            if not (due or changing or idle):
                text = f"Watching {self.parent} for new photos; Ctrl-C ends."
                display.announce("watching", {"parent": str(self.parent)}, text)
            idle = not (due or changing)
            _sleep(_POLL_SECONDS, cancel)


def _sleep(seconds: float, cancel: CancelToken) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and not cancel.cancelled:
        time.sleep(0.1)


# The process of one object


def _attempt(display: Display, job: Job) -> Outcome:
    """Run an object in a process of its own, which may crash or run out of memory alone.

    Raises:
        Cancelled: the user stopped it.
    """
    from recon3d.batch.jobs import Outcome

    said: list[Outcome] = []
    ours, theirs = multiprocessing.get_context("spawn").Pipe(duplex=False)
    reader = threading.Thread(target=_relay, args=(ours, display, said), daemon=True)
    reader.start()
    started = time.monotonic()
    ending = run_apart(partial(_work, job, theirs, display.verbose))
    seconds = time.monotonic() - started
    theirs.close()
    reader.join()
    if ending.asked or ending.exitcode == CANCELLED:
        raise Cancelled
    if said:
        return said[0]
    death = why_it_died(ending, job.workspace)
    return Outcome(object=job.name, seconds=seconds, error=str(death), hint=death.hint)


def _work(job: Job, pipe: Connection, verbose: bool, cancel: CancelToken) -> int:
    from recon3d.batch.jobs import outcome_of

    display, error = _Sender(pipe, verbose=verbose), None
    started = time.monotonic()
    with logging_to(display):
        try:
            job.run(display, cancel)
        except Cancelled:
            return CANCELLED
        except Exception as raised:
            error = told(raised, job.workspace)
        pipe.send(outcome_of(job, time.monotonic() - started, error))
    return DONE


def _relay(pipe: Connection, display: Display, said: list[Outcome]) -> None:
    """Show what the process of an object sends, until it ends."""
    with suppress(EOFError, OSError):
        while True:
            match pipe.recv():
                case Event() as event:
                    display(event)
                case (str(level), str(message)):
                    display.log(level, message)
                case outcome:
                    said.append(outcome)


class _Sender(Display):
    """Shows nothing itself: sends it to the process that has the terminal."""

    def __init__(self, pipe: Connection, *, verbose: bool) -> None:
        self.verbose = verbose
        self._pipe, self._lock = pipe, threading.Lock()

    @override
    def __call__(self, event: Event) -> None:
        self._send(event)

    @override
    def log(self, level: str, message: str) -> None:
        self._send((level, message))

    def _send(self, message: object) -> None:
        with self._lock:
            self._pipe.send(message)


# What is shown


def _tell(display: Display, step: Started | Finished) -> None:
    from recon3d.batch.pace import in_words
    from recon3d.batch.runner import Started

    if isinstance(step, Started):
        name = step.object
        size = f" ({step.photos} photos)" if step.photos else ""
        content = {key: getattr(step, key) for key in ("object", "number", "total", "photos")}
        text = f"Object {step.number} of {step.total}: {name}{size}"
        display.announce("object_started", content, text, f"{step.number}/{step.total} {name}")
        return
    content = {**step.outcome.fields(), "number": step.number, "total": step.total}
    content["seconds_left"] = step.seconds_left
    text, rest = _in_a_line(step.outcome), step.total - step.number
    if rest:
        text += f"\n{rest} more to do, {in_words(step.seconds_left)}"
    display.announce("object_finished", content, text)


def _in_a_line(outcome: Outcome) -> str:
    name = outcome.object
    if outcome.failed:
        told = (f"{name}: failed.", outcome.error, outcome.hint)
        return " ".join(map(translate, filter(None, told)))
    done = word("brought up to date") if outcome.kept else word("done")
    return (
        f"{name}: {done} in {duration(outcome.seconds)}, {outcome.placed} of "
        f"{outcome.given} photos, {outcome.triangles or 0:,} triangles"
    )


def _sum_up(batch: BatchRun, display: Display, seconds: float) -> None:
    outcomes = batch.outcomes
    if not outcomes:
        return
    batch.write()
    content: dict[str, Any] = {
        "objects": [outcome.fields() for outcome in outcomes],
        "failed": sum(outcome.failed for outcome in outcomes),
        "page": str(batch.page),
        "table": str(batch.table),
        "seconds": round(seconds, 1),
    }
    text = f"{_table(outcomes)}\n\nPage:     {batch.page}\nTable:    {batch.table}"
    display.result(content, f"{text}\nTime:     {duration(seconds)}")


def _table(outcomes: Sequence[Outcome]) -> str:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column(translate(word("object")), overflow="fold")
    for heading in word(("placed", "left out", "triangles", "time")):
        table.add_column(translate(heading), justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for each in outcomes:
        placed, given = each.placed or 0, each.given or 0
        numbers = ["", "", ""]
        if not each.failed:
            numbers = [str(placed), str(given - placed), f"{each.triangles or 0:,}"]
        said = translate(f"{each.error} {each.hint}" if each.failed else _warnings(each))
        # Names may hold rich's markup, or what terminals take for a command.
        words = [printable(each.object), *numbers, duration(each.seconds), printable(said)]
        table.add_row(*map(escape, words))
    console = Console(file=io.StringIO(), width=100)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(map(str.rstrip, console.file.getvalue().splitlines())).strip("\n")


def _warnings(outcome: Outcome) -> str:
    number = len(outcome.warnings)
    return f"{number} warning{'s' if number > 1 else ''}, see its report" if number else ""
