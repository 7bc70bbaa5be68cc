"""Depth estimators by name: ours, those of other packages, and networks from the hub."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from recon3d.core.depth import DepthEstimator
from recon3d.core.errors import EstimatorError
from recon3d.depth.checkpoint import network_kind
from recon3d.depth.completion import DepthCompletion
from recon3d.depth.hub.estimator import HubDepth
from recon3d.depth.hub.files import is_hub_name
from recon3d.run.device import Runtime

_GROUP = "recon3d.depth_estimators"
_BUILT_IN = (
    EntryPoint("planesweep", "recon3d.depth.planesweep:PlaneSweep", _GROUP),
    EntryPoint("multiview", "recon3d.depth.multiview.estimator:MultiView", _GROUP),
    EntryPoint("resnet", "recon3d.depth.mono.estimator:Resnet", _GROUP),
    EntryPoint("sensor", "recon3d.depth.sensor:Sensor", _GROUP),
)


def estimator_names() -> list[str]:
    """Every name that `make_estimator` knows, built-in ones first."""
    return [entry.name for entry in (*_BUILT_IN, *entry_points(group=_GROUP))]


def make_estimator(model: str, settings: Mapping[str, object], runtime: Runtime) -> DepthEstimator:
    """Make the estimator of a name.

    Args:
        model: Built in, registered by another package, "owner/name" on the hub, a folder with a
            depth network from there or from `recon3d train`, or two of them as "A+B": A, with
            its gaps filled from B.
        settings: Each estimator takes what it knows.
        runtime: Device and threads.

    Raises:
        EstimatorError: nobody registers that name, its files are missing or damaged, or what is
            registered is no estimator.
    """
    for entry in (*_BUILT_IN, *entry_points(group=_GROUP)):
        if entry.name == model:
            estimator = entry.load()(settings, runtime)
            if not isinstance(estimator, DepthEstimator):
                raise EstimatorError(f'"{model}" is registered but is not a depth estimator.')
            return estimator
    folder = Path(model).expanduser()
    if (kind := network_kind(folder)) in ("multiview", "resnet"):
        return make_estimator(kind, {**settings, "checkpoint": folder}, runtime)
    if folder.is_dir() or is_hub_name(model):
        return HubDepth(model, settings, runtime)
    sure, plus, guess = model.partition("+")
    if plus:
        return DepthCompletion(
            make_estimator(sure, settings, runtime), make_estimator(guess, settings, runtime)
        )
    raise EstimatorError(
        f'There is no depth estimator named "{model}", and no folder either.',
        hint=f"Known ones: {', '.join(estimator_names())}, and the depth networks that "
        "`recon3d models` lists.",
    )
