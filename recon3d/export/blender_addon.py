"""The add-on for Blender as the file that Blender installs."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

from recon3d.export.blender import SCRIPT
from recon3d.run.files import atomic_path

_SOURCE = Path(__file__).with_name("addon")
"""Runs inside Blender, with Blender's Python: nothing here imports it. Without an __init__.py, so
that nothing that looks at recon3d's own modules does so either."""
_FILES = {
    "__init__.py": _SOURCE / "sidebar.py",
    "background_run.py": _SOURCE / "background_run.py",
    "blender_manifest.toml": _SOURCE / "blender_manifest.toml",
    SCRIPT.name: SCRIPT,
}
_NAME = "recon3d_blender"
"""Of the folder in the file, by which Blender knows an add-on."""
_SAME_DAY = (1980, 1, 1, 0, 0, 0)
"""The same program writes the same bytes."""


def write_addon(target: Path, command: Sequence[str]) -> None:
    """Write the add-on.

    Args:
        target: A .zip.
        command: How this computer starts recon3d; the add-on does so.

    Raises:
        OutputError: the file cannot be written.
    """
    files = {name: path.read_text(encoding="utf-8") for name, path in _FILES.items()}
    files["command.json"] = json.dumps(list(command))
    with atomic_path(target) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(f"{_NAME}/{name}", _SAME_DAY), files[name])
