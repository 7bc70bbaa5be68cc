"""Which photos of several cameras were taken at one moment, by their names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TypeAlias

from recon3d.core.errors import InputError

Key: TypeAlias = str | tuple[int, ...]
"""What photos of one moment have in common."""
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class Moment:
    """Photos that belong together."""

    name: str
    photos: Mapping[str, str]
    """Their ids, by camera; cameras that took none are missing."""


@dataclass(frozen=True)
class Moments:
    """The moments of a rig."""

    together: tuple[Moment, ...]
    """Those of which two cameras or more have a photo."""
    alone: Mapping[str, tuple[str, ...]]
    """By camera, the photos without a partner."""


def group_moments(photos: Mapping[str, Sequence[str]]) -> Moments:
    """Find partners by the same name, else by the same number in it, else by order.

    Of the two rules by name the one that finds partners for more photos counts. A number that all
    photos of a camera have in common is the camera's own. Order only counts where all cameras
    have equally many photos.

    photos: ids in order, by camera.

    Raises:
        InputError: no rule finds partners.
    """
    best = moments_by_name(photos)
    if best.together:
        return best
    counts = {camera: len(ids) for camera, ids in photos.items()}
    if len(set(counts.values())) == 1:
        return _grouped(photos, lambda ids: {photo_id: (i,) for i, photo_id in enumerate(ids)})
    listed = ", ".join(f"{camera} {count}" for camera, count in counts.items())
    raise InputError(
        f"The names do not say which photos were taken at one moment, and the cameras have "
        f"different numbers of photos: {listed}.",
        hint="Give photos of one moment the same name or number (left/0001.jpg and "
        "right/0001.jpg), or remove those without a partner so that their order says it.",
    )


def moments_by_name(photos: Mapping[str, Sequence[str]]) -> Moments:
    """As `group_moments`, by names alone; perhaps none."""
    candidates = [_grouped(photos, rule) for rule in (_by_name, _by_number)]
    return max(candidates, key=lambda found: sum(len(each.photos) for each in found.together))


def _grouped(
    photos: Mapping[str, Sequence[str]], rule: Callable[[Sequence[str]], Mapping[str, Key]]
) -> Moments:
    named: dict[Key, dict[str, str]] = {}
    for camera, ids in photos.items():
        for photo_id, key in rule(ids).items():
            named.setdefault(key, {})[camera] = photo_id
    together = [found for found in named.values() if len(found) > 1]
    placed = {(camera, photo_id) for found in together for camera, photo_id in found.items()}
    return Moments(
        tuple(Moment(_title(found), found) for found in together),
        {
            camera: rest
            for camera, ids in photos.items()
            if (rest := tuple(each for each in ids if (camera, each) not in placed))
        },
    )


def _by_name(ids: Sequence[str]) -> Mapping[str, Key]:
    return _unique({photo_id: _stem(photo_id).lower() for photo_id in ids})


def _by_number(ids: Sequence[str]) -> Mapping[str, Key]:
    """By the numbers in which the names of one camera differ."""
    numbers = {i: tuple(int(digits) for digits in _NUMBER.findall(_stem(i))) for i in ids}
    (usual, _), *_ = Counter(len(each) for each in numbers.values()).most_common(1) or [(0, 0)]
    regular = {photo_id: each for photo_id, each in numbers.items() if each and len(each) == usual}
    vary = [i for i in range(usual) if len({each[i] for each in regular.values()}) > 1]
    return _unique({photo_id: tuple(each[i] for i in vary) for photo_id, each in regular.items()})


def _unique(keys: Mapping[str, Key]) -> Mapping[str, Key]:
    """Without those that say nothing because several photos have them."""
    counts = Counter(keys.values())
    return {photo_id: key for photo_id, key in keys.items() if counts[key] == 1}


def _title(photos: Mapping[str, str]) -> str:
    """What a person calls the moment."""
    names = [_stem(photo_id) for photo_id in photos.values()]
    return names[0] if len(set(names)) == 1 else " + ".join(names)


def _stem(photo_id: str) -> str:
    return str(PurePath(photo_id).with_suffix(""))
