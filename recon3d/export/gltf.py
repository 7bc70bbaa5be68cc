"""Binary glTF 2.0: one mesh, its vertex colours or textures, in one file."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from recon3d.core.errors import OutputError
from recon3d.core.surface import Mesh, TexturedMesh, normals_of
from recon3d.core.tangents import corner_tangents
from recon3d.export.charts import PageMesh, split_by_page
from recon3d.export.textures import ExportConfig, TextureFormat, encode_page, linear_from_srgb

_FLOAT, _UNSIGNED_SHORT, _UNSIGNED_INT = 5126, 5123, 5125
_VERTICES, _INDICES = 34962, 34963
_CLAMP, _LINEAR, _MIPMAPS = 33071, 9729, 9987
_MOST_BYTES = (1 << 32) - 1
_Object = dict[str, object]


def write_glb(target: Path, model: Mesh | TexturedMesh, config: ExportConfig) -> None:
    """Write a double-sided, rough, non-metallic mesh; vertices must already be y-up.

    glTF wants vertex colours linear, photos are sRGB: they are converted, and stored in 16 bits
    because 8 would leave visible steps in the shadows. Textures take the place of vertex colours,
    which viewers would multiply with them.

    Raises:
        OutputError: the model does not fit into 4 GiB, or a texture not into its format.
    """
    # On the disk, because the description comes first in the file and says how long this is.
    with tempfile.TemporaryFile(dir=target.parent) as body:
        writer = _Writer(body, config)
        if isinstance(model, TexturedMesh):
            primitives = [*writer.textured_primitives(model)]
        else:
            primitives = [writer.coloured_primitive(model)]
        text = json.dumps(writer.document(primitives), separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        total = 12 + 8 + len(text) + 8 + writer.size
        if total > _MOST_BYTES:
            raise OutputError(
                f"The model takes {total / 2**30:.1f} GiB; a GLB file holds 4 at most.",
                hint="Write fewer --faces, --export.texture-format jpeg, or another format.",
            )
        body.seek(0)
        with target.open("wb") as stream:
            stream.write(b"glTF" + _uint32(2, total))
            stream.write(_uint32(len(text)) + b"JSON" + text)
            stream.write(_uint32(writer.size) + b"BIN\0")
            shutil.copyfileobj(body, stream, 1 << 20)


class _Writer:
    """Puts arrays and pictures one after the other and keeps their description."""

    def __init__(self, body: IO[bytes], config: ExportConfig) -> None:
        self._body, self._config = body, config
        self._views: list[_Object] = []
        self._accessors: list[_Object] = []
        self._images: list[_Object] = []
        self._materials: list[_Object] = []
        self.size = 0

    def coloured_primitive(self, mesh: Mesh) -> _Object:
        normals = normals_of(mesh)
        attributes = self._surface(mesh.vertices, normals)
        if mesh.rgb is not None:
            # Four channels keep every vertex on a multiple of four bytes, as glTF demands.
            rgba = np.full((len(mesh.rgb), 4), 65535, np.uint16)
            rgba[:, :3] = np.rint(linear_from_srgb(mesh.rgb) * 65535)
            attributes["COLOR_0"] = self._array(rgba, "VEC4", _UNSIGNED_SHORT, _VERTICES)
        return self._primitive(attributes, mesh.faces, self._material({}))

    def textured_primitives(self, model: TexturedMesh) -> Iterator[_Object]:
        """One for each page, which is the only one in memory."""
        mesh = model.mesh
        normals = normals_of(mesh)
        tangents = corner_tangents(mesh, model.uv) if model.normal_pages else None
        for part in split_by_page(model):
            attributes = self._surface(mesh.vertices[part.vertex], normals[part.vertex])
            if tangents:
                attributes["TANGENT"] = self._tangents(part, *tangents)
            # glTF's origin is the upper left corner.
            upper_left = np.stack([part.uv[:, 0], 1 - part.uv[:, 1]], axis=1)
            attributes["TEXCOORD_0"] = self._array(upper_left, "VEC2", _FLOAT, _VERTICES)
            texture = self._picture(model.pages[part.page])
            maps: _Object = {}
            if model.normal_pages:
                maps["normalTexture"] = {"index": self._map(model.normal_pages[part.page])}
            if model.occlusion_pages:
                maps["occlusionTexture"] = {"index": self._map(model.occlusion_pages[part.page])}
            material = self._material({"baseColorTexture": {"index": texture}}, maps)
            yield self._primitive(attributes, part.faces, material)

    def document(self, primitives: list[_Object]) -> _Object:
        """Everything but the arrays and pictures."""
        webp = "EXT_texture_webp"
        document: _Object = {
            "asset": {"version": "2.0", "generator": "recon3d"},
            "scene": 0,
            "scenes": [{"nodes": [0]}],
            "nodes": [{"mesh": 0, "name": "recon3d"}],
            "meshes": [{"name": "recon3d", "primitives": primitives}],
            "materials": self._materials,
            "accessors": self._accessors,
            "bufferViews": self._views,
            "buffers": [{"byteLength": self.size}],
        }
        used, required = ["KHR_materials_unlit"] if self._config.unlit else [], []
        if self._images:
            textures: list[_Object] = [
                {"sampler": 0, "source": n} for n in range(len(self._images))
            ]
            if self._config.texture_format == "webp":
                # Without another picture to fall back on, readers must know it.
                used, required = [*used, webp], [webp]
                textures = [
                    {"sampler": 0, "extensions": {webp: {"source": n}}}
                    if image["mimeType"] == "image/webp"
                    else {"sampler": 0, "source": n}
                    for n, image in enumerate(self._images)
                ]
            document["textures"], document["images"] = textures, self._images
            document["samplers"] = [
                {"magFilter": _LINEAR, "minFilter": _MIPMAPS, "wrapS": _CLAMP, "wrapT": _CLAMP}
            ]
        if used:
            document["extensionsUsed"] = used
        if required:
            document["extensionsRequired"] = required
        return document

    def _surface(self, vertices: NDArray[np.float32], normals: NDArray[np.float32]) -> _Object:
        position = self._array(vertices, "VEC3", _FLOAT, _VERTICES)
        self._accessors[position]["min"] = vertices.min(0).tolist()
        self._accessors[position]["max"] = vertices.max(0).tolist()
        normal = self._array(_unit(normals), "VEC3", _FLOAT, _VERTICES)
        return {"POSITION": position, "NORMAL": normal}

    def _primitive(self, attributes: _Object, faces: NDArray[np.int32], material: int) -> _Object:
        # The largest number of each kind is kept for restarting a strip.
        short = int(faces.max()) < 65535
        indices = faces.astype(np.uint16 if short else np.uint32)
        component = _UNSIGNED_SHORT if short else _UNSIGNED_INT
        index = self._array(indices, "SCALAR", component, _INDICES)
        return {"attributes": attributes, "indices": index, "material": material}

    def _tangents(
        self, part: PageMesh, tangents: NDArray[np.float32], sign: NDArray[np.int32]
    ) -> int:
        """Corners that share a vertex and uv share their tangent, but for mirrored charts."""
        four = np.zeros((len(part.vertex), 4), np.float32)
        four[part.faces, :3] = tangents[part.face]
        four[part.faces, 3] = sign[part.face, None]
        return self._array(four, "VEC4", _FLOAT, _VERTICES)

    def _material(self, colour: _Object, maps: _Object | None = None) -> int:
        surface = {**colour, "metallicFactor": 0.0, "roughnessFactor": 1.0}
        material: _Object = {
            "name": f"recon3d_{len(self._materials)}",
            "doubleSided": True,
            "pbrMetallicRoughness": surface,
            **(maps or {}),
        }
        if self._config.unlit:
            material["extensions"] = {"KHR_materials_unlit": {}}
        self._materials.append(material)
        return len(self._materials) - 1

    def _picture(self, rgb: NDArray[np.uint8]) -> int:
        config = self._config
        encoded = encode_page(rgb, config.texture_format, config.texture_quality)
        return self._image(encoded, config.texture_format)

    def _map(self, values: NDArray[np.uint8]) -> int:
        """Numbers, of which lossy formats would make others."""
        return self._image(encode_page(values, "png", 100), "png")

    def _image(self, encoded: bytes, form: TextureFormat) -> int:
        start = self.size
        self._body.write(encoded)
        number = len(self._images)
        self._images.append(
            {
                "name": f"recon3d_{number}",
                "mimeType": f"image/{form}",
                "bufferView": self._view(start, len(encoded)),
            }
        )
        return number

    def _array(self, array: NDArray[np.generic], kind: str, component: int, target: int) -> int:
        """Append an array; returns the index of its accessor."""
        start = self.size
        self._body.write(np.ascontiguousarray(array).data)
        view = self._view(start, array.nbytes)
        self._views[view]["target"] = target
        accessor: _Object = {
            "bufferView": view,
            "componentType": component,
            "count": array.size if kind == "SCALAR" else len(array),
            "type": kind,
        }
        if component == _UNSIGNED_SHORT and target == _VERTICES:
            accessor["normalized"] = True
        self._accessors.append(accessor)
        return len(self._accessors) - 1

    def _view(self, start: int, length: int) -> int:
        self.size = start + length + -length % 4
        self._body.write(bytes(-length % 4))
        self._views.append({"buffer": 0, "byteOffset": start, "byteLength": length})
        return len(self._views) - 1


def _unit(normals: NDArray[np.float32]) -> NDArray[np.float32]:
    """Viewers divide by the length, so a vertex without a face gets some direction."""
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    up = np.array([0, 1, 0], np.float32)
    return np.where(length > 0, normals / np.where(length > 0, length, 1), up).astype(np.float32)


def _uint32(*values: int) -> bytes:
    return np.array(values, "<u4").tobytes()
