"""What the colours of coverage and exactness are, and what they mean."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8

from recon3d.view_planning.measure import Coverage, Weakness

COLOURS: dict[Weakness, tuple[int, int, int]] = {
    Weakness.UNSEEN: (134, 20, 50),
    Weakness.ONE_PHOTO: (222, 54, 44),
    Weakness.TWO_PHOTOS: (245, 146, 50),
    Weakness.INFERRED: (146, 84, 200),
    Weakness.OBLIQUE: (250, 216, 84),
    Weakness.NARROW: (120, 200, 120),
    Weakness.FAR: (80, 150, 230),
    Weakness.NONE: (206, 206, 200),
}
"""Of the coverage, sRGB; what is well covered is grey, so that the rest stands out."""

WHAT: dict[Weakness, str] = {
    Weakness.UNSEEN: "in no photo",
    Weakness.ONE_PHOTO: "in one photo",
    Weakness.TWO_PHOTOS: "in two photos",
    Weakness.INFERRED: "guessed, not measured",
    Weakness.OBLIQUE: "seen at a slant only",
    Weakness.NARROW: "seen from one direction only",
    Weakness.FAR: "seen from far away only",
    Weakness.NONE: "well covered",
}
"""What each colour of the coverage stands for."""

STEPS: tuple[tuple[float, tuple[int, int, int]], ...] = (
    (0.5, (44, 138, 150)),
    (1.0, (126, 190, 128)),
    (2.0, (244, 214, 96)),
    (4.0, (236, 128, 52)),
    (8.0, (176, 30, 44)),
)
"""Expected error, as multiples of the usual one, and its colour in sRGB; between two of them the
colours mix by its logarithm."""

UNKNOWN = COLOURS[Weakness.INFERRED]
"""Of what was guessed, or too few photos see to say how exact it is."""


def exactness_rgb(coverage: Coverage) -> UInt8[np.ndarray, "v 3"]:
    """The colour of each vertex by its expected error."""
    factors = np.array([factor for factor, _ in STEPS])
    known = np.isfinite(coverage.sigma) & ~coverage.inferred
    rgb = np.tile(np.array(UNKNOWN, np.uint8), (len(coverage.sigma), 1))
    times = np.log2(np.maximum(coverage.sigma[known] / coverage.usual_sigma, 1e-9))
    for channel in range(3):
        colours = [colour[channel] for _, colour in STEPS]
        rgb[known, channel] = np.rint(np.interp(times, np.log2(factors), colours))
    return rgb
