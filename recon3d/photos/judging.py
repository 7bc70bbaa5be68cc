"""Which files are good photos, alone and beside each other, and in which words others are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from statistics import median

import numpy as np

from recon3d.core.errors import InputError
from recon3d.core.scene import Verdict
from recon3d.photos.image_set_files import Item, picture_path
from recon3d.photos.naming import split_role
from recon3d.photos.pictures import Picture
from recon3d.photos.pyramids import Shown, smaller_copies

_SMALLEST_PX = 64
# With fewer photos the median is no measure of what is usual.
_FEWEST_TO_JUDGE_BLUR = 4


def check_is_photo(photo_id: str, picture: Picture) -> None:
    """Refuse what can be decoded and is none.

    Raises:
        InputError: it is a mask, a depth image, or too small; a reason beside the photo's name.
    """
    height_px, width_px = picture.rgb.shape[:2]
    role = split_role(photo_id)[1] or PurePosixPath(photo_id).parent.name.lower()
    if picture.mode.startswith("I") and role.startswith("depth"):
        raise InputError("it is a depth image", hint="Give its folder as --depth.")
    levels = len(np.unique(picture.rgb[::4, ::4]))
    if picture.mode == "1" or (role.startswith("mask") and levels <= 2):
        raise InputError("it is a mask", hint="Give its folder as --masks.")
    if min(width_px, height_px) < _SMALLEST_PX:
        raise InputError(
            f"it is only {width_px}x{height_px} pixels", hint="Use the photo at its full size."
        )


def judged(
    items: Sequence[Item], folder: Path, blur_limit: float, moments: Mapping[str, str]
) -> list[Item]:
    """The items, with a reason for each that is a copy of another or blurred beside the others.

    Args:
        items: Good ones, and some that are left out already.
        folder: Where their pixels are.
        blur_limit: Least share of the sharpness that is usual.
        moments: By the id of a view of a panorama: the panorama. It is judged as a whole: a view
            of the sky is neither blurred nor a copy of another.
    """
    return _beside_each_other(_without_smaller_copies(items, folder), blur_limit, moments)


def nothing_left(bad: Sequence[Verdict]) -> InputError:
    """What is said where every file is left out, with the commonest advice."""
    advice = Counter(verdict.advice for verdict in bad if verdict.advice)
    return InputError(
        f"None of the {len(bad)} files is a usable photo: {counted(bad)}.",
        hint=" ".join(text for text, _ in advice.most_common(2)),
    )


def counted(bad: Sequence[Verdict]) -> str:
    """Up to three reasons, the most common first, each with an example."""
    reasons = Counter(verdict.reason for verdict in bad)
    example = {verdict.reason: verdict.photo_id for verdict in reversed(bad)}
    shown = [f"{example[r]} ({r})" if n == 1 else f"{example[r]} and {n - 1} more ({r})"
             for r, n in reasons.most_common(3)]  # fmt: skip
    return ", ".join(shown) + (", ..." if len(reasons) > 3 else "")


def _without_smaller_copies(items: Sequence[Item], folder: Path) -> list[Item]:
    good = [item for item in items if not item.reason]
    pictures = {
        item.id: Shown(picture_path(folder, item.number), (item.width_px, item.height_px))
        for item in good
    }
    copies = smaller_copies(pictures)
    return [
        replace(
            item,
            reason=f"it is a smaller copy of {copies[item.id]}",
            advice="Give the folder of the largest photos alone.",
            copy_of=copies[item.id],
        )
        if item.id in copies
        else item
        for item in items
    ]


def _beside_each_other(
    items: Sequence[Item], blur_limit: float, moments: Mapping[str, str]
) -> list[Item]:
    """Copies of another photo and hopeless blur are left out."""
    done, first_with = list[Item](), dict[str, str]()
    sharpness: dict[str, float] = {}
    for item in items:
        whole = moments.get(item.id, item.id)
        sharpness[whole] = max(item.sharpness, sharpness.get(whole, 0.0))
    clear = [sharpness[moments.get(item.id, item.id)] for item in items]
    good = [value for item, value in zip(items, clear, strict=True) if not item.reason]
    usual = median(good or [0.0])
    few = sum(not item.reason for item in items) < _FEWEST_TO_JUDGE_BLUR
    for item, clearest in zip(items, clear, strict=True):
        twin = first_with.get(item.sha256) or first_with.get(item.pixels_sha256)
        if item.reason:
            pass
        elif twin and item.id not in moments:
            item = replace(
                item,
                reason=f"it is a copy of {twin}",
                advice="One of them is enough.",
                copy_of=twin,
            )
        elif not few and clearest < blur_limit * usual:
            share = clearest / usual
            item = replace(
                item,
                reason=f"it is blurred: {share:.0%} of the sharpness that is usual here",
                advice="Take it again from a steady hand, or lower --ingest.blur-limit.",
            )
        else:
            first_with |= {item.sha256: item.id, item.pixels_sha256: item.id}
        done.append(item)
    return done
