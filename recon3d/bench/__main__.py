"""One photo set in a process of its own, so that its peak memory is its own.

python -m recon3d.bench REQUEST.json: events go to stdout, one JSON object a line; the row and a
still are written where the request says.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

from recon3d.api import reconstruct
from recon3d.bench.measure import measure
from recon3d.bench.picture import draw
from recon3d.bench.request import Request
from recon3d.bench.rows import BenchRow, save_rows
from recon3d.bench.sets import SETS, set_folder
from recon3d.config import updated
from recon3d.core.errors import ReconError
from recon3d.results import Results, Until
from recon3d.run.task import Event

_LAST_BEFORE = {
    "pose": Until.INGEST,
    "depth": Until.POSE,
    "planes": Until.POSE,
    "refine": Until.POSE,
    "fuse": Until.DEPTH,
    "mesh": Until.FUSE,
}


def main(request: Request) -> None:
    """Run and measure one set; what a user would be told becomes the row's failure."""
    bench_set = SETS[request.name]
    row = BenchRow(name=request.name, what=bench_set.what)
    budget_bytes = request.runtime.memory_bytes
    begun: list[str] = []

    def tell(event: Event) -> None:
        if event.kind == "stage_started":
            begun.append(event.stage)
        sys.stdout.write(json.dumps(dataclasses.asdict(event)) + "\n")
        sys.stdout.flush()

    def run(until: Until) -> Results:
        return reconstruct(
            bench_set.inputs(files),
            request.workspace,
            updated(request.config, bench_set.overrides),
            runtime=request.runtime,
            listener=tell,
            until=until,
        )

    try:
        rendered = bench_set.rendered
        files = request.rendered if rendered else set_folder(request.name, request.data)
        results = run(Until.TEXTURE)
        row = measure(request.name, bench_set, files, results)
        draw(request.still, results, bench_set)
    except ReconError as error:
        before = _LAST_BEFORE.get(begun[-1]) if begun else None
        if before:
            # What came before the failure is cached, so this only reads it.
            row = measure(request.name, bench_set, files, run(before))
        row = dataclasses.replace(row, failure=f"{error} {error.hint}".strip())
    # What no stage of this process made was in the workspace before.
    kept = tuple(stage for stage in row.stages if stage not in begun)
    save_rows(request.row, [dataclasses.replace(row, kept=kept, budget_bytes=budget_bytes)])


if __name__ == "__main__":
    main(Request.read(Path(sys.argv[1])))
