"""The table of a bench: one row a photo set, as JSON for programs and Markdown for people."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from recon3d.bench.depth_scores import ConfidenceBin, DepthErrors
from recon3d.bench.metrics import CameraErrors, SurfaceScores
from recon3d.bench.shape import ShapeScores
from recon3d.bench.surface import SurfaceErrors
from recon3d.bench.texture import TextureScores
from recon3d.core.errors import InputError
from recon3d.run.cost import Cost
from recon3d.run.files import atomic_path


@dataclass(frozen=True, kw_only=True)
class BenchRow:
    """What a run on one photo set gave; None where there is no truth or no such stage."""

    name: str
    what: str
    unit: str = "units"
    """Of the true cameras and the true surface."""
    photos: int = 0
    placed: int = 0
    cameras: CameraErrors | None = None
    raw_depth: DepthErrors | None = None
    """As the estimator says it."""
    confidence_bins: tuple[ConfidenceBin, ...] = ()
    """How often the estimator is right, by its own confidence."""
    depth: DepthErrors | None = None
    """After refine: what is fused."""
    agreement: float | None = None
    """Share of all pixels whose raw depth two or more other views confirm at 1 px and 1 %."""
    surface: SurfaceErrors | None = None
    shape: ShapeScores | None = None
    """What needs no truth."""
    texture: TextureScores | None = None
    faces: int = 0
    stages: Mapping[str, Cost] = field(default_factory=dict)
    budget_bytes: int = 0
    """Memory that the run was to stay within; 0 in results of earlier versions."""
    kept: tuple[str, ...] = ()
    """Stages whose result and cost come from an earlier run: their costs are not comparable."""
    notes: tuple[str, ...] = ()
    """Photos that were left out, and the warnings of the run."""
    failure: str = ""
    """Why there is no mesh; empty when there is one."""

    @property
    def cpu_seconds(self) -> float | None:
        """Of all stages; None where one was kept from an earlier run."""
        if self.kept or not self.stages:
            return None
        return sum(cost.cpu_seconds for cost in self.stages.values())

    @property
    def peak_memory_bytes(self) -> int | None:
        """Of the hungriest stage; None where one was kept from an earlier run."""
        if self.kept or not self.stages:
            return None
        return max(cost.peak_memory_bytes for cost in self.stages.values())


def kept_row(row: BenchRow) -> BenchRow:
    """The row of a set that is not run this time."""
    return replace(row, kept=tuple(row.stages))


def save_rows(target: Path, rows: Sequence[BenchRow]) -> None:
    """Write rows as JSON; NaN, which JSON does not know, becomes null."""
    text = json.dumps([asdict(row) for row in rows]).replace("NaN", "null")
    with atomic_path(target) as part:
        part.write_text(json.dumps(json.loads(text), indent=1) + "\n", encoding="utf-8")


def load_rows(source: Path) -> list[BenchRow]:
    """Read what `save_rows` wrote; no file, no rows."""
    if not source.exists():
        return []
    return [_row(fields) for fields in json.loads(source.read_text(encoding="utf-8"))]


def load_earlier(source: Path) -> list[BenchRow]:
    """Read the rows of an earlier bench to compare with.

    Raises:
        InputError: there is no such file, or it holds no rows.
    """
    try:
        if rows := load_rows(source):
            return rows
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _no_bench(source) from error
    raise _no_bench(source)


def _no_bench(source: Path) -> InputError:
    return InputError(
        f"{source} holds no results of a bench.",
        hint="Name the bench.json in the output folder of an earlier bench.",
    )


def markdown(rows: Sequence[BenchRow]) -> str:
    """Quality first, then what it cost."""
    with_costs = [row for row in rows if row.stages]
    stages = list(dict.fromkeys(stage for row in with_costs for stage in row.stages))
    costs = [
        [
            row.name,
            *("kept" if stage in row.kept else _cost(row.stages.get(stage)) for stage in stages),
            _number(row.cpu_seconds, 0),
            _of_budget(row),
        ]
        for row in with_costs
    ]
    quality = table(list(_COLUMNS), [[show(row) for show in _COLUMNS.values()] for row in rows])
    confidence_bins = _confidence_table(rows)
    a_photo = _costs_of_a_photo(with_costs, stages)
    notes = [
        f"- **{row.name}** {note}"
        for row in rows
        for note in ([row.failure] if row.failure else []) + list(row.notes)
    ]
    return "\n\n".join(
        [
            quality,
            "CPU seconds / seconds on the clock / peak memory in MiB of each stage; where a result "
            'was "kept" from an earlier run, its cost is left out, and so is the sum:',
            table(["set", *stages, "CPU s", "peak of budget"], costs),
            *(["CPU seconds a photo, of sets that come in sizes:", a_photo] if a_photo else []),
            *(
                [
                    "How often raw depth is within 2 % / 5 %, by the estimator's confidence:",
                    confidence_bins,
                ]
                if confidence_bins
                else []
            ),
            *(["What the runs said:", "\n".join(notes)] if notes else []),
        ]
    )


def _costs_of_a_photo(rows: Sequence[BenchRow], stages: Sequence[str]) -> str:
    """Sets whose names differ in the number at their end only."""
    by_stem: dict[str, list[BenchRow]] = {}
    for row in rows:
        stem, _, size = row.name.rpartition("_")
        if size.isdecimal() and row.photos:
            by_stem.setdefault(stem, []).append(row)
    body = [
        [row.name, *(_of_a_photo(row, stage) for stage in stages)]
        for same in by_stem.values()
        if len(same) > 1
        for row in same
    ]
    return table(["set", *stages], body) if body else ""


def _of_a_photo(row: BenchRow, stage: str) -> str:
    if stage in row.kept or stage not in row.stages:
        return ""
    return f"{row.stages[stage].cpu_seconds / row.photos:.2f}"


def _cameras(row: BenchRow) -> str:
    if not row.cameras:
        return ""
    mean = row.cameras.mean_position
    position = f"{mean * 1000:.1f} mm" if row.unit == "m" else f"{mean:.4f} {row.unit}"
    return f"{position}, {row.cameras.mean_rotation_deg:.3f}°"


def _depth(errors: DepthErrors | None) -> str:
    if not errors:
        return ""
    shares = (errors.within_105, errors.within_125, errors.coverage, errors.all_within_5_percent)
    return " / ".join([f"{errors.abs_rel:.3f}", *(_number(share, 3) for share in shares)])


def _surface(row: BenchRow) -> str:
    if not row.surface:
        return ""
    scores = "<br>".join(
        f"{row.surface.label(score.threshold)}: "
        f"{score.accuracy:.3f} / {score.completeness:.3f} / **{score.f_score:.3f}**"
        for score in row.surface.scores
    )
    return f"{scores}<br>against {row.surface.against}"


def _shape(row: BenchRow) -> str:
    found = row.shape
    if not found:
        return ""
    return (
        f"{found.covered:.1%}<br>{found.holes} / {found.largest_hole_percent:.0f}%"
        f"<br>{found.ripple_deg:.1f}°"
    )


def _texture(row: BenchRow) -> str:
    """Size, density, share seen, seams, colour."""
    found = row.texture
    if not found:
        return ""
    pages = f"{found.pages} x " if found.pages > 1 else ""
    seams = " / ".join(_number(step, 2) or "-" for step in (found.photo_seams, found.chart_seams))
    colour = f"<br>colour {found.colour_error:.1f}" if found.colour_error is not None else ""
    return f"{pages}{found.page_px} px, {found.seen:.0%} seen<br>seams {seams}{colour}"


def _confidence_table(rows: Sequence[BenchRow]) -> str:
    """A line for each set and interval of confidence."""
    body = [
        [
            row.name,
            f"{bin_.stated:.2f}",
            f"{bin_.within_2_percent:.2f} / {bin_.within_5_percent:.2f}",
            f"{bin_.pixels:.0%}",
        ]
        for row in rows
        for bin_ in row.confidence_bins
    ]
    return table(["set", "confidence", "within 2 % / 5 %", "of its pixels"], body) if body else ""


_COLUMNS: Mapping[str, Callable[[BenchRow], str]] = {
    "set": lambda row: row.name,
    "photos placed": lambda row: f"{row.placed} of {row.photos}",
    "cameras: mean error": _cameras,
    "raw depth: AbsRel / <1.05 / <1.25 / coverage / all <5 %": lambda row: _depth(row.raw_depth),
    "fused depth: the same": lambda row: _depth(row.depth),
    "agreement": lambda row: _number(row.agreement, 3),
    "mesh at a threshold (% of the diagonal, or cm): accuracy / completeness / F": _surface,
    "photo pixels covered, border loops / longest in % of the diagonal, ripple": _shape,
    "texture: share seen, seams between photos / charts, colour error": _texture,
    "faces": lambda row: f"{row.faces:,}" if row.faces else "none",
}


def _of_budget(row: BenchRow) -> str:
    if row.peak_memory_bytes is None or not row.budget_bytes:
        return ""
    return f"{row.peak_memory_bytes / 2**30:.1f} of {row.budget_bytes / 2**30:.1f} GiB"


def _cost(cost: Cost | None) -> str:
    if not cost:
        return ""
    memory = cost.peak_memory_bytes / 2**20
    return f"{cost.cpu_seconds:.1f} / {cost.seconds:.1f} / {memory:.0f}"


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Rows of cells as Markdown."""
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _row(fields: Mapping[str, Any]) -> BenchRow:
    def made(kind: Callable[..., Any], content: Mapping[str, Any] | None) -> Any:
        if content is None:
            return None
        return kind(**{k: float("nan") if v is None else v for k, v in content.items()})

    surface = made(SurfaceErrors, fields["surface"])
    if surface:
        scores = tuple(SurfaceScores(**score) for score in surface.scores)
        surface = SurfaceErrors(**{**vars(surface), "scores": scores})
    return BenchRow(
        **{
            **fields,
            "cameras": made(CameraErrors, fields["cameras"]),
            "raw_depth": made(DepthErrors, fields["raw_depth"]),
            "depth": made(DepthErrors, fields["depth"]),
            "confidence_bins": tuple(
                ConfidenceBin(**bin_) for bin_ in fields.get("confidence_bins", ())
            ),
            "surface": surface,
            "shape": made(ShapeScores, fields.get("shape")),
            # Its missing numbers are unknown, not undefined.
            "texture": TextureScores(**fields["texture"]) if fields.get("texture") else None,
            "stages": {stage: Cost(**cost) for stage, cost in fields["stages"].items()},
            "kept": tuple(fields.get("kept", ())),
            "notes": tuple(fields["notes"]),
        }
    )
