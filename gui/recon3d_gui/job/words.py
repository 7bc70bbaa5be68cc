"""What the run strip says."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence

from recon3d.core.version import program_version
from recon3d_gui.job.controller import JobController
from recon3d_gui.job.costs import clock, in_words
from recon3d_gui.job.messages import Summary
from recon3d_gui.job.outlook import Outlook
from recon3d_gui.job.progress import StepProgress
from recon3d_gui.job.steps import Step

_LOG_LINES = 60


def start_label(jobs: JobController) -> str:
    """What the button says that begins a run."""
    # The forecast of what is kept takes a moment; what the run has reached is known at once.
    kept = jobs.reached or (jobs.outlook and jobs.outlook.kept)
    return "Go on" if jobs.state in ("cancelled", "failed") and kept else "Start"


def headline(jobs: JobController, *, has_photos: bool = True) -> str:
    """The first line: what is going on, or what has come of it."""
    progress = jobs.progress
    if jobs.saving.busy:
        return "Saving"
    match jobs.state:
        case "starting":
            return "Getting ready"
        case "cancelling":
            return "Stopping"
        case "running" if progress:
            shown = progress.running
            return _at_work(shown) if shown else "Finishing"
        case "done" if jobs.run.summary and progress:
            return f"Done in {clock(progress.elapsed_seconds)}"
        case "cancelled":
            return "Stopped; finished steps are kept"
        case "failed":
            return "Ended early; finished steps are kept"
    if not jobs.outlook:
        return "One moment" if has_photos else "No photos yet"
    if jobs.outlook.problem:
        return "This cannot start yet"
    return "Done" if jobs.outlook.nothing_to_do else "Ready"


def second_line(jobs: JobController, *, has_photos: bool = True) -> str:
    """The time that is left, what a run has found, or what the next one would compute."""
    if jobs.state in ("starting", "running") and jobs.progress:
        passed = clock(jobs.progress.elapsed_seconds)
        if jobs.state == "starting" or jobs.progress.running is None:
            return passed
        return f"{passed}, {in_words(jobs.progress.seconds_left())} left"
    if jobs.state == "cancelling":
        return "The work so far is kept."
    outlook = jobs.outlook
    if outlook and not outlook.nothing_to_do:
        return outlook_words(outlook)
    if jobs.state == "done" and jobs.run.summary:
        return result_words(jobs.run.summary, len(jobs.warnings))
    if outlook:
        return outlook_words(outlook)
    return "Looking at what there is to do." if has_photos else "Add photos to begin."


def whole_line(jobs: JobController, *, has_photos: bool = True) -> str:
    """The second line with all that there is no room for."""
    line, outlook = second_line(jobs, has_photos=has_photos), jobs.outlook
    if not outlook or line != outlook_words(outlook):
        return line
    if outlook.problem:
        return f"{line} {outlook.problem.hint}".rstrip()
    if not outlook.kept or not outlook.computed:
        return line
    return f"{line} {_listed(outlook.kept).capitalize()} {_stay(outlook.kept)}."


def outlook_words(outlook: Outlook) -> str:
    """What pressing Start would do."""
    if outlook.problem:
        return outlook.problem.message
    if outlook.nothing_to_do:
        return "Everything is up to date."
    if not outlook.computed:
        return "Only turns and scales the model: a few seconds."
    computed = _listed(outlook.computed) if outlook.kept else "everything"
    return f"Computes {computed}: {in_words(outlook.seconds)}."


def result_words(summary: Summary, warnings: int) -> str:
    """What a run has come to."""
    parts = []
    if summary.faces:
        parts.append(f"{summary.faces:,} triangles")
    if summary.given:
        parts.append(f"{summary.placed} of {summary.given} photos placed")
    if warnings:
        parts.append("1 warning" if warnings == 1 else f"{warnings} warnings")
    return ", ".join(parts)


def step_words(shown: StepProgress) -> str:
    """Below a step's name: its count, its time, or nothing."""
    match shown.state:
        case "running" if shown.total:
            return f"{shown.done} / {shown.total}"
        case "running":
            return "..."
        case "done":
            return clock(shown.seconds) if shown.seconds >= 1 else "done"
        case "cached":
            return "kept"
        case "failed":
            return "failed"
    return ""


def failure_text(jobs: JobController) -> str:
    """What someone needs to know who is to find the mistake."""
    failure = jobs.run.failure
    if not failure:
        return ""
    lines = [f"{clock(line.at):>7} {line.level}: {line.text}" for line in jobs.log]
    system = (
        f"recon3d {program_version()}, Python {platform.python_version()}, {platform.platform()}"
    )
    parts = [failure.message, failure.hint, system, "\n".join(lines[-_LOG_LINES:]), failure.details]
    return "\n\n".join(filter(None, parts))


def mentioned(text: str, photo_ids: Iterable[str]) -> str | None:
    """The photo that a message speaks of, if any; of several names the longest that fits."""
    return max((photo for photo in photo_ids if photo in text), key=len, default=None)


def _at_work(shown: StepProgress) -> str:
    note = shown.note if len(shown.note) <= 48 else shown.note[:47] + "…"
    return f"{shown.step.value}: {note}" if note else shown.step.value


def _listed(steps: Sequence[Step]) -> str:
    names = [step.value.lower() for step in steps]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _stay(steps: Sequence[Step]) -> str:
    plural = len(steps) > 1 or steps[0] in (Step.PHOTOS, Step.CAMERAS)
    return "stay as they are" if plural else "stays as it is"
