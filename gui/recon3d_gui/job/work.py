"""What the job process does for each request; free of pipes and threads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from recon3d.core.errors import ReconError
from recon3d.core.surface import inferred_share
from recon3d.photos.finding import list_photos
from recon3d.photos.naming import VIDEO_SUFFIXES, named
from recon3d.results import Forecast, Results
from recon3d.run.device import Runtime
from recon3d.run.task import CancelToken, Event, Listener, Task, silent
from recon3d_gui.job.messages import (
    AdjustRequest,
    Amount,
    ExportRequest,
    RunRequest,
    Summary,
)


def perform(
    request: RunRequest | AdjustRequest | ExportRequest,
    begin: Callable[[Amount], None],
    listener: Listener,
    cancel: CancelToken,
) -> Summary:
    """Do a job.

    begin: called before the work, and again when more is known of how much there is.

    Raises:
        ReconError: the photos, files, settings or places do not allow it.
        Cancelled: `cancel` was set.
    """
    if isinstance(request, RunRequest):
        begin(amount_of(request, cancel))
        return _run(request, _recounting(request, begin, listener), cancel)
    begin(Amount())
    if isinstance(request, AdjustRequest):
        return _adjust(request, listener, cancel)
    return _export(request, Task("export", listener, cancel))


def _recounting(
    request: RunRequest, begin: Callable[[Amount], None], listener: Listener
) -> Listener:
    """Once the photos are read, those that are used and frames of a video are known."""

    def tell(event: Event) -> None:
        listener(event)
        if event.stage == "ingest" and event.kind in ("stage_finished", "stage_cached"):
            from recon3d.photos.ingest import read_image_set

            image_set = read_image_set(Path(event.folder), request.inputs.excluded)
            begin(Amount(len(image_set.photos), image_set.typical_megapixels))

    return tell


def _run(request: RunRequest, listener: Listener, cancel: CancelToken) -> Summary:
    from recon3d.api import reconstruct

    made = reconstruct(
        request.inputs,
        request.workspace,
        request.config,
        runtime=Runtime(device=request.device),
        listener=listener,
        cancel=cancel,
        until=request.until,
    )
    return _summary(made)


def _adjust(request: AdjustRequest, listener: Listener, cancel: CancelToken) -> Summary:
    from recon3d.api import adjust

    runtime = Runtime(device=request.device)
    return _summary(
        adjust(
            request.workspace,
            request.reached,
            request.config,
            markers=request.markers,
            runtime=runtime,
            listener=listener,
            cancel=cancel,
        )
    )


def _summary(made: Results) -> Summary:
    given = placed = faces = 0
    inferred = None
    if made.image_set:
        image_set = made.image_set.value
        left_out = {verdict.photo_id for verdict in image_set.verdicts if not verdict.used}
        given = len({photo.id for photo in image_set.photos} | left_out)
    if made.posed:
        placed = len(made.posed.value.scene.views)
    if made.mesh:
        mesh = made.mesh.value
        faces, inferred = len(mesh.faces), inferred_share(mesh)
    report = made.workspace / "report.html"
    return Summary(given, placed, faces, inferred, report if report.exists() else None)


def _export(request: ExportRequest, task: Task) -> Summary:
    from recon3d.export.export import check_outputs
    from recon3d.finished import gather
    from recon3d.outputs import write_outputs

    check_outputs(request.outputs)
    made = gather(request.workspace, request.reached)
    if not made.frame:
        raise ReconError(
            "This run ended before there was anything to save.",
            hint="Press Start to go on with it; what is finished stays.",
        )
    return Summary(written=write_outputs(made, request.outputs, request.config, task))


def foresee(request: RunRequest, cancel: CancelToken) -> Forecast:
    """Tell what a run would compute.

    Raises:
        ReconError: it would fail at its start.
        Cancelled: `cancel` was set.
    """
    from recon3d.api import forecast

    return forecast(
        request.inputs,
        request.workspace,
        request.config,
        runtime=Runtime(device=request.device),
        cancel=cancel,
        until=request.until,
    )


def amount_of(request: RunRequest, cancel: CancelToken) -> Amount:
    """Count the photos; whatever is wrong with them, the run itself tells better.

    Raises:
        Cancelled: `cancel` was set.
    """
    try:
        photos = list_photos(request.inputs.photos, request.inputs.named_below)
    except ReconError:
        return Amount()
    left_out = {photo for ids in named(photos, request.inputs.excluded).values() for photo in ids}
    files = [path for photo, path in photos.items() if photo not in left_out]
    if len(files) == 1 and files[0].suffix.lower() in VIDEO_SUFFIXES:
        most = request.config.ingest.video_frames
        try:
            changed_ns = files[0].stat().st_mtime_ns
            return _film_amount(files[0], changed_ns, most, Task("count", silent, cancel))
        except (ReconError, OSError):
            return Amount()
    return Amount(len(files), _megapixels(files[len(files) // 2]) if files else 0.0)


_films: dict[tuple[Path, int, int], Amount] = {}


def _film_amount(film: Path, changed_ns: int, most: int, task: Task) -> Amount:
    """Counted once: a forecast is asked for at every change of a setting."""
    from recon3d.photos.video import film_amount

    key = (film, changed_ns, most)
    if key not in _films:
        count, width_px, height_px = film_amount(film, most, task.check)
        _films[key] = Amount(count, width_px * height_px / 1e6)
    return _films[key]


def _megapixels(photo: Path) -> float:
    from recon3d.photos.pictures import read_size

    try:
        width_px, height_px = read_size(photo)
        return width_px * height_px / 1e6
    except ReconError:
        # Without a size the guess is a coarser one.
        return 0.0
