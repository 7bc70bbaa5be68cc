"""The `planesweep` estimator: dense depth from posed photos without any learning."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from recon3d.core.depth import DepthRequest, PredictedDepth
from recon3d.core.errors import EstimatorError
from recon3d.depth.method_digest import method_digest
from recon3d.run.device import Runtime

_BYTES_PER_PIXEL = 1000
"""That a photo at work takes; measured at 96 and 128 planes, with a margin."""


class PlaneSweep:
    """Plane sweep (Collins 1996) with NCC, semi-global aggregation and slanted refinement."""

    name = "planesweep"
    source_views = 16
    reads_points = False

    def __init__(self, settings: Mapping[str, object], runtime: Runtime) -> None:
        """Settings may hold `planes`, the most depths to try."""
        self._planes = int(str(settings.get("planes", 128)))
        self._runtime = runtime
        method = method_digest(
            Path(__file__).parent,
            (
                "planesweep.py",
                "sweep.py",
                "aggregation.py",
                "matching.py",
                "matching_cpu.py",
                "warp.py",
            ),
            {"planes": self._planes},
            ("torch", "opencv", "numpy", "numba"),
        )
        self.digest = f"planesweep-{method}"

    def _photo_bytes(self, request: DepthRequest) -> int:
        camera = request.reference.camera
        return _BYTES_PER_PIXEL * camera.width_px * camera.height_px

    def predict(
        self, requests: Iterable[DepthRequest], check_cancelled: Callable[[], None]
    ) -> Iterator[PredictedDepth]:
        """Depth in scene units for each request.

        Raises:
            EstimatorError: a request has no depth range, because no sparse points tell it, or
                the GPU was asked for and there is none.
        """
        # torch takes seconds to import and is not needed when every depth map is in the cache.
        import torch

        from recon3d.depth.device import map_photos, torch_device
        from recon3d.depth.sweep import SweepSettings, sweep

        settings = SweepSettings(planes=self._planes)
        device = torch_device(self._runtime.device)

        def predict_one(request: DepthRequest, check: Callable[[], None]) -> PredictedDepth:
            if not (request.sources and 0 < request.depth_range[0] < np.inf):
                raise EstimatorError(
                    f"How far {request.reference.view_id} looks is unknown: too few points.",
                    hint="planesweep needs photos that share textured, sharp surfaces.",
                )
            with torch.inference_mode():
                return sweep(request, settings, device, check)

        return map_photos(
            predict_one, requests, device, self._runtime, self._photo_bytes, check_cancelled
        )
