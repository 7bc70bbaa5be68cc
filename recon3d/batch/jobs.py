"""What is to be done with an object, and what has become of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from recon3d.config import Config
from recon3d.core.errors import ReconError
from recon3d.export.export import Outputs
from recon3d.results import Inputs, Until
from recon3d.run.device import Runtime
from recon3d.run.documents import parse_json
from recon3d.run.task import CancelToken, Listener


@dataclass(frozen=True, kw_only=True)
class Job:
    """The run of one object."""

    name: str
    inputs: Inputs
    folder: Path
    """Gets the models and the workspace."""
    formats: tuple[str, ...]
    config: Config
    runtime: Runtime
    until: Until | None = None

    @property
    def workspace(self) -> Path:
        """Where finished work is kept."""
        return self.folder / f"{self.name}.recon3d"

    @property
    def models(self) -> tuple[Path, ...]:
        """The files to write."""
        return tuple(self.folder / f"{self.name}.{each}" for each in self.formats)

    def run(self, listener: Listener, cancel: CancelToken) -> None:
        """Reconstruct the object, as far as that is not done already.

        Raises:
            ReconError: it cannot be done; says why.
            Cancelled: `cancel` was set; everything finished so far is kept.
        """
        from recon3d.api import forecast, reconstruct

        what: dict[str, Any] = {
            "inputs": self.inputs,
            "workspace": self.workspace,
            "config": self.config,
            "outputs": Outputs(meshes=self.models),
            "runtime": self.runtime,
            "cancel": cancel,
            "until": self.until,
        }
        # Writing the same files and drawing the same report again takes seconds an object.
        if self._is_written():
            known = forecast(**what)
            if known.complete and not known.computed:
                return
        reconstruct(**what, listener=listener)

    def _is_written(self) -> bool:
        """Whether the latest run in the workspace has written these files, by these settings."""
        from recon3d.report.facts import plain

        facts = _facts_of_run(self.workspace, None)
        return (
            facts.get("settings") == plain(asdict(self.config))
            and set(map(str, self.models)) <= set(facts.get("written") or ())
            and all(model.is_file() for model in self.models)
        )


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What has become of an object; None and empty where that is unknown."""

    object: str
    models: tuple[str, ...] = ()
    report: str | None = None
    given: int | None = None
    placed: int | None = None
    triangles: int | None = None
    seconds: float = 0.0
    """That this run took."""
    kept: bool = False
    """Some stages, or all, were finished before this run."""
    warnings: tuple[str, ...] = ()
    error: str = ""
    """Why there is no model; empty where there is one."""
    hint: str = ""
    still: str = ""
    """A picture of the model as a data URI."""

    @property
    def failed(self) -> bool:
        """Whether there is no model."""
        return bool(self.error)

    def fields(self) -> dict[str, Any]:
        """As JSON, without the picture."""
        fields = asdict(self)
        del fields["still"]
        return fields


def outcome_of(job: Job, seconds: float, error: ReconError | None) -> Outcome:
    """Sum up a run by the report that it has left.

    seconds: That it took.
    error: What it ended with.
    """
    # Late: the process that only waits for runs does without the libraries that draw reports.
    from recon3d.report.page import first_still

    facts, report = _facts_of_run(job.workspace, error), job.workspace / "report.html"
    stages = (facts.get("stages") or {}).values()
    verdicts = [photo.get("verdict") for photo in facts.get("photos") or ()]
    mesh = facts.get("mesh")
    return Outcome(
        object=job.name,
        models=() if error else tuple(map(str, job.models)),
        report=str(report) if facts else None,
        given=len(verdicts) or None,
        placed=verdicts.count("used") if verdicts else None,
        triangles=mesh["faces"] if mesh and not error else None,
        seconds=round(seconds, 1),
        kept=any(stage["cached"] for stage in stages)
        or seconds < sum(stage["seconds"] for stage in stages),
        warnings=tuple(facts.get("warnings") or ()),
        error=str(error or ""),
        hint=error.hint if error else "",
        still="" if error else first_still(report),
    )


def _facts_of_run(workspace: Path, error: ReconError | None) -> Mapping[str, Any]:
    """report.json, unless it is of an earlier run: one that ends early leaves none."""
    from recon3d.report.facts import plain

    try:
        facts: Mapping[str, Any] = parse_json((workspace / "report.json").read_text("utf-8"))
        told = facts["failure"] and facts["failure"]["message"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return facts if told == (plain(str(error)) if error else None) else {}
