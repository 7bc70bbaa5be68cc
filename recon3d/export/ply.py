"""Binary PLY: points or a mesh, with normals and colours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recon3d.export.records import Layout, chunks, records


def write_ply(
    target: Path,
    positions: NDArray[np.floating[Any]],
    normals: NDArray[np.float32],
    rgb: NDArray[np.uint8] | None,
    faces: NDArray[np.int32] | None,
    inferred: NDArray[np.bool_] | None = None,
    quality: NDArray[np.float32] | None = None,
) -> None:
    """Write a mesh, or a cloud where there are no faces; float64 positions stay so.

    Faces that were guessed have 1 in their property "inferred". quality: a float for each vertex,
    written as it is.
    """
    columns: dict[str, NDArray[np.generic]] = {"position": positions, "normal": normals}
    wide = positions.dtype == np.float64
    layout: Layout = [("position", "<f8" if wide else "<f4", (3,)), ("normal", "<f4", (3,))]
    header = ["ply", "format binary_little_endian 1.0", "comment recon3d"]
    header += [f"element vertex {len(positions)}"]
    header += [f"property {'double' if wide else 'float'} {name}" for name in ("x", "y", "z")]
    header += [f"property float {name}" for name in ("nx", "ny", "nz")]
    if rgb is not None:
        columns["rgb"] = rgb
        layout += [("rgb", "u1", (3,))]
        header += [f"property uchar {name}" for name in ("red", "green", "blue")]
    if quality is not None:
        columns["quality"] = quality
        layout += [("quality", "<f4", ())]
        header += ["property float quality"]
    if faces is not None:
        header += [f"element face {len(faces)}", "property list uchar int vertex_indices"]
        if inferred is not None:
            header += ["property uchar inferred"]
    with target.open("wb") as stream:
        stream.write("\n".join([*header, "end_header", ""]).encode())
        for rows in chunks(len(positions)):
            stream.write(records(layout, {name: array[rows] for name, array in columns.items()}))
        if faces is None:
            return
        triangle: Layout = [("corners", "u1", ()), ("vertex", "<i4", (3,))]
        known: dict[str, NDArray[np.generic]] = {"vertex": faces}
        if inferred is not None:
            triangle += [("inferred", "u1", ())]
            known["inferred"] = inferred
        for rows in chunks(len(faces)):
            columns = {name: array[rows] for name, array in known.items()}
            stream.write(records(triangle, columns, fill=3))
