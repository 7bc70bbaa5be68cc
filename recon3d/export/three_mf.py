"""3MF, what printing programs read: a zip of XML, in millimetres, with the vertices' colours.

Core specification 1.3 and its extension for materials (3MF Consortium); written by hand, because
it is three small files, and a chunk at a time.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from recon3d.core.surface import Mesh
from recon3d.export.records import write_lines

_CORE = "http://schemas.microsoft.com/3dmanufacturing/core/2015/02"
_MATERIAL = "http://schemas.microsoft.com/3dmanufacturing/material/2015/02"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006"
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_TYPES = (
    f'{_HEAD}<Types xmlns="{_RELATIONS}/content-types">'
    '<Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="model" '
    'ContentType="application/vnd.ms-package.3dmanufacturing-3dmodel+xml"/></Types>'
)
_ROOT = (
    f'{_HEAD}<Relationships xmlns="{_RELATIONS}/relationships">'
    '<Relationship Target="/3D/3dmodel.model" Id="rel0" '
    'Type="http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel"/></Relationships>'
)


def write_3mf(target: Path, mesh: Mesh) -> None:
    """Write one object, its lengths as millimetres."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as package:
        for name, text in (("[Content_Types].xml", _TYPES), ("_rels/.rels", _ROOT)):
            package.writestr(_entry(name), text, zipfile.ZIP_DEFLATED)
        with package.open(_entry("3D/3dmodel.model"), "w", force_zip64=True) as stream:
            _write_model(cast(BinaryIO, stream), mesh)


def _entry(name: str) -> zipfile.ZipInfo:
    """Dated alike, so that the same model has the same bytes."""
    entry = zipfile.ZipInfo(name)
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _write_model(stream: BinaryIO, mesh: Mesh) -> None:
    stream.write(
        f'{_HEAD}<model unit="millimeter" xml:lang="en-US" xmlns="{_CORE}" xmlns:m="{_MATERIAL}">\n'
        '<metadata name="Application">recon3d</metadata>\n<resources>\n'.encode()
    )
    colour_of_vertex = None if mesh.rgb is None else _write_colours(stream, mesh.rgb)
    stream.write(b'<object id="1" type="model"><mesh><vertices>\n')
    # So many digits bring every float back exactly.
    write_lines(stream, '<vertex x="%.9g" y="%.9g" z="%.9g"/>\n', mesh.vertices)
    stream.write(b"</vertices><triangles>\n")
    if colour_of_vertex is None:
        write_lines(stream, '<triangle v1="%d" v2="%d" v3="%d"/>\n', mesh.faces)
    else:
        line = '<triangle v1="%d" v2="%d" v3="%d" pid="2" p1="%d" p2="%d" p3="%d"/>\n'
        write_lines(stream, line, mesh.faces, colour_of_vertex[mesh.faces])
    stream.write(
        b'</triangles></mesh></object>\n</resources>\n<build><item objectid="1"/></build>\n</model>'
    )


def _write_colours(stream: BinaryIO, rgb: np.ndarray) -> np.ndarray:
    """Each colour once; returns their numbers by vertex."""
    colours, number = np.unique(rgb, axis=0, return_inverse=True)
    stream.write(b'<m:colorgroup id="2">\n')
    write_lines(stream, '<m:color color="#%02X%02X%02X"/>\n', colours)
    stream.write(b"</m:colorgroup>\n")
    found: np.ndarray = number.ravel()
    return found
