"""Files of ground control points, as surveyors' programs write them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recon3d.core.errors import ConfigError, ReconError
from recon3d.georef.control.files import read_ground_control
from recon3d.georef.control.points import ControlError, GroundControl
from recon3d.georef.control.tables import UnreadableTableError

HERE = (391390.25, 5817855.5, 40.125)


def read(folder: Path, text: str, marks: str = "", encoding: str = "utf-8") -> GroundControl:
    (folder / "points.csv").write_bytes(text.encode(encoding))
    if not marks:
        return read_ground_control(folder / "points.csv")
    (folder / "marks.csv").write_bytes(marks.encode(encoding))
    return read_ground_control(folder / "points.csv", folder / "marks.csv")


@pytest.mark.parametrize(
    "text",
    [
        "name,E,N,H\nPü,391390.25,5817855.5,40.125\n",
        "H [m];Northing (m);Easting (m);Point ID\n40,125;5817855,5;391390,25;Pü\n",
        "# made by hand\nname\tRechtswert\tHochwert\tHöhe\n\nPü\t391390,25\t5817855,5\t40,125\n",
        "#Label,X/Easting,Y/Northing,Z/Altitude\n# EPSG:25833\nPü,391390.25,5817855.5,40.125\n",
        "Pü,391390.25,5817855.5,40.125,0.01\n",
        'name,e,n,h\n"Pü","391390.25","5817855.5","40.125"\n',
        "name  x  y  z\nPü  391390.25  5817855.5  40.125\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_any_order_delimiter_decimal_sign_and_encoding_is_understood(
    tmp_path: Path, text: str, encoding: str
) -> None:
    (point,) = read(tmp_path, text, encoding=encoding).points
    assert point.name == "Pü"
    assert point.enh_m == HERE


def test_points_and_marks_may_share_a_file_or_not(tmp_path: Path) -> None:
    one = read(tmp_path, "name,E,N,H,photo,x,y\nP,1,2,3,a.jpg,10,20\nP,1,2,3,b.jpg,30,40.5\n")
    two = read(
        tmp_path, "name,E,N,H\nP,1,2,3\n", "photo,name,x,y\na.jpg,P,10,20\nb.jpg,P,30,40.5\n"
    )
    bare = read(tmp_path, "P,1,2,3\n", "P,a.jpg,10,20\nP,b.jpg,30,40.5\n")
    assert one.points == two.points == bare.points
    assert [(mark.photo, mark.column, mark.row) for mark in one.points[0].marks] == [
        ("a.jpg", 10, 20),
        ("b.jpg", 30, 40.5),
    ]


def test_gcp_list_of_opendronemap_is_read(tmp_path: Path) -> None:
    text = (
        "WGS84 UTM 33N\n"
        "391390.25 5817855.5 40.125 812 440 a.jpg gcp1\n"
        "391390.25 5817855.5 40.125 77.5 310 b.jpg gcp1 more\n"
        "391400 5817800 41 12 44 b.jpg\n"
        "391400 5817800 41 13 44 c.jpg\n"
    )
    control = read(tmp_path, text)
    assert control.crs == "EPSG:32633"
    assert [(point.name, len(point.marks)) for point in control.points] == [
        ("gcp1", 2),
        ("point 2", 2),
    ]
    assert control.points[0].enh_m == HERE


def test_accuracy_and_role_are_taken_from_their_columns(tmp_path: Path) -> None:
    text = "name,E,N,H,accuracy,role\nA,1,2,3,0.02,check\nB,1,2,4,,control\nCheck 3,1,2,5,0.1,\n"
    points = read(tmp_path, text).points
    assert [point.accuracy_m for point in points] == [0.02, None, 0.1]
    assert [point.is_check for point in points] == [True, False, True]


def test_longitude_and_latitude_become_metres(tmp_path: Path) -> None:
    control = read(tmp_path, "name,lat,lon,h\nA,52.5,13.4,30\n")
    assert control.crs == "EPSG:32633"
    assert control.points[0].enh_m == pytest.approx((391390.731, 5817855.241, 30), abs=1e-3)
    odm = read(tmp_path, "EPSG:4326\n13.4 52.5 30 1 2 a.jpg A\n")
    assert odm.points[0].enh_m == control.points[0].enh_m


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no rows"),
        ("name,E,N,H\n", "no rows"),
        ("name,E,N\nA,1,2\n", "none for height"),
        ("name,E,N,H\nA,1,2,x\n", "line 2: height is 'x'"),
        ("name,E,N,H\nA,1,2\n", "line 2: height is ''"),
        ("name,E,N,H\nA,1,2,nan\n", "line 2"),
        ("name,E,N,H\n,1,2,3\n", "line 2: the point has no name"),
        ("name,E,N,H\nA,1,2,3\nA,1,2,3\n", "A has coordinates already"),
        ("name,E,N,H,photo,x,y\nA,1,2,3,a,1,1\nA,1,2,4,b,1,1\n", "already, and others"),
        ("name,E,N,H,photo,x,y\nA,1,2,3,a,1,1\nA,1,2,3,a,1,1\n", "marked in a already"),
        ("name,E,N,H,role\nA,1,2,3,boss\n", "role of A"),
        ("name,E,N,H,accuracy\nA,1,2,3,-1\n", "not above 0"),
        ("name;E;N;H\nA;1,234;2,345;3,456\n", "counts thousands"),
        ("name;E;N;H\nA;1.5;2,5;3\n", "decimal commas"),
        ("hello world\nA,1,2,3\n", "neither a header"),
        ("1,2,3\n", "what its columns are"),
        ("name,photo,x,y\nA,a.jpg,1,2\n", "no coordinates"),
        ("\0\1\2", "not a text file"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises((ControlError, UnreadableTableError)) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)


@pytest.mark.parametrize("crs", ["EPSG:99999", "EPSG:2263", "EPSG:4978", "+proj=nonsense"])
def test_systems_that_cannot_hold_a_model_are_refused(tmp_path: Path, crs: str) -> None:
    with pytest.raises(ConfigError, match=r"points\.csv names"):
        read(tmp_path, f"{crs}\nname,E,N,H\nA,1,2,3\n")


def test_marks_without_coordinates_are_told(tmp_path: Path) -> None:
    control = read(tmp_path, "name,E,N,H\nA,1,2,3\n", "name,photo,x,y\nB,a.jpg,1,2\n")
    assert control.notes == ("Marks of B do not count: they have no coordinates.",)


@settings(max_examples=60, deadline=None)
@given(text=st.text(alphabet=st.sampled_from('nameENH,;\t 0123.-"#\nxy\x00éP'), max_size=80))
def test_any_text_is_read_or_refused(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_text(text)
    with suppress(ReconError):
        read_ground_control(path)


@pytest.mark.parametrize("length", [100_000, 200_000])
def test_brackets_that_never_end_are_refused_at_once(tmp_path: Path, length: int) -> None:
    # Found by tests/fuzzing.py: twice as many took four times as long, 20,000 thirteen seconds.
    with pytest.raises(UnreadableTableError):
        read(tmp_path, f"name,E,N,H\nP1,1,2,3\nP2,4 {'[' * length},5,6\n")
