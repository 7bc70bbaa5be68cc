"""Differences between two benches: their size, their sign, and what is not comparable."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from recon3d.bench.compare import difference_table, differences
from recon3d.bench.metrics import SurfaceScores
from recon3d.bench.rows import BenchRow, load_earlier, load_rows, save_rows
from recon3d.bench.shape import ShapeScores
from recon3d.bench.surface import SurfaceErrors
from recon3d.core.errors import InputError
from recon3d.run.cost import Cost

ROW = BenchRow(
    name="kitchen_posed",
    what="a kitchen",
    unit="m",
    photos=50,
    placed=50,
    agreement=0.455,
    surface=SurfaceErrors(
        6.2, 0.02, 0.1, (SurfaceScores(0.05, 0.93, 0.47, 0.62),), "the sensor", True
    ),
    shape=ShapeScores(0.6, 40, 55.0, 6.0),
    stages={"depth": Cost(80.0, 120.0, 1500 << 20)},
)


def changed(now: BenchRow, before: BenchRow) -> dict[str, int]:
    return {d.figure: d.better for d in differences([now], [before]) if d.better}


def test_a_bench_does_not_differ_from_itself() -> None:
    assert changed(ROW, ROW) == {}
    assert "0 figures better, 0 worse" in difference_table([ROW], [ROW])


def test_signs_follow_what_is_better_not_what_is_more() -> None:
    surface = replace(ROW.surface, scores=(SurfaceScores(0.05, 0.84, 0.57, 0.68),))
    now = replace(
        ROW,
        surface=surface,
        shape=ShapeScores(0.7, 30, 55.0, 7.5),
        stages={"depth": Cost(80.0, 204.0, 1500 << 20)},
    )
    assert changed(now, ROW) == {
        "mesh at 5 cm: accuracy": -1,
        "mesh at 5 cm: completeness": 1,
        "mesh at 5 cm: F": 1,
        "photo pixels covered": 1,
        "border loops": 1,
        "ripple °": -1,
        "CPU s": -1,
    }
    text = difference_table([now], [ROW])
    assert "4 figures better, 3 worse" in text
    assert "| mesh at 5 cm: accuracy | 0.930 | 0.840 | -0.090 | WORSE |" in text
    assert "| border loops | 40 | 30 | -10 | better |" in text


def test_costs_are_compared_only_where_both_benches_ran_all_stages() -> None:
    slow = replace(ROW, stages={"depth": Cost(80.0, 500.0, 1500 << 20)})
    assert changed(slow, ROW) == {"CPU s": -1}
    assert changed(replace(slow, kept=("depth",)), ROW) == {}


def test_figures_and_sets_that_the_earlier_bench_lacks_are_no_differences() -> None:
    assert "mesh at 5 cm: F" not in changed(ROW, replace(ROW, surface=None))
    other = replace(ROW, name="fountain")
    assert "lacks fountain" in difference_table([ROW, other], [ROW])


def test_rows_written_before_shape_and_metres_were_known_can_be_read(tmp_path: Path) -> None:
    save_rows(tmp_path / "bench.json", [ROW])
    fields = json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))
    del fields[0]["shape"], fields[0]["kept"]
    del fields[0]["surface"]["in_metres"], fields[0]["surface"]["against"]
    (tmp_path / "bench.json").write_text(json.dumps(fields), encoding="utf-8")
    (row,) = load_rows(tmp_path / "bench.json")
    assert row.shape is None
    assert row.surface is not None
    assert not row.surface.in_metres
    assert row.agreement == pytest.approx(0.455)


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '[{"name": "x"}]'])
def test_a_file_that_is_no_bench_is_refused(tmp_path: Path, content: str | None) -> None:
    source = tmp_path / "other.json"
    if content is not None:
        source.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="no results of a bench"):
        load_earlier(source)
