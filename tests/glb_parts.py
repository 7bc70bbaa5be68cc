"""What lies in a GLB file, read without any library that could hide its mistakes."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np


def read_glb(path: Path) -> tuple[dict[str, Any], bytes]:
    content = path.read_bytes()
    magic, version, total, length = struct.unpack_from("<4sIII", content)
    assert (magic, version, total) == (b"glTF", 2, len(content))
    return json.loads(content[20 : 20 + length]), content[28 + length :]


def arrays(document: dict[str, Any], body: bytes, primitive: dict[str, Any]) -> dict[str, Any]:
    kinds = {5126: "<f4", 5123: "<u2", 5125: "<u4"}
    widths = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
    found = {}
    for name, index in {**primitive["attributes"], "faces": primitive["indices"]}.items():
        accessor = document["accessors"][index]
        view = document["bufferViews"][accessor["bufferView"]]
        width = widths[accessor["type"]]
        values = np.frombuffer(
            body, kinds[accessor["componentType"]], accessor["count"] * width, view["byteOffset"]
        )
        found[name] = values.reshape(-1, 3 if name == "faces" else width)
    return found


def parts_of(path: Path) -> list[dict[str, Any]]:
    document, body = read_glb(path)
    return [arrays(document, body, p) for p in document["meshes"][0]["primitives"]]
