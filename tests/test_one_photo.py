"""A single photo becomes a relief: its lens, whole runs, and honest words about both."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh
from box_before_plane import BOX_Z, CAMERA, NAME, is_box, true_depth
from PIL import Image

from recon3d.api import reconstruct
from recon3d.config import Config
from recon3d.core.camera import Intrinsics, PinholeCamera, project
from recon3d.core.depth import DepthKind, DepthRequest, PredictedDepth
from recon3d.core.errors import EstimatorError, TooFewPhotosPlacedError
from recon3d.core.scene import CameraEstimate, Exif, GivenCameras, ImageSet, Photo
from recon3d.core.transform import Rigid
from recon3d.export.export import Outputs
from recon3d.results import Inputs, Results, Until
from recon3d.sfm.single_photo import stand_alone

pytestmark = pytest.mark.usefixtures("small_stills")


# The lens


class Knows:
    """An estimator that gives the true depth of the box before the plane."""

    name = "knows"
    source_views = 0

    def __init__(self, kind: DepthKind = "metric") -> None:
        self.kind: DepthKind = kind
        self.digest = f"knows-{kind}"

    def predict(
        self, requests: Iterable[DepthRequest], check_cancelled: Callable[[], None]
    ) -> Iterator[PredictedDepth]:
        for request in requests:
            check_cancelled()
            camera = request.reference.camera
            depth_z = true_depth(camera)
            values = 1 / depth_z if self.kind == "relative" else depth_z
            yield PredictedDepth(values, self.kind, np.ones_like(values), camera)


class Sees(Knows):
    """One that tells the field of view too."""

    def __init__(self, angle_deg: float | None) -> None:
        super().__init__()
        self.angle_deg = angle_deg

    def field_of_view_deg(self, rgb: np.ndarray) -> float | None:
        assert rgb.shape == (120, 160, 3)
        return self.angle_deg


@pytest.fixture
def lone(tmp_path: Path) -> Callable[..., CameraEstimate]:
    picture = tmp_path / NAME
    Image.new("RGB", (160, 120)).save(picture)

    def lens(
        estimator: Knows, focal_px: float | None = None, known: Intrinsics | None = None
    ) -> CameraEstimate:
        photo = Photo(NAME, str(picture), 160, 120, Exif(focal_px=focal_px), "", "camera")
        image_set = ImageSet((photo,), (), False, {NAME: picture}, {}, {})
        given = GivenCameras({NAME: known} if known else {})
        return stand_alone(image_set, given, estimator).placement.cameras["camera"]

    return lens


def test_the_focal_length_is_the_given_one_then_exif_then_the_networks_then_a_guess(
    lone: Callable[..., CameraEstimate],
) -> None:
    known = Intrinsics(CAMERA)
    sees = Sees(90.0)
    assert lone(sees, 222.0, known) == CameraEstimate(known, "given")
    exif = lone(sees, 222.0)
    assert (exif.source, exif.intrinsics.pinhole.fx_px) == ("exif", 222.0)
    seen = lone(sees)
    # Half of 160 px at 45 degrees.
    assert seen.source == "depth network"
    assert seen.intrinsics.pinhole.fx_px == pytest.approx(80)
    guess = lone(Knows())
    assert (guess.source, guess.intrinsics.pinhole.fx_px) == ("guessed", 192.0)
    assert (guess.intrinsics.pinhole.cx_px, guess.intrinsics.pinhole.cy_px) == (80.0, 60.0)


def test_a_pose_that_was_given_is_kept() -> None:
    turned = Rigid(np.diag([-1.0, -1.0, 1.0]), np.array([1.0, 2.0, 3.0]))
    photo = Photo(NAME, NAME, 160, 120, Exif(focal_px=150.0), "", "camera")
    image_set = ImageSet((photo,), (), False, {}, {}, {})
    placed = stand_alone(image_set, GivenCameras(cam_from_world={NAME: turned}), Knows()).placement
    assert placed.cam_from_world == {NAME: turned}


@pytest.mark.parametrize("angle_deg", [None, float("nan"), 0.0, 179.0])
def test_a_field_of_view_that_no_lens_has_is_not_believed(
    lone: Callable[..., CameraEstimate], angle_deg: float | None
) -> None:
    assert lone(Sees(angle_deg)).source == "guessed"


# Whole runs


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photo whose lens nobody knows, alone in a folder."""
    folder = tmp_path / "one photo ü"
    folder.mkdir()
    rgb = np.where(is_box(PinholeCamera.centred(160, 120, 192.0)), 220, 80).astype(np.uint8)
    Image.fromarray(np.repeat(rgb[..., None], 3, axis=2)).save(folder / NAME, quality=95)
    return folder / NAME


