"""The `resnet` estimator: depth of single photos by a network of `recon3d train mono`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from recon3d.core.depth import DepthRequest, PredictedDepth
from recon3d.depth.checkpoint import SHIPPED
from recon3d.depth.cleanup import smoothed, without_flying_pixels, without_specks
from recon3d.depth.method_digest import method_digest
from recon3d.depth.mono.checkpoint import read_mono_checkpoint
from recon3d.run.device import Runtime

_BLANK_GREY = 8
"""A photo whose values span less than this shows nothing: a lens cap, a white-out."""


_BYTES_OF_NETWORK, _BYTES_PER_PIXEL = 2**28, 100
"""That a photo at work takes: the network sees all at one size; cleaning up sees every pixel."""


class Resnet:
    """Metric where its network learned from metres, else relative: inverse depth up to scale.

    Depth bridges no edges: where the network blurs one, depth is unknown. So is that of photos that
    show nothing at all.
    """

    name = "resnet"
    source_views = 0

    def __init__(self, settings: Mapping[str, object], runtime: Runtime) -> None:
        """Read what the checkpoint is, not yet its weights.

        Args:
            settings: May hold `checkpoint`, a folder that `recon3d train mono` has written instead
                of the weights that ship with recon3d, and `cleanup`, which "none" switches off.
            runtime: Device and threads.

        Raises:
            EstimatorError: the checkpoint is missing or broken.
        """
        path = Path(str(settings.get("checkpoint", SHIPPED / "mono.json")))
        self._checkpoint = read_mono_checkpoint(path)
        self._as_it_is = settings.get("cleanup") == "none"
        self._runtime = runtime
        here = Path(__file__).parent
        files = ("estimator.py", "inference.py", "network.py", "views.py", "checkpoint.py")
        libraries = ("torch", "torchvision", "opencv", "numpy")
        learned = method_digest(here, files, {"as_it_is": self._as_it_is}, libraries)
        cleaned = method_digest(here.parent, ("cleanup.py",), {}, ())
        self.digest = f"resnet-{learned}-{cleaned}-{self._checkpoint.files.sha256}"

    def predict(
        self, requests: Iterable[DepthRequest], check_cancelled: Callable[[], None]
    ) -> Iterator[PredictedDepth]:
        """Depth of each photo by itself.

        Raises:
            EstimatorError: the weights are missing or damaged, or there is no GPU to insist on.
        """
        # torch takes seconds to import and is not needed when every depth map is in the cache.
        from recon3d.depth.device import map_photos, torch_device
        from recon3d.depth.mono.inference import predict_depth

        device = torch_device(self._runtime.device)
        network = self._checkpoint.network(device)
        look = partial(predict_depth, network, self._checkpoint.model)

        def predict_one(request: DepthRequest, check: Callable[[], None]) -> PredictedDepth:
            check()
            frame = request.reference
            if np.ptp(frame.rgb) < _BLANK_GREY:
                nothing = np.zeros(frame.rgb.shape[:2], np.float32)
                return self._prediction(nothing, nothing, request)
            depth_z, confidence = look(frame.rgb, frame.camera)
            if not self._as_it_is:
                even_z = smoothed(without_specks(depth_z))
                depth_z = without_flying_pixels(even_z, frame.camera)
            return self._prediction(depth_z, confidence, request)

        return map_photos(
            predict_one, requests, device, self._runtime, self._photo_bytes, check_cancelled
        )

    def _photo_bytes(self, request: DepthRequest) -> int:
        camera = request.reference.camera
        return _BYTES_OF_NETWORK + _BYTES_PER_PIXEL * camera.width_px * camera.height_px

    def _prediction(
        self, depth_z: np.ndarray, confidence: np.ndarray, request: DepthRequest
    ) -> PredictedDepth:
        frame = request.reference
        if frame.mask is not None:
            depth_z = np.where(frame.mask, depth_z, np.float32(0))
        confidence = np.where(depth_z > 0, confidence, np.float32(0))
        if self._checkpoint.unit == "metre":
            return PredictedDepth(depth_z, "metric", confidence, frame.camera)
        inverse = np.divide(1, depth_z, out=np.zeros_like(depth_z), where=depth_z > 0)
        return PredictedDepth(inverse, "relative", confidence, frame.camera)
