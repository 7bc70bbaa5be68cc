"""What the colours of the coverage are, and what they mean."""

from __future__ import annotations

from recon3d.view_planning.measure import Weakness

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
