"""Binary glTF 2.0: one mesh with vertex colours in one buffer."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from recon3d.core.surface import Mesh

_FLOAT, _UNSIGNED_SHORT, _UNSIGNED_INT = 5126, 5123, 5125
_VERTICES, _INDICES = 34962, 34963


def write_glb(stream: BinaryIO, mesh: Mesh, normals: NDArray[np.float32]) -> None:
    """Write a double-sided, rough, non-metallic mesh; vertices must already be y-up.

    glTF wants vertex colours linear, photos are sRGB: they are converted, and stored in 16 bits
    because 8 would leave visible steps in the shadows.

    Raises:
        ValueError: the mesh has no faces, which glTF cannot express.
    """
    if len(mesh.faces) == 0:
        raise ValueError("mesh: got no faces, expected 1 or more")
    buffer = _Buffer()
    attributes = {
        "POSITION": buffer.add(mesh.vertices, "VEC3", _FLOAT, _VERTICES, with_bounds=True),
        "NORMAL": buffer.add(_unit(normals), "VEC3", _FLOAT, _VERTICES),
    }
    if mesh.rgb is not None:
        # Four channels keep every vertex on a multiple of four bytes, as glTF demands.
        rgba = np.full((len(mesh.rgb), 4), 65535, np.uint16)
        rgba[:, :3] = _LINEAR[mesh.rgb]
        attributes["COLOR_0"] = buffer.add(rgba, "VEC4", _UNSIGNED_SHORT, _VERTICES)
    indices = buffer.add(mesh.faces.astype(np.uint32), "SCALAR", _UNSIGNED_INT, _INDICES)
    document = {
        "asset": {"version": "2.0", "generator": "recon3d"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "recon3d"}],
        "meshes": [{"primitives": [{"attributes": attributes, "indices": indices, "material": 0}]}],
        "materials": [
            {
                "doubleSided": True,
                "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 0.9},
            }
        ],
        "accessors": buffer.accessors,
        "bufferViews": buffer.views,
        "buffers": [{"byteLength": buffer.size}],
    }
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    stream.write(b"glTF" + _uint32(2, 12 + 8 + len(text) + 8 + buffer.size))
    stream.write(_uint32(len(text)) + b"JSON" + text)
    stream.write(_uint32(buffer.size) + b"BIN\0")
    for block in buffer.blocks:
        stream.write(block.data)


@dataclass
class _Buffer:
    """The arrays to write one after the other, and their description."""

    blocks: list[NDArray[np.generic]] = field(default_factory=list)
    views: list[dict[str, int]] = field(default_factory=list)
    accessors: list[dict[str, object]] = field(default_factory=list)
    size: int = 0

    def add(
        self,
        array: NDArray[np.generic],
        kind: str,
        component: int,
        target: int,
        *,
        with_bounds: bool = False,
    ) -> int:
        """Append an array of whole 4-byte words; returns the index of its accessor."""
        accessor: dict[str, object] = {
            "bufferView": len(self.views),
            "componentType": component,
            "count": array.size if kind == "SCALAR" else len(array),
            "type": kind,
        }
        if component == _UNSIGNED_SHORT:
            accessor["normalized"] = True
        if with_bounds:
            accessor["min"], accessor["max"] = array.min(0).tolist(), array.max(0).tolist()
        block = np.ascontiguousarray(array)
        self.views.append(
            {"buffer": 0, "byteOffset": self.size, "byteLength": block.nbytes, "target": target}
        )
        self.accessors.append(accessor)
        self.blocks.append(block)
        self.size += block.nbytes
        return len(self.accessors) - 1


def _unit(normals: NDArray[np.float32]) -> NDArray[np.float32]:
    """Viewers divide by the length, so a vertex without a face gets some direction."""
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    up = np.array([0, 1, 0], np.float32)
    return np.where(length > 0, normals / np.where(length > 0, length, 1), up).astype(np.float32)


def _uint32(*values: int) -> bytes:
    return np.array(values, "<u4").tobytes()


def _linear_table() -> NDArray[np.uint16]:
    encoded = np.arange(256) / 255
    linear: NDArray[np.float64] = np.where(
        encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4
    )
    return np.rint(linear * 65535).astype(np.uint16)


_LINEAR = _linear_table()
