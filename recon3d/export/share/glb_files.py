"""GLB files that a page can show: whole, and in need of nothing beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recon3d.core.errors import InputError
from recon3d.surface.mesh_file_sizes import gltf_description

_SHOWN = frozenset(
    {
        "EXT_texture_webp",
        "KHR_materials_unlit",
        "KHR_mesh_quantization",
        "KHR_texture_transform",
    }
)
"""Extensions that three.js reads without a decoder of its own."""


def check_stands_alone(path: Path) -> None:
    """Refuse a .glb that a page could not show.

    Raises:
        InputError: missing, damaged, or in need of other files or of a decoder.
    """
    if not path.is_file():
        raise InputError(f"{path} is not there, or is not a file.")
    content = gltf_description(path)
    named = [part for kind in ("buffers", "images") for part in _listed(content, kind)]
    if any("uri" in part for part in named if isinstance(part, dict)):
        raise InputError(
            f"{path} takes parts of the model from elsewhere.",
            hint="Save it again with everything in one file, or share the workspace.",
        )
    if unknown := set(map(str, _listed(content, "extensionsRequired"))) - _SHOWN:
        raise InputError(
            f"{path} is packed in a way that pages cannot show ({', '.join(sorted(unknown))}).",
            hint="Save it again without compression, or share the workspace.",
        )


def _listed(content: Mapping[str, Any], kind: str) -> list[Any]:
    found = content.get(kind)
    return found if isinstance(found, list) else []
