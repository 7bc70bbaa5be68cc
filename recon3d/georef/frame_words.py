"""What the frame was made from, in numbers for the report and words for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from recon3d.core.orientation import assumption_in_words
from recon3d.core.scene import ImageSet, Point
from recon3d.georef.back_projection import find_photo, is_outside
from recon3d.georef.known_scale import PhotoPixel
from recon3d.georef.scale_cues import FusedScale, JudgedCue, ScaleCue, contradictions
from recon3d.georef.up_cues import FusedUp, JudgedUp, sigma_deg
from recon3d.language import word

word((
    "control points", "distance", "factor", "scale bar", "markers", "metric poses", "rig", "gps",
    "depth network", "given", "gravity sensor", "cameras", "ground", "walls",
))  # fmt: skip
"""Each `ScaleSource` and `UpSource`."""
_UNSURE_SCALE = 0.05
_UNSURE_UP_DEG = 10.0


def describe_scale(scale: FusedScale | None, cues: Sequence[ScaleCue]) -> dict[str, object]:
    """Every cue and what became of it; error bars are one standard deviation."""
    judged = scale.cues if scale else [JudgedCue(cue, False, cue.warning) for cue in cues]
    return {
        "metres_per_unit": scale.metres_per_unit if scale else None,
        "error_percent": round(100 * scale.sigma, 3) if scale else None,
        "cues": [
            {
                "source": one.cue.source,
                "detail": one.cue.detail,
                "metres_per_unit": one.cue.metres_per_unit or None,
                "error_percent": round(100 * one.cue.sigma, 3),
                "used": one.used,
                "reason": one.reason,
            }
            for one in judged
        ],
    }


def describe_up(up: FusedUp) -> dict[str, object]:
    """Every cue and what became of it; error bars are those of the direction known worst."""
    return {
        "error_deg": round(sigma_deg(up.information), 2),
        "cues": [
            {
                "source": one.cue.source,
                "detail": one.cue.detail,
                "error_deg": round(sigma_deg(one.cue.information), 2),
                "differs_deg": round(one.differs_deg, 2),
                "used": one.used,
                "reason": ""
                if one.used
                else f"it differs from the others by {one.differs_deg:.0f} degrees",
            }
            for one in up.cues
        ],
    }


def scale_warnings(
    scale: FusedScale | None, given: Sequence[ScaleCue], measured: Sequence[ScaleCue]
) -> list[str]:
    """Where the size is worse than it looks.

    given: by the user, who must hear why a distance does not count. Of what was measured only the
    markers are asked for.
    """
    found = [
        f'The {cue.source} "{cue.detail}" does not count: {cue.warning}.'
        for cue in given
        if cue.warning
    ]
    found += [
        f"The markers do not count: {cue.warning}. Check --marker-size and --markers, or take "
        "photos nearer to them."
        for cue in measured
        if cue.source == "markers" and cue.warning
    ]
    if not scale:
        return found
    found += [
        f"The scale from {one.cue.source} ({one.cue.detail}) contradicts the rest: {one.reason}."
        for one in contradictions(scale)
    ]
    # Of what is guessed from one photo its relief has warned already.
    measured_at_all = any(one.used and one.cue.source != "depth network" for one in scale.cues)
    if scale.sigma > _UNSURE_SCALE and measured_at_all:
        found.append(
            f"The size of the model is known only to {100 * scale.sigma:.0f} %. Give --scale a "
            "distance between points that are far apart, each seen in two photos."
        )
    return found


def up_warnings(up: FusedUp) -> list[str]:
    """Where the model may lean."""
    by_source = {one.cue.source: one for one in up.cues}
    sensors, cameras = by_source.get("gravity sensor"), by_source["cameras"]
    if sensors and not cameras.used:
        return [_disagreement(cameras)]
    if (unsure_deg := sigma_deg(up.information)) > _UNSURE_UP_DEG:
        return [
            f"Which way is up is known only to {unsure_deg:.0f} degrees: no ground, walls or "
            "sensors tell. If the model leans, turn it by hand or give --up."
        ]
    return []


def up_unused_warnings() -> list[str]:
    """Where the user says what is up, and a survey says it too."""
    return ["--up does not count: ground control points say what is up."]


def north_warnings() -> list[str]:
    """Where north was asked for and nobody knows it."""
    return ["North is not known: the photos say too little of where they were taken."]


def origin_warnings(origin: Point) -> list[str]:
    """Where the model cannot keep the coordinates of its poses."""
    if not any(origin):
        return []
    place = ", ".join(f"{value:.0f}" for value in origin)
    return [
        f"The poses lie too far from their origin for the digits of most mesh files, so 0,0,0 of "
        f"the model is at {place} of theirs. --frame.origin poses keeps their coordinates."
    ]


def mark_warnings(pixels: Iterable[PhotoPixel], image_set: ImageSet) -> list[str]:
    """Where nothing says which pixels of turned photos the marks are for."""
    found = [
        photo.id
        for pixel in pixels
        if image_set.orientation == "auto"
        and not pixel.is_upright
        and (photo := find_photo(image_set, pixel)).exif.orientation != 1
        and not is_outside(pixel, (photo.width_px, photo.height_px))
    ]
    if not found:
        return []
    return [assumption_in_words(word("marks"), [*dict.fromkeys(found)], "upright")]


def summary(scale: FusedScale | None, up: FusedUp) -> str:
    """One line for the log."""
    ups = ", ".join(one.cue.source for one in up.cues if one.used)
    stands = word(f"up ± {sigma_deg(up.information):.1f}° ({ups})")
    if not scale:
        return f"the scale is not known; {stands}"
    cues = "; ".join(
        f"{one.cue.source}: {one.cue.detail}"
        if one.used
        else f"{one.cue.source} not used: {one.reason}"
        for one in sorted(scale.cues, key=lambda one: not one.used)
    )
    metres, percent = scale.metres_per_unit, 100 * scale.sigma
    return f"1 unit = {metres:.4g} m ± {percent:.2g} % ({cues}); {stands}"


def _disagreement(cameras: JudgedUp) -> str:
    return (
        "The photos' sensors and the way the cameras were held disagree about up by "
        f"{cameras.differs_deg:.0f} degrees; the sensors were believed. If the model leans, give "
        "--up."
    )
