"""recon3d: from a folder of photos to a clean mesh."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recon3d.api import paint, reconstruct
    from recon3d.config import Config, preset
    from recon3d.core.errors import Cancelled, ReconError
    from recon3d.export.export import Outputs
    from recon3d.finished import reopen
    from recon3d.photos.mask_command import MaskCommand
    from recon3d.results import Inputs, Results
    from recon3d.results import Until as Stage
    from recon3d.run.device import Runtime
    from recon3d.run.task import CancelToken, Event

__all__ = [
    "CancelToken",
    "Cancelled",
    "Config",
    "Event",
    "Inputs",
    "MaskCommand",
    "Outputs",
    "ReconError",
    "Results",
    "Runtime",
    "Stage",
    "paint",
    "preset",
    "reconstruct",
    "reopen",
]

# Imported when first asked for: the command line must be able to answer before half a second of
# libraries is read, and where there is no memory for them.
_HOMES = {
    "CancelToken": "recon3d.run.task:CancelToken",
    "Cancelled": "recon3d.core.errors:Cancelled",
    "Config": "recon3d.config:Config",
    "Event": "recon3d.run.task:Event",
    "Inputs": "recon3d.results:Inputs",
    "MaskCommand": "recon3d.photos.mask_command:MaskCommand",
    "Outputs": "recon3d.export.export:Outputs",
    "ReconError": "recon3d.core.errors:ReconError",
    "Results": "recon3d.results:Results",
    "Runtime": "recon3d.run.device:Runtime",
    "Stage": "recon3d.results:Until",
    "paint": "recon3d.api:paint",
    "preset": "recon3d.config:preset",
    "reconstruct": "recon3d.api:reconstruct",
    "reopen": "recon3d.finished:reopen",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module recon3d has no attribute {name}")
    module, _, attribute = _HOMES[name].partition(":")
    return getattr(import_module(module), attribute)
