"""Shape checks on every call, and the real photos where there are some."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

# Whatever the machine speaks; tests of languages choose theirs.
os.environ["RECON3D_LANGUAGE"] = "en"

ROOT = Path(__file__).resolve().parent.parent

# Shapes and dtypes in signatures are promises; tests hold every call to them, but for functions
# in machine code, which cannot be wrapped.
install_import_hook("recon3d.core", "beartype.beartype")
for module in (
    "photos.ingest",
    "photos.image_set_files",
    *(
        f"sfm.{path.stem}"
        for path in (ROOT / "recon3d" / "sfm").iterdir()
        if path.stem not in ("__init__", "__pycache__", "largest_products")
    ),
    "segmentation",
    "depth.estimate",
    "depth.align",
    "depth.alignment",
    "depth.consistency",
    "depth.plain_regions",
    "depth.patchmatch.levels",
    "depth.patchmatch.search",
    "depth.patchmatch.stages",
    "depth.patchmatch.triangles",
    "depth.region_planes",
    "surface.fuse",
    "surface.mesh",
    "surface.relief",
    "surface.levels",
    "surface.cleaning",
    "georef",
    "texture.texture",
    "export.export",
    "report",
):
    install_import_hook(f"recon3d.{module}", "beartype.beartype")


@pytest.fixture(scope="session")
def real_photos() -> Path:
    """The folder of real photo sets, which are not part of the project."""
    folder = Path(os.environ.get("RECON3D_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "fountain").is_dir():
        pytest.skip(f"no real photos in {folder}; set RECON3D_DATA")
    return folder


@pytest.fixture(scope="module")
def small_stills() -> Iterator[None]:
    """Reports of whole runs with pictures of a tenth of the size, for modules of many runs."""
    from recon3d.report import pictures
    from recon3d.view_planning import previews

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "_STILL_PX", (160, 120))
        patch.setattr(previews, "PREVIEW_PX", 120)
        yield


@pytest.fixture(scope="session")
def example() -> Path:
    """The example set that ships with the project."""
    return ROOT / "examples" / "photos"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests saw real photos: where there are none, a green run says less."""
    real = [
        report
        for outcome in ("passed", "failed", "skipped")
        for report in terminalreporter.stats.get(outcome, [])
        if "real_photos" in getattr(report, "keywords", {}) and report.when in ("call", "setup")
    ]
    skipped = sum(report.skipped for report in real)
    if real:
        terminalreporter.write_line(
            f"tests on real photos: {len(real) - skipped} ran, {skipped} skipped"
        )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let reports know which tests look at real photos."""
    for item in items:
        if "real_photos" in getattr(item, "fixturenames", ()):
            item.keywords["real_photos"] = True
