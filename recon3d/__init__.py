"""recon3d: from a folder of photos to a clean mesh."""

from recon3d.api import reconstruct
from recon3d.config import Config, preset
from recon3d.core.errors import Cancelled, ReconError
from recon3d.export.export import Outputs
from recon3d.finished import reopen
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
    "Outputs",
    "ReconError",
    "Results",
    "Runtime",
    "Stage",
    "preset",
    "reconstruct",
    "reopen",
]
