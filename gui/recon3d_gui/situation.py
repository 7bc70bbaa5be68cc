"""How things stand: one function from what is known to everything that the window says of it.

The strip's words, the words where the model will be, the marks of the steps and the button that
starts a run come from here and nowhere else, so that they always tell the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from recon3d_gui.job.costs import clock, in_words
from recon3d_gui.job.messages import AdjustRequest, ExportRequest, RunRequest
from recon3d_gui.job.outlook import Outlook
from recon3d_gui.job.progress import StepProgress
from recon3d_gui.job.state import Computed, Job
from recon3d_gui.job.steps import Step
from recon3d_gui.job.words import at_work, kept_words, outlook_words, result_words, step_words

Shown = Literal["nothing", "loading", "something"]
Look = Literal["plain", "running", "good", "bad"]

_ADVICE = "Walk around your subject and take 20 to 60 sharp photos that overlap by two thirds."
_WATCH = "You can watch the model appear here, and look around meanwhile."


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the window knows, of the project and of its latest run."""

    elsewhere: str = ""
    """Where the project is open already, in words."""
    has_sources: bool = False
    is_listing: bool = False
    """Photos are still being looked for."""
    photos: int = 0
    excluded: int = 0
    """Of the photos, by the user."""
    broken: int = 0
    """Of the others, as far as they were looked at."""
    problem: str = ""
    """Why there are no photos although there are sources."""
    hint: str = ""
    request: RunRequest | None = None
    """What pressing Start means now; None without photos."""
    run: Job[Computed] = field(default_factory=Job)
    saving: Job[ExportRequest] = field(default_factory=Job)
    steps: Mapping[Step, StepProgress] = field(default_factory=dict)
    """Of the latest run."""
    elapsed_seconds: float = 0.0
    seconds_left: float = 0.0
    warnings: int = 0
    outlook: Outlook | None = None
    """What pressing Start would do; None: not known yet."""
    shown: Shown = "nothing"
    """In the 3D view."""
    is_view_gone: bool = False
    """The process of the 3D view has ended for good."""


@dataclass(frozen=True)
class Mark:
    """One of the six steps."""

    words: str = ""
    look: Look = "plain"
    share: float = 0.0
    """Of a step at work, 0 to 1."""


@dataclass(frozen=True)
class Start:
    """The button that begins a run."""

    label: str = "Start"
    is_enabled: bool = False


@dataclass(frozen=True)
class Situation:
    """What the window says."""

    headline: str
    line: str = ""
    more: str = ""
    """What there is no room for in the line."""
    title: str = ""
    """Where the model will be; with `text` only seen while there is none."""
    text: str = ""
    start: Start = Start()
    offers_photos: bool = False
    """The next thing to do is to add some."""
    is_up_to_date: bool = False
    """Start would change nothing."""
    is_warning: bool = False
    marks: Mapping[Step, Mark] = field(default_factory=dict)


def situation(facts: Facts) -> Situation:
    """Say how things stand."""
    told = _told(facts)
    if facts.is_view_gone:
        title, text = "The 3D view has stopped", "Save your project and restart the program."
    else:
        title, text = told.title or told.headline, told.text or told.line
    return Situation(
        told.headline, told.line, told.more, title, text, told.start,
        told.offers_photos and not facts.is_view_gone, told.is_up_to_date, told.is_warning,
        _marks(facts),
    )  # fmt: skip


def _told(facts: Facts) -> Situation:
    if facts.run.busy or facts.saving.busy:
        return _busy(facts)
    return _lacking(facts) or _after_a_run(facts) or _before_a_run(facts)


def _busy(facts: Facts) -> Situation:
    state, passed = facts.run.state, clock(facts.elapsed_seconds)
    title = "Working on your photos"
    text = "The model appears as soon as the photos are placed, and fills in from there."
    if facts.saving.busy:
        line = "Stopping" if facts.saving.state == "cancelling" else facts.saving.note
        return Situation("Saving", line)
    if state == "cancelling":
        return Situation("Stopping", "The work so far is kept.")
    if state == "starting":
        return Situation("Getting ready", passed, title=title, text=text)
    shown = next((step for step in facts.steps.values() if step.state == "running"), None)
    if shown is None:
        adjusts = isinstance(facts.run.request, AdjustRequest)
        headline = "Adjusting the model" if adjusts else "Finishing"
        return Situation(headline, passed, title=title, text=text)
    line = f"{passed}, {in_words(facts.seconds_left)} left"
    return Situation(at_work(shown), line, title=title, text=text)


