"""Which photos of several cameras belong together."""

from __future__ import annotations

import pytest

from recon3d.core.errors import InputError
from recon3d.photos.moments import Moments, group_moments


def together(found: Moments) -> list[tuple[str, ...]]:
    return [tuple(moment.photos.values()) for moment in found.together]


def test_photos_of_the_same_name_belong_together() -> None:
    found = group_moments({"left": ["b.jpg", "a.jpg"], "right": ["a.PNG", "c.png", "b.png"]})
    assert together(found) == [("b.jpg", "b.png"), ("a.jpg", "a.PNG")]
    assert [moment.name for moment in found.together] == ["b", "a"]
    assert found.alone == {"right": ("c.png",)}


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (["left_01.jpg", "left_02.jpg"], ["right_1.jpg", "right_2.jpg"]),
        (["cam0_0001.png", "cam0_0002.png"], ["cam1_0001.png", "cam1_0002.png"]),
        (["0001_cam0.png", "0002_cam0.png"], ["0001_cam1.png", "0002_cam1.png"]),
        (["2026-05-01/7.jpg", "2026-05-01/8.jpg"], ["2026-05-02/7.jpg", "2026-05-02/8.jpg"]),
        (["a1-3.jpg", "a2-3.jpg", "a2-4.jpg"], ["b1-3.jpg", "b2-3.jpg", "b2-4.jpg"]),
    ],
)
def test_photos_of_the_same_number_belong_together(left: list[str], right: list[str]) -> None:
    found = group_moments({"left": left, "right": right})
    assert together(found) == list(zip(left, right, strict=True))
    assert found.alone == {}


def test_a_moment_may_lack_cameras_but_not_be_alone() -> None:
    found = group_moments(
        {"a": ["1.jpg", "2.jpg", "9.jpg"], "b": ["2.jpg", "3.jpg"], "c": ["1.jpg", "3.jpg"]}
    )
    assert [set(moment.photos) for moment in found.together] == [
        {"a", "c"},
        {"a", "b"},
        {"b", "c"},
    ]
    assert found.alone == {"a": ("9.jpg",)}


def test_a_number_that_two_photos_of_a_camera_have_says_nothing() -> None:
    left = ["l1.jpg", "l2.jpg", "L2.jpg"]
    found = group_moments({"left": left, "right": ["r1.jpg", "r2.jpg"]})
    assert together(found) == [("l1.jpg", "r1.jpg")]
    assert found.alone == {"left": ("l2.jpg", "L2.jpg"), "right": ("r2.jpg",)}


def test_without_names_the_order_counts_where_all_have_equally_many() -> None:
    found = group_moments({"left": ["uno.jpg", "due.jpg"], "right": ["eins.jpg", "zwei.jpg"]})
    assert together(found) == [("uno.jpg", "eins.jpg"), ("due.jpg", "zwei.jpg")]
    assert found.together[0].name == "uno + eins"


def test_names_that_say_nothing_are_an_error_that_says_what_to_do() -> None:
    with pytest.raises(InputError, match="left 2, right 1") as caught:
        group_moments({"left": ["uno.jpg", "due.jpg"], "right": ["eins.jpg"]})
    assert "same name or number" in caught.value.hint
