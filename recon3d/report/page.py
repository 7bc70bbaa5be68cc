"""report.html: what you got, whether it is good, and what to do next."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from recon3d.language import word
from recon3d.report.camera_map import draw_map
from recon3d.report.facts import Facts, Run, plain
from recon3d.report.pictures import coverage_pictures, depth_previews, mesh_stills, thumbnails
from recon3d.run.templates import page_template
from recon3d.view_planning.legend import COLOURS, WHAT
from recon3d.view_planning.measure import Weakness

Grade = Literal["good", "fair", "poor", "failed", "stopped"]
word((
    "Photos left out", "Photos used", "Photos read, not placed yet", "used", "left out", "read",
    "yes", "no picture", "Mesh from side {number}", "Mesh from side {number} as clay",
    "Coverage from side {number}", "Map of the cameras from above", "control", "check",
))  # fmt: skip
"""What the page makes of names, and of texts of pictures."""
# A few unseen crevices are in every model.
_MUCH_MADE_UP = 0.1


@dataclass(frozen=True)
class Judgement:
    """The result in one word and a few sentences."""

    grade: Grade
    title: str
    sentences: tuple[str, ...]


def draw_page(run: Run, facts: Facts) -> str:
    """Fill the template; everything in it that came from files is escaped."""
    template = page_template(
        Path(__file__).with_name("page.html.j2"),
        percent=lambda value: f"{100 * value:.0f}\u202f%",
        gibibytes=lambda value: f"{value / 2**30:.1f}\u202fGiB",
        seconds=_seconds,
        length_in_units=lambda value: f"{value:.{2 if value < 1 else 1 if value < 100 else 0}f}",
    )
    placed = run.posed if run.posed and run.posed.scene.views else None
    model = run.textured or run.mesh
    suggested = [each.view for each in run.advice.suggestions] if run.advice else []
    return template.render(
        facts=facts,
        judgement=judge(facts),
        thumbnails=_by_plain_id(thumbnails(run.image_set.pictures, run.masks))
        if run.image_set
        else {},
        stills=mesh_stills(model, placed, run.frame) if model and placed else [],
        map=draw_map(placed, run.mesh, run.frame, suggested) if placed else None,
        coverage_pictures=(
            coverage_pictures(run.advice, model, placed, run.frame)
            if run.advice and model and placed
            else None
        ),
        coverage_colours=[
            ("#{:02x}{:02x}{:02x}".format(*COLOURS[kind]), WHAT[kind], kind.name.lower())
            for kind in Weakness
        ],
        previews=depth_previews(placed, run.depth) if run.depth and placed else [],
    )


def _by_plain_id(pictures: Mapping[str, str]) -> dict[object, str]:
    return {plain(photo_id): picture for photo_id, picture in pictures.items()}


def judge(facts: Facts) -> Judgement:
    """Grade a run by its numbers, in words that say what each means."""
    if facts["failure"]:
        return Judgement("failed", "No model this time", ())
    photos = facts["photos"]
    given, used = len(photos), sum(photo["verdict"] == "used" for photo in photos)
    if not facts["mesh"]:
        reached = "depth" if facts["depth"] else "poses" if facts["poses"] else "photos"
        titles = {
            "depth": "Depth was found",
            "poses": "Cameras are placed",
            "photos": "Photos read",
        }
        return Judgement("stopped", titles[reached], ("This run ended before the mesh.",))
    if facts["poses"]["placed"] == 1:
        return _judge_relief(facts)
    good: list[str] = []
    warnings: list[str] = []
    (good if used >= 0.9 * given else warnings).append(
        f"{used} of {given} photos were placed in space."
    )
    if late := facts["poses"].get("brought_by_second_look"):
        names = ", ".join(late[:5]) + (f" and {len(late) - 5} more" if len(late) > 5 else "")
        good.append(f"A second look at what had been left out placed {names}.")
    good += facts["poses"].get("joined", [])
    if (gps := facts["poses"].get("gps", {})).get("used"):
        good.append(
            f"GPS of {gps['readings']} photos, good to {gps['error_m']:.2g} m, straightened the"
            f" cameras by as much as {gps['moved_m']:.2g} m."
        )
    error_px = facts["poses"]["mean_error_px"]
    if error_px is not None:
        if error_px <= 1.2:
            good.append(f"The cameras fit together to within {error_px:.2f} pixels.")
        else:
            warnings.append(
                f"The cameras fit together only to within {error_px:.1f} pixels: look for blur,"
                " moving things, or intrinsics that belong to another lens."
            )
    coverage = facts["depth"]["median_coverage"] if facts["depth"] else 0.0
    share = f"{100 * coverage:.0f} % of a typical photo"
    if coverage >= 0.45:
        good.append(f"Depth was found for {share}.")
    else:
        warnings.append(
            f"Depth was found for only {share}, so expect holes: blank or shiny surfaces give"
            " nothing to compare, and every spot must be sharp in three photos or more."
        )
    if facts["texture"] and facts["texture"]["made_up"] > _MUCH_MADE_UP:
        warnings.append(
            f"No photo saw {100 * facts['texture']['made_up']:.0f} % of the surface; its colour"
            " there is taken from around. Photos from those sides would show the true one."
        )
    warnings += [
        f"The focal length of camera {name} is known only to within"
        f" {100 * camera['focal_std_px'] / camera['intrinsics']['pinhole']['fx_px']:.1f} %:"
        " give --intrinsics, or add photos from more directions."
        for name, camera in facts["cameras"].items()
        if (camera["focal_std_px"] or 0) > 0.02 * camera["intrinsics"]["pinhole"]["fx_px"]
    ]
    if not warnings and not facts["warnings"]:
        return Judgement("good", "A good model", tuple(good))
    if len(warnings) <= 1:
        return Judgement("fair", "A usable model", (*warnings, *good))
    return Judgement("poor", "A model with weak spots", (*warnings, *good))


def _judge_relief(facts: Facts) -> Judgement:
    """Fair at best: nothing in one photo can be checked by another."""
    return Judgement(
        "fair",
        "A relief from one photo",
        (
            f"Depth was found for {100 * facts['depth']['median_coverage']:.0f} % of it.",
            "It is open behind everything that the camera saw, and no second photo has checked it:"
            " take more photos, from all around, for a whole and measured model.",
        ),
    )


def _seconds(value: float) -> str:
    if value < 90:
        return f"{value:.1f}\u202fs"
    minutes, seconds = divmod(round(value), 60)
    return f"{minutes}\u202fmin {seconds}\u202fs"


def first_still(page: Path) -> str:
    """The first picture of the mesh in a report, as a data URI; empty where it shows none."""
    try:
        text = page.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
    found = re.search(
        r'<div class="card stills">\s*<img src="(data:image/jpeg;base64,[^"]+)"', text
    )
    return found[1] if found else ""