def _lacking(facts: Facts) -> Situation | None:
    """What must be mended before anything can start."""
    if not facts.has_sources:
        return Situation(
            "No photos yet", "Add photos to begin.", title="Drop photos or a folder here",
            text=_ADVICE, offers_photos=True,
        )  # fmt: skip
    if facts.elsewhere:
        return Situation("Open in another window", facts.elsewhere, is_warning=True)
    if not facts.photos and (facts.is_listing or not facts.problem):
        return Situation("Looking for photos", "One moment.")
    if not facts.photos:
        text = f"{facts.problem} {facts.hint}".rstrip()
        return Situation(
            "No photos found", facts.problem, facts.hint, text=text,
            offers_photos=True, is_warning=True,
        )  # fmt: skip
    if facts.excluded == facts.photos:
        line = "You left out all photos. Include at least two to use them."
        return Situation("Nothing to build from", line, is_warning=True)
    if facts.excluded + facts.broken == facts.photos:
        line = "None of these photos can be used; the list says why."
        return Situation("Nothing to build from", line, offers_photos=True, is_warning=True)
    outlook = facts.outlook
    if outlook and outlook.problem and outlook.request == facts.request:
        message, hint = outlook.problem.message, outlook.problem.hint
        return Situation(
            "This cannot start yet", message, hint, text=f"{message} {hint}".rstrip(),
            is_warning=True,
        )  # fmt: skip
    return None


def _after_a_run(facts: Facts) -> Situation | None:
    """What the latest run has come to, as long as that is what one wants to know."""
    run = facts.run
    if run.state == "done":
        if not _is_up_to_date(facts):
            return None
        headline = f"Done in {clock(facts.elapsed_seconds)}"
        line = result_words(run.summary, facts.warnings) if run.summary else ""
        return Situation(headline, line, is_up_to_date=True)
    if run.state not in ("cancelled", "failed") or _is_up_to_date(facts):
        return None
    kept, outlook = _kept(facts), facts.outlook
    headline = "Stopped" if run.state == "cancelled" else "Ended early"
    rest = f"The rest takes {in_words(outlook.seconds)}." if outlook else ""
    if kept:
        known = kept_words(kept)
    elif any(step.state == "begun" for step in facts.steps.values()):
        known = "What was begun goes on from where it stopped."
    else:
        known, rest = "No step was finished.", outlook_words(outlook) if outlook else ""
    can_go_on = kept or run.state == "cancelled"
    label = "Go on" if can_go_on else "Try again"
    text = f"{known} Press {label} for the rest." if can_go_on else known
    if run.failure:
        text = f"{run.failure.message} {text}"
    return Situation(
        headline, f"{known} {rest}".rstrip(), text=text, start=Start(label, True)
    )  # fmt: skip


def _before_a_run(facts: Facts) -> Situation:
    outlook = facts.outlook
    if facts.shown == "loading":
        return Situation("Opening the model", "One moment.")
    if outlook is None:
        line = "Looking at what there is to do."
        return Situation("One moment", line, start=Start(is_enabled=facts.shown == "nothing"))
    if _is_up_to_date(facts):
        return Situation("Done", outlook_words(outlook), is_up_to_date=True)
    line = outlook_words(outlook)
    more = kept_words(outlook.kept) if outlook.kept and outlook.computed else ""
    if outlook.kept and facts.shown == "nothing":
        # Of a run that was stopped or killed with the program before there was a model.
        text = f"{kept_words(outlook.kept)} Press Go on for the rest. {_WATCH}"
        return Situation("Ready to go on", line, more, text=text, start=Start("Go on", True))
    text = f"Press Start. {_WATCH}"
    return Situation("Ready", line, more, "Ready to build", text, Start("Start", True))


def _is_up_to_date(facts: Facts) -> bool:
    """Whether Start would change nothing; an outlook on other settings does not tell."""
    outlook, run = facts.outlook, facts.run
    if outlook and outlook.request == facts.request:
        return outlook.nothing_to_do
    # The forecast after a run takes a moment; what has just been computed is there.
    return run.state == "done" and run.request == facts.request


def _kept(facts: Facts) -> Sequence[Step]:
    """The steps that the next run finds finished."""
    if facts.outlook:
        return facts.outlook.kept
    return [step for step, shown in facts.steps.items() if shown.state in ("done", "cached")]


def _marks(facts: Facts) -> dict[Step, Mark]:
    own = {step: _own_mark(facts.steps.get(step)) for step in Step}
    outlook = facts.outlook
    if facts.run.busy and isinstance(facts.run.request, AdjustRequest):
        return {step: own[step] if step in facts.steps else Mark("kept", "good") for step in Step}
    if facts.run.busy or outlook is None or not facts.has_sources:
        return own
    if outlook.problem:
        return dict.fromkeys(Step, Mark())
    if outlook.nothing_to_do and facts.run.state == "done" and facts.run.request == outlook.request:
        return own  # the times that the steps took say more than that everything is there
    marks = dict.fromkeys(outlook.kept, Mark("kept", "good"))
    for step in outlook.computed:
        shown = facts.steps.get(step)
        is_broken_off = shown is not None and shown.state in ("begun", "failed")
        goes_on = is_broken_off and facts.run.request == outlook.request
        marks[step] = own[step] if goes_on else Mark("to do")
    return {step: marks.get(step, Mark()) for step in Step}


def _own_mark(shown: StepProgress | None) -> Mark:
    """Of the run itself."""
    if shown is None:
        return Mark()
    looks: Mapping[str, Look] = {
        "running": "running", "done": "good", "cached": "good", "failed": "bad",
    }  # fmt: skip
    share = min(1.0, shown.done / shown.total) if shown.total > 0 else 0.0
    running = shown.state == "running"
    return Mark(step_words(shown), looks.get(shown.state, "plain"), share if running else 0.0)
