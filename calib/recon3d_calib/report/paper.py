"""What the reports have in common: the templates, and the names of the values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from recon3d.run.files import atomic_path
from recon3d.run.templates import page_template

BADGES = {"good": "trustworthy", "fair": "usable", "poor": "not yet"}
_WORDS = {
    "fx": "focal length across, px", "fy": "focal length down, px",
    "cx": "principal point across, px", "cy": "principal point down, px",
}  # fmt: skip


def write_page(target: Path, template: str, parts: Mapping[str, object]) -> None:
    """Fill in a template of this folder; the page needs no other file and no network.

    Raises:
        OutputError: the place cannot be written.
    """
    filled = page_template(Path(__file__).with_name(template), strokes=_strokes)
    page = filled.render(parts)
    with atomic_path(target) as part:
        # File names may hold bytes that are no text.
        part.write_bytes(page.encode("utf-8", "replace"))


def value_rows(
    values: Mapping[str, float], std: Mapping[str, float]
) -> Sequence[tuple[str, str, float, float]]:
    """Name, words, value and standard deviation; coefficients have no words."""
    return [(name, _WORDS.get(name, ""), value, std[name]) for name, value in values.items()]


def _strokes(lines: Float[np.ndarray, "n 4"]) -> str:
    """As the path of an SVG."""
    return "".join(f"M{x:g} {y:g}L{to_x:g} {to_y:g}" for x, y, to_x, to_y in lines.tolist())
