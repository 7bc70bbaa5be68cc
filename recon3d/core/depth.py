"""Depth maps, and the protocol of whatever predicts them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, UInt8

from recon3d.core.camera import PinholeCamera
from recon3d.core.transform import Rigid

DepthKind = Literal["scene", "metric", "relative"]

_BLANK_GREY = 8
"""A photo whose values span less than this shows nothing."""


@dataclass(frozen=True, eq=False)
class PredictedDepth:
    """What an estimator says; may be relative and must then be aligned before fusion.

    values: for kind "scene" depth_z in scene units, for "metric" depth_z in metres, for
        "relative" inverse depth up to scale and shift; 0 = unknown.
    confidence: 0 to 1, the estimator's own belief that the value is right.
    warning: why the map is worse than such an estimator's usually are; empty where it is not.
        Files of depth maps do not hold it.
    """

    values: Float[np.ndarray, "h w"]
    kind: DepthKind
    confidence: Float[np.ndarray, "h w"]
    camera: PinholeCamera
    warning: str = ""


@dataclass(frozen=True, eq=False)
class SceneDepth:
    """Depth that may be fused: depth_z in scene units, 0 = unknown.

    agreeing_views counts the views that agree with a pixel, itself included: 0 where depth_z is
    unknown, 1 where the depth comes from a sensor. It is shown to people; fusion takes every depth
    alike, because Open3D's grid has one weight for a whole depth map.
    """

    depth_z: Float[np.ndarray, "h w"]
    agreeing_views: Float[np.ndarray, "h w"]
    camera: PinholeCamera
    view_id: str


@dataclass(frozen=True, eq=False)
class DepthFrame:
    """A posed, undistorted photo at the resolution the estimator shall work at."""

    view_id: str
    rgb: UInt8[np.ndarray, "h w 3"]
    camera: PinholeCamera
    cam_from_world: Rigid
    mask: Bool[np.ndarray, "h w"] | None = None
    """True = belongs to the object; None = everything does."""
    sensor_depth: Float[np.ndarray, "h w"] | None = None
    """Scene units, 0 = unknown; None without a depth camera."""

    @property
    def is_blank(self) -> bool:
        """Whether the photo shows nothing: a lens cap, a white-out."""
        return int(np.ptp(self.rgb)) < _BLANK_GREY


@dataclass(frozen=True, eq=False)
class DepthRequest:
    """Everything known about one photo whose depth is wanted."""

    reference: DepthFrame
    sources: tuple[DepthFrame, ...]
    """Best first; empty for estimators that do not need other views."""
    points_world: Float[np.ndarray, "n 3"]
    """Sparse points that the reference sees."""
    depth_range: tuple[float, float]
    """Nearest and farthest depth_z worth looking at, scene units."""
    points_sigma: Float[np.ndarray, "n"] | None = None
    """One standard deviation of each point's depth, as a share of it; None = not known."""


@runtime_checkable
class DepthEstimator(Protocol):
    """Anything that turns photos into depth; registered under `recon3d.depth_estimators`.

    An entry point names a callable (settings: Mapping[str, object], runtime: Runtime) -> estimator;
    it must be quick, weights are loaded at the first prediction. One whose attribute `reads_points`
    is False says that sparse points change nothing about its depth but by the range, so that depth
    maps stay when points come. On a cluster it is pickled, and asked for one photo at a time.
    """

    name: str
    digest: str
    """Changes when the weights or the method change; part of the cache key."""
    source_views: int
    """How many other views it wants per photo; 0 for monocular ones."""

    def predict(
        self, requests: Iterable[DepthRequest], check_cancelled: Callable[[], None]
    ) -> Iterator[PredictedDepth]:
        """One prediction per request, in order, reading requests lazily, all of one kind.

        A photo of which it can say nothing gets a prediction without any known pixel.
        check_cancelled is called at least every few hundred milliseconds and may raise; only the
        pass of a picture through a network may take longer.
        """
        ...


def confirmed_shares(
    depth: Mapping[str, SceneDepth], masks: Mapping[str, Bool[np.ndarray, "h w"]]
) -> dict[str, float]:
    """By photo: share of its pixels that have depth, of the object's pixels where it has a mask.

    A photo whose mask keeps nothing is left out.
    """
    shares = {}
    for photo_id, found in depth.items():
        mask = masks.get(photo_id)
        wanted = 1.0 if mask is None else float(mask.mean())
        if wanted > 0:
            shares[photo_id] = min(1.0, float((found.depth_z > 0).mean()) / wanted)
    return shares
