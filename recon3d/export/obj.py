"""Wavefront OBJ; textures lie beside it as pictures, named in an MTL file."""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from recon3d.core.surface import Mesh, TexturedMesh, normals_of
from recon3d.export.charts import distinct_uv
from recon3d.export.records import write_lines
from recon3d.export.textures import SUFFIXES, ExportConfig, encode_page

_UNSAFE = re.compile(r"[^\w.-]")


def write_obj(target: Path, model: Mesh | TexturedMesh, config: ExportConfig) -> None:
    """Write target, and for a texture an .mtl and one picture for each page beside it.

    Without a texture, colours follow the position, "v x y z r g b", as Blender and MeshLab read
    them.

    Raises:
        OutputError: a page does not fit into the picture format.
    """
    with target.open("wb") as stream:
        stream.write(b"# recon3d\n")
        if isinstance(model, TexturedMesh):
            stem = _plain_name(target.stem)
            stream.write(f"mtllib {stem}.mtl\n".encode())
            _write_textured(stream, model)
            _write_materials(target.with_name(f"{stem}.mtl"), model, config)
            return
        _write_vertices(stream, model, model.rgb)
        corners = np.repeat(model.faces + 1, 2, axis=1)
        write_lines(stream, "f %d//%d %d//%d %d//%d\n", corners)


def _write_vertices(stream: BinaryIO, mesh: Mesh, rgb: NDArray[np.uint8] | None) -> None:
    # So many digits bring every float back exactly.
    digits = 17 if mesh.vertices.dtype == np.float64 else 9
    place = f"v %.{digits}g %.{digits}g %.{digits}g"
    if rgb is None:
        write_lines(stream, f"{place}\n", mesh.vertices)
    else:
        write_lines(stream, f"{place} %.4f %.4f %.4f\n", mesh.vertices, rgb / 255)
    normals = normals_of(mesh)
    write_lines(stream, "vn %.4f %.4f %.4f\n", normals)


def _write_textured(stream: BinaryIO, model: TexturedMesh) -> None:
    _write_vertices(stream, model.mesh, None)
    uv, uv_index = distinct_uv(model.uv)
    # A page may have 16384 pixels; 7 digits hit a thousandth of one.
    write_lines(stream, "vt %.7f %.7f\n", uv)
    for page in np.unique(model.page_of_face).tolist():
        on_page = model.page_of_face == page
        vertex = model.mesh.faces[on_page] + 1
        corners = np.stack([vertex, uv_index[on_page] + 1, vertex], axis=2)
        stream.write(f"usemtl texture_{page}\n".encode())
        write_lines(stream, "f %d/%d/%d %d/%d/%d %d/%d/%d\n", corners.reshape(-1, 9))


def _write_materials(target: Path, model: TexturedMesh, config: ExportConfig) -> None:
    lines = ["# recon3d"]
    for page in np.unique(model.page_of_face).tolist():
        name = f"{target.stem}_{page}{SUFFIXES[config.texture_format]}"
        encoded = encode_page(model.pages[page], config.texture_format, config.texture_quality)
        target.with_name(name).write_bytes(encoded)
        lines += [f"newmtl texture_{page}", "Ka 1 1 1", "Kd 1 1 1", "Ks 0 0 0", "illum 1"]
        lines += [f"map_Kd {name}"]
        for kind, pages in (("normal", model.normal_pages), ("ao", model.occlusion_pages)):
            if pages:
                beside = f"{target.stem}_{page}_{kind}.png"
                target.with_name(beside).write_bytes(encode_page(pages[page], "png", 100))
                # As map_Bump Blender would read it, but take its numbers for colours. MTL has no
                # word for ambient occlusion.
                lines += [f"norm {beside}"] if kind == "normal" else []
        lines += [""]
    target.write_text("\n".join(lines), encoding="utf-8")


def _plain_name(stem: str) -> str:
    """Readers disagree on blanks and quotes in the names of other files."""
    plain = _UNSAFE.sub("_", stem)
    # `a b.obj` and `a_b.obj` must not share their pictures.
    return plain if plain == stem else f"{plain}_{zlib.crc32(stem.encode()):08x}"
