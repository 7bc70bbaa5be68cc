"""What changed between two benches, figure by figure, and whether it is for the better."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from recon3d.bench.rows import BenchRow, table

_HIGHER, _LOWER = 1, -1


@dataclass(frozen=True)
class Figure:
    """One number of a row; its unit stands in its name."""

    value: float
    better: int
    """1: more is better; -1: less is better."""
    digits: int


@dataclass(frozen=True)
class Difference:
    """One figure of one set in both benches."""

    set_name: str
    figure: str
    before: float
    now: float
    better: int
    """1: better, -1: worse, 0: the same to the digits that are shown."""
    digits: int


def figures(row: BenchRow) -> dict[str, Figure]:
    """Every number of a row that can be better or worse, by name; what is unknown is absent.

    Costs are there only where all stages ran in that bench.
    """
    found: dict[str, tuple[float | None, int, int]] = {
        "photos placed": (row.placed, _HIGHER, 0),
        "mesh made": (float(not row.failure), _HIGHER, 0),
        "agreement": (row.agreement, _HIGHER, 3),
        "CPU s": (row.cpu_seconds, _LOWER, 0),
    }
    if row.peak_memory_bytes:
        found["peak memory MiB"] = (row.peak_memory_bytes / 2**20, _LOWER, 0)
    if row.cameras:
        found[f"cameras: position {row.unit}"] = (row.cameras.mean_position, _LOWER, 4)
        found["cameras: rotation °"] = (row.cameras.mean_rotation_deg, _LOWER, 3)
    for name, depth in (("raw depth", row.raw_depth), ("fused depth", row.depth)):
        if depth:
            found[f"{name}: AbsRel"] = (depth.abs_rel, _LOWER, 3)
            found[f"{name}: <1.05"] = (depth.within_105, _HIGHER, 3)
            found[f"{name}: <1.25"] = (depth.within_125, _HIGHER, 3)
            found[f"{name}: coverage"] = (depth.coverage, _HIGHER, 3)
            found[f"{name}: all <5 %"] = (depth.all_within_5_percent, _HIGHER, 3)
    if row.surface:
        for score in row.surface.scores:
            name = f"mesh at {row.surface.label(score.threshold)}"
            found[f"{name}: accuracy"] = (score.accuracy, _HIGHER, 3)
            found[f"{name}: completeness"] = (score.completeness, _HIGHER, 3)
            found[f"{name}: F"] = (score.f_score, _HIGHER, 3)
    if row.shape:
        found["photo pixels covered"] = (row.shape.covered, _HIGHER, 3)
        found["border loops"] = (row.shape.holes, _LOWER, 0)
        found["longest border loop, % of the diagonal"] = (
            row.shape.largest_hole_percent, _LOWER, 0,
        )  # fmt: skip
        found["ripple °"] = (row.shape.ripple_deg, _LOWER, 1)
    if row.texture:
        found["texture: share seen"] = (row.texture.seen, _HIGHER, 3)
        found["texture: seams between photos"] = (row.texture.photo_seams, _LOWER, 2)
        found["texture: seams between charts"] = (row.texture.chart_seams, _LOWER, 2)
        found["texture: colour error"] = (row.texture.colour_error, _LOWER, 1)
    return {
        name: Figure(float(value), better, digits)
        for name, (value, better, digits) in found.items()
        if value is not None and not math.isnan(value)
    }


def differences(now: Sequence[BenchRow], before: Sequence[BenchRow]) -> list[Difference]:
    """Every figure that both benches have of a set, in the order of `now`."""
    earlier = {row.name: figures(row) for row in before}
    found = []
    for row in now:
        for name, figure in figures(row).items():
            old = earlier.get(row.name, {}).get(name)
            if old is None:
                continue
            change = round(figure.value, figure.digits) - round(old.value, figure.digits)
            verdict = figure.better * ((change > 0) - (change < 0))
            found.append(
                Difference(row.name, name, old.value, figure.value, verdict, figure.digits)
            )
    return found


def difference_table(now: Sequence[BenchRow], before: Sequence[BenchRow]) -> str:
    """The differences as Markdown; figures that did not change are only counted."""
    found = differences(now, before)
    changed = [difference for difference in found if difference.better]
    body = [
        [
            d.set_name,
            d.figure,
            f"{d.before:.{d.digits}f}",
            f"{d.now:.{d.digits}f}",
            f"{d.now - d.before:+.{d.digits}f}",
            "better" if d.better > 0 else "WORSE",
        ]
        for d in changed
    ]
    better = sum(difference.better > 0 for difference in changed)
    worse, same = len(changed) - better, len(found) - len(changed)
    lines = [f"Against the earlier bench: {better} figures better, {worse} worse, {same} the same."]
    if body:
        lines.append(table(["set", "figure", "before", "now", "difference", ""], body))
    known = {row.name for row in before}
    if missing := [row.name for row in now if row.name not in known]:
        lines.append(f"The earlier bench lacks {', '.join(missing)}.")
    return "\n\n".join(lines)
