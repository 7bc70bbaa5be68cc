"""Projects from what a person drops or picks: a project file, a workspace, a mesh, photos."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

from platformdirs import user_documents_path

from recon3d.config import Config, Preset, preset, updated
from recon3d.core.errors import ConfigError, InputError
from recon3d.core.scene import ImageSet
from recon3d.language import translate, word
from recon3d.photos.finding import list_photos
from recon3d.photos.naming import VIDEO_SUFFIXES
from recon3d.results import OPTIONAL_FILES
from recon3d.run.documents import parse_json
from recon3d.run.notes import files_of_run
from recon3d_gui.project.file import SUFFIX, Opened, read_project
from recon3d_gui.project.project import Changes, Project, RunRecord

WORKSPACE_SUFFIX = ".recon3d"
_UNTITLED = word("untitled")
MESH_SUFFIXES = frozenset({".ply", ".obj", ".glb", ".stl", ".3mf", ".usdz"})
_USUAL_FOLDERS = frozenset({
    "images", "image", "imgs", "img", "photos", "photo", "pictures", "pics", "jpg", "jpeg", "jpgs",
    "png", "raw", "frames", "input", "inputs", "data", "dcim", "camera", "rgb", "color", "colour",
    "bilder", "fotos", "new folder", "neuer ordner",
})  # fmt: skip
"""Folders that say nothing of what is in them."""
_CAMERA_FOLDER = re.compile(r"\d{3}[a-z0-9_]{0,5}")
"""As cameras number them on their cards (DCF): 100CANON, 101_PANA."""
_MAX_REPORT_BYTES = 256 << 20


def is_project(path: Path) -> bool:
    """Whether `open_project` is the one to ask, by the name alone."""
    return path.suffix.lower() in {SUFFIX, WORKSPACE_SUFFIX, *MESH_SUFFIXES}


def new_project(sources: Iterable[Path] = ()) -> Project:
    """A project of files and folders that nothing was computed for yet."""
    paths = tuple(Path(os.path.normpath(path.absolute())) for path in sources)
    return Project(sources=paths, workspace=workspace_for(paths))


def workspace_for(sources: Sequence[Path]) -> Path:
    """Where a project of these files works until a person says otherwise.

    Beside the first folder or in the folder of the first file, and named like it, if one may write
    there; else in the user's documents.
    """
    if not sources:
        return _home() / f"{_UNTITLED}{WORKSPACE_SUFFIX}"
    first = sources[0]
    name = (first.name if first.is_dir() else first.stem) or "scene"
    place = first.parent if os.access(first.parent, os.W_OK) else _home()
    return place / f"{name}{WORKSPACE_SUFFIX}"


def title_of(project: Project) -> str:
    """What people would call a project that has no file of its own.

    The folder of its photos; where that is called like any other, the folder around it. A
    workspace that a person has named, or one that was opened, tells it by its name.
    """
    sources, name = project.sources, project.workspace.stem
    if not sources and name == _UNTITLED:
        return translate(name)
    if not sources or project.workspace != workspace_for(sources):
        return name
    first = sources[0]
    if first.suffix.lower() in VIDEO_SUFFIXES:
        return first.stem
    folder = first if first.is_dir() else first.parent
    while _says_nothing(folder.name) and folder.parent.name:
        folder = folder.parent
    return folder.name or name


def _says_nothing(name: str) -> bool:
    plain = name.lower()
    return plain in _USUAL_FOLDERS or _CAMERA_FOLDER.fullmatch(plain) is not None


def open_project(path: Path) -> Opened:
    """Open a project file, a workspace, or a mesh that recon3d has written.

    A workspace whose project file lies beside it is opened by that. Disks may be slow: not for
    the main thread.

    Raises:
        InputError: it cannot be read, or belongs to no project; says what to do.
    """
    path = Path(os.path.normpath(path.absolute()))
    if path.suffix.lower() == SUFFIX:
        return read_project(path)
    workspace = path.with_suffix(WORKSPACE_SUFFIX)
    if path.suffix.lower() in MESH_SUFFIXES and not workspace.is_dir():
        raise InputError(
            f"{path.name} has no workspace beside it ({workspace.name}).",
            hint="Drop the photos that it was made from, or a folder ending in .recon3d.",
        )
    saved = workspace.with_suffix(SUFFIX)
    if saved.is_file():
        opened = read_project(saved)
        if opened.project.workspace == workspace:
            return opened
    return _from_workspace(workspace)


def _from_workspace(workspace: Path) -> Opened:
    from recon3d.finished import reopen

    results = reopen(workspace)
    reached = {made.stage: made.folder.name for made in results.stages}
    notes = []
    settings = _reported_settings(workspace)
    if settings is None:
        notes.append(f"{workspace.name}: its report is damaged, so settings are the usual ones.")
    chosen, changes = _closest_preset(settings or Config())
    finished_at = datetime.fromtimestamp((workspace / "run.json").stat().st_mtime).astimezone()
    image_set = results.image_set.value if results.image_set else None
    sources, named_below = _sources(image_set) if image_set else ((), None)
    if image_set and (missing := [p.path for p in image_set.photos if not Path(p.path).exists()]):
        notes.append(f"{len(missing)} photos are no longer there, such as {missing[0]}.")
    given = {name: path for name, path in files_of_run(workspace).items() if name in OPTIONAL_FILES}
    files = {name: path for name, path in given.items() if path.exists()}
    notes += [
        f"{given[name]} is no longer there: add it again." for name in given if name not in files
    ]
    if (
        "intrinsics" not in given
        and results.posed
        and any(c.source == "given" for c in results.posed.value.scene.cameras.values())
    ):
        # Of a workspace that does not say which file that was.
        notes.append("This run was given a camera file: add it again before you start another.")
    if "gcp" in given:
        notes.append(
            "This run was given ground control points. What you change here keeps their frame, "
            "but a new run of the window goes without them."
        )
    project = Project(
        sources=sources,
        named_below=named_below,
        excluded=frozenset(image_set.excluded) if image_set else frozenset(),
        preset=chosen,
        changes=changes,
        workspace=workspace,
        intrinsics=files.get("intrinsics"),
        poses=files.get("poses"),
        masks=files.get("masks"),
        drawn_masks=files.get("drawn_masks"),
        sensor_depth=files.get("sensor_depth"),
        runs=(
            RunRecord(
                name="Run 1",
                finished_at=finished_at,
                preset=chosen,
                changes=changes,
                reached=reached,
            ),
        ),
    )
    return Opened(project, tuple(notes))


def _reported_settings(workspace: Path) -> Config | None:
    """What the report says; None where it is damaged."""
    report = workspace / "report.json"
    try:
        if report.stat().st_size > _MAX_REPORT_BYTES:
            return None
        settings = parse_json(report.read_text(encoding="utf-8"))["settings"]
        return updated(Config(), settings)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ConfigError):
        return None


def _closest_preset(config: Config) -> tuple[Preset, Changes]:
    names: tuple[Preset, ...] = get_args(Preset)
    by_preset = {name: _differences(preset(name), config) for name in names}
    chosen = min(names, key=lambda name: sum(map(len, by_preset[name].values())))
    return chosen, by_preset[chosen]


def _differences(base: Config, config: Config) -> Changes:
    usual: Mapping[str, dict[str, Any]] = asdict(base)
    found = {
        stage: {name: value for name, value in settings.items() if value != usual[stage][name]}
        for stage, settings in asdict(config).items()
    }
    return {stage: settings for stage, settings in found.items() if settings}


def _sources(image_set: ImageSet) -> tuple[tuple[Path, ...], Path | None]:
    """The folder that all photos come from, if it holds no others; else the files.

    With the folder below which they are named, where the photos do not say it themselves.
    """
    files = {photo.id: Path(photo.path) for photo in image_set.photos}
    roots = Counter(_without_end(path, photo_id) for photo_id, path in files.items())
    ((root, count),) = roots.most_common(1)
    everything = {
        *files,
        *image_set.excluded,
        *(verdict.photo_id for verdict in image_set.verdicts),
    }
    is_all = root is not None and count == len(files) and root.is_dir()
    if root and is_all and list_photos(root).keys() == everything:
        return (root,), None
    return tuple(dict.fromkeys(files.values())), root


def _without_end(path: Path, photo_id: str) -> Path | None:
    depth = len(Path(photo_id).parts)
    return path.parents[depth - 1] if path.as_posix().endswith(f"/{photo_id}") else None


def _home() -> Path:
    return user_documents_path() / "recon3d"
