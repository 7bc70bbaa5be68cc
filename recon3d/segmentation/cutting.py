"""Cutting an object out of one photo, by colours that all photos share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float64, UInt8

from recon3d.segmentation.orbit import NoObjectError

SURE_REST, SURE_OBJECT = cv2.GC_BGD, cv2.GC_FGD
MAYBE_REST, MAYBE_OBJECT = cv2.GC_PR_BGD, cv2.GC_PR_FGD
_NO_BOX = (0, 0, 0, 0)


@dataclass(frozen=True, eq=False)
class Colours:
    """Gaussian mixtures of the object's colours and of all others', as OpenCV stores them."""

    rest: Float64[np.ndarray, "1 65"]
    object: Float64[np.ndarray, "1 65"]


class Samples(NamedTuple):
    """Colours of pixels that are most likely of the object, and of others."""

    object: UInt8[np.ndarray, "n 3"]
    rest: UInt8[np.ndarray, "m 3"]


def learn(samples: Iterable[Samples]) -> Colours:
    """Fit the mixtures of GrabCut (Rother, Kolmogorov and Blake 2004) to samples of all photos.

    Raises:
        NoObjectError: there are none of one kind.
    """
    objects, rests = zip(*samples, strict=True)
    count = sum(map(len, objects))
    pixels = np.concatenate([*objects, *rests])[None]
    if not 0 < count < pixels.shape[1]:
        raise NoObjectError("nothing is seen around it" if count else "no photo shows it")
    labels = np.full(pixels.shape[:2], SURE_REST, np.uint8)
    labels[0, :count] = SURE_OBJECT
    rest, thing = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)  # of this thread; k-means starts from random centres
    cv2.grabCut(pixels, labels, _NO_BOX, rest, thing, 0, cv2.GC_INIT_WITH_MASK)
    return Colours(rest, thing)


def cut_out(
    rgb: UInt8[np.ndarray, "h w 3"], labels: UInt8[np.ndarray, "h w"], colours: Colours
) -> Bool[np.ndarray, "h w"]:
    """Where a photo shows the object: one graph cut of what is not sure."""
    cut, rest, thing = labels.copy(), colours.rest.copy(), colours.object.copy()
    cv2.grabCut(rgb, cut, _NO_BOX, rest, thing, 1, cv2.GC_EVAL_FREEZE_MODEL)
    return (cut == SURE_OBJECT) | (cut == MAYBE_OBJECT)
