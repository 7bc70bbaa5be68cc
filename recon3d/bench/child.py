"""One photo set in a process of its own, so that its peak memory is its own.

python -m recon3d.bench.child REQUEST.json: events go to stdout, one JSON object a line; the row
and a still are written into the request's folder.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

from recon3d.bench.measure import measure
from recon3d.bench.picture import draw
from recon3d.bench.rows import BenchRow, save_rows
from recon3d.bench.sets import SETS, set_folder
from recon3d.config import read_config, updated
from recon3d.core.errors import ReconError
from recon3d.pipeline import Results, Stage, reconstruct
from recon3d.run.device import Runtime
from recon3d.run.task import Event

ROW, STILL, CONFIG, WORKSPACE = "row.json", "still.jpg", "settings.toml", "work.recon3d"
_LAST_BEFORE = {
    "pose": Stage.INGEST,
    "depth": Stage.POSE,
    "refine": Stage.POSE,
    "fuse": Stage.DEPTH,
    "mesh": Stage.FUSE,
}


def main(name: str, data: Path | None, folder: Path, runtime: Runtime) -> None:
    """Run and measure one set; what a user would be told becomes the row's failure."""
    bench_set = SETS[name]
    row = BenchRow(name=name, what=bench_set.what)
    begun: list[str] = []

    def tell(event: Event) -> None:
        if event.kind == "stage_started":
            begun.append(event.stage)
        sys.stdout.write(json.dumps(dataclasses.asdict(event)) + "\n")
        sys.stdout.flush()

    def run(until: Stage) -> Results:
        config = updated(read_config(folder / CONFIG), bench_set.overrides)
        inputs = bench_set.inputs(files)
        return reconstruct(
            inputs, folder / WORKSPACE, config, runtime=runtime, listener=tell, until=until
        )

    try:
        files = set_folder(name, data)
        results = run(Stage.MESH)
        row = measure(name, bench_set, files, results)
        draw(folder / STILL, results, bench_set)
    except ReconError as error:
        before = _LAST_BEFORE.get(begun[-1]) if begun else None
        if before:
            # What came before the failure is cached, so this only reads it.
            row = measure(name, bench_set, files, run(before))
        row = dataclasses.replace(row, failure=f"{error} {error.hint}".strip())
    save_rows(folder / ROW, [row])


if __name__ == "__main__":
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    main(
        request["name"],
        Path(request["data"]) if request["data"] else None,
        Path(request["folder"]),
        Runtime(**request["runtime"]),
    )
