"""What a run says of the photos that a project has now: a photo is known by its content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from recon3d.core.scene import PosedScene, Verdict
from recon3d.photos.digests import sha256_of
from recon3d.photos.image_set_files import Item, read_items
from recon3d_gui.photos.rows import Found, Placing


def read_found(reached: Mapping[str, Path], files: Mapping[str, Path]) -> Found:
    """Read the verdicts of a run. Hashes files that may have changed: not for the main thread.

    files: the project's photos by id.
    """
    from recon3d.finished import read_stage

    try:
        image_set = read_stage("ingest", reached["ingest"]) if "ingest" in reached else None
        items = read_items(reached["ingest"]) if "ingest" in reached else []
        ingested_at = (reached["ingest"] / "image_set.json").stat().st_mtime if items else 0.0
        posed = read_stage("pose", reached["pose"]) if "pose" in reached else None
        masks = dict(image_set.masks) if image_set else {}
        if "masks" in reached:
            masks = {**read_stage("masks", reached["masks"]).photos, **masks}
        if "mask command" in reached:
            masks = {**read_stage("mask command", reached["mask command"]), **masks}
    except (OSError, ValueError, KeyError, TypeError):
        # Deleted or damaged under our feet: the run that is shown will be told elsewhere.
        return Found({}, {})
    placings = placings_of(posed.scene) if posed else {}
    verdicts: dict[str, Verdict] = {}
    if image_set:
        verdicts |= {verdict.photo_id: verdict for verdict in image_set.verdicts}
    if posed:
        verdicts |= {verdict.photo_id: verdict for verdict in posed.verdicts}
    if image_set and image_set.sequential:
        return Found(verdicts, dict(image_set.pictures), masks, placings=placings)
    names = same_photos(files, items, ingested_at)
    return Found(
        {photo: verdicts[name] for photo, name in names.items() if name in verdicts},
        {},
        {photo: masks[name] for photo, name in names.items() if name in masks},
        names,
        placings,
    )


def placings_of(scene: PosedScene) -> dict[str, Placing]:
    """How firmly each photo of a scene was placed, by photo id."""
    # Sorted once: asking the points for each of a thousand views reads them a thousand times.
    point, view = scene.points.observations.T
    order = np.argsort(view, kind="stable")
    ends = np.searchsorted(view[order], np.arange(len(scene.views) + 1))
    error_px = scene.points.error_px[point[order]]
    found = {}
    for each, start, end in zip(scene.views, ends[:-1], ends[1:], strict=True):
        middle = float(np.median(error_px[start:end])) if end > start else 0.0
        found[each.photo_id] = Placing(int(end - start), middle)
    return found


def same_photos(
    files: Mapping[str, Path], items: Sequence[Item], ingested_at: float
) -> dict[str, str]:
    """Which photo of a run each file is; files that the run did not have are absent.

    A file that lies where it lay, under its name and untouched since, is the same; of any other
    the content tells.

    Args:
        files: By id.
        items: What the run took in.
        ingested_at: When that was, in seconds since the epoch.
    """
    by_id = {item.id: item for item in items}
    by_content = {item.sha256: item.id for item in reversed(items) if item.sha256}
    names: dict[str, str] = {}
    for photo_id, path in files.items():
        item = by_id.get(photo_id)
        is_there = item is not None and item.path == str(path.absolute())
        if item and is_there and (not item.sha256 or _untouched(path, ingested_at)):
            names[photo_id] = item.id
            continue
        try:
            digest = sha256_of(path, lambda: None) if path.is_file() else ""
        except OSError:
            continue
        if item and item.sha256 == digest:
            names[photo_id] = item.id
        elif digest in by_content:
            names[photo_id] = by_content[digest]
    return names


def _untouched(path: Path, since: float) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    return max(status.st_mtime, status.st_ctime) < since
