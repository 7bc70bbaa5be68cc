"""LAS and LAZ, the point clouds of surveyors; needs laspy and lazrs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from recon3d.core.errors import OutputError
from recon3d.export.records import chunks

# Coordinates are whole numbers of this many parts of the cloud, or of a tenth of a millimetre.
_STEPS = 1 << 30
_FINEST_M = 1e-4
# Colours are of 16 bits.
_WIDER = 257


def check_las() -> None:
    """Look whether LAS and LAZ can be written at all.

    Raises:
        OutputError: laspy or lazrs is not installed.
    """
    try:
        import laspy  # noqa: F401
        import lazrs  # noqa: F401
    except ImportError as error:
        raise OutputError(
            "LAS and LAZ files need the packages laspy and lazrs, which are not installed.",
            hint='Run: pip install ".[survey]", or write .ply instead.',
        ) from error


def write_las(
    target: Path,
    points: Float[np.ndarray, "n 3"],
    rgb: UInt8[np.ndarray, "n 3"],
    crs: str,
    *,
    is_metric: bool,
) -> None:
    """Write LAS 1.4, compressed where the name ends in .laz.

    points: float64; each is off by half a tenth of a millimetre at most, where that is a metre's.
    crs: the coordinate reference system, as pyproj reads it; empty for local coordinates.

    Raises:
        OutputError: laspy or lazrs is not installed.
    """
    check_las()
    import laspy
    from pyproj import CRS

    header = laspy.LasHeader(version="1.4", point_format=7)
    header.generating_software = "recon3d"
    # The day would make other bytes of the same cloud.
    header.creation_date = None
    known = points if len(points) else np.zeros((1, 3))
    low, high = known.min(axis=0), known.max(axis=0)
    finest = float((high - low).max()) / _STEPS
    step = max(_FINEST_M, finest) if is_metric else finest or 1.0
    header.scales, header.offsets = np.full(3, step), np.floor(low) if is_metric else low
    if crs:
        header.add_crs(CRS.from_user_input(crs))
    with laspy.open(
        target, mode="w", header=header, do_compress=target.suffix.lower() == ".laz"
    ) as stream:
        for rows in chunks(len(points)):
            record = laspy.ScaleAwarePointRecord.zeros(len(points[rows]), header=header)
            record.x, record.y, record.z = points[rows].T
            record.red, record.green, record.blue = (rgb[rows].astype(np.uint16) * _WIDER).T
            record.return_number[:] = record.number_of_returns[:] = 1
            stream.write_points(record)
