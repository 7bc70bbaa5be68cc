"""A depth camera's own maps, passed through."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from recon3d.core.depth import DepthRequest, PredictedDepth
from recon3d.core.errors import EstimatorError
from recon3d.depth.method_digest import method_digest
from recon3d.run.device import Runtime


class Sensor:
    """The `sensor` estimator: believes the depth camera wherever it saw something."""

    name = "sensor"
    source_views = 0

    def __init__(self, settings: Mapping[str, object], runtime: Runtime) -> None:
        """Needs neither settings nor a device."""
        method = method_digest(Path(__file__).parent, ("sensor.py",), {}, ("opencv", "numpy"))
        self.digest = f"sensor-{method}"

    def predict(
        self, requests: Iterable[DepthRequest], check_cancelled: Callable[[], None]
    ) -> Iterator[PredictedDepth]:
        """Hand on each photo's sensor depth, cut to its mask.

        Raises:
            EstimatorError: a photo has no sensor depth.
        """
        for request in requests:
            check_cancelled()
            frame = request.reference
            if frame.sensor_depth is None:
                raise EstimatorError(
                    f"{frame.view_id} has no depth from a depth camera.",
                    hint="Pass --depth with the camera's depth maps, or choose planesweep.",
                )
            depth_z = np.where(True if frame.mask is None else frame.mask, frame.sensor_depth, 0)
            known = (depth_z > 0).astype(np.float32)
            yield PredictedDepth(depth_z.astype(np.float32), "scene", known, frame.camera)
