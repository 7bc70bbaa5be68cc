"""report.html of a calibration: can it be trusted, and what would make it better."""

from recon3d_calib.report.board import write_report
from recon3d_calib.report.photos import write_photos_report
from recon3d_calib.report.rig import write_rig_report

__all__ = ["write_photos_report", "write_report", "write_rig_report"]
