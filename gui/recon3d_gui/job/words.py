"""Words for runs: what a step is at, what is foreseen, what has come of it."""

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


def outlook_words(outlook: Outlook) -> str:
    """What pressing Start would do."""
    if outlook.problem:
        return outlook.problem.message
    if outlook.nothing_to_do:
        return "Everything is up to date."
    if not outlook.computed:
        return "Only turns and scales the model: a few seconds."
    computed, last = outlook.computed, list(Step)[-len(outlook.computed) :]
    if not outlook.kept:
        words = "everything"
    elif list(computed) == last and len(computed) > 2:
        words = f"everything from {computed[0].value.lower()} on"
    else:
        words = _listed(computed)
    return f"Computes {words}: {in_words(outlook.seconds)}."


def result_words(summary: Summary, warnings: int) -> str:
    """What a run has come to."""
    parts = []
    if summary.faces:
        parts.append(f"{summary.faces:,} triangles")
    if summary.inferred:
        parts.append(f"{summary.inferred:.0%} of the surface inferred")
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
        case "begun":
            return "begun"
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


def at_work(shown: StepProgress) -> str:
    """The step that runs, and what it is at."""
    note = shown.note if len(shown.note) <= 48 else shown.note[:47] + "…"
    return f"{shown.step.value}: {note}" if note else shown.step.value


def _listed(steps: Sequence[Step]) -> str:
    names = [step.value.lower() for step in steps]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def kept_words(steps: Sequence[Step]) -> str:
    """Of steps that are finished."""
    plural = len(steps) > 1 or steps[0] in (Step.PHOTOS, Step.CAMERAS)
    return f"{_listed(steps).capitalize()} {'are' if plural else 'is'} kept."
