"""The command line: a thin door to the pipeline, and the only place that prints."""

from recon3d.cli.main import main

__all__ = ["main"]
