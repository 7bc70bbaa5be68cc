"""What pressing Start would do, in steps and seconds."""

from __future__ import annotations

from dataclasses import dataclass

from recon3d.results import Forecast
from recon3d_gui.failure import Failure
from recon3d_gui.job.costs import Costs, Load
from recon3d_gui.job.messages import Amount, Foreseen, RunRequest
from recon3d_gui.job.steps import Step, step_of, steps_until, usual_stages


@dataclass(frozen=True)
class Outlook:
    """A forecast as it is shown."""

    request: RunRequest
    amount: Amount
    stages: tuple[str, ...] = ()
    """To be computed, as far as they are known or usual."""
    computed: tuple[Step, ...] = ()
    kept: tuple[Step, ...] = ()
    seconds: float = 0.0
    problem: Failure | None = None
    """Why the run would fail at once."""

    @property
    def nothing_to_do(self) -> bool:
        """Whether everything is there already."""
        return not self.stages and not self.problem


def outlook_of(foreseen: Foreseen, request: RunRequest, costs: Costs) -> Outlook:
    """Put a forecast into steps and seconds."""
    answer, amount = foreseen.answer, foreseen.amount
    if isinstance(answer, Failure):
        return Outlook(request, amount, problem=answer)
    steps = steps_until(request.until)
    stages = _stages(answer, steps)
    load = Load(amount, request.config, request.device)
    computed = {step_of(stage) for stage in stages}
    return Outlook(
        request,
        amount,
        stages,
        tuple(step for step in steps if step in computed),
        tuple(step for step in steps if step not in computed),
        sum(costs.seconds(stage, load) for stage in stages),
    )


def _stages(answer: Forecast, steps: list[Step]) -> tuple[str, ...]:
    if answer.complete:
        return answer.computed
    known = {*answer.kept, *answer.computed}
    return (*answer.computed, *(stage for stage in usual_stages(steps) if stage not in known))
