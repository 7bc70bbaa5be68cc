"""Whatever decides the depth is part of its key."""

from __future__ import annotations

from pathlib import Path

import pytest

from recon3d.depth import method_digest as digests
from recon3d.depth.method_digest import method_digest
from recon3d.depth.registry import make_estimator
from recon3d.run.device import Runtime

BUILT_IN = ("planesweep", "multiview", "resnet", "sensor", "planesweep+resnet")


def digest(model: str, **settings: object) -> str:
    return make_estimator(model, settings, Runtime()).digest


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("planesweep", {"planes": 64}),
        ("planesweep+resnet", {"planes": 64}),
        ("multiview", {"network_px": 320}),
        ("multiview", {"speed": "half"}),
        ("resnet", {"cleanup": "none"}),
    ],
)
def test_a_setting_changes_the_digest(model: str, settings: dict[str, object]) -> None:
    assert digest(model, **settings) != digest(model) == digest(model)


@pytest.mark.parametrize("model", BUILT_IN)
def test_another_opencv_changes_the_digest(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest(model)
    monkeypatch.setattr(digests, "library_version", lambda name: "0.1" if name == "opencv" else "1")
    other = digest(model)
    monkeypatch.setattr(digests, "library_version", lambda name: "0.2" if name == "opencv" else "1")
    assert len({before, other, digest(model)}) == 3


def test_a_constant_in_the_source_changes_the_digest(tmp_path: Path) -> None:
    for name, content in (("a", "X = 1\n"), ("b", "X = 2\n"), ("c", "X = 1\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "way.py").write_text(content)
    a, b, c = (method_digest(tmp_path / name, ("way.py",), {}, ()) for name in "abc")
    assert a == c != b
