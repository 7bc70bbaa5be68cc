"""Any monocular depth network of the transformers library: `--depth-model owner/name` or a folder.

Its depth is of one photo alone, so it is of kind "relative" or "metric" and must be aligned to the
scene; and its confidence stays below what stands in for a second photo.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, UInt8

from recon3d.core.depth import DepthRequest, PredictedDepth
from recon3d.core.scene import View
from recon3d.depth.anchors import seen_from
from recon3d.depth.hub.families import family_of
from recon3d.depth.hub.files import CONFIG, digest_of, find_folder, read_settings
from recon3d.depth.method_digest import method_digest
from recon3d.depth.spreading import spread
from recon3d.depth.tiles import blended, tile_boxes
from recon3d.run.device import Runtime

if TYPE_CHECKING:
    from recon3d.depth.hub.network import HubNetwork

_BELIEF = 0.5
"""Confidence of a pixel about which a photo and its mirror image agree ..."""
_DOUBT = 0.05
"""... which has halved where they differ by this share of the depth."""
_UNTESTED = 0.4
"""Confidence where no mirror image was asked."""
_HINT_PX = 192
"""Shorter side of the depth that Prompt Depth Anything is given; a phone's scanner has that."""
_LEAST_HINTS = 8

Map = Float32[np.ndarray, "h w"]
Picture = UInt8[np.ndarray, "h w 3"]


class HubDepth:
    """Loads safetensors only, and runs no code that comes with a model."""

    source_views = 0

    def __init__(self, model: str, settings: Mapping[str, object], runtime: Runtime) -> None:
        """Find the model's files, not yet its weights.

        Args:
            model: "owner/name" on the hub, or a folder.
            settings: May hold `flip`, whether each photo's mirror image is looked at too, and
                `tiles`, into how many pieces each side of the photo is cut; 1 = none.
            runtime: Device and threads.

        Raises:
            EstimatorError: files are missing or damaged, or it is no depth network.
        """
        self.name = model
        self._folder = find_folder(model)
        self._family = family_of(read_settings(self._folder, CONFIG))
        self._flip = bool(settings.get("flip", True))
        self._tiles = int(str(settings.get("tiles", 1))) if self._family.tiles_help else 1
        self._runtime = runtime
        method = method_digest(
            Path(__file__).parent,
            ("estimator.py", "network.py", "families.py", "../tiles.py", "../spreading.py"),
            {"flip": self._flip, "tiles": self._tiles},
            ("torch", "transformers", "opencv", "numpy"),
        )
        self.digest = f"hub-{method}-{digest_of(self._folder)}"

    def predict(
        self, requests: Iterable[DepthRequest], check_cancelled: Callable[[], None]
    ) -> Iterator[PredictedDepth]:
        """Depth of each photo by itself, kind "relative" or "metric" as the network has learned.

        Raises:
            EstimatorError: the weights do not fit, or the GPU is missing or too small.
        """
        network = self._network()
        for request in requests:
            check_cancelled()
            yield self._predict_one(network, request, check_cancelled)

    def field_of_view_deg(self, rgb: Picture) -> float | None:
        """The horizontal field of view that Depth Pro sees in a photo; None from the others.

        Raises:
            EstimatorError: as `predict`.
        """
        return self._network().field_of_view_deg(rgb)

    def _network(self) -> HubNetwork:
        # transformers takes seconds to import and is not needed when every map is in the cache.
        from recon3d.depth.device import torch_device
        from recon3d.depth.hub.network import HubNetwork

        device = torch_device(self._runtime.device)
        return HubNetwork(self._folder, self._family, device, self._runtime.threads)

    def _predict_one(
        self, network: HubNetwork, request: DepthRequest, check: Callable[[], None]
    ) -> PredictedDepth:
        frame, kind = request.reference, self._family.kind
        hint = _known_depth(request) if self._family.prompted else None
        if frame.is_blank or (self._family.prompted and hint is None):
            nothing = np.zeros(frame.rgb.shape[:2], np.float32)
            return PredictedDepth(nothing, kind, nothing, frame.camera)
        # Networks think in metres; a scene's unit may be anything.
        unit = 1.0 if hint is None else float(np.median(hint))
        hints = [] if hint is None else [hint / unit, hint[:, ::-1] / unit]

        def look(pictures: Sequence[Picture]) -> tuple[list[Map], list[Map]]:
            """Inverse depth and confidence of pictures of one size."""
            mirrored = [picture[:, ::-1] for picture in pictures] if self._flip else []
            every = [*pictures, *mirrored]
            said = network.look(
                every, check, focal_px=frame.camera.fx_px, hints=hints[: len(every)]
            )
            if not self._flip:
                return said, [np.full_like(each, _UNTESTED) for each in said]
            both = [
                (plain, back[:, ::-1])
                for plain, back in zip(said[: len(pictures)], said[len(pictures) :], strict=True)
            ]
            return [(a + b) / 2 for a, b in both], [_agreement(a, b) for a, b in both]

        (said,), (confidence,) = look([frame.rgb])
        if self._tiles > 1:
            boxes = tile_boxes(frame.camera.width_px, frame.camera.height_px, self._tiles)
            said = blended(said, boxes, look([frame.rgb[box] for box in boxes])[0])
        known = np.isfinite(said) & (said > 0)
        if frame.mask is not None:
            known &= frame.mask
        said = np.where(known, said, np.float32(1))
        values = said if kind == "relative" else unit / said
        return PredictedDepth(
            np.where(known, values, np.float32(0)),
            kind,
            np.where(known, confidence, np.float32(0)),
            frame.camera,
        )


def _agreement(plain: Map, mirrored: Map) -> Map:
    """How far a photo and its mirror image may be believed."""
    mean = np.maximum((plain + mirrored) / 2, np.float32(1e-12))
    share = np.minimum(np.abs(plain - mirrored) / mean, np.float32(1e3))
    return (_BELIEF / (1 + (share / _DOUBT) ** 2)).astype(np.float32)


def _known_depth(request: DepthRequest) -> Map | None:
    """Depth of the points that the photo sees, spread over it; None where they are too few."""
    frame = request.reference
    view = View(frame.view_id, frame.camera, frame.cam_from_world)
    anchors = seen_from(view, request.points_world, np.zeros(len(request.points_world)))
    if len(anchors) < _LEAST_HINTS:
        return None
    factor = _HINT_PX / min(frame.camera.width_px, frame.camera.height_px)
    width, height = (
        max(1, round(side * factor)) for side in (frame.camera.width_px, frame.camera.height_px)
    )
    cell = (anchors.uv * (width, height)).astype(np.int64)
    cell = cell[:, 1] * width + cell[:, 0]
    count = np.bincount(cell, minlength=width * height)
    inverse = np.bincount(cell, 1 / anchors.depth_z, width * height) / np.maximum(count, 1)
    shape = (height, width)
    known = (count > 0).astype(np.float32)
    filled = spread(inverse.astype(np.float32).reshape(shape), known.reshape(shape))
    return (1 / filled).astype(np.float32)
