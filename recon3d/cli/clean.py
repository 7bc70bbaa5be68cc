"""Free the disk of work that no run needs any more."""

from __future__ import annotations

import shutil
from pathlib import Path

from recon3d.cli.display import Display
from recon3d.run.files import explain_write_errors
from recon3d.run.task import CancelToken, silent
from recon3d.run.workspace import open_workspace, unused_folders


def clean(root: Path, display: Display, *, everything: bool, dry_run: bool) -> None:
    """Delete the stage folders that the latest run does not use, or all of them.

    Raises:
        InputError: root is not a workspace.
        WorkspaceBusyError: a run works there.
    """
    # Before the lock, which would make a workspace of whatever folder this is.
    unused_folders(root)
    with open_workspace(root, silent, CancelToken()):
        folders = unused_folders(root, everything=everything)
        sizes = [_size_bytes(folder) for folder in folders]
        if not dry_run:
            for folder in folders:
                with explain_write_errors(folder):
                    shutil.rmtree(folder)
    verb = "Would free" if dry_run else "Freed"
    lines = [f"{folder}  {_megabytes(size)}" for folder, size in zip(folders, sizes, strict=True)]
    display.result(
        {"folders": [str(f) for f in folders], "bytes": sum(sizes), "dry_run": dry_run},
        "\n".join([*lines, f"{verb} {_megabytes(sum(sizes))}."]),
    )


def _size_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:,.1f} MB"
