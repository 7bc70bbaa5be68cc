"""Free the disk of work that no run needs any more."""

from __future__ import annotations

from pathlib import Path

from recon3d.cli.display import Display
from recon3d.run.files import explain_write_errors, remove_tree
from recon3d.run.manifest import files_in
from recon3d.run.notes import check_workspace
from recon3d.run.task import CancelToken, silent
from recon3d.run.unused import unused_folders
from recon3d.run.workspace import open_workspace


def clean(root: Path, display: Display, *, everything: bool, dry_run: bool) -> None:
    """Delete the stage folders that the latest run does not use, or all of them.

    Raises:
        InputError: root is not a workspace, or it is not known what the latest run uses.
        WorkspaceBusyError: a run works there.
    """
    # Before the lock, which would make a workspace of whatever folder this is.
    check_workspace(root)
    with open_workspace(root, silent, CancelToken()):
        unused = unused_folders(root, everything=everything)
        sizes = [_size_bytes(folder) for folder in unused.folders]
        if not dry_run:
            for folder in unused.folders:
                with explain_write_errors(folder):
                    remove_tree(folder)
    verb = "Would free" if dry_run else "Freed"
    lines = [
        f"{folder}  {_megabytes(size)}" for folder, size in zip(unused.folders, sizes, strict=True)
    ]
    kept = [f"Kept {folder}: not all in it is recon3d's." for folder in unused.strange]
    display.result(
        {
            "folders": [str(folder) for folder in unused.folders],
            "kept": [str(folder) for folder in unused.strange],
            "bytes": sum(sizes),
            "dry_run": dry_run,
        },
        "\n".join([*lines, *kept, f"{verb} {_megabytes(sum(sizes))}."]),
    )


def _size_bytes(folder: Path) -> int:
    return sum((folder / name).lstat().st_size for name in files_in(folder))


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:,.1f} MB"
