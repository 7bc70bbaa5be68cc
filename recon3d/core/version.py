"""Which version of the program this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

DISTRIBUTION = "recon3d-studio"
"""PyPI's `recon3d` is a stranger's."""


def program_version() -> str:
    """As it is installed; "unknown" for a source tree that never was."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "unknown"
