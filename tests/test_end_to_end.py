"""Whole runs: photos in, mesh out, measured against the truth."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from recon3d.api import paint, reconstruct
from recon3d.bench import SETS, BenchRow
from recon3d.bench.measure import measure, texture_of
from recon3d.config import Config, preset
from recon3d.export.export import Outputs
from recon3d.results import Inputs, Results, Until

pytestmark = pytest.mark.usefixtures("small_stills")


def cached_stages(results: Results) -> dict[str, bool]:
    return {made.stage: made.cached for made in results.stages}


@pytest.fixture(scope="module")
def few_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Neighbouring photos of the example at a third of their size; K.json fits any size."""
    source = Path(__file__).resolve().parent.parent / "examples" / "photos"
    folder = tmp_path_factory.mktemp("few photos, größer 写真")
    for path in sorted(source.glob("*.jpg"))[4:9]:
        with Image.open(path) as photo:
            small = photo.resize((480, 320), Image.Resampling.LANCZOS)
        small.save(folder / path.name, quality=95)
    (folder / "K.json").write_bytes((source / "K.json").read_bytes())
    return folder


def quick(config: Config) -> Config:
    depth = replace(config.depth, resolution_px=320, planes=48, source_views=2)
    return replace(config, depth=depth, pose=replace(config.pose, features=2000))


def test_a_few_small_photos_become_a_mesh_and_a_second_run_computes_nothing(
    few_photos: Path, tmp_path: Path
) -> None:
    config = quick(preset("draft"))
    inputs = Inputs(photos=few_photos, intrinsics=few_photos / "K.json")
    outputs = Outputs(meshes=(tmp_path / "ruin.ply",))
    first = reconstruct(inputs, tmp_path / "work", config, outputs=outputs)
    assert first.posed is not None
    assert first.mesh is not None
    assert len(first.posed.value.scene.views) == 5
    assert len(first.mesh.value.faces) > 1000
    assert (tmp_path / "ruin.ply").stat().st_size > 20_000
    assert not any(cached_stages(first).values())

    again = reconstruct(inputs, tmp_path / "work", config)
    assert all(cached_stages(again).values())

    fewer = replace(config, mesh=replace(config.mesh, faces=500))
    changed = reconstruct(inputs, tmp_path / "work", fewer)
    assert [stage for stage, cached in cached_stages(changed).items() if not cached] == [
        "mesh",
        "frame",
    ]
    assert changed.mesh is not None
    assert len(changed.mesh.value.faces) <= 500

    # Every step of depth has its cost told, not only the last.
    with_planes = replace(config, refine=replace(config.refine, plain_regions=True))
    depth = reconstruct(inputs, tmp_path / "work", with_planes, until=Until.DEPTH)
    assert [*cached_stages(depth)] == ["ingest", "pose", "depth", "planes", "refine", "frame"]


def test_a_photo_left_out_is_not_placed_and_is_read_only_once(
    few_photos: Path, tmp_path: Path
) -> None:
    config = quick(preset("draft"))
    fewer = Inputs(photos=few_photos, excluded=frozenset({"*_08.jpg"}))
    without = reconstruct(fewer, tmp_path / "work", config, until=Until.POSE)
    assert without.posed is not None
    assert len(without.posed.value.scene.views) == 4
    report = json.loads((tmp_path / "work" / "report.json").read_text(encoding="utf-8"))
    (left_out,) = (photo for photo in report["photos"] if photo["verdict"] != "used")
    assert (left_out["id"], left_out["reason"]) == ("ruin_08.jpg", "you left it out")
    every = reconstruct(few_photos, tmp_path / "work", config, until=Until.INGEST)
    assert cached_stages(every) == {"ingest": True}


def bench_row(name: str, folder: Path, workspace: Path, config: Config) -> BenchRow:
    bench_set = SETS[name]
    results = reconstruct(bench_set.inputs(folder), workspace, config, until=Until.MESH)
    return measure(name, bench_set, folder, results)


@pytest.mark.slow
def test_the_example_is_rebuilt_to_one_percent_of_its_size(example: Path, tmp_path: Path) -> None:
    row = bench_row("example", example.parent, tmp_path, Config())
    assert row.placed == row.photos == 24
    assert row.cameras is not None
    assert row.surface is not None
    # Truth is exact and the lens known: a millimetre at three metres is about a third of a pixel.
    assert row.cameras.mean_position < 0.001
    assert row.cameras.mean_rotation_deg < 0.02
    at_one_percent = row.surface.scores[1]
    assert at_one_percent.threshold == pytest.approx(0.01 * row.surface.diagonal)
    assert at_one_percent.f_score >= 0.95


@pytest.mark.slow
def test_its_own_mesh_painted_again_has_the_colours_of_the_run(
    example: Path, tmp_path: Path
) -> None:
    target, bench_set, folder = tmp_path / "ruin.glb", SETS["example"], example.parent
    inputs, outputs = bench_set.inputs(folder), Outputs(meshes=(target,))
    run = reconstruct(inputs, tmp_path / "work", preset("draft"), outputs=outputs)
    assert bench_set.true_cameras is not None
    truth = bench_set.true_cameras(folder)

    def colour(results: Results) -> float:
        texture = texture_of(results, bench_set, folder, truth)
        assert texture is not None
        assert texture.colour_error is not None
        return texture.colour_error

    for keep_uv in (False, True):
        again = paint(target, tmp_path / "work", keep_uv=keep_uv)
        assert colour(again) == pytest.approx(colour(run), rel=0.02)


@pytest.mark.slow
def test_fountain_is_placed_to_five_millimetres(real_photos: Path, tmp_path: Path) -> None:
    row = bench_row("fountain", real_photos / "fountain", tmp_path, Config())
    assert row.placed == row.photos == 11
    assert row.cameras is not None
    # The survey's own accuracy is about 3 mm (Strecha et al. 2008).
    assert row.cameras.mean_position <= 0.005
    assert row.cameras.mean_rotation_deg <= 0.05
    # At 1536 px, sky and ground included; measured 0.65. A prototype had 0.71 at 800 px, where one
    # pixel is twice as wide.
    assert row.agreement is not None
    assert row.agreement > 0.6
    assert row.faces > 50_000


@pytest.mark.slow
def test_the_example_stays_within_three_gib_however_many_threads_there_are(
    example: Path, tmp_path: Path
) -> None:
    # In a process of its own, whose memory is its own; eight photos at once would take six GiB.
    outputs = ["-o", str(tmp_path / "a.ply"), "--workspace", str(tmp_path / "a.recon3d")]
    command = ["mesh", str(example), "--intrinsics", str(example / "K.json"), *outputs, "--quiet"]
    limits = ["--memory-gib", "3", "--workers", "8"]
    subprocess.run([sys.executable, "-m", "recon3d", *command, *limits], check=True)
    costs = json.loads((tmp_path / "a.recon3d" / "report.json").read_text())["stages"]
    peaks = {stage: cost["peak_memory_bytes"] / 2**30 for stage, cost in costs.items()}
    assert {"ingest", "depth", "fuse", "mesh", "texture"} <= set(peaks) | {"texture"}
    assert max(peaks.values()) < 3, peaks
