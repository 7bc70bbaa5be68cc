"""The `multiview` estimator: depth by our own network, with weights that ship in the package."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np

from recon3d.core.depth import DepthRequest, PredictedDepth
from recon3d.depth.checkpoint import SHIPPED, read_checkpoint
from recon3d.depth.method_digest import method_digest
from recon3d.run.device import Runtime

KIND = "multiview"

_log = logging.getLogger(__name__)


_BYTES_PER_PIXEL, _BYTES_PER_OWN_PIXEL = 2500, 1000
"""That a photo at work takes, for each pixel that the network sees and for each of the photo at its
own resolution, where the depth is sharpened; measured, with a margin."""


class MultiView:
    """Learned plane sweep over several photos, from features, classical matching and SfM points.

    A photo that shows nothing, that no other overlaps, or whose others were taken from the same
    place, gets no depth at all. One that is too large for the GPU's memory is done on the CPU: what
    is stored as depth at network_px is depth at network_px.
    """

    name = "multiview"
    source_views = 16

    def __init__(self, settings: Mapping[str, object], runtime: Runtime) -> None:
        """Read what the checkpoint is, not yet its weights.

        Args:
            settings: May hold `checkpoint`, the description that `recon3d train multiview` wrote
                of other weights than those that ship with recon3d, `network_px`, the side of
                the photos that the network sees, and `speed`, which on a GPU may say "half",
                "compiled" or both.
            runtime: Device and threads.

        Raises:
            EstimatorError: the checkpoint is missing or broken.
        """
        path = Path(str(settings.get("checkpoint", SHIPPED / "multiview.json")))
        self._checkpoint = read_checkpoint(path, KIND)
        self._longest_px = int(str(settings.get("network_px", 640)))
        self._speed = str(settings.get("speed", "")).split()
        self._runtime = runtime
        here = Path(__file__).parent
        files = ("estimator.py", "predict.py", "network.py", "blocks.py", "matching.py")
        settings = {"network_px": self._longest_px, "speed": sorted(self._speed)}
        learned = method_digest(here, files, settings, ("torch", "opencv", "numpy"))
        sharpened = method_digest(
            here.parent,
            ("sweep.py", "aggregation.py", "matching.py", "matching_cpu.py", "warp.py"),
            {},
            (),
        )
        self.digest = f"{KIND}-{learned}-{sharpened}-{self._checkpoint.sha256}"

    def _photo_bytes(self, request: DepthRequest) -> int:
        camera = request.reference.camera
        width_px, height_px = camera.width_px, camera.height_px
        looked_at = min(1.0, self._longest_px / max(width_px, height_px)) ** 2
        return round((_BYTES_PER_PIXEL * looked_at + _BYTES_PER_OWN_PIXEL) * width_px * height_px)

    def predict(
        self, requests: Iterable[DepthRequest], check_cancelled: Callable[[], None]
    ) -> Iterator[PredictedDepth]:
        """Depth in scene units for each request.

        Raises:
            EstimatorError: the weights are missing or damaged, or there is no GPU to insist on.
        """
        # torch takes seconds to import and is not needed when every depth map is in the cache.
        import torch

        from recon3d.depth.device import map_photos, torch_device
        from recon3d.depth.multiview.network import MultiViewNet
        from recon3d.depth.multiview.predict import predict_depth

        device = torch_device(self._runtime.device)
        network = self._checkpoint.load_into(MultiViewNet(), device)
        on_gpu = device.type == "cuda"
        if on_gpu and "compiled" in self._speed:
            network = cast("torch.nn.Module", torch.compile(network))
        half = on_gpu and "half" in self._speed
        look = partial(predict_depth, longest_px=self._longest_px)
        on_cpu: list[torch.nn.Module] = []

        def predict_on_cpu(request: DepthRequest, check: Callable[[], None]) -> PredictedDepth:
            if not on_cpu:
                on_cpu.append(self._checkpoint.load_into(MultiViewNet(), torch.device("cpu")))
            with torch.inference_mode():
                return look(request, on_cpu[0], device=torch.device("cpu"), check=check)

        def predict_one(request: DepthRequest, check: Callable[[], None]) -> PredictedDepth:
            if not _comparable(request):
                camera = request.reference.camera
                nothing = np.zeros((camera.height_px, camera.width_px), np.float32)
                return PredictedDepth(nothing, "scene", nothing, camera)
            try:
                with torch.inference_mode(), torch.autocast(device.type, enabled=half):
                    return look(request, network, device=device, check=check)
            except torch.OutOfMemoryError:
                _log.warning(
                    "%s needs more memory than the GPU has left and is done on the CPU, which is "
                    "slow; lower network_px below %d to stay on the GPU",
                    request.reference.view_id,
                    self._longest_px,
                )
            # Out here, where the error no longer holds on to what filled the memory.
            torch.cuda.empty_cache()
            return predict_on_cpu(request, check)

        return map_photos(
            predict_one, requests, device, self._runtime, self._photo_bytes, check_cancelled
        )


def _comparable(request: DepthRequest) -> bool:
    near, far = request.depth_range
    here = request.reference.cam_from_world.inverse().translation
    baselines = [
        float(np.linalg.norm(source.cam_from_world.inverse().translation - here))
        for source in request.sources
    ]
    return (
        not request.reference.is_blank
        and 0 < near < far < np.inf
        and any(baseline > 1e-6 * near for baseline in baselines)
    )
