"""The photos that come with the program, for whoever has none at hand."""

from __future__ import annotations

import shutil
from pathlib import Path

from platformdirs import user_documents_path

from recon3d.core.errors import InputError
from recon3d.run.files import atomic_path, explain_write_errors

_NAME = "example"


def take_example(target: Path | None = None) -> Path:
    """Copy the example's photos to where results may lie beside them; returns their folder.

    target: a folder; the user's documents by default. What is there already stays.

    Raises:
        InputError: this installation came without them.
        OutputError: the place cannot be written.
    """
    photos = sorted(_shipped().glob("*.jpg"))
    if not photos:
        raise InputError(
            "This installation came without the example.",
            hint="Drop photos of your own, or install recon3d again.",
        )
    folder = target or user_documents_path() / "recon3d" / _NAME
    with explain_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for photo in photos:
            if not (folder / photo.name).exists():
                with atomic_path(folder / photo.name) as part:
                    shutil.copyfile(photo, part)
    return folder


def _shipped() -> Path:
    """In the package, or in the checkout that it runs from."""
    package = Path(__file__).parents[1]
    inside = package / "assets" / _NAME
    return inside if inside.is_dir() else package.parents[1] / "examples" / "photos"
