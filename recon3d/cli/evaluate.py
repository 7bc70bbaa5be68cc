"""`recon3d eval`: how good a network for single photos is."""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar

from rich import box
from rich.console import Console
from rich.table import Table
from tyro.conf import OmitArgPrefixes, arg

from recon3d.cli.display import Display
from recon3d.cli.options import Command
from recon3d.core.errors import InputError
from recon3d.depth.mono.datasets import Layout
from recon3d.depth.mono.evaluation import EvaluationRules
from recon3d.depth.mono.scores import DepthScores
from recon3d.run.device import Device, Runtime
from recon3d.run.task import CancelToken, Task

_TITLES = {
    "abs_rel": "AbsRel", "sq_rel": "SqRel", "rmse": "RMSE", "rmse_log": "RMSElog",
    "log10": "log10", "silog": "SILog", "delta1": "δ1", "delta2": "δ2", "delta3": "δ3",
    "coverage": "covered",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Evaluate(Command):
    """Measure a network for single photos against known depth, by the benchmarks' rules.

    recon3d eval --data nyu/ --split test --model out/mono --crop eigen --cap 10
    """

    supervised: ClassVar[bool] = True

    data: Path
    """Folder of a dataset, as for `recon3d train mono`."""
    model: str = "resnet"
    """Folder of `recon3d train mono`, or name of a depth estimator that needs one photo only."""
    layout: Layout = "auto"
    """Which dataset it is; auto looks."""
    split: str = ""
    """Part of the dataset, or a text file that names a frame a line. Default: all."""
    rules: OmitArgPrefixes[EvaluationRules] = field(default_factory=EvaluationRules)
    output: Annotated[Path, arg(aliases=["-o", "--out"])] = Path("out/eval")
    """Folder for scores.csv, one line a photo, and pictures of the best and worst photos."""
    pictures: int = 4
    """How many of the best and of the worst photos to draw."""
    device: Device = "auto"
    """auto takes the NVIDIA GPU where there is one; cpu and cuda insist."""

    def run(self, display: Display, cancel: CancelToken) -> None:
        """Measure."""
        from recon3d.depth.mono.datasets import open_frames
        from recon3d.depth.mono.evaluation import Extremes, evaluate, mean_scores, write_csv
        from recon3d.depth.registry import make_estimator

        frames = open_frames(self.data, self.layout, self.split)
        # Benchmarks count every pixel, also those across edges.
        settings = {"cleanup": "none"}
        estimator = make_estimator(self.model, settings, Runtime(device=self.device))
        task = Task("evaluate", display, cancel)
        extremes = Extremes(self.pictures)
        rows: list[tuple[str, DepthScores]] = []
        for evaluated in evaluate(estimator, frames, self.rules, task):
            rows.append((evaluated.frame.name, evaluated.scores))
            extremes.add(evaluated)
        if not rows:
            raise InputError(f"None of the {len(frames)} photos in {self.data} could be read.")
        write_csv(self.output / "scores.csv", rows)
        written = [self.output / "scores.csv", *extremes.write(self.output)]
        mean = mean_scores([scores for _, scores in rows])
        display.result(
            {
                "photos": len(rows),
                "mean": asdict(mean),
                "written": [str(path) for path in written],
            },
            f"{_table(self.model, len(rows), mean)}\nWritten: {self.output}",
        )


def _table(model: str, photos: int, mean: DepthScores) -> str:
    table = Table(title=f"{model}, mean over {photos} photos", box=box.SIMPLE)
    for title in _TITLES.values():
        table.add_column(title, justify="right")
    table.add_row(*(f"{value:.4g}" for value in asdict(mean).values()))
    console = Console(file=io.StringIO(), width=110)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().rstrip()
