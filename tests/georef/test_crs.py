"""Coordinate reference systems, and where a model lies in them."""

from __future__ import annotations

import numpy as np
import pytest

from recon3d.core.errors import ConfigError
from recon3d.core.geodesy import GpsFit
from recon3d.core.target_frame import Georeference
from recon3d.core.transform import Similarity
from recon3d.export.textures import ExportConfig
from recon3d.georef.control.stage import FittedControl
from recon3d.georef.crs import is_geographic, parse_crs, transform, utm_zone
from recon3d.georef.georeference import far_from_gps, in_crs

SHIFT = Similarity(1.0, np.eye(3), np.array([391390.0, 5817855.0, 40.0]))
MODEL = np.random.default_rng(0).uniform(-200, 200, (100, 3)) * [1, 1, 0.1]


@pytest.mark.parametrize(
    ("text", "crs"),
    [("EPSG:25832", "EPSG:25832"), ("25832", "EPSG:25832"), ("WGS84 UTM 32N", "EPSG:32632"),
     (" wgs84 utm zone 5S ", "EPSG:32705"), ("+proj=utm +zone=32", "+proj=utm +zone=32")],
)  # fmt: skip
def test_systems_are_named_as_people_name_them(text: str, crs: str) -> None:
    assert parse_crs(text, "--crs") == crs
    assert not is_geographic(crs)


def test_what_is_no_system_in_metres_is_refused_before_a_run() -> None:
    for wrong in ("EPSG:99999", "Berlin", "EPSG:4326", "EPSG:2263"):
        with pytest.raises(ConfigError, match="--crs"):
            ExportConfig(crs=wrong)


def test_utm_zones_follow_the_place() -> None:
    assert utm_zone(13.4, 52.5) == "EPSG:32633"
    assert utm_zone(-70.0, -33.0) == "EPSG:32719"
    assert utm_zone(180.0, 1.0) == "EPSG:32601"


def test_a_model_moves_to_another_system_as_its_points_do() -> None:
    here = Georeference("control points", "EPSG:25833", SHIFT)
    there = in_crs(here, "EPSG:25832", MODEL)
    exact = transform(SHIFT @ MODEL, "EPSG:25833", "EPSG:25832")
    off = np.abs(there.crs_from_target @ MODEL - exact)
    # 400 m wide, 40 m high: UTM enlarges plans, not heights.
    assert off[:, :2].max() < 0.01
    assert off[:, 2].max() < 0.02


def test_a_plane_that_touches_the_earth_lies_in_its_utm_zone_and_a_name_moves_nothing() -> None:
    around = "+proj=tmerc +lat_0=52.5 +lon_0=13.4 +ellps=WGS84 +units=m +no_defs"
    gps = Georeference("gps", around, Similarity(1.0, np.eye(3), np.zeros(3)))
    found = in_crs(gps, "EPSG:32633", MODEL)
    np.testing.assert_allclose(
        found.crs_from_target @ np.zeros(3), [391390.731, 5817855.241, 0], atol=0.01
    )
    unnamed = Georeference("poses", "", SHIFT)
    assert in_crs(unnamed, "", MODEL) is unnamed
    assert in_crs(unnamed, "EPSG:25832", MODEL).crs_from_target is SHIFT


@pytest.mark.parametrize(
    ("crs", "is_told"), [("EPSG:25833", False), ("EPSG:25832", True), ("", False)]
)
def test_a_wrong_zone_shows_against_the_photos_gps(crs: str, is_told: bool) -> None:
    nobody = Similarity(1.0, np.eye(3), np.zeros(3))
    none = np.zeros(0)
    gps = GpsFit(
        nobody, 0.1, 4.0, np.eye(3), none.astype(bool), none.reshape(0, 3), 50.0,
        np.array([52.5, 13.4, 40.0]),
    )  # fmt: skip
    warning = far_from_gps(FittedControl(SHIFT, crs, 0.01, {}, ()), gps)
    assert ("km from where EPSG:25832" in warning) == (crs == "EPSG:25832")
