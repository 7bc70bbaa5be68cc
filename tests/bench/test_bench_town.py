"""Sets that are rendered on first use, and how their true mesh is compared with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recon3d.bench import MEMORY_SETS, SETS, TOWN_SETS, run_bench, runner, town
from recon3d.bench.measure import _reference as reference_of
from recon3d.bench.rows import BenchRow
from recon3d.bench.sets import BenchSet
from recon3d.bench.surface import surface_errors
from recon3d.config import Config
from recon3d.core.camera import PinholeCamera
from recon3d.core.errors import Cancelled, InputError
from recon3d.core.scene import View
from recon3d.core.surface import Mesh
from recon3d.core.transform import Rigid
from recon3d.export.meshes import write_mesh
from recon3d.run.device import Runtime
from recon3d.run.task import CancelToken, Event, silent

RENDERER = """
import sys
from pathlib import Path
out, photos, threads = sys.argv[1:]
Path(out).mkdir(parents=True)
(Path(out) / "asked").write_text(photos + " " + threads)
for number in range(1, 4):
    print(f"{number} of 3: town_{number}.jpg", flush=True)
"""


@pytest.fixture
def renderer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for the true one, which takes seconds for each photo."""
    script = tmp_path / "renderer.py"
    script.write_text(RENDERER)
    monkeypatch.setattr(town, "_SCRIPT", script)
    return script


def test_the_renderer_tells_how_far_it_is_and_uses_the_threads_of_the_run(
    renderer: Path, tmp_path: Path
) -> None:
    events: list[Event] = []
    runtime = Runtime(workers=3)
    town.render_town(tmp_path / "out", "town_50", events.append, CancelToken(), runtime)
    assert (tmp_path / "out" / "asked").read_text() == "--photos=50 --threads=3"
    assert {event.stage for event in events} == {"town_50: render"}
    assert [event.kind for event in events] == [
        "stage_started",
        *["progress"] * 3,
        "stage_finished",
    ]
    told = [(event.done, event.total, event.note) for event in events[1:-1]]
    assert told == [(k, 3, f"town_{k}.jpg") for k in (1, 2, 3)]


def test_cancel_ends_the_renderer(renderer: Path, tmp_path: Path) -> None:
    renderer.write_text(RENDERER + "import time\ntime.sleep(600)\n")
    cancel = CancelToken()

    def listen(event: Event) -> None:
        if event.done == 2:
            cancel.cancel()

    # Would last ten minutes.
    with pytest.raises(Cancelled):
        town.render_town(tmp_path / "out", "town_50", listen, cancel, Runtime())


def test_a_renderer_that_fails_or_is_not_there_becomes_a_row_that_says_why(
    renderer: Path, tmp_path: Path
) -> None:
    renderer.write_text("raise SystemExit('out of paint')")
    (row,) = run_bench(["town_50"], None, tmp_path / "out", Config(), Runtime())
    assert "out of paint" in row.failure
    assert row.what == SETS["town_50"].what
    renderer.unlink()
    with pytest.raises(InputError, match="is not there"):
        town.render_town(tmp_path / "out", "town_50", silent, CancelToken(), Runtime())


def test_the_true_renderer_is_where_it_is_looked_for() -> None:
    assert town._SCRIPT.name == "make_town.py"
    assert town._SCRIPT.exists()


def test_sets_that_take_hours_or_repeat_others_run_only_when_they_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    def run(request: runner.Request, *_: object) -> BenchRow:
        ran.append(request.name)
        return BenchRow(name=request.name, what="")

    monkeypatch.setattr(runner, "_run_set", run)
    run_bench([], None, tmp_path, Config(), Runtime())
    assert TOWN_SETS == ("town_50", "town_100", "town_500")
    assert {*ran, *TOWN_SETS, *MEMORY_SETS} == SETS.keys()
    assert not {*TOWN_SETS, *MEMORY_SETS} & {*ran}


def test_a_true_mesh_counts_only_as_far_as_photos_see_it_well(tmp_path: Path) -> None:
    def floor(x: float, z: float) -> Mesh:
        corners = np.array([[x - 1, -1, z], [x + 1, -1, z], [x + 1, 1, z], [x - 1, 1, z]])
        return Mesh(corners.astype(np.float32), np.array([[0, 1, 2], [0, 2, 3]], np.int32))

    def both(a: Mesh, b: Mesh) -> Mesh:
        faces = np.concatenate([a.faces, b.faces + 4]).astype(np.int32)
        return Mesh(np.concatenate([a.vertices, b.vertices]), faces)

    camera = PinholeCamera(400, 100, 20.0, 20.0, 200.0, 50.0)
    views = [View(str(x), camera, Rigid(np.eye(3), np.array([-x, 0, 0]))) for x in (0.0, 0.1)]
    # Near ones 3 away, far ones 20 and more.
    write_mesh(tmp_path / "mesh.ply", both(floor(0, 3.0), floor(20, 3.0)))
    found = both(floor(0, 3.1), floor(20, 9.0))
    whole = BenchSet(what="", true_mesh="mesh.ply", thresholds_m=(0.05, 0.2))
    near = replace(whole, reach=6.0)
    scores = {}
    for bench_set in (whole, near):
        reference = reference_of(bench_set, tmp_path, views, None)
        assert reference is not None
        scores[bench_set.reach] = surface_errors(found, reference).scores
    assert [score.threshold for score in scores[6.0]] == [0.05, 0.2]
    # Half of all that is found is wrong, but none of what is near is off by more than 10 cm.
    assert [score.accuracy for score in scores[0.0]] == pytest.approx([0, 0.5], abs=0.01)
    assert [(score.accuracy, score.completeness) for score in scores[6.0]] == [(0, 0), (1, 1)]
