"""Binary STL: bare triangles."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recon3d.core.surface import Mesh
from recon3d.export.records import Layout, chunks, records


def write_stl(target: Path, mesh: Mesh) -> None:
    """Write triangles; STL has neither colours nor shared vertices."""
    facet: Layout = [("normal", "<f4", (3,)), ("corners", "<f4", (3, 3)), ("unused", "<u2", ())]
    with target.open("wb") as stream:
        stream.write(b"recon3d".ljust(80) + np.uint32(len(mesh.faces)).tobytes())
        for rows in chunks(len(mesh.faces)):
            corners = mesh.vertices[mesh.faces[rows]]
            normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
            length = np.linalg.norm(normal, axis=1, keepdims=True)
            normal /= np.where(length > 0, length, 1)
            stream.write(records(facet, {"corners": corners, "normal": normal}))
