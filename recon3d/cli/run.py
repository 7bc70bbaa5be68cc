"""Run the pipeline for a command and sum up what became of the photos."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any, Protocol

from recon3d.api import reconstruct
from recon3d.cli.display import Display, duration
from recon3d.config import Config
from recon3d.export.export import Outputs
from recon3d.language import translate, word
from recon3d.language.columns import padded_before
from recon3d.results import Components, Inputs, Results, Until
from recon3d.run.device import Runtime
from recon3d.run.task import CancelToken

_POINTS_SHOWN = 12
_LOCATED_BY = word({"gps": "GPS", "poses": "the poses", "control": "ground control points"})


class PhotosToRun(Protocol):
    """What a command knows of its run."""

    @property
    def inputs(self) -> Inputs:
        """The user's files."""
        ...

    @property
    def workspace_folder(self) -> Path:
        """Where work is kept."""
        ...

    @property
    def effective(self) -> Config:
        """All settings."""
        ...

    @property
    def outputs(self) -> Outputs:
        """The files to write."""
        ...

    @property
    def runtime(self) -> Runtime:
        """How to run."""
        ...

    @property
    def until(self) -> Until | None:
        """The last stage."""
        ...

    @property
    def components(self) -> Components:
        """Which scenes of the photos become models."""
        ...


def run_photos(command: PhotosToRun, display: Display, cancel: CancelToken) -> None:
    """Run the stages that the command asks for and show the outcome.

    Raises:
        ReconError: the photos, files or settings do not allow it.
        Cancelled: the user stopped it.
    """
    started = time.monotonic()
    results = reconstruct(
        command.inputs,
        command.workspace_folder,
        command.effective,
        outputs=command.outputs,
        runtime=command.runtime,
        listener=display,
        cancel=cancel,
        until=command.until,
        components=command.components,
    )
    content = _content(results, time.monotonic() - started)
    display.result(content, _summary(content))


def _content(results: Results, seconds: float) -> dict[str, Any]:
    report = results.workspace / "report.html"
    content: dict[str, Any] = {
        "written": [str(path) for path in results.written],
        "workspace": str(results.workspace),
        "report": str(report) if report.exists() else None,
        "warnings": results.warnings,
        "seconds": round(seconds, 1),
        "stages": {
            made.stage: {**dataclasses.asdict(made.cost), "cached": made.cached}
            for made in results.stages
        },
    }
    if results.image_set:
        image_set = results.image_set.value
        left_out = {verdict.photo_id for verdict in image_set.verdicts if not verdict.used}
        content["given"] = len({photo.id for photo in image_set.photos} | left_out)
    if masks := results.found_masks_folder:
        content["masks"] = str(results.workspace / masks)
    if results.posed:
        content["placed"] = len(results.posed.value.scene.views)
        if of := results.panorama_of:
            placed = {of[v.photo_id] for v in results.posed.value.scene.views if v.photo_id in of}
            content["panoramas"] = {"given": len({*of.values()}), "placed": len(placed)}
    if results.control:
        content["control"] = results.control.value.report
    if results.frame and (place := results.frame.value.report.get("georeference")):
        content["georeference"] = place
    if results.frame and (bars := results.frame.value.report.get("scale_bars")):
        content["scale_bars"] = bars
    if results.surface:
        mesh = results.mesh.value if results.mesh else results.surface.value[0]
        content["faces"] = len(mesh.faces)
    if results.others:
        content["others"] = [_content(other, 0.0) for other in results.others]
    return content


def _summary(content: dict[str, Any]) -> str:
    lines = _scene_lines(content)
    for number, other in enumerate(content.get("others", ()), start=2):
        lines += [f"Scene {number}:", *(f"  {line}" for line in _scene_lines(other))]
    lines.append(f"Time:     {duration(content['seconds'])}")
    return "\n".join(lines)


def _scene_lines(content: dict[str, Any]) -> list[str]:
    lines = []
    if "placed" in content:
        lines.append(f"Photos:   {content['placed']} of {content['given']} placed")
    if whole := content.get("panoramas"):
        lines.append(f"          views of {whole['placed']} of {whole['given']} 360-degree photos")
    if "control" in content:
        lines.append(f"Control:  {content['control']['summary']}")
        lines += control_lines(content["control"]["points"])
        if adjusted := content["control"]["adjusted"]:
            lines.append(f"  {adjusted['words']}")
    if "scale_bars" in content:
        lines += [word("Lengths:"), *bar_lines(content["scale_bars"])]
    if "masks" in content:
        lines.append(f"Masks:    {content['masks']}")
    if "faces" in content:
        lines.append(f"Mesh:     {content['faces']:,} triangles")
    if place := content.get("georeference"):
        at = ", ".join(f"{value:.3f}" for value in place["origin"])
        by, crs = _LOCATED_BY.get(place["source"], place["source"]), place["crs"]
        lines.append(
            f"Origin:   0,0,0 of the model is at {at} of {crs} (by {by})"
            if crs
            else f"Origin:   0,0,0 of the model is at {at} (by {by})"
        )
    lines += [f"Written:  {path}{_size(Path(path))}" for path in content["written"]]
    if content["report"]:
        lines.append(f"Report:   {content['report']}")
    if content["warnings"]:
        lines.append(word("Warnings:"))
        lines += [f"  {warning}" for warning in content["warnings"]]
    return lines


def control_lines(points: list[dict[str, Any]]) -> list[str]:
    """How ground control points fit, in millimetres; of many only those that fit worst."""
    measured = [point for point in points if "residual_m" in point]
    shown = sorted(measured, key=lambda point: -point["error_m"])[:_POINTS_SHOWN]
    columns = zip(word(("east", "north", "height", "marks, px")), (9, 9, 9, 11), strict=True)
    heads = "".join(padded_before(translate(text), wide) for text, wide in columns)
    lines = [f"  {'mm':<14}{heads}"]
    for point in filter(lambda point: point in shown, measured):
        gaps = "".join(f"{1000 * gap:>+9.1f}" for gap in point["residual_m"])
        role = f"  {translate('check')}" if point["role"] == "check" else ""
        doubt = f"  {translate('perhaps mis-marked')}" if point["suspect"] else ""
        lines.append(f"  {point['name']:<14}{gaps}{point['error_px']:>11.2f}{role}{doubt}")
    left_out = [point["name"] for point in points if point not in measured]
    if left_out:
        lines.append(f"  not measured: {', '.join(left_out[:_POINTS_SHOWN])}")
    if len(measured) > len(shown):
        lines.append(f"  {len(measured) - len(shown)} more fit better; the report has them")
    return lines


def bar_lines(bars: list[dict[str, Any]]) -> list[str]:
    """How scale bars fit, in millimetres; of many only those that fit worst."""
    measured = [bar for bar in bars if "residual_m" in bar]
    shown = sorted(measured, key=lambda bar: -abs(bar["residual_m"]))[:_POINTS_SHOWN]
    lines = [
        f"  {_ends(bar)}: {bar['measured_m']:.4f} m, {1000 * bar['residual_m']:+.1f} mm"
        + (f"  {translate('check')}" if bar["role"] == "check" else "")
        for bar in measured
        if bar in shown
    ]
    if left_out := [_ends(bar) for bar in bars if bar not in measured]:
        lines.append(f"  not measured: {', '.join(left_out[:_POINTS_SHOWN])}")
    return lines


def _ends(bar: dict[str, Any]) -> str:
    return f"{bar['from']} - {bar['to']}"


def _size(path: Path) -> str:
    return f" ({path.stat().st_size / 1e6:.1f} MB)" if path.is_file() else ""
