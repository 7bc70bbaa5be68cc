"""What the reports have in common: the templates, and the names of the values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from recon3d.run.files import atomic_path

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
    environment = Environment(
        # Always: file names may hold markup.
        autoescape=True,
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["strokes"] = _strokes
    page = environment.get_template(template).render(parts)
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