def run(
    monkeypatch: pytest.MonkeyPatch,
    estimator: Knows,
    inputs: Inputs,
    workspace: Path,
    **more: object,
) -> Results:
    monkeypatch.setattr("recon3d.pipeline.make_estimator", lambda *_: estimator)
    return reconstruct(inputs, workspace, Config(), **more)  # type: ignore[arg-type]


def test_a_photo_becomes_an_upright_relief_and_a_second_run_repeats_only_the_warnings(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ply = tmp_path / "relief.ply"
    outputs = Outputs(meshes=(ply,), depth_maps=tmp_path / "maps")
    inputs = Inputs(photos=photo.parent)
    first = run(monkeypatch, Knows(), inputs, tmp_path / "work", outputs=outputs)
    assert [made.stage for made in first.stages] == [
        "ingest", "pose", "depth", "scale", "relief", "mesh", "frame",
    ]  # fmt: skip
    assert first.posed is not None
    assert first.posed.value.scene.unit == "metre"
    told = " ".join(first.warnings)
    assert "192 px" in told
    assert "--intrinsics" in told
    assert "metres" in told

    written = trimesh.load(ply, process=False)
    x, y, z = np.asarray(written.vertices).T
    # The camera looks along y, and the photo's up is z: the box's front is 2.5 m away, 0.8 high.
    front = y < y.min() + 0.01
    assert np.ptp(z[front]) == pytest.approx(0.8, abs=2 * 2.5 / 192)
    assert np.ptp(x[front]) == pytest.approx(1.0, abs=2 * 2.5 / 192)
    # The ground is where 1 % of the vertices are lower.
    assert -0.2 < z.min() <= 0
    assert (np.asarray(written.face_normals)[:, 1] < 0).mean() > 0.99

    index = json.loads((tmp_path / "maps" / "depth.json").read_text())
    assert index["unit"] == "metre"
    page = (tmp_path / "work" / "report.html").read_text()
    assert "A relief from one photo" in page
    assert "guessed" in page

    again = run(monkeypatch, Knows(), inputs, tmp_path / "work")
    assert all(made.cached for made in again.stages)
    assert again.warnings == first.warnings


def test_relative_depth_alone_has_no_unit_and_depth_maps_need_no_mesh(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = Outputs(depth_maps=tmp_path / "maps")
    results = run(
        monkeypatch, Knows("relative"), Inputs(photos=photo), tmp_path / "work",
        outputs=outputs, until=Until.DEPTH,
    )  # fmt: skip
    assert results.posed is not None
    assert results.posed.value.scene.unit == "scene"
    assert results.surface is None
    assert any("no scale" in warning for warning in results.warnings)
    (found,) = json.loads((tmp_path / "maps" / "depth.json").read_text())["maps"]
    assert np.median(np.load(tmp_path / "maps" / found["npy"])) == pytest.approx(1, abs=1e-3)


def test_a_depth_cameras_photo_needs_no_pose_and_gives_metres(photo: Path, tmp_path: Path) -> None:
    millimetres = np.rint(1000 * true_depth()).astype(np.uint16)
    (tmp_path / "depth").mkdir()
    Image.fromarray(millimetres).save(tmp_path / "depth" / "photo.png")
    inputs = Inputs(photos=photo, sensor_depth=tmp_path / "depth")
    results = reconstruct(inputs, tmp_path / "work", until=Until.FUSE)
    assert results.posed is not None
    assert results.surface is not None
    assert results.posed.value.scene.unit == "metre"
    # The lens is still a guess, the metres are not.
    assert len(results.warnings) == 1
    assert "guessed" in results.warnings[0]
    z = results.surface.value[0].vertices[:, 2]
    assert z.min() == pytest.approx(BOX_Z, abs=0.0005)


def test_a_network_that_compares_photos_is_refused_at_once(photo: Path, tmp_path: Path) -> None:
    config = replace(Config(), depth=replace(Config().depth, model="planesweep"))
    with pytest.raises(EstimatorError, match="only one") as told:
        reconstruct(Inputs(photos=photo), tmp_path / "work", config)
    assert "auto" in told.value.hint


def test_one_photo_has_no_poses_and_the_error_says_what_it_can_become(
    photo: Path, tmp_path: Path
) -> None:
    with pytest.raises(TooFewPhotosPlacedError, match="1 photo") as told:
        reconstruct(Inputs(photos=photo), tmp_path / "work", until=Until.POSE)
    assert "recon3d mesh" in told.value.hint


@pytest.mark.slow
def test_the_shipped_network_makes_a_relief_of_an_example_photo(
    example: Path, tmp_path: Path
) -> None:
    inputs = Inputs(photos=example / "ruin_00.jpg", intrinsics=example / "K.json")
    results = reconstruct(inputs, tmp_path / "work")
    assert results.mesh is not None
    assert results.posed is not None
    mesh, (view,) = results.mesh.value, results.posed.value.scene.views
    assert len(mesh.faces) > 50_000
    uv_px, depth_z = project(mesh.vertices.astype(np.float64), view.camera)
    assert depth_z.min() > 0
    # Half a pixel in, as far as the outermost pixel centres; decimation may move a border a little.
    assert (uv_px > -1).all()
    assert (uv_px < np.array([view.camera.width_px, view.camera.height_px]) + 1).all()


def test_a_crop_keeps_its_place_and_coarser_levels_lie_beside_the_mesh(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs, work = Inputs(photos=photo.parent), tmp_path / "work"
    whole = tmp_path / "whole.ply"
    run(monkeypatch, Knows(), inputs, work, outputs=Outputs(meshes=(whole,)))
    full = np.asarray(trimesh.load(whole, process=False).vertices)
    low, high = full.min(0), full.max(0)
    # A hair wider: what stands upright follows the mesh, which has fewer faces in the second run.
    half = (*(low - 0.01).tolist(), float(low[0] + high[0]) / 2, *(high[1:] + 0.01).tolist())
    config = replace(
        Config(),
        mesh=replace(Config().mesh, crop=half, faces=2000),
        levels=replace(Config().levels, count=2),
    )
    monkeypatch.setattr("recon3d.pipeline.make_estimator", lambda *_: Knows())
    part = tmp_path / "part.ply"
    result = reconstruct(inputs, work, config, outputs=Outputs(meshes=(part,)))
    coarser = tmp_path / "part_lod1.ply"
    assert result.written == (part, coarser)
    mesh = trimesh.load(part, process=False)
    # It ends where the box does, give or take a triangle, and has not moved.
    assert mesh.bounds[0][0] == pytest.approx(low[0], abs=0.05)
    assert mesh.bounds[1][0] == pytest.approx(half[3], abs=0.05)
    assert mesh.bounds[1][0] <= half[3] + 1e-4
    kept = full[full[:, 0] <= half[3]]
    np.testing.assert_allclose(mesh.bounds, [kept.min(0), kept.max(0)], atol=0.05)
    # All faces that are asked for go into the part.
    assert 1900 <= len(mesh.faces) <= 2000
    assert len(trimesh.load(coarser, process=False).faces) <= 500
