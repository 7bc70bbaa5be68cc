"""Depth estimators by name, ours and those of other packages."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points

from recon3d.core.depth import DepthEstimator
from recon3d.core.errors import EstimatorError
from recon3d.run.device import Runtime

_GROUP = "recon3d.depth_estimators"
_BUILT_IN = (
    EntryPoint("planesweep", "recon3d.depthnet.planesweep:PlaneSweep", _GROUP),
    EntryPoint("sensor", "recon3d.depthnet.sensor:Sensor", _GROUP),
)


def estimator_names() -> list[str]:
    """Every name that `make_estimator` knows, built-in ones first."""
    return [entry.name for entry in (*_BUILT_IN, *entry_points(group=_GROUP))]


def make_estimator(model: str, settings: Mapping[str, object], runtime: Runtime) -> DepthEstimator:
    """Make a built-in estimator, or one that another package registers.

    Raises:
        EstimatorError: nobody registers that name, or what is registered is no estimator.
    """
    for entry in (*_BUILT_IN, *entry_points(group=_GROUP)):
        if entry.name == model:
            estimator = entry.load()(settings, runtime)
            if not isinstance(estimator, DepthEstimator):
                raise EstimatorError(f'"{model}" is registered but is not a depth estimator.')
            return estimator
    raise EstimatorError(
        f'There is no depth estimator named "{model}".',
        hint=f"Known ones: {', '.join(estimator_names())}.",
    )
