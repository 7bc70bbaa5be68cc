"""What a mesh file will take in memory, told from its size and its headers before it is decoded."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recon3d.core.errors import InputError, not_enough_memory
from recon3d.run.documents import parse_json

_DECODED = 5
"""Bytes in memory for a byte of geometry, at the least (measured: 5 for OBJ and glTF, up to 17 for
OFF and PLY)."""
_MOST_PARTS = 10_000
"""Each takes trimesh milliseconds."""
_MOST_JSON_BYTES = 64 << 20
_COMPONENTS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
_COMPONENT_BYTES = {5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4}


def check_fits(path: Path, room_bytes: int) -> None:
    """Refuse a file that would take more memory than there is, or that claims what it lacks.

    Raises:
        InputError: it claims to hold more than it does, or is no file of its format at all.
        NotEnoughMemoryError: it is too large.
    """
    geometry_bytes = _geometry_bytes(path)
    if _DECODED * geometry_bytes > room_bytes:
        raise not_enough_memory(f"read {path.name}", _DECODED * geometry_bytes)


def _geometry_bytes(path: Path) -> int:
    suffix = path.suffix.lower()
    if suffix == ".3mf":
        try:
            with zipfile.ZipFile(path) as archive:
                return sum(entry.file_size for entry in archive.infolist())
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise _damaged(path, str(error)) from error
    if suffix in (".glb", ".gltf"):
        content = gltf_description(path)
        try:
            return _gltf_bytes(content)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise _damaged(path, str(error)) from error
    return path.stat().st_size


def gltf_description(path: Path) -> Mapping[str, Any]:
    """What a .glb or .gltf says of itself; nothing in it can be relied on but that it is an object.

    Raises:
        InputError: it is no such file, or cut short.
    """
    try:
        return _gltf(path)
    except (ValueError, struct.error) as error:
        raise _damaged(path, str(error)) from error


def _gltf(path: Path) -> Mapping[str, Any]:
    with path.open("rb") as stream:
        if path.suffix.lower() == ".gltf":
            text = stream.read(_MOST_JSON_BYTES + 1)
        else:
            magic, _, whole, size, kind = struct.unpack("<4sIIII", stream.read(20))
            if magic != b"glTF" or kind != 0x4E4F534A:
                raise ValueError("it does not begin as a GLB file does")
            if whole > path.stat().st_size:
                raise ValueError(f"of its {whole:,} bytes only {path.stat().st_size:,} are there")
            text = stream.read(min(size, _MOST_JSON_BYTES + 1))
    if len(text) > _MOST_JSON_BYTES:
        raise ValueError("its description is larger than any we know")
    content = parse_json(text.decode("utf-8"))
    if not isinstance(content, dict):
        raise ValueError("its description is no object")
    return content


def _gltf_bytes(content: Mapping[str, Any]) -> int:
    """Of all meshes, as often as nodes show them."""
    is_packed = "KHR_draco_mesh_compression" in content.get("extensionsUsed", ())
    views = content.get("bufferViews", [])
    accessors = [_accessor_bytes(each, views, is_packed) for each in content.get("accessors", [])]
    meshes = [
        sum(
            accessors[number]
            for primitive in mesh["primitives"]
            for number in (*primitive["attributes"].values(), primitive.get("indices"))
            if number is not None
        )
        for mesh in content.get("meshes", [])
    ]
    shown = [node["mesh"] for node in content.get("nodes", []) if "mesh" in node]
    if len(content.get("nodes", [])) > _MOST_PARTS:
        raise ValueError(
            f"it has {len(content['nodes']):,} parts; at most {_MOST_PARTS:,} are read"
        )
    return sum(meshes[number] for number in shown) + sum(meshes)


def _accessor_bytes(accessor: Mapping[str, Any], views: list[Any], is_packed: bool) -> int:
    """Of an array; an array without a place in the file would be made of zeros."""
    count = accessor["count"]
    if not isinstance(count, int) or count < 0:
        raise ValueError(f"it claims to hold {count} values")
    item_bytes = _COMPONENTS[accessor["type"]] * _COMPONENT_BYTES[accessor["componentType"]]
    is_whole = "sparse" in accessor or is_packed
    view = accessor.get("bufferView")
    held_bytes = 0 if view is None else views[view]["byteLength"]
    if not is_whole and count * item_bytes > held_bytes:
        raise ValueError(f"it claims {count:,} values that it does not hold")
    return int(count * item_bytes)


def _damaged(path: Path, why: str) -> InputError:
    return InputError(
        f"{path} cannot be read as {path.suffix}: {why}.",
        hint="It is damaged, cut short, or of another format than its name says.",
    )
