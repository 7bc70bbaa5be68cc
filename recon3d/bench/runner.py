"""Run photo sets one after the other, each in a fresh process, and gather the table."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from recon3d.bench.page import write_page
from recon3d.bench.request import Request
from recon3d.bench.rows import BenchRow, kept_row, load_rows, markdown, save_rows
from recon3d.bench.sets import MEMORY_SETS, SETS, TOWN_SETS
from recon3d.bench.town import render_town
from recon3d.config import Config
from recon3d.core.errors import Cancelled, ConfigError, InputError
from recon3d.run.device import Runtime
from recon3d.run.files import atomic_path, explain_write_errors
from recon3d.run.task import CancelToken, Event, Listener, silent

TABLE_JSON, TABLE_MARKDOWN, STILLS = "bench.json", "bench.md", "stills"
_LOG = "log.txt"
_LAST_LINES = 3


def run_bench(
    names: Sequence[str],
    data: Path | None,
    out: Path,
    config: Config,
    runtime: Runtime,
    listener: Listener = silent,
    *,
    cancel: CancelToken | None = None,
    page: Path | None = None,
) -> list[BenchRow]:
    """Reconstruct and measure photo sets; a set that fails becomes a row that says why.

    Args:
        names: Of `SETS`; empty runs all but those of memory and the town.
        data: Folder with the photo sets; the example needs none. None takes RECON3D_DATA.
        out: bench.json, bench.md, stills and the sets' workspaces go here. Rows of sets that are
            not run again stay, without their costs in the table; so do costs of stages whose
            results a workspace holds already. For costs of all in one go take an empty folder.
        config: What to compute; some sets override a setting, see `SETS`.
        runtime: How to run.
        listener: Told of every step; stages are named "set: stage".
        cancel: Set it to stop.
        page: A Markdown page whose part between `<!-- bench -->` and `<!-- /bench -->` shall hold
            the table and the stills; these go into a folder beside it.

    Raises:
        ConfigError: an unknown name.
        OutputError: out or page cannot be written.
        Cancelled: `cancel` was set.
    """
    if unknown := [name for name in names if name not in SETS]:
        raise ConfigError(
            f"There is no photo set called {', '.join(unknown)}.",
            hint=f"Known sets: {', '.join(SETS)}.",
        )
    if data is None and os.environ.get("RECON3D_DATA"):
        data = Path(os.environ["RECON3D_DATA"])
    chosen = list(names) or [name for name in SETS if name not in MEMORY_SETS + TOWN_SETS]
    rows = {row.name: kept_row(row) for row in load_rows(out / TABLE_JSON)}
    for name in chosen:
        request = Request(name, data and data.absolute(), (out / name).absolute(), runtime)
        rows[name] = _run_set(request, out / STILLS, config, listener, cancel or CancelToken())
        table = [rows[known] for known in SETS if known in rows]
        save_rows(out / TABLE_JSON, table)
        with atomic_path(out / TABLE_MARKDOWN) as part:
            part.write_text(markdown(table) + "\n", encoding="utf-8")
    if page:
        write_page(page, list(rows.values()), out / STILLS)
    return [rows[name] for name in chosen]


def _run_set(
    request: Request, stills: Path, config: Config, listener: Listener, cancel: CancelToken
) -> BenchRow:
    with explain_write_errors(request.folder):
        file = request.write(config)
    if SETS[request.name].rendered:
        try:
            render_town(request.rendered, request.name, listener, cancel, request.runtime)
        except InputError as error:
            return _failed(request, f"{error} {error.hint}")
    code = _run_child(file, request.name, listener, cancel)
    if code == 0:
        if request.still.exists():
            stills.mkdir(exist_ok=True)
            shutil.copyfile(request.still, stills / f"{request.name}.jpg")
        return load_rows(request.row)[0]
    log = (request.folder / _LOG).read_text(encoding="utf-8", errors="replace").splitlines()
    said = " ".join(log[-_LAST_LINES:]) or "without a word"
    return _failed(request, f"Ended with code {code}: {said}")


def _failed(request: Request, why: str) -> BenchRow:
    return BenchRow(name=request.name, what=SETS[request.name].what, failure=why)


def _run_child(file: Path, name: str, listener: Listener, cancel: CancelToken) -> int:
    """The exit code; every event of the child reaches the listener."""
    command = [sys.executable, "-m", "recon3d.bench", str(file)]
    # The child finds the recon3d that runs here, installed or not.
    root = str(Path(__file__).resolve().parents[2])
    paths = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    with (
        (file.parent / _LOG).open("w", encoding="utf-8") as log,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONPATH": paths},
        ) as child,
    ):
        try:
            for line in child.stdout or ():
                if cancel.cancelled:
                    raise Cancelled
                # Libraries print to stdout too.
                if line.startswith('{"kind"'):
                    fields = json.loads(line)
                    listener(Event(**{**fields, "stage": f"{name}: {fields['stage']}"}))
        except BaseException:
            child.kill()
            raise
    return child.returncode
